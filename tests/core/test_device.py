"""Where torch computes, as far as a machine without an accelerator can tell."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import neurorama
from neurorama import Exhibit, Frame, InputError, device


def test_a_device_that_is_not_here_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert device.chosen() == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("NEURORAMA_DEVICE", "cuda")
    with pytest.raises(InputError, match="finds none on this machine"):
        neurorama.run("dagnn", {"steps": 12})
    with pytest.raises(InputError, match="did you mean 'cuda'"):
        device.chosen("cude")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device.chosen() == "cuda"


def test_what_an_exhibit_makes_is_made_on_the_device_though_it_names_none(
    tiny: Exhibit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`meta` stands in for an accelerator: it has shapes and no numbers, and lies elsewhere than the CPU's memory."""
    seen: list[str] = []

    def run(knobs: object) -> neurorama.Run:
        made = torch.zeros(2), torch.nn.Linear(2, 1).weight, torch.as_tensor(np.zeros(2)), torch.tensor([1.0])
        seen.extend(one.device.type for one in made)
        yield Frame(0, 0, {})

    monkeypatch.setattr(device, "chosen", lambda name="": "meta")
    monkeypatch.setattr(device, "random_state", lambda name: (torch.get_rng_state(),))
    monkeypatch.setattr(device, "set_random_state", lambda name, state: torch.set_rng_state(state[0]))
    list(neurorama.frames(Exhibit(**{**vars(tiny), "run": run})))
    assert seen == ["meta"] * 4
    assert torch.zeros(1).device.type == "cpu"


def test_tensors_come_back_to_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[torch.Size] = []
    cpu = torch.Tensor.cpu
    monkeypatch.setattr(torch.Tensor, "cpu", lambda self: moved.append(self.shape) or cpu(self))
    with device._bridge():
        assert torch.ones(3).numpy().sum() == 3
        assert np.asarray(torch.ones(4)).sum() == 4
    assert moved == [(3,), (4,)]
