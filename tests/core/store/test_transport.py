"""A run as a file: it comes back whole; whatever else comes is refused in one line and leaves no trace."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from neurorama import Frame, InputError, Trace, codec
from neurorama.check import alike
from neurorama.store import Identity, Store, transport


def test_a_run_comes_back_under_another_id(store: Store, made: Callable[..., Any]) -> None:
    record, frames = made(6, owner="ann", name="mine", rate=1 / 3)
    file = store.export(record.id)
    store.delete(record.id)
    back = store.take(file, "bob")
    assert back.id != record.id
    for fact in (
        "identity",
        "state",
        "name",
        "error",
        "step",
        "of",
        "frames",
        "created",
        "started",
        "ended",
        "numbers",
    ):
        assert getattr(back, fact) == getattr(record, fact), fact
    assert back.owner == "bob"
    assert alike([dict(f.values) for f in store.frames(back.id)], [dict(f.values) for f in frames])
    assert store.find(record.identity) is None  # nobody knows what made it


def test_a_run_that_goes_on_is_stopped_in_the_file(store: Store, identity: Callable[..., Identity]) -> None:
    run = store.add(identity()).id
    back = store.take(store.export(run))
    assert (back.state, back.frames, store.get(run).state) == ("stopped", 0, "queued")


def test_numbers_that_are_not_finite_come_back(store: Store, identity: Callable[..., Identity]) -> None:
    run = store.add(identity()).id
    store.end(run, "done", numbers={"a": math.nan, "b": -math.inf, "c": 0.1})
    numbers = store.take(store.export(run)).numbers
    assert math.isnan(numbers["a"])
    assert (numbers["b"], numbers["c"]) == (-math.inf, 0.1)


ABOUT = {
    "kind": "neurorama run", "state": "done", "source": "", "code": "1", "device": "cpu", "name": "", "error": "",
    "created": "2026-01-02T03:04:05Z", "started": None, "ended": None, "numbers": {},
}  # fmt: skip
FRAMES = (Frame(0, 1, {"loss": 1.0}), Frame(1, 1, {"loss": 0.5}))


def file(params: dict[str, Any] | None = None, **about: Any) -> bytes:
    told = {name: fact for name, fact in {**ABOUT, **about}.items() if fact is not ...}
    return codec.dump(Trace("a/b", {"seed": 0} if params is None else params, FRAMES), told, compact=False)


def test_a_file_by_hand_is_taken(store: Store) -> None:
    assert store.take(file({"seed": 3, "depth": 4, "on": True, "kind": "x", "rate": 0.5})).params == {
        "seed": 3, "depth": 4, "on": True, "kind": "x", "rate": 0.5
    }  # fmt: skip
    assert len(store.frames(store.runs()[0].id)) == 2


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"\x80\x04]\x94.",
        codec.dump(Trace("a/b", {"seed": 0}, FRAMES), {"version": "1"}),  # a recorded trace, not a run
        file(state="running"),
        file(state=...),
        file(kind="something"),
        file(created="yesterday"),
        file(created="2026-01-02T03:04:05"),  # without a time zone
        file(numbers={"a": "many"}),
        file(name="x" * 1000),
        file(surplus=1),
        file({}),
        file({"seed": -1}),
        file({"seed": 0, "deep": {"er": 1}}),
        file({"seed": 0, "rate": math.inf}),
        file({"seed": 0, "text": "x" * 1000}),
    ],
)
def test_what_is_no_run_is_refused(tmp_path: Any, bad: bytes) -> None:
    with Store(f"sqlite:///{tmp_path}/runs.sqlite") as store:
        with pytest.raises(InputError) as told:
            store.take(bad)
        assert "\n" not in str(told.value)
        assert store.count() == 0


def test_what_is_too_large_is_refused(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store(f"sqlite:///{tmp_path}/runs.sqlite", limit=100) as store:
        with pytest.raises(InputError, match="limit of the store"):
            store.take(file())
        with pytest.raises(InputError, match="unpack to more than"):
            store.take(zstandard.compress(bytes(600 * 2**20)))
        monkeypatch.setattr(transport, "MOST", 10)
        with pytest.raises(InputError, match="MB at most"):
            store.take(file())
        assert store.count() == 0


@given(st.binary(max_size=60), st.integers(0, 10**6))
def test_random_damage_never_raises_anything_else(noise: bytes, place: int) -> None:
    good = file()
    cut = place % len(good)
    for bad in (noise, good[:cut] + noise + good[cut + len(noise) :]):
        try:
            transport.unpack(bad)
        except InputError as error:
            assert "\n" not in str(error)  # noqa: PT017
