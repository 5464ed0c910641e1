"""MPBN: the norm against torch's and by hand, the fold spike for spike, the network layer by layer, and the arena."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score
from torch import nn
from torch.nn.functional import batch_norm, conv2d

import neurorama
from neurorama.exhibits.brain.arena import SPIKES, ImageTask, SpikingResNet, Threshold
from neurorama.exhibits.brain.mpbn import EXHIBIT, MPBN, Knobs, build, changed_by_fold, margin

SHAPE = (3, 2, 4)
LEVEL = 0.5


@pytest.fixture(scope="module")
def task() -> ImageTask:
    return SPIKES.data("digits", 0)


def rule(form: str, fold: bool = False, seed: int = 0) -> MPBN:
    """A rule whose norm has been through a training: gamma of both signs."""
    made = MPBN(SHAPE, Threshold(LEVEL, 1.0), form, fold).double()
    torch.manual_seed(seed)
    for tensor in (made.norm.weight, made.norm.bias, made.norm.running_mean):
        assert tensor is not None
        tensor.data.normal_()
    assert made.norm.running_var is not None
    made.norm.running_var.uniform_(0.01, 3)
    return made


def moments(u: torch.Tensor, form: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and biased variance that the units of (n, c, h, w) share, by a loop over what shares them."""
    mean, var = torch.empty_like(u[0]), torch.empty_like(u[0])
    for c in range(u.shape[1]):
        for place in np.ndindex(*u.shape[2:]):
            group = u[:, c].flatten() if form == "channel" else u[(slice(None), c, *place)]
            mean[(c, *place)] = group.sum() / len(group)
            var[(c, *place)] = ((group - group.sum() / len(group)) ** 2).sum() / len(group)
    return mean, var


def spread(values: torch.Tensor) -> torch.Tensor:
    """What belongs to a channel or an element, (norms,) -> (c, h, w) or a shape that broadcasts to it."""
    return values.view(SHAPE) if len(values) == math.prod(SHAPE) else values.view(-1, 1, 1)


@pytest.mark.parametrize("form", ["channel", "element"])
def test_the_norm_is_the_formula_of_the_paper(form: str) -> None:
    made, u = rule(form), torch.randn(6, *SHAPE, dtype=torch.float64)
    gamma, beta = spread(made.norm.weight), spread(made.norm.bias)
    stored_mean, stored_var = spread(made.norm.running_mean).clone(), spread(made.norm.running_var).clone()
    made.eval()
    expected = gamma * (u - stored_mean) / (stored_var + 1e-5).sqrt() + beta
    torch.testing.assert_close(made.normalise(u), expected)
    torch.testing.assert_close(made(u), (expected > LEVEL).double())
    made.train()
    mean, var = moments(u, form)
    torch.testing.assert_close(made.normalise(u), gamma * (u - mean) / (var + 1e-5).sqrt() + beta)
    n = u.numel() // len(made.norm.weight)
    torch.testing.assert_close(
        spread(made.norm.running_mean).expand(SHAPE), 0.9 * stored_mean.expand(SHAPE) + 0.1 * mean
    )
    torch.testing.assert_close(
        spread(made.norm.running_var).expand(SHAPE), 0.9 * stored_var.expand(SHAPE) + 0.1 * var * n / (n - 1)
    )


@pytest.mark.parametrize("training", [True, False])
def test_the_channel_form_is_batch_norm_2d(training: bool) -> None:
    made, u = rule("channel").train(training), torch.randn(6, *SHAPE, dtype=torch.float64)
    reference = nn.BatchNorm2d(SHAPE[0]).double().train(training)
    reference.load_state_dict(made.norm.state_dict())
    torch.testing.assert_close(made.normalise(u), reference(u))


