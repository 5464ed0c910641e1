"""The arena: lockstep, streams of their own, and the one gradient loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import final

import pytest
import torch

from neurorama import Arena, descend


@final
class Line(Arena[torch.nn.Parameter, torch.Tensor]):
    """Find the mean of some numbers, with noisy gradients."""

    title = "Mean"
    metric = "closeness"
    sources = ("ones",)

    def data(self, source: str, seed: int) -> torch.Tensor:
        return torch.ones(8)

    def baselines(self, data: torch.Tensor) -> Mapping[str, torch.nn.Parameter]:
        return {"zero": torch.nn.Parameter(torch.zeros(()))}

    def train(self, system: torch.nn.Parameter, data: torch.Tensor, steps: int) -> Iterator[float]:
        return descend(lambda: ((system - data + torch.randn(8)) ** 2).mean(), [system], steps, lr=0.1)

    def score(self, system: torch.nn.Parameter, data: torch.Tensor) -> float:
        return -abs(float(system.detach() - data.mean()))


def start(value: float) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.tensor(value))


def test_a_system_learns_the_same_whoever_else_is_in_the_field() -> None:
    ring, ends = Line(), []
    for others in ({}, {"b": 3.0}, {"b": -1.0, "c": 7.0}):
        torch.manual_seed(1)
        system = start(0.0)
        systems = {**{name: start(value) for name, value in others.items()}, "a": system}
        last = list(ring.meet(systems, ring.data("ones", 0), 20))[-1]
        ends.append((float(system.detach()), last.values["loss/a"]))
    assert ends[0] == ends[1] == ends[2]


def test_frames_come_every_so_often_and_at_the_end() -> None:
    ring = Line()
    frames = list(ring.meet({"a": start(0.0)}, ring.data("ones", 0), 10, every=4))
    assert [frame.step for frame in frames] == [0, 4, 8, 10]
    assert {frame.of for frame in frames} == {10}
    assert set(frames[0].values) == {"closeness/a"}
    assert set(frames[1].values) == {"closeness/a", "loss/a"}


def test_meeting_is_lazy() -> None:
    ring, system = Line(), start(5.0)
    run = ring.meet({"a": system}, ring.data("ones", 0), 1000)
    next(run)
    assert float(system.detach()) == 5.0
    next(run)
    assert float(system.detach()) != 5.0


@pytest.mark.parametrize("asked", [{}, {"optimiser": "Adamax"}])
def test_the_gradient_loop_is_adam_unless_another_is_asked_for(asked: Mapping[str, str]) -> None:
    ours, theirs = start(3.0), start(3.0)
    losses = list(descend(lambda: ours**4, [ours], 25, lr=0.05, weight_decay=0.01, **asked))
    kind = torch.optim.Adamax if asked else torch.optim.Adam
    adam, expected = kind([theirs], lr=0.05, weight_decay=0.01), []
    for _ in range(25):
        adam.zero_grad()
        loss = theirs**4
        loss.backward()
        adam.step()
        expected.append(float(loss.detach()))
    assert losses == expected
    assert torch.equal(ours, theirs)


def test_choosing_data_makes_a_knob_that_knows_its_sources() -> None:
    knob = Line().choose()
    assert knob.default == "ones"
    assert knob.json_schema_extra == {"sources": ["ones"], "own": False}
