"""Two runs as one: nothing is lost of their methods, time is locked, and the difference is their difference."""

from __future__ import annotations

import numpy as np
import pytest

import neurorama
from neurorama import Frame, Graph, Grid, Trace, compare
from neurorama.stage import Stage

KEY = "message_passing/dagnn"


def trace(scores: dict[int, float], key: str = KEY, arm: str = "DAGNN", **params: object) -> Trace:
    frames = tuple(
        Frame(s, max(scores), {f"test accuracy/{arm}": v, "test accuracy/GCN": 0.1}) for s, v in scores.items()
    )
    return Trace(key, params, frames)


def test_the_methods_are_the_arms_and_named_by_what_differs() -> None:
    both = compare(trace({0: 0.2, 2: 0.5}, depth=4, hidden=8), trace({0: 0.1, 2: 0.4}, depth=16, hidden=8))
    assert both.arms == ("DAGNN, depth 4", "DAGNN, depth 16")
    assert both.trace.numbers("test accuracy/DAGNN, depth 16") == [0.1, 0.4]
    assert not [name for name in both.trace.names() if name.endswith("GCN")]
    assert both.trace.numbers("difference in test accuracy") == pytest.approx([0.1, 0.1])
    assert list(both.views)[:2] == ["test accuracy", "difference in test accuracy"]
    assert compare(trace({0: 1.0}), trace({0: 1.0}), ("now", "before")).arms == ("now", "before")


def test_between_its_frames_a_run_is_as_it_was() -> None:
    both = compare(trace({0: 1.0, 4: 3.0}, seed=0), trace({0: 0.0, 1: 1.0, 2: 2.0, 8: 5.0}, seed=1))
    assert [frame.step for frame in both.trace.frames] == [0, 1, 2, 4, 8]
    assert both.trace.numbers("difference in test accuracy") == [1.0, 0.0, -1.0, 1.0, -2.0]
    assert {frame.of for frame in both.trace.frames} == {8}


def test_two_exhibits_keep_their_names_and_their_own_series() -> None:
    other = trace({0: 0.4}, "message_passing/sgc", "SGC")
    other = Trace(other.exhibit, {}, (other.frames[0].plus({"work/SGC": 3.0}),))
    both = compare(trace({0: 0.5}), other)
    assert both.arms == ("DAGNN", "SGC")
    assert "work" in both.views
    assert both.trace.numbers("work/SGC") == [3.0]


def test_one_name_for_two_types_of_values_is_no_fault() -> None:
    one = Trace(KEY, {}, (Frame(0, 0, {"graph/DAGNN": Graph([[0], [1]], 2)}),))
    two = Trace("message_passing/sgc", {}, (Frame(0, 0, {"graph/SGC": Grid(np.eye(2))}),))
    both = compare(one, two)
    assert {"graph/DAGNN", "graph of SGC/SGC"} == set(both.trace.names())
    assert [pane.kind for pane in Stage(both.trace, both).panes()] == ["Graph", "Grid"]


@pytest.mark.parametrize("names", [["0", "1", "new"], ["0", "2"]])
def test_graphs_of_other_nodes_are_matched_by_name(names: list[str]) -> None:
    one = Trace(KEY, {}, (Frame(0, 0, {"graph/DAGNN": Graph([[0], [1]], 2)}),))
    two = Trace(KEY, {}, (Frame(0, 0, {"graph/DAGNN": Graph([[0], [1]], len(names), names=names)}),))
    both = compare(one, two, ("a", "b"))
    assert both.trace.last("graph/a").names == ("0", "1")
    assert compare(one, one, ("a", "b")).trace.last("graph/a").names == ()


def test_axes_are_shared_and_it_can_be_shown() -> None:
    runs = [neurorama.run("dagnn", {"steps": 10, "depth": depth}) for depth in (2, 6)]
    both = compare(*runs)
    panes = Stage(both.trace, both).panes()
    graphs = [pane for pane in panes if pane.series == "graph"]
    assert [pane.arm for pane in graphs] == list(both.arms)
    assert (graphs[0].figure["data"][-1]["x"] == graphs[1].figure["data"][-1]["x"]).all()
    points = [pane.figure["layout"]["xaxis"]["range"] for pane in panes if pane.series == "representation"]
    assert points[0] == points[1]
    assert "DAGNN, depth 2" in repr(neurorama.show(both.trace, exhibit=both))
