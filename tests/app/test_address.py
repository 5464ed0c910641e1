"""The address holds the state: every knob of every built exhibit goes there and back; what is wrong is told."""

from __future__ import annotations

from typing import Literal

import pytest
from pydantic import Field

from neurorama import Params, catalogue
from parts import address, knobs

BUILT = [row.key for row in catalogue.built()]


class Knobs(Params):
    depth: int = Field(16, ge=1, le=64, description="hops")
    rate: float = Field(0.01, ge=0.0, le=1.0, description="step size")
    kind: Literal["soft", "hard"] = Field("soft", description="gate")
    order: Literal[1, 2] = Field(1, description="order")
    gates: bool = Field(True, description="gates; off: none")


@pytest.mark.parametrize("key", BUILT)
def test_every_setting_of_an_exhibit_survives_its_address(key: str) -> None:
    exhibit = catalogue.load(key)
    for preset in exhibit.presets.values():
        params = exhibit.params.parse({**preset.knobs, "seed": 7})
        written = address.write({"exhibit": key}, params)
        assert written.pop("exhibit") == key
        assert address.read(exhibit.params, written) == (params, [])


def test_defaults_are_not_written() -> None:
    assert address.write({"exhibit": "a/b"}, Knobs()) == {"exhibit": "a/b"}


def test_all_kinds_of_knobs_go_there_and_back() -> None:
    params = Knobs(seed=3, depth=64, rate=1 / 3, kind="hard", order=2, gates=False)
    written = address.write({}, params)
    assert written == {
        "seed": "3", "depth": "64", "rate": repr(1 / 3), "kind": "hard", "order": "2", "gates": "off",
    }  # fmt: skip
    assert address.read(Knobs, written) == (params, [])


def test_a_bad_value_is_told_and_stays_at_its_default_and_the_good_ones_hold() -> None:
    params, complaints = address.read(Knobs, {"depth": "99", "rate": "0.5", "dpeth": "3", "kind": "sotf"})
    assert params == Knobs(rate=0.5)
    assert len(complaints) == 3
    assert "depth='99'" in complaints[0]
    assert "64" in complaints[0]
    assert "did you mean 'depth'" in complaints[1]
    assert "'soft'" in complaints[2]
    assert all("\n" not in complaint for complaint in complaints)


def test_bounds_and_grid() -> None:
    assert knobs.bounds(Knobs, "depth") == (1, 64)
    assert knobs.bounds(Knobs, "rate") == (0.0, 1.0)
    assert knobs.grid(0.0, 1.0) == pytest.approx(0.01)
    assert knobs.grid(0.0, 0.05) == pytest.approx(0.0005)
    assert knobs.grid(0.0, 3.0) == pytest.approx(0.05)
    assert knobs.groups(Knobs) == (["depth", "rate", "kind", "order"], ["gates"])
