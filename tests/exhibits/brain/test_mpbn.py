"""The folded threshold against torch's batch norm, spike for spike, and the network against a loop over time."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import conv2d

import neurorama
from neurorama.exhibits.brain.arena import SPIKES, SpikingResNet, Threshold
from neurorama.exhibits.brain.mpbn import MPBN, Knobs, build

SHAPE = (3, 4, 4)


def rule(seed: int, form: str, fold: bool = False, level: float = 0.5) -> MPBN:
    """In double precision, as if trained; some gammas are negative."""
    torch.manual_seed(seed)
    mpbn = MPBN(SHAPE, Threshold(level, 1.0), form, fold).double().eval()
    for part in (mpbn.norm.weight.data, mpbn.norm.bias.data, mpbn.norm.running_mean):
        part.normal_()
    mpbn.norm.running_var.uniform_(0.1, 3)
    return mpbn


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.1, 2), st.booleans())
def test_channel_form_is_batch_norm_2d_and_folds_spike_for_spike(seed: int, level: float, dead: bool) -> None:
    mpbn = rule(seed, "channel", level=level)
    if dead:
        mpbn.norm.weight.data[0] = 0
    norm = nn.BatchNorm2d(3).double().eval()
    norm.load_state_dict(mpbn.norm.state_dict())
    u = 2 * torch.randn(5, *SHAPE, dtype=torch.float64)
    want = norm(u) > level
    assert torch.equal(mpbn(u), want.double())
    assert torch.equal(mpbn.fires_folded(u), want)
    mpbn.folded = True
    assert torch.equal(mpbn(u), want.double())


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31))
def test_element_form_has_a_norm_for_each_neuron(seed: int) -> None:
    mpbn = rule(seed, "element")
    norm, u = mpbn.norm, 2 * torch.randn(5, *SHAPE, dtype=torch.float64)
    each = [part.view(SHAPE) for part in (norm.running_mean, norm.running_var, norm.weight, norm.bias)]
    mean, var, gamma, beta = each
    want = gamma * (u - mean) / (var + norm.eps).sqrt() + beta > 0.5
    assert torch.equal(mpbn(u), want.double())
    assert torch.equal(mpbn.fires_folded(u), want)


def test_a_negative_gamma_turns_the_inequality() -> None:
    mpbn = rule(0, "channel")
    mpbn.norm.weight.data[:] = -mpbn.norm.weight.data.abs()
    low, high = (torch.full((1, *SHAPE), value, dtype=torch.float64) for value in (-50.0, 50.0))
    assert mpbn(low).all()
    assert not mpbn(high).any()
    assert mpbn.fires_folded(low).all()
    assert not mpbn.fires_folded(high).any()


@pytest.mark.parametrize("form", ["channel", "element"])
def test_a_trained_network_gives_the_same_logits_when_folded(form: str) -> None:
    torch.manual_seed(0)
    task = SPIKES.data("digits", 0)
    knobs = Knobs(blocks=2, form=form)  # type: ignore[arg-type]
    system = build(knobs, task)
    for _ in SPIKES.train(system, task, 8):
        pass
    folded = build(knobs.model_copy(update={"fold": True}), task)
    folded.load_state_dict(system.state_dict())
    system, folded = system.double().eval(), folded.double().eval()
    x = task.x[task.test[:100]].double()
    for (spikes, _), (others, _) in zip(system.layers(x), folded.layers(x)):
        assert torch.equal(spikes, others)
    assert torch.equal(system(x), folded(x))
    assert any((r.norm.bias != 0).any() for r in system.rules)  # it did learn


def test_network_against_a_loop_over_time() -> None:
    """Evaluation mode, step by step and layer by layer, with the equations written out."""
    torch.manual_seed(0)
    net = SpikingResNet(4, 2, 3, 0.3, lambda shape: Threshold(0.4, 1.0)).double().eval()
    for norm in net.norms:
        (
            norm.running_mean.normal_(),
            norm.running_var.uniform_(0.5, 2),
            norm.weight.data.normal_(),
            norm.bias.data.normal_(),
        )
    x = torch.rand(6, 1, 8, 8, dtype=torch.float64)
    membranes: list[Tensor | float] = [0.0] * 5
    fired: list[Tensor | float] = [0.0] * 5
    total = torch.zeros(6, 4, 4, 4, dtype=torch.float64)
    for _ in range(3):
        out, link = x, None
        for i, (conv, norm) in enumerate(zip(net.convs, net.norms)):
            current = conv2d(out, conv.weight, stride=2 if i == 0 else 1, padding=1)
            mean, var, gamma, beta = (
                part[:, None, None] for part in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
            )
            current = gamma * (current - mean) / (var + norm.eps).sqrt() + beta
            if i in (2, 4):
                current = current + link
            u = 0.3 * membranes[i] * (1 - fired[i]) + current
            out = (u > 0.4).double()
            membranes[i], fired[i] = u, out
            if i in (0, 2, 4):
                link = out
        total += out
    want = total.flatten(1) / 3 @ net.readout.weight.T + net.readout.bias
    assert 0 < total.sum() < total.numel() * 3
    torch.testing.assert_close(net(x), want)


def test_arms_begin_alike_and_differ_by_the_norm_alone() -> None:
    short = {"blocks": 1, "steps": 10}
    off = neurorama.run("brain/mpbn", {**short, "mpbn": False})
    assert off.numbers("loss/MPBN") == off.numbers("loss/LIF")
    on = neurorama.run("brain/mpbn", short)
    assert on.numbers("loss/LIF") == off.numbers("loss/LIF")
    assert on.numbers("loss/MPBN") != on.numbers("loss/LIF")
    assert on.last("spikes changed by folding/MPBN") <= 2  # of 7,680 in single precision
    folded = neurorama.run("brain/mpbn", {**short, "fold": True})
    assert folded.numbers("loss/MPBN") == on.numbers("loss/MPBN")
