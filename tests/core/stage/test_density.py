"""Graphs of very many nodes are counted in cells, with the neighbours of one node on top, and say so."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

sys.path.insert(0, str(Path(__file__).parent))
from values import staged

from neurorama import Graph, Mask
from neurorama.stage import Stage
from neurorama.stage.density import ACROSS, DENSE, NEIGHBOURS, cells, neighbours
from neurorama.stage.layout import places

N = DENSE + 1000
SPANS = [-1.0, 1.0], [-0.5, 0.5]


@pytest.fixture(scope="module")
def star() -> Graph:
    """A ring, and a node that is linked to 300 others."""
    ring = np.stack([np.arange(N), (np.arange(N) + 1) % N])
    return Graph(np.concatenate([ring, [[7] * 300, range(1000, 1300)]], axis=1), N, classes=np.arange(N) % 3)


@pytest.fixture(scope="module")
def stage(star: Graph) -> Stage:
    return staged({"g": star}, {"g": star})


def test_a_crowd_is_counted_and_says_so(stage: Stage) -> None:
    (pane,) = stage.panes()
    go.Figure(pane.figure)
    heat, links, others, node = pane.figure["data"]
    assert heat["type"] == "heatmap"
    assert np.nansum(10.0 ** heat["z"]) == pytest.approx(N, rel=1e-5)
    assert len(links["x"]) == 3 * NEIGHBOURS == 3 * len(others["x"])
    assert len(node["x"]) == 1
    assert "51,000 nodes: more than 50,000 are counted" in pane.note
    assert "node, 7, and 200 of its 302 neighbours" in pane.note
    assert "how many nodes lie where" in pane.alt
    assert "classes" not in pane.alt
    assert pane.figure["data"][0]["colorbar"]["ticktext"][:2] == ["1", "10"]
    assert stage.thumbnail().count("<path") > 3


def test_on_a_crowd_the_explained_node_has_its_neighbours(star: Graph) -> None:
    (pane,) = staged({"m": Mask(np.zeros(star.edges.shape[1]), star, target=20)}).panes()
    *_, others, node = pane.figure["data"]
    assert len(others["x"]) == 2
    assert "On top: node 20, and 2 neighbours." in pane.note
    assert [node["x"][0], node["y"][0]] == places(star.edges, N)[20].astype(np.float32).tolist()


@settings(deadline=None)
@given(hnp.arrays(np.float64, st.tuples(st.integers(1, 50), st.just(2)), elements=st.floats(-0.5, 0.5)))
def test_cells_count_what_lies_in_them(where: np.ndarray) -> None:
    found = cells(where, SPANS)
    counts = np.nan_to_num(10.0 ** found["z"]).round()
    assert counts.shape == (ACROSS // 2, ACROSS) == (len(found["y"]), len(found["x"]))
    assert counts.sum() == len(where)
    half = 1 / ACROSS + 1e-6  # of the side of a cell
    for i, j in np.argwhere(counts):
        inside = np.abs(where - [found["x"][j], found["y"][i]]) <= half
        assert counts[i, j] <= inside.all(1).sum()


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30), st.integers(0, 9))
def test_neighbours_are_those_of_a_set(pairs: list[tuple[int, int]], node: int) -> None:
    expected = {b for a, b in pairs if a == node} | {a for a, b in pairs if b == node}
    assert set(neighbours(np.array(pairs, np.int64).reshape(-1, 2).T, node).tolist()) == expected


def test_of_very_many_neighbours_a_fair_sample_is_drawn() -> None:
    pairs = np.stack([np.zeros(5000, int), np.arange(1, 5001)])
    found = neighbours(pairs, 0)
    assert len(np.unique(found)) == NEIGHBOURS
    assert (found == neighbours(pairs, 0)).all()
    assert 2000 < found.mean() < 3000