def test_gradients_pass_the_norm_and_the_window() -> None:
    made, u = rule("channel").train(), torch.randn(6, *SHAPE, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(6, *SHAPE, dtype=torch.float64)
    (ours,) = torch.autograd.grad((made(u) * weight).sum(), u)
    reference = nn.BatchNorm2d(SHAPE[0]).double()
    reference.load_state_dict(made.norm.state_dict())
    seen = reference(u)
    z = seen.detach() - LEVEL
    slope = 3 * (1 - torch.tanh(3 * z) ** 2) / (2 * math.tanh(1.5)) * (z.abs() < 0.5)
    (expected,) = torch.autograd.grad((seen * slope * weight).sum(), u)
    torch.testing.assert_close(ours, expected)
    assert ours.abs().sum() > 0


@settings(max_examples=60, deadline=None)
@given(
    form=st.sampled_from(["channel", "element"]),
    gamma=st.sampled_from(["as drawn", "all negative", "some zero"]),
    beta=st.sampled_from([0.0, LEVEL, 2.0]),
    seed=st.integers(0, 2**31 - 1),
)
def test_folded_thresholds_fire_spike_for_spike_the_same(form: str, gamma: str, beta: float, seed: int) -> None:
    """Every unit by itself: gamma (u - mu) / sqrt(var + eps) + beta above the level, in plain numbers."""
    made = rule(form, fold=True, seed=seed).eval()
    norm = made.norm
    if gamma == "all negative":
        norm.weight.data = -norm.weight.data.abs()
    elif gamma == "some zero":  # of both signs, as floats have it
        norm.weight.data[::2] = 0.0
        norm.weight.data[::4] = -0.0
        norm.bias.data[:] = beta
    u = 2 * torch.randn(5, *SHAPE, dtype=torch.float64)
    expected = np.zeros(u.shape)
    for n, c, i, j in np.ndindex(*u.shape):
        k = c if form == "channel" else (c * SHAPE[1] + i) * SHAPE[2] + j
        root = math.sqrt(norm.running_var[k].item() + norm.eps)
        seen = norm.weight[k].item() * (u[n, c, i, j].item() - norm.running_mean[k].item()) / root + norm.bias[k].item()
        assume(abs(seen - LEVEL) > 1e-9 or norm.weight[k] == 0)
        expected[n, c, i, j] = seen > LEVEL
    np.testing.assert_array_equal(made(u).numpy(), expected)
    made.folded = False
    np.testing.assert_array_equal(made(u).detach().numpy(), expected)


def test_a_negative_gamma_turns_the_inequality_round() -> None:
    made = MPBN((1, 1, 1), Threshold(LEVEL, 1.0), "channel", True).eval()
    made.norm.weight.data.fill_(-2.0)
    level, sign = made.fold()
    assert level.item() == pytest.approx(-0.25, abs=1e-5)  # (0.5 - 0) * 1 / -2 + 0
    assert sign.item() == -1
    assert made(torch.tensor([-1.0, -0.3, -0.2, 1.0]).view(4, 1, 1, 1)).flatten().tolist() == [1, 1, 0, 0]


def test_training_takes_the_norm_even_where_the_test_is_folded() -> None:
    u = torch.randn(6, *SHAPE, dtype=torch.float64)
    folded, open_ = rule("channel", fold=True).train(), rule("channel").train()
    assert torch.equal(folded(u), open_(u))
    assert torch.equal(folded.norm.running_mean, open_.norm.running_mean)


def by_hand(net: SpikingResNet, x: torch.Tensor, level: float) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Spikes (t, n, c, h, w) of each layer and the logits, step by step, layer inside step, with plain functions."""
    depth = len(net.convs)
    u = [torch.zeros(())] * depth
    spikes: list[list[torch.Tensor]] = [[] for _ in range(depth)]
    for t in range(net.time):
        signal, skip = x, torch.zeros(())
        for i, (conv, norm, fires) in enumerate(zip(net.convs, net.norms, net.rules)):
            current = conv2d(signal, conv.weight, stride=2 if i == 0 else 1, padding=1)
            current = batch_norm(current, norm.running_mean, norm.running_var, norm.weight, norm.bias)
            if i > 0 and i % 2 == 0:
                current = current + skip
            rest = u[i] * (1 - spikes[i][-1]) if t else torch.zeros(())
            u[i] = seen = net.tau * rest + current
            if isinstance(fires, MPBN):
                m = fires.norm
                seen = batch_norm(u[i].flatten(1, -1) if len(m.weight) > 8 else u[i], m.running_mean, m.running_var)
                affine = (1, -1) if len(m.weight) > 8 else (1, -1, 1, 1)
                seen = (seen * m.weight.view(affine) + m.bias.view(affine)).view_as(u[i])
            signal = (seen > level).to(x.dtype)
            spikes[i].append(signal)
            if i % 2 == 0:
                skip = signal
    layers = [torch.stack(layer) for layer in spikes]
    return layers, layers[-1].mean(0).flatten(1) @ net.readout.weight.T + net.readout.bias


@torch.enable_grad()
def trained(task: ImageTask, knobs: Knobs, steps: int = 8) -> SpikingResNet:
    torch.manual_seed(0)
    net = build(knobs, task)
    for _ in SPIKES.train(net, task, steps):
        pass
    return net.eval()


@pytest.mark.parametrize("knobs", [{"mpbn": False}, {}, {"form": "element"}, {"fold": True}, {"tau": 0.9, "time": 6}])
@torch.no_grad()
def test_the_network_is_the_one_written_step_by_step(task: ImageTask, knobs: dict[str, object]) -> None:
    settings = Knobs(**{"blocks": 2, **knobs})
    net = trained(task, settings).double()
    x = task.x[task.test[:20]].double()
    layers, logits = by_hand(net, x, settings.threshold)
    for (spikes, _), expected in zip(net.layers(x), layers, strict=True):
        assert torch.equal(spikes, expected)
    assert 0.01 < layers[-1].mean() < 0.99
    torch.testing.assert_close(net(x), logits)


@pytest.mark.parametrize("form", ["channel", "element"])
@torch.no_grad()
def test_the_whole_folded_network_spikes_the_same(task: ImageTask, form: str) -> None:
    net = trained(task, Knobs(blocks=2, form=form)).double()
    for made in net.rules:
        made.norm.weight.data *= torch.randn_like(made.norm.weight).sign()
    x = task.x[task.test].double()
    spikes = [layer for layer, _ in net.layers(x)]
    logits = net(x)
    for made in net.rules:
        made.folded = True
    assert all(torch.equal(a, b) for a, (b, _) in zip(spikes, net.layers(x), strict=True))
    assert torch.equal(logits, net(x))
    assert changed_by_fold(net, replace(task, x=task.x.double())) == 0


@torch.no_grad()
def test_a_wrong_fold_is_counted(task: ImageTask, monkeypatch: pytest.MonkeyPatch) -> None:
    net = trained(task, Knobs(blocks=1))
    assert changed_by_fold(net, task) == 0
    right = MPBN.fold
    monkeypatch.setattr(MPBN, "fold", lambda self: (right(self)[0] + 0.3, right(self)[1]))
    shifted = changed_by_fold(net, task)
    monkeypatch.setattr(MPBN, "fold", lambda self: (right(self)[0], -right(self)[1]))
    neurons = sum(u.numel() for _, u in net.layers(task.ten))
    assert 0 < shifted < neurons
    assert changed_by_fold(net, task) == neurons


def test_with_a_norm_that_does_nothing_it_is_the_plain_network(task: ImageTask) -> None:
    torch.manual_seed(0)
    plain = build(Knobs(mpbn=False, blocks=2), task).double().eval()
    torch.manual_seed(0)
    net = build(Knobs(blocks=2), task).double().eval()
    assert all(isinstance(fires, Threshold) for fires in plain.rules)
    for fires in net.rules:
        fires.norm.running_var.fill_(1 - fires.norm.eps)
    x = task.x[task.test[:30]].double()
    torch.testing.assert_close(net(x), plain(x), rtol=0, atol=0)


def test_switched_off_both_arms_are_one_and_the_claim_fails() -> None:
    trace = neurorama.run("mpbn", {"steps": 10, "blocks": 1, **EXHIBIT.claim.control})
    for series in ("loss", "test accuracy"):
        assert trace.numbers(f"{series}/MPBN") == trace.numbers(f"{series}/LIF")
    assert margin(trace) == 0


def test_looking_and_scoring_leave_the_statistics_alone(task: ImageTask) -> None:
    net = trained(task, Knobs(blocks=1))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    net.train()
    SPIKES.score(net, task)
    net.train()
    SPIKES.look("MPBN", net, task)
    net.train()
    changed_by_fold(net, task)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    for fires in net.rules:
        assert fires.norm.num_batches_tracked == 8 * 4  # training steps times time steps, nothing else


def test_test_digits_are_never_trained_on(task: ImageTask) -> None:
    """With the test images and labels spoilt, training goes exactly the same way."""
    x, y = task.x.clone(), task.y.clone()
    x[task.test], y[task.test] = torch.nan, -100
    nets = [trained(of, Knobs(blocks=1)) for of in (task, replace(task, x=x, y=y))]
    first, second = (net.state_dict() for net in nets)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert all(torch.isfinite(value).all() for value in first.values())


@pytest.mark.parametrize("seed", [0, 1])
def test_every_digit_is_on_one_side(seed: int) -> None:
    task = SPIKES.data("digits", seed)
    assert len(task.test) == 400
    assert sorted([*task.train.tolist(), *task.test.tolist()]) == list(range(1797))
    assert float(task.x.min()) == 0
    assert float(task.x.max()) == 1
    assert task.x.shape == (1797, 1, 8, 8)
    again = SPIKES.data("digits", seed)
    assert torch.equal(task.test, again.test)
    assert not torch.equal(task.test, SPIKES.data("digits", seed + 1).test)
    chosen = [next(k for k in task.test.tolist() if task.y[k] == digit) for digit in range(10)]
    assert torch.equal(task.ten, task.x[chosen])


def test_the_score_is_the_accuracy_on_the_test_digits(task: ImageTask) -> None:
    net = trained(task, Knobs(blocks=1), steps=20)
    with torch.no_grad():
        answers = net(task.x[task.test]).argmax(1)
    assert SPIKES.score(net, task) == pytest.approx(accuracy_score(task.y[task.test], answers))


@torch.no_grad()
def test_the_pictures_are_of_the_network(task: ImageTask) -> None:
    net = trained(task, Knobs(blocks=1))
    values = SPIKES.look("MPBN", net, task)
    layers, _ = by_hand(net, task.ten, 0.5)
    rates = values["firing rate/MPBN"]
    np.testing.assert_allclose(np.asarray(rates.y), [float(layer.mean()) for layer in layers], rtol=1e-6)
    events = values["spikes/MPBN"]
    shown = set(zip(np.asarray(events.times).tolist(), np.asarray(events.units).tolist()))
    last = layers[-1].flatten(2).numpy()
    expected = {(float(d * 4 + t), n) for t, d, n in np.ndindex(*last.shape) if last[t, d, n]}
    assert shown == expected
    hist = values["membrane of the last layer/MPBN"]
    assert hist.line == 0.5
    assert np.asarray(hist.counts).sum() == last.size
    assert np.asarray(hist.counts)[np.asarray(hist.bounds)[:-1] > 0.51].sum() <= last.sum()


@pytest.mark.parametrize("form", ["channel", "element"])
def test_a_real_run_changes_no_spike_by_folding(form: str) -> None:
    knobs = {"steps": 12, "blocks": 2, "form": form}
    normed, folded = (neurorama.run("mpbn", {**knobs, "fold": fold}) for fold in (False, True))
    for trace in (normed, folded):
        assert {name.split("/")[0] for name in trace.names()} == set(EXHIBIT.views)
        assert trace.numbers("spikes changed by folding/MPBN") == [0.0] * 13
    for series in ("loss", "test accuracy"):
        for arm in EXHIBIT.arms:
            assert normed.numbers(f"{series}/{arm}") == folded.numbers(f"{series}/{arm}")
    accuracy = {arm: normed.numbers(f"test accuracy/{arm}")[-5:] for arm in EXHIBIT.arms}
    assert margin(normed) == pytest.approx(np.mean(accuracy["MPBN"]) - np.mean(accuracy["LIF"]))


def test_both_arms_begin_with_the_same_weights(task: ImageTask) -> None:
    nets = []
    for mpbn in (True, False):
        torch.manual_seed(3)
        nets.append(build(Knobs(mpbn=mpbn), task))
    plain = dict(nets[1].named_parameters())
    with_norm = dict(nets[0].named_parameters())
    assert set(plain) < set(with_norm)
    assert all(torch.equal(value, with_norm[name]) for name, value in plain.items())
    extra = [value for name, value in with_norm.items() if name not in plain]
    assert sum(value.numel() for value in extra) == 11 * 2 * 8
