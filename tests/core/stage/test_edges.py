"""Edges with a colour, a width and a fate: all of them drawn, each in the group that it belongs to."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from values import graph, staged

from neurorama import Graph
from neurorama.stage import Pane
from neurorama.stage.edges import TINTS, WIDTHS, Edges, fair, levels
from neurorama.stage.theme import BLUE, CIVIDIS, GREEN, LIGHT, TIME

RING = np.stack([np.arange(8), (np.arange(8) + 1) % 8])
FATES = [1, 1, -1, 0, 0, 0, 0, 0]


def lines(pane: Pane) -> dict[tuple[str, float, str], int]:
    """(colour, width, dash) -> how many edges are drawn so."""
    return {
        (trace["line"]["color"], trace["line"]["width"], trace["line"].get("dash", "solid")): len(trace["x"]) // 3
        for trace in pane.figure["data"]
        if "lines" in trace["mode"]
    }


def test_an_added_edge_is_thick_and_green_and_a_dropped_one_dashed_and_the_picture_says_so() -> None:
    (pane,) = staged({"g": Graph(RING, 8, change=FATES)}).panes()
    (green, wide, solid), (grey, thin, _), (faint, _, dotted) = lines(pane)
    assert list(lines(pane).values()) == [2, 5, 1]
    assert (green, grey, faint) == (GREEN, LIGHT.edge, LIGHT.soft)
    assert wide > 1.5 * thin
    assert (solid, dotted) == ("solid", "dot")
    (key,) = pane.figure["layout"]["annotations"]
    assert "added" in key["text"]
    assert "dropped" in key["text"]
    assert "2 edges added and 1 dropped" in pane.alt
    assert "annotations" not in staged({"g": Graph(RING, 8)}).panes()[0].figure["layout"]


def test_an_added_edge_with_a_weight_is_a_green_line_of_its_own_width() -> None:
    weights = [1.0, 0.1, 1.0, 1.0, 0.1, 0.0, 0.1, 0.1]
    (pane,) = staged({"g": Graph(RING, 8, change=FATES, weights=weights)}).panes()
    drawn = {key: count for key, count in lines(pane).items() if count}
    widths = sorted({width for colour, width, _ in drawn if colour == GREEN})
    assert len(widths) == 2
    assert drawn == {
        (GREEN, widths[0], "solid"): 1,
        (GREEN, widths[1], "solid"): 1,
        (LIGHT.edge, widths[0], "solid"): 3,
        (LIGHT.edge, widths[1], "solid"): 1,
        (LIGHT.soft, 1.2, "dot"): 1,
    }


def test_edges_that_are_added_leave_the_nodes_of_the_given_graph_where_they_were() -> None:
    more = np.array([[0, 1, 2], [4, 6, 7]])

    def nodes(*states: Graph) -> list[tuple[float, float]]:
        (pane,) = staged(*({"g": state} for state in states)).panes()
        (dots,) = (trace for trace in pane.figure["data"] if trace.get("meta") == "items")
        return list(zip(dots["x"], dots["y"]))

    grown = Graph(np.hstack([RING, more]), 8, change=[0] * 8 + [1] * 3)
    assert nodes(Graph(RING, 8), grown) == nodes(Graph(RING, 8))
    assert nodes(Graph(RING, 8), Graph(grown.edges, 8)) != nodes(Graph(RING, 8))


def test_a_quantity_colours_edges_in_steps_that_the_bar_shows_with_zero_in_the_middle() -> None:
    values = np.array([-1.0, -0.4, 0.0, 0.02, 0.4, 2.0, 2.0, np.nan])
    stage = staged({"g": Graph(RING, 8, edge_values=values, edge_unit="curvature")})
    (pane,) = stage.panes()
    tinted = [trace for trace in pane.figure["data"] if "lines" in trace["mode"]][1:]  # the first is the rim of all
    assert [len(trace["x"]) // 3 for trace in tinted] == [0, 0, 1, 1, 2, 1, 0, 0, 2]
    assert [tinted[i]["line"]["color"] for i in (0, TINTS // 2, -1)] == [BLUE, LIGHT.edge, TIME]
    (middles,) = [
        trace for trace in pane.figure["data"] if "colorbar" in trace["marker" if "marker" in trace else "line"]
    ]
    marker = middles["marker"]
    assert (marker["cmin"], marker["cmax"]) == (-2, 2)
    assert marker["colorbar"]["title"]["text"] == "curvature"
    assert [colour for _, colour in marker["colorscale"][::2]] == [trace["line"]["color"] for trace in tinted]
    assert middles["text"][0] == "0 – 1"
    assert np.array_equal(marker["color"], values[[0, 7, 1, 2, 3, 4, 5, 6]].astype(np.float32), equal_nan=True)
    assert "edges coloured by curvature from -1 to 2" in pane.alt
    (plain,) = staged({"g": Graph(RING, 8, edge_values=np.abs(values))}).panes()
    shades = [trace["line"]["color"] for trace in plain.figure["data"] if "lines" in trace["mode"]][1:]
    assert shades[0] < CIVIDIS[2]
    assert BLUE not in shades


def test_the_scale_is_that_of_the_whole_run_and_of_both_arms() -> None:
    stage = staged(*({f"g/{arm}": Graph(RING, 8, edge_values=np.full(8, value)) for arm in ("Ours", "Plain")}
                     for value in (1.0, 3.0)))  # fmt: skip
    for pane in [*stage.panes(0), *stage.panes(10)]:
        (bar,) = [trace["marker"] for trace in pane.figure["data"] if "colorbar" in trace.get("marker", {})]
        assert (bar["cmin"], bar["cmax"]) == (1, 3)


def test_nodes_and_edges_each_have_their_bar() -> None:
    (pane,) = staged({"g": Graph(RING, 8, values=np.arange(8), edge_values=np.arange(8))}).panes()
    bars = [trace["marker"]["colorbar"] for trace in pane.figure["data"] if "colorbar" in trace.get("marker", {})]
    assert [scale.get("x") for scale in bars] == [0, None]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.booleans(), st.booleans(), st.booleans(), st.booleans())
def test_every_edge_is_drawn_once_whatever_it_carries(seed: int, wide: bool, tint: bool, fate: bool, way: bool) -> None:
    """Groups part the edges: none is lost, none drawn twice but for the rim and the green band below a quantity."""
    rng = np.random.default_rng(seed)
    carried: dict[str, Any] = {"directed": way}
    carried |= {"weights": rng.random(20) + 0.1} if wide else {}
    carried |= {"edge_values": rng.normal(size=20)} if tint else {}
    carried |= {"change": rng.integers(-1, 2, 20)} if fate else {}
    value = graph(rng, 12, 20, **carried)
    (pane,) = staged({"g": value}).panes()
    go.Figure(pane.figure)
    traces = [trace for trace in pane.figure["data"] if "lines" in trace["mode"]]
    drawn = [len(trace["x"]) // 3 for trace in traces]
    greens = fate and wide and not tint  # added edges have groups of their own
    groups = (WIDTHS if wide else 1) * (TINTS if tint else 1 + greens)
    assert len(drawn) == groups + tint + (2 - greens) * fate
    edges = Edges(value)
    change = edges.carry(value.change)
    added, dropped = ((change > 0).sum(), (change < 0).sum()) if change is not None else (0, 0)
    m = edges.pairs.shape[1]
    if fate:
        green = [count for count, trace in zip(drawn, traces) if trace["line"]["color"] == GREEN]
        assert (sum(green), drawn[-1]) == (added, dropped)
        drawn = drawn[not greens : -1]
    stays = m - dropped - (0 if tint or greens else added)
    if tint:
        assert drawn[0] == stays
    assert sum(drawn[tint:]) == stays


@pytest.mark.parametrize("arm", [{"edge_values": np.linspace(-1, 1, 8)}, {"change": FATES}])
def test_a_still_shows_colours_and_dashes(arm: dict[str, Any]) -> None:
    still = staged({"g": Graph(RING, 8, **arm)}).thumbnail()
    ET.fromstring(still)
    assert ("stroke-dasharray" in still) == ("change" in arm)
    assert (GREEN in still) == ("change" in arm)
    assert (f'stroke="{TIME}"' in still) == ("edge_values" in arm)


def test_a_still_of_a_great_coloured_graph_stays_small() -> None:
    rng = np.random.default_rng(0)
    value = graph(rng, 3000, 9000, edge_values=rng.normal(size=9000))
    assert len(staged({"g": value}).thumbnail()) < 100_000


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.floats(-9, 9)), max_size=15), st.booleans())
def test_distinct_edges_are_those_of_a_dictionary(triples: list[tuple[int, int, float]], directed: bool) -> None:
    expected: dict[tuple[int, int], float] = {}
    for a, b, value in triples:
        pair = (a, b) if directed else (min(a, b), max(a, b))
        if a != b and (pair not in expected or abs(value) >= abs(expected[pair])):
            expected[pair] = value
    edges = np.array([(a, b) for a, b, _ in triples], np.int64).reshape(-1, 2).T
    values = np.array([value for *_, value in triples])
    found = Edges(Graph(edges, 5, directed=directed))
    assert dict(zip(map(tuple, found.pairs.T.tolist()), found.carry(values).tolist(), strict=True)) == expected
    assert found.carry(None) is None


@given(st.lists(st.floats(allow_nan=True), min_size=1), st.integers(1, 9))
def test_levels_rise_with_the_value(values: list[float], steps: int) -> None:
    found = levels(np.array(values), -1.0, 2.0, steps)
    good = ~np.isnan(values)
    assert ((found == -1) == ~good).all()
    assert ((found[good] >= 0) & (found[good] < steps)).all()
    order = np.argsort(np.array(values)[good])
    assert (np.diff(found[good][order]) >= 0).all()
    assert levels(np.array([-1.0, 2.0]), -1.0, 2.0, steps).tolist() == [0, steps - 1]


def test_a_sample_is_fair_and_always_the_same() -> None:
    assert fair(5).tolist() == [0, 1, 2, 3, 4]
    chosen = fair(60_000)
    assert (chosen == fair(60_000)).all()
    assert len(np.unique(chosen)) == 6000
    thirds = np.bincount(chosen // 20_000)
    assert thirds.min() > 1800
