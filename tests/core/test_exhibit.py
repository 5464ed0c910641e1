"""An exhibit is a value that runs as it is, without a place in the catalogue."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

import neurorama
from neurorama import Exhibit


def test_an_exhibit_that_is_being_written_runs_and_is_judged(tiny: Exhibit) -> None:
    trace = neurorama.run(tiny, {"steps": 2, "noise": 0.0})
    assert trace.exhibit == "Tiny"
    assert [frame.step for frame in trace.frames] == [0, 1, 2]
    assert tiny.claim.margin(trace) == 1.0
    assert neurorama.judge(tiny).exhibit == "Tiny"


def test_an_index_card_cannot_be_changed(tiny: Exhibit) -> None:
    with pytest.raises(FrozenInstanceError):
        tiny.departs = "nothing"  # type: ignore[misc]
