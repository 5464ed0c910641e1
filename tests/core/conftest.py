"""A made-up exhibit whose claim is as true as its knobs say."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from pydantic import Field

from neurorama import Bars, Claim, Exhibit, Frame, Paper, Params, Preset, Run, Trace


class Knobs(Params):
    effect: float = Field(1.0, ge=-5, le=5, description="how much better the method is")
    noise: float = Field(0.1, ge=0, le=10, description="spread between seeds")
    steps: int = Field(4, ge=1, le=50, description="frames after the first")
    shape: Literal["flat", "steep"] = Field("flat", description="the curve")
    on: bool = Field(True, description="the mechanism; off: no effect")


def run(knobs: Knobs) -> Run:
    for step in range(knobs.steps + 1):
        luck = knobs.noise * float(torch.randn(()))
        gain = knobs.effect if knobs.on else 0.0
        yield Frame(step, knobs.steps, {"score/method": gain + luck, "score/plain": 0.0, "parts": Bars(["a"], [luck])})


def margin(trace: Trace) -> float:
    return trace.last("score/method") - trace.last("score/plain")


@pytest.fixture
def tiny() -> Exhibit[Knobs]:
    return Exhibit(
        paper=Paper(id=1, title="A made-up paper", name="Tiny"),
        params=Knobs,
        run=run,
        claim=Claim("The method is better.", margin, {"on": False}, unit="score, method minus plain"),
        arms=("method", "plain"),
        views={"score": "Which curve is higher?", "parts": "What luck did."},
        presets={"where it breaks": Preset("The method is worse.", {"effect": -1.0})},
        fidelity="full",
        departs="Everything.",
    )
