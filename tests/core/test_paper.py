"""Knobs: what is read, what is refused, and in which words."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from neurorama import InputError, Params


class Knobs(Params):
    depth: int = Field(16, ge=1, le=64, description="layers")
    rate: float = Field(0.1, ge=0.0, le=1.0, description="step size")
    kind: Literal["relu", "tanh"] = Field("relu", description="activation")
    gates: bool = Field(True, description="on")
    source: str = Field("karate", description="data", json_schema_extra={"sources": ["karate", "blocks"], "own": True})


def refusal(knobs: dict[str, Any]) -> str:
    with pytest.raises(InputError) as caught:
        Knobs.parse(knobs)
    return str(caught.value)


def test_strings_are_read_as_the_type_of_the_knob() -> None:
    read = Knobs.parse({"depth": "8", "rate": "1e-2", "gates": "false", "seed": "3", "source": "mine/friends"})
    assert read == Knobs(depth=8, rate=0.01, gates=False, seed=3, source="mine/friends")


@pytest.mark.parametrize(
    ("knobs", "words"),
    [
        ({"depth": 65}, ["depth=65", "less than or equal to 64"]),
        ({"depth": "abc"}, ["depth='abc'", "valid integer"]),
        ({"dpeth": 3}, ["'dpeth'", "did you mean 'depth'"]),
        ({"kind": "rely"}, ["kind='rely'", "'relu' or 'tanh'", "did you mean 'relu'"]),
        ({"rate": "nan"}, ["rate='nan'", "finite"]),
        ({"rate": float("inf")}, ["rate=inf", "finite"]),
        ({"gates": "perhaps"}, ["gates='perhaps'", "boolean"]),
        ({"source": "karat"}, ["source='karat'", "did you mean 'karate'"]),
        ({"source": "zzz"}, ["allowed: karate, blocks"]),
        ({"seed": -1}, ["seed=-1", "greater than or equal to 0"]),
        ({"depth": "9" * 5000}, ["depth='999", "..."]),
    ],
)
def test_a_bad_knob_is_named_with_what_is_allowed(knobs: dict[str, Any], words: list[str]) -> None:
    said = refusal(knobs)
    assert all(word in said for word in words), said
    assert "\n" not in said
    assert len(said) < 300


anything = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.lists(st.integers())


@given(st.dictionaries(st.sampled_from(sorted(Knobs.model_fields)) | st.text(), anything, max_size=4))
def test_whatever_comes_is_in_bounds_or_refused_in_one_line(knobs: dict[str, Any]) -> None:
    try:
        read, said = Knobs.parse(knobs), ""
    except InputError as error:
        read, said = Knobs(), str(error)
    assert "\n" not in said
    assert not said or any(repr(name) in said or name in said for name in knobs)
    assert 1 <= read.depth <= 64
    assert 0 <= read.rate <= 1
    assert read.kind in {"relu", "tanh"}
    assert read.source in {"karate", "blocks"} or read.source.startswith("mine/")


@given(st.integers(1, 64), st.floats(0, 1), st.sampled_from(["relu", "tanh"]), st.booleans())
def test_what_is_dumped_is_read_again(depth: int, rate: float, kind: Any, gates: bool) -> None:
    knobs = Knobs(depth=depth, rate=rate, kind=kind, gates=gates)
    assert Knobs.parse(knobs.model_dump()) == knobs
    assert Knobs.parse({name: str(value) for name, value in knobs.model_dump().items()}) == knobs


def test_knobs_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Knobs().depth = 3
