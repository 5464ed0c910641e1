"""Frames come back from bytes as they went in; what is damaged, foreign or too large is refused in one line."""

from __future__ import annotations

import json
import math
from contextlib import suppress

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import save

from neurorama import (
    Bars,
    Curve,
    Events,
    Flow,
    Frame,
    Graph,
    Grid,
    Hist,
    InputError,
    Mask,
    Points,
    Trace,
    codec,
)
from neurorama.check import alike

EDGES = np.array([[0, 1, 2], [1, 2, 0]])
GRAPH = Graph(EDGES, 3, classes=[0, 1, -1], wrong=[True, False, False], names=("a", "<b>", "ü"), change=[0, 1, -1])
VALUES = {
    "loss/GCN": 0.1,
    "points": Points([[1.0, 2.0, 3.0]], classes=[4], items="nodes", axes=("a", "b"), links=[[0, 0]]),
    "grid": Grid([[1.0, math.inf]], "row", "column", "unit", signed=True, x=[0.0, 2.5]),
    "graph/GCN": GRAPH,
    "mask": Mask([0.1, 0.2, 0.3], GRAPH, target=2, truth=[True, False, True]),
    "bars": Bars(("x", "y"), [1.0, -2.0], "unit", line=0.5),
    "events": Events([0.5, 70000.0], [0, 1], 2, classes=[1, 0]),
    "flow": Flow([[1.0, 2.0]], ("from",), ("to", "there")),
    "hist": Hist([3.0, 4.0], [0.0, 1.0, 2.0], "axis"),
    "curve": Curve([0.0, 1.0], [1e-8, 3.0], dots=True),
}


def test_every_type_of_value_comes_back_as_it_was() -> None:
    frame = Frame(3, 10, VALUES)
    (found,) = codec.Reader().read(codec.Writer().write([frame]))
    assert (found.step, found.of, list(found.values)) == (3, 10, list(VALUES))
    for name, value in VALUES.items():
        assert alike(found.values[name], value), name


@given(st.lists(st.floats(width=64), min_size=1), st.data())
def test_numbers_and_arrays_keep_every_bit(curve: list[float], data: st.DataObject) -> None:
    x = data.draw(hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2), elements=st.floats(width=32)))
    k = data.draw(hnp.arrays(np.int64, len(x), elements=st.integers(-(2**63), 2**63 - 1)))
    frames = [Frame(i, len(curve), {"loss": value, "p": Points(x, classes=k)}) for i, value in enumerate(curve)]
    back = codec.Reader().read(codec.Writer().write(frames))
    for one, other in zip(frames, back, strict=True):
        assert np.array_equal(one.values["loss"], other.values["loss"], equal_nan=True)
        assert one.values["p"].x.tobytes() == other.values["p"].x.tobytes()
        assert np.array_equal(other.values["p"].classes, k)


def test_pieces_are_read_one_after_the_other_and_share_what_stays_the_same() -> None:
    rng = np.random.default_rng(0)
    edges = rng.integers(0, 500, (2, 4000))
    frames = [Frame(i, 9, {"g": Graph(edges, 500, values=rng.normal(size=500))}) for i in range(10)]
    writer, reader = codec.Writer(), codec.Reader()
    pieces = [writer.write([frame]) for frame in frames]
    assert max(map(len, pieces[1:])) < 4000 < len(pieces[0])  # 500 floats, no edges again
    found = [frame for piece in pieces for frame in reader.read(piece)]
    assert all(alike(one.values, other.values) for one, other in zip(found, frames, strict=True))
    assert found[0].values["g"].edges is found[9].values["g"].edges
    with pytest.raises(InputError, match="damaged"):
        codec.Reader().read(pieces[5])  # the edges came in a piece that this reader has not seen


def test_a_trace_is_kept_small_and_curves_stay_exact() -> None:
    x = np.linspace(-3, 3, 200).reshape(100, 2)
    trace = Trace("a/b", {"seed": 3}, tuple(Frame(i, 1, {"loss": 1 / 3, "p": Points(x + i)}) for i in range(2)))
    data = codec.dump(trace, {"version": "1"})
    found, about = codec.load(data)
    assert (found.exhibit, found.params, about) == ("a/b", {"seed": 3}, {"version": "1"})
    assert found.last("loss") == 1 / 3
    assert np.allclose(found.last("p").x, x + 1, rtol=2**-11, atol=1e-6)
    assert len(data) < len(codec.dump(trace, compact=False))


def test_half_precision_is_not_taken_where_it_cannot_hold_the_number() -> None:
    trace = Trace("a/b", {}, (Frame(0, 0, {"c": Curve([0.0, 1e6], [1.0, 1e9])}),))
    assert np.allclose(codec.load(codec.dump(trace))[0].last("c").y, [1.0, 1e9])


def test_what_is_no_trace_is_refused() -> None:
    good = codec.dump(Trace("a/b", {}, (Frame(0, 0, VALUES),)))
    foreign = zstandard.compress(save({"0": np.zeros(2)}, metadata={"frames": "[]", "about": json.dumps({})}))
    wrong = zstandard.compress(
        save(
            {},
            metadata={"frames": json.dumps([{"step": 0, "of": 0, "values": {"x": {"type": "Popen"}}}]), "about": "{}"},
        )
    )
    for bad in (b"", b"\x80\x04]\x94.", good[:-20], foreign, wrong, b"PK" + good):
        with pytest.raises(InputError) as told:
            codec.load(bad)
        assert "\n" not in str(told.value)


@given(st.binary(max_size=200), st.integers(0, 10**6))
def test_random_damage_never_raises_anything_else(noise: bytes, place: int) -> None:
    good = codec.dump(Trace("a/b", {}, (Frame(0, 0, VALUES),)))
    cut = place % len(good)
    for bad in (noise, good[:cut] + noise + good[cut + len(noise) :]):
        with suppress(InputError):
            codec.load(bad)


def test_a_bomb_is_not_unpacked() -> None:
    with pytest.raises(InputError, match="more than 1 MB"):
        codec.load(zstandard.compress(bytes(50_000_000)), most=2**20)
