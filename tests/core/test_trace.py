"""Values, frames and traces."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neurorama import Bars, Curve, Events, Flow, Frame, Graph, Grid, Hist, Mask, Points, Trace
from neurorama.trace import split

PAIR = Graph([[0], [1]], 2)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Points([1.0, 2.0]), "2 dimension"),
        (lambda: Points([[1.0, 2.0]], classes=[0, 1]), "classes has 2 entries where 1"),
        (lambda: Points([[1.0, 2.0]], names=("a", "b")), "names has 2"),
        (lambda: Grid([1.0]), "2 dimension"),
        (lambda: Grid([[1.0, 2.0]], x=[1.0]), "x has 1 entries where 2"),
        (lambda: Graph([[0, 1, 2]], 3), "edges must have shape"),
        (lambda: Graph([[0], [2]], 2), "outside 0..1"),
        (lambda: Graph([[0], [-1]], 2), "outside 0..1"),
        (lambda: Graph([[0], [1]], 2, weights=[1.0, 2.0]), "weights has 2 entries where 1"),
        (lambda: Mask([0.5, 0.5], PAIR), "edges has 2 entries where 1"),
        (lambda: Bars(["a"], [1.0, 2.0]), "names has 1 entries where 2"),
        (lambda: Events([0.1, 0.2], [1], 3), "units has 1 entries where 2"),
        (lambda: Flow([[1.0, 2.0]], ["a"], ["b"]), "targets has 1 entries where 2"),
        (lambda: Hist([1.0], [0.0]), "bounds has 1 entries where 2"),
        (lambda: Curve([1.0, 2.0], [1.0]), "y has 1 entries where 2"),
    ],
)
def test_parts_that_do_not_fit_are_refused(make, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


def test_a_value_is_a_copy_that_nobody_can_change() -> None:
    weights = torch.ones(2, 3)
    grid = Grid(weights)
    weights += 1
    assert (np.asarray(grid.z) == 1).all()
    with pytest.raises(ValueError, match="read-only"):
        grid.z[0, 0] = 5  # type: ignore[index]


def test_a_histogram_counts_what_lies_outside_in_the_outer_bins() -> None:
    values = np.random.default_rng(0).normal(size=500)
    hist = Hist.of(values, bins=4, low=-1, high=1)
    expected = [(values < -0.5).sum(), ((values >= -0.5) & (values < 0)).sum()]
    assert np.asarray(hist.counts)[:2].tolist() == expected
    assert np.asarray(hist.counts).sum() == 500


def test_names_are_series_and_arm() -> None:
    assert split("test accuracy/DAGNN") == ("test accuracy", "DAGNN")
    assert split("graph") == ("graph", "")


def test_a_trace_is_read_by_name() -> None:
    frames = (Frame(0, 2, {"a": 1.0}), Frame(1, 2).plus({"b/x": 2.0}), Frame(2, 2, {"a": 3.0}))
    trace = Trace("some/paper", {}, frames)
    assert trace.names() == ["a", "b/x"]
    assert trace.series("a") == [(0, 1.0), (2, 3.0)]
    assert trace.numbers("a") == [1.0, 3.0]
    assert trace.last("b/x") == 2.0
    with pytest.raises(KeyError, match="no frame of some/paper has 'c'"):
        trace.last("c")


def test_adding_to_a_frame_leaves_it_as_it_was() -> None:
    frame = Frame(0, 1, {"a": 1.0})
    assert frame.plus({"a": 2.0}).values == {"a": 2.0}
    assert frame.values == {"a": 1.0}
