"""Every type of value is drawn, validly, with fixed ranges, in the right colours; and no library is imported for it."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from values import MAKE, card, graph, run_of, staged

from neurorama import Bars, Curve, Events, Flow, Frame, Graph, Grid, Hist, InputError, Mask, Points, Trace, Value
from neurorama.stage import RENDERERS, Pane, Stage
from neurorama.stage.base import apart
from neurorama.stage.edges import Edges
from neurorama.stage.layout import places

JOINT = {"float", "Curve", "Hist", "Bars"}


def ranges(pane: Pane) -> tuple[Any, ...]:
    layout = pane.figure["layout"]
    colours = [(trace.get("zmin"), trace.get("zmax")) for trace in pane.figure["data"]]
    marks = [
        (trace.get("marker", {}).get("cmin"), trace.get("marker", {}).get("cmax")) for trace in pane.figure["data"]
    ]
    return layout["xaxis"]["range"], layout["yaxis"]["range"], colours, marks


def strings(thing: Any) -> list[str]:
    """All text anywhere in a figure."""
    if isinstance(thing, str):
        return [thing]
    if isinstance(thing, dict):
        return [found for value in thing.values() for found in strings(value)]
    if isinstance(thing, (list, tuple)):
        return [found for value in thing for found in strings(value)]
    return []


def test_every_value_type_has_a_renderer() -> None:
    assert set(RENDERERS) == set(get_args(Value))
    assert {kind.__name__ for kind in RENDERERS} == set(MAKE)  # and is drawn by the tests below


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("kind", MAKE)
def test_a_figure_is_valid_and_its_ranges_never_move(kind: str, theme: str) -> None:
    stage = run_of(kind)
    moments = [stage.panes(at, theme) for at in stage.steps]
    assert [pane.arm for pane in moments[0]] == ([""] if kind in JOINT else ["Ours", "Plain"])
    for panes in zip(*moments):
        assert all(ranges(pane) == ranges(panes[0]) for pane in panes)
        assert {pane.kind for pane in panes} == {kind}
    for panes in moments:
        for pane in panes:
            go.Figure(pane.figure)  # plotly's own validation
            assert pane.caption == "Look at it."
            assert pane.alt.endswith(".")
            assert not {"Infinity", "nan"} & set(pane.alt.split())
    assert moments[0][0].alt != moments[-1][0].alt


@pytest.mark.parametrize("kind", MAKE)
def test_something_is_inside_the_picture(kind: str) -> None:
    """The data of the last step lie within the ranges of the axes."""
    for pane in run_of(kind).panes():
        (x0, x1), (y0, y1) = (sorted(pane.figure["layout"][axis]["range"]) for axis in ("xaxis", "yaxis"))
        seen = 0
        for trace in pane.figure["data"]:
            if trace["type"] == "heatmap":
                seen += np.isfinite(trace["z"]).sum()
                continue
            x, y = (np.array([np.nan if v is None else v for v in trace.get(axis, ())], float) for axis in "xy")
            good = np.isfinite(x) & np.isfinite(y)
            assert ((x[good] >= x0 - 1e-6) & (x[good] <= x1 + 1e-6)).all()
            if "text" not in trace["type"] + trace.get("mode", ""):  # names of arms move apart
                assert ((y[good] >= y0 - 1e-6) & (y[good] <= y1 + 1e-6)).all()
            seen += good.sum()
        assert seen > 0


@pytest.mark.parametrize("kind", MAKE)
def test_a_template_holds_no_step(kind: str) -> None:
    """Template and patches are apart: a template is the same whatever the step, patches fit its traces one by one."""
    stage = run_of(kind)
    renderer = stage.series["it"]
    arms = tuple(renderer.lines) if renderer.joint else ("Ours",)
    from neurorama.stage.theme import DARK, LIGHT

    first, _ = renderer.template(arms, LIGHT, 300)
    for at in stage.steps:
        assert len(renderer.patches(arms, at)) == len(first)
    assert repr(renderer.template(arms, LIGHT, 300)) == repr(renderer.template(arms, LIGHT, 300))
    assert repr(renderer.template(arms, LIGHT, 300)) != repr(renderer.template(arms, DARK, 300))


def test_arms_have_their_colours() -> None:
    arms = ("M", "B", "C", "D", "E", "F")
    (pane,) = staged({f"loss/{arm}": 1.0 for arm in reversed(arms)}, arms=arms).panes()
    colours = [trace["line"]["color"] for trace in pane.figure["data"][:6]]
    assert [trace["name"] for trace in pane.figure["data"][:6]] == list(arms)
    assert colours == ["#0072B2", "#8A8F98", "#E69F00", "#009E73", "#CC79A7", "#56B4E9"]


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(0.1, 0.5)), min_size=1, max_size=8))
def test_labels_stay_inside_the_picture_and_off_each_other(labels: list[tuple[float, float]]) -> None:
    heights, sizes = zip(*labels)
    moved = apart(heights, sizes, [-2.0, 2.0])
    ends = sorted((middle - size / 2, middle + size / 2) for middle, size in zip(moved, sizes))
    assert ends[0][0] >= -2 - 1e-9
    assert ends[-1][1] <= 2 + 1e-9
    assert all(low[1] <= high[0] + 1e-9 for low, high in pairwise(ends))


def test_labels_with_room_around_them_stay_where_they_are() -> None:
    assert apart([0.2, 0.8, np.nan], [0.1, 0.1, 0.1], [0.0, 1.0])[:2] == [0.2, 0.8]


def test_a_far_dot_does_not_press_the_others_together_and_is_told_of() -> None:
    cloud = np.random.default_rng(0).normal(size=(300, 2))
    (plain,) = staged({"p": Points(cloud)}).panes()
    assert plain.note == ""
    cloud[7] = 50, -50
    (pane,) = staged({"p": Points(cloud)}).panes()
    assert max(map(abs, pane.figure["layout"]["xaxis"]["range"])) < 8
    assert pane.note == "1 dot lies outside the picture."


def test_a_spike_of_one_step_does_not_flatten_a_distribution_and_is_told_of() -> None:
    bounds = np.arange(4)
    low = [{"h": Hist([3, 5, 4], bounds)}] * 20
    stage = staged({"h": Hist([0, 400, 0], bounds)}, *low)
    assert stage.panes()[0].figure["layout"]["yaxis"]["range"][1] < 10
    assert stage.panes()[0].note == ""
    assert "400" in stage.panes(0)[0].note


def test_a_flat_picture_takes_no_empty_room() -> None:
    wide, square = Grid(np.eye(8, 64), image=True), Grid(np.eye(8), image=True)
    heights = [staged({"z/Ours": z, "z/Plain": z}).panes()[0].figure["layout"]["height"] for z in (wide, square)]
    assert heights[0] < heights[1] / 2


def test_the_present_moment_is_vermilion_and_nothing_else_is() -> None:
    stage = run_of("float")
    for at in stage.steps:
        (pane,) = stage.panes(at)
        vermilion = [trace for trace in pane.figure["data"] if trace.get("line", {}).get("color") == "#D55E00"]
        assert [trace["x"] for trace in vermilion] == [[at, at]]


def test_time_reaches_to_the_end_of_the_run_while_it_is_going_on() -> None:
    frames = [Frame(step, 60, {"loss/Ours": 1.0 / (step + 1)}) for step in range(3)]
    (pane,) = Stage.of_frames(frames, card("loss")).panes()
    assert pane.figure["layout"]["xaxis"]["range"] == [0, 60]


def test_a_loss_over_many_decades_gets_a_logarithmic_scale_and_says_so() -> None:
    (pane,) = staged(*({"loss": 10.0 ** (3 - i)} for i in range(8))).panes()
    assert pane.figure["layout"]["yaxis"]["type"] == "log"
    assert "ogarithmic" in pane.note


def test_mistakes_have_a_ring_and_training_nodes_a_rim() -> None:
    wrong, train = np.arange(6) == 2, np.arange(6) < 2
    edges = [[0, 1, 2, 3, 4], [1, 2, 3, 4, 5]]
    stage = staged({"g": Graph(edges, 6, classes=np.arange(6) % 2, wrong=wrong, train=train)})
    (pane,) = stage.panes()
    _, rims, nodes = pane.figure["data"]
    assert ((nodes["marker"]["line"]["width"] > 0) == wrong).all()
    assert len(rims["x"]) == 2
    assert rims["marker"]["size"] > nodes["marker"]["size"]
    items = stage.series["g"].items(("",), 0)
    assert items is not None
    assert items.facts["a mistake"].tolist() == wrong.tolist()
    assert "1 mistake" in pane.alt


def test_an_edge_given_in_both_directions_is_drawn_once() -> None:
    edges = Edges(Graph([[0, 1, 1, 2], [1, 0, 2, 2]], 3))
    assert edges.pairs.T.tolist() == [[0, 1], [1, 2]]
    assert edges.carry(np.array([1, 5, 2, 9])).tolist() == [5, 2]
    assert Edges(Graph([[0, 1], [1, 0]], 2, directed=True)).pairs.shape == (2, 2)


def test_both_arms_of_a_graph_lie_alike() -> None:
    one, two = run_of("Graph").panes()
    assert (one.figure["data"][-1]["x"] == two.figure["data"][-1]["x"]).all()


def test_nodes_of_the_same_name_lie_alike_even_where_another_is_missing() -> None:
    ours = Graph([[0, 1, 2, 3], [1, 2, 3, 0]], 4, names=list("abcd"))
    for plain, rows in (
        (Graph([[0, 1], [1, 2]], 3, names=list("acd")), [0, 1, 2]),
        (Graph([[0, 1], [1, 2]], 4, names=list("acde")), [0, 1, 2]),
    ):
        one, two = (pane.figure["data"][-1] for pane in staged({"g/Ours": ours, "g/Plain": plain}).panes())
        assert one["x"][[0, 2, 3]].tolist() == two["x"][rows].tolist()
        assert one["y"][[0, 2, 3]].tolist() == two["y"][rows].tolist()


def test_a_great_graph_is_sampled_and_says_so() -> None:
    rng = np.random.default_rng(0)
    (pane,) = staged({"g": graph(rng, 2500, 9000)}).panes()
    assert {trace["type"] for trace in pane.figure["data"]} == {"scattergl"}
    assert len(pane.figure["data"][0]["x"]) == 3 * 6000
    assert "6,000 of" in pane.note
    assert "2,500 nodes" in pane.note


def test_points_share_their_scale_and_say_how_far_to_trust_them() -> None:
    one, two = run_of("Points").panes()
    assert one.figure["layout"]["xaxis"]["range"] == two.figure["layout"]["xaxis"]["range"]
    assert "of neighbours kept" in one.note
    assert "same scale" in one.note
    (flat,) = staged({"p": Points([[0, 1], [2, 3]], axes=("x (m)", "y (m)"))}).panes()
    assert flat.note == ""
    assert flat.figure["layout"]["xaxis"]["title"]["text"] == "x (m)"
    (strip,) = staged({"p": Points([[0.0], [2.0]])}).panes()
    assert strip.figure["layout"]["yaxis"]["visible"] is False
    assert strip.figure["data"][0]["x"].tolist() == [0, 2]


def test_row_nought_of_a_grid_is_on_top() -> None:
    (pane,) = staged({"z": Grid(np.eye(3, 4))}).panes()
    low, high = pane.figure["layout"]["yaxis"]["range"]
    assert low > high
    signed = staged({"z": Grid([[-1.0, 3.0]], signed=True)}).panes()[0].figure["data"][0]
    assert signed["zmin"] == -signed["zmax"] == -3


def test_bars_of_all_names_have_a_place_even_if_a_step_lacks_one() -> None:
    stage = staged({"b": Bars(["a", "b"], [1, 2])}, {"b": Bars(["c", "a"], [3, 4])})
    (pane,) = stage.panes(10)
    assert pane.figure["layout"]["xaxis"]["ticktext"] == ["a", "b", "c"]
    assert pane.figure["data"][0]["y"] == [4, None, 3]


def test_what_is_not_there_yet_says_when_it_will_be() -> None:
    stage = staged({"a": 1.0}, {"a": 1.0, "late/Ours": Curve([0, 1], [0, 1])})
    late = next(pane for pane in stage.panes(0) if pane.series == "late")
    assert "10 on" in late.figure["layout"]["annotations"][-1]["text"]
    assert "nothing before" in late.alt
    go.Figure(late.figure)


HOSTILE = '<script>alert(1)</script><b>bold</b> & <a href="javascript:alert(1)">x</a>'


def test_markup_in_names_is_shown_not_obeyed() -> None:
    rng = np.random.default_rng(0)
    names, arm = [HOSTILE, "<b>", "<i>i"], "<b>arm</b>"
    values = {
        "graph": Graph([[0, 1], [1, 2]], 3, names=names, values=[1, 2, 3], unit=HOSTILE),
        "points": Points(rng.normal(size=(3, 2)), names=names, axes=(HOSTILE, HOSTILE)),
        "mask": Mask([0.5, 1], Graph([[0, 1], [1, 2]], 3, names=names)),
        "grid": Grid(np.eye(3), HOSTILE, HOSTILE, HOSTILE),
        "bars": Bars(names, [1, 2, 3], HOSTILE),
        "events": Events([1.0], [0], 2, HOSTILE, HOSTILE),
        "flow": Flow(np.ones((3, 3)), names, names, HOSTILE),
        "hist": Hist.of([1.0], 3, 0, 2, HOSTILE),
        "curve": Curve([0, 1], [0, 1], HOSTILE, HOSTILE),
        HOSTILE.replace("/", ""): 1.0,
    }
    stage = staged({f"{name}/{arm}": value for name, value in values.items()}, arms=(arm, "<i>other"))
    frames = [Frame(0, 1, {f"f/{name}": 1.0 for name in (arm, "<i>other", "<u>u", "<s>s", "<em>e", "<q>q")})]
    many = Stage.of_frames(frames, card("f", arms=(arm,)))
    ours = re.compile(r'</?br>|</?extra>|</span>|<span style="color:#[0-9A-F]{6}">')
    seen = [found for pane in [*stage.panes(), *many.panes()] for found in strings(pane.figure)]
    assert any("&lt;script&gt;" in found for found in seen)
    assert not [found for found in seen if "<" in ours.sub("", found)]
    assert "<script" not in stage.thumbnail()


def test_rows_keep_the_reading_order_and_put_the_first_series_large() -> None:
    rng = np.random.default_rng(0)
    order = ["Graph", "Points", "float", "Grid", "Curve", "Hist"]
    moment = {f"{kind}/{arm}": MAKE[kind](rng) for kind in reversed(order) for arm in ("Ours", "Plain")}
    stage = Stage.of_frames([Frame(0, 1, moment)], card(*order))
    rows = stage.rows()
    assert [(pane.series, pane.arm) for pane in rows[0]] == [("Graph", "Ours"), ("Graph", "Plain")]
    assert list(dict.fromkeys(pane.series for pane in stage.panes())) == order
    assert all(len(row) <= 4 for row in rows)
    heights = [{pane.figure["layout"]["height"] for pane in row} for row in rows]
    assert all(len(height) == 1 for height in heights)
    assert min(heights[0]) > min(heights[1])


def test_what_cannot_be_drawn_is_said_in_one_line() -> None:
    with pytest.raises(InputError, match="no frames"):
        Stage(Trace("a/b", {}, ()), card("loss"))
    with pytest.raises(InputError, match="accuracy"):
        Stage.of_frames([Frame(0, 1, {"loss": 1.0})], card("accuracy"))
    stage = run_of("float")
    for at in (-1, 31):
        with pytest.raises(InputError, match="steps 0 to 30"):
            stage.panes(at)
    with pytest.raises(InputError, match="allowed: light, dark"):
        stage.panes(theme="sepia")
    with pytest.raises(TypeError, match="mixes"):
        staged({"a/x": 1.0, "a/y": Curve([0], [0])})


def test_between_two_frames_the_older_one_is_shown() -> None:
    stage = run_of("Grid")
    assert (stage.panes(19)[0].figure["data"][0]["z"] == stage.panes(10)[0].figure["data"][0]["z"]).all()


numbers = st.floats(allow_nan=True, allow_infinity=True, width=32)


@st.composite
def any_value(draw: st.DrawFn) -> Any:
    """A value of any type, with empty arrays and numbers that are none."""

    def array(*shape: int) -> np.ndarray:
        size = int(np.prod(shape))
        return np.array(draw(st.lists(numbers, min_size=size, max_size=size)), np.float32).reshape(shape)

    kind = draw(st.sampled_from(sorted(MAKE)))
    n, m = draw(st.integers(0, 6)), draw(st.integers(0, 6))
    labels = np.array(draw(st.lists(st.integers(-1, 40), min_size=n, max_size=n)), np.int64)
    edges = np.array([[draw(st.integers(0, n - 1)) for _ in range(m if n else 0)] for _ in range(2)], np.int64)
    edges = edges.reshape(2, -1)
    if kind == "float":
        return float(array(1)[0])
    if kind == "Points":
        coloured = {"classes": labels} if draw(st.booleans()) else {"values": array(n)}
        return Points(array(n, m), **coloured, names=[draw(st.text(max_size=5)) for _ in range(n)])
    if kind == "Grid":
        return Grid(array(n, m), image=draw(st.booleans()), signed=draw(st.booleans()))
    if kind == "Bars":
        return Bars([f"bar {i}" * draw(st.integers(1, 4)) for i in range(n)], array(n))
    if kind == "Events":
        return Events(array(n), np.arange(n), n)
    if kind == "Flow":
        return Flow(np.abs(array(n, m)), [draw(st.text(max_size=5)) for _ in range(n)], [str(i) for i in range(m)])
    if kind == "Hist":
        return Hist(np.arange(n), np.arange(n + 1))
    if kind == "Curve":
        return Curve(array(n), array(n), dots=draw(st.booleans()))
    m = edges.shape[1]
    carried = {"weights": array(m), "edge_values": array(m), "change": np.arange(m) % 3 - 1}
    carried = {name: value for name, value in carried.items() if draw(st.booleans())}
    classes = labels if draw(st.booleans()) else None
    made = Graph(edges, n, classes=classes, values=array(n), directed=draw(st.booleans()), **carried)
    return made if kind == "Graph" else Mask(array(m), made, nodes=array(n))


@settings(max_examples=80, deadline=None)
@given(any_value(), st.sampled_from(["light", "dark"]))
def test_any_value_is_drawn(value: Any, theme: str) -> None:
    stage = staged({"it/Ours": value}, {"it/Ours": value})
    (pane,) = stage.panes(10, theme)
    go.Figure(pane.figure)
    for axis in ("xaxis", "yaxis"):
        low, high = pane.figure["layout"][axis]["range"]
        assert np.isfinite([low, high]).all()
        assert low != high
    marks = [words for element in ET.fromstring(stage.thumbnail()) for words in element.attrib.values()]
    assert not [words for words in marks if "nan" in words or "inf" in words]


def test_the_stage_needs_neither_torch_nor_plotly() -> None:
    code = (
        "import sys, neurorama.stage; print([m for m in ('torch', 'plotly', 'igraph', 'IPython') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_other_graphs_whose_nodes_happen_to_have_the_same_names_lie_each_as_they_would_alone() -> None:
    names = [str(i) for i in range(12)]
    ring = Graph([list(range(12)), [*range(1, 12), 0]], 12, names=names)
    star = Graph([[0] * 10, list(range(1, 11))], 11, names=names[:11])
    for pane, alone in zip(staged({"g/Ours": ring, "g/Plain": star}).panes(), (ring, star), strict=True):
        x, y = places(alone.edges, alone.num_nodes).T.astype(np.float32)
        assert pane.figure["data"][-1]["x"].tolist() == x.tolist()
        assert pane.figure["data"][-1]["y"].tolist() == y.tolist()
