"""Rounds of pruning against torch.nn.utils.prune, and what each arm starts from."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import prune as torch_prune

import neurorama
from neurorama.exhibits.adaptive_compute import lottery_ticket
from neurorama.exhibits.adaptive_compute.lottery_ticket import ARMS, Knobs, prune

KEY = "adaptive_compute/lottery_ticket"
SHORT = {"rounds": 3, "steps": 20, "width": 20}


class Watched(lottery_ticket.MaskedNetworks):
    """Notes what every round begins with."""

    seen: list[tuple[Any, Any]]

    def __init__(self, starts, masks) -> None:
        super().__init__(starts, masks)
        self.seen.append(([[w.clone() for w in net] for net in starts], masks))


@pytest.fixture
def rounds(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Any]]:
    Watched.seen = []
    monkeypatch.setattr(lottery_ticket, "MaskedNetworks", Watched)
    return Watched.seen


def test_masks_of_three_rounds_agree_with_torch_prune() -> None:
    torch.manual_seed(0)
    layers = [nn.Linear(12, 9, bias=False), nn.Linear(9, 7, bias=False), nn.Linear(7, 4, bias=False)]
    mask = [torch.ones(layer.weight.T.shape, dtype=torch.bool) for layer in layers]
    for _ in range(3):
        trained = [torch.randn(layer.weight.shape) for layer in layers]
        mask = prune([w.T for w in trained], mask, Knobs(share=0.4))
        for layer, w, share in zip(layers, trained, (0.4, 0.4, 0.2)):  # the last layer at half the rate
            old = layer.weight_mask if torch_prune.is_pruned(layer) else torch.ones_like(w)
            if torch_prune.is_pruned(layer):
                torch_prune.remove(layer, "weight")
            layer.weight.data = w
            torch_prune.custom_from_mask(layer, "weight", old)
            torch_prune.l1_unstructured(layer, "weight", amount=share)
        for layer, ours in zip(layers, mask):
            assert torch.equal(layer.weight_mask.bool().T, ours)


def test_the_ticket_is_rewound_and_the_others_differ_in_one_thing_each(rounds: list[tuple[Any, Any]]) -> None:
    neurorama.run(KEY, SHORT)
    assert len(rounds) == 4
    first = rounds[0][0][0]
    for r, ((ticket, fresh, moved), (mask, same, elsewhere)) in enumerate(rounds):
        for layer in range(3):
            assert torch.equal(ticket[layer], first[layer])
            assert torch.equal(moved[layer], first[layer])
            assert not torch.equal(fresh[layer], first[layer])
            assert torch.equal(same[layer], mask[layer])
            assert elsewhere[layer].sum() == mask[layer].sum()
            alive = rounds[r - 1][1][0][layer] if r else torch.ones_like(mask[layer])
            share = 0.35 if layer < 2 else 0.175
            assert mask[layer].sum() == alive.sum() - (round(share * int(alive.sum())) if r else 0)
            assert not (mask[layer] & ~alive).any()  # what is dead stays dead
        if r:
            assert not torch.equal(elsewhere[0], mask[0])


def test_without_rewinding_every_round_starts_anew(rounds: list[tuple[Any, Any]]) -> None:
    neurorama.run(KEY, {**SHORT, "rewind": False})
    starts = [ticket[0] for (ticket, _, _), _ in rounds]
    assert not any(torch.equal(a, b) for a, b in pairwise(starts))


def test_first_weights_are_glorot_normal() -> None:
    torch.manual_seed(0)
    for w in lottery_ticket.glorot([400, 300, 10]):
        assert float(w.std()) == pytest.approx((2 / sum(w.shape)) ** 0.5, rel=0.05)


def test_the_trace_tells_the_masks_size_and_every_round() -> None:
    trace = neurorama.run(KEY, SHORT)
    weights = np.array([64 * 20, 20 * 10, 10 * 10])
    alive = weights.copy()
    for _ in range(3):
        alive = alive - [round(share * int(n)) for share, n in zip((0.35, 0.35, 0.175), alive)]
    assert trace.last("weights left/ticket") == pytest.approx(100 * alive.sum() / weights.sum())
    for arm in ARMS:
        curve = trace.last(f"final accuracy/{arm}")
        assert curve.y[-1] == pytest.approx(trace.last(f"test accuracy/{arm}"))
        assert len(curve.y) == 4
