"""Lottery ticket: the whole loop again with torch's layers and torch's pruning, its formulas, and its switches."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import prune as torch_prune
from torch.nn.utils import skip_init

import neurorama
from neurorama.exhibits.adaptive_compute import lottery_ticket
from neurorama.exhibits.adaptive_compute.lottery_ticket import ARMS, EXHIBIT, Knobs, glorot, margin, prune, run
from neurorama.kernels.masks import MaskedNetworks

SMALL = {"rounds": 2, "steps": 20, "width": 20}


class Recorded:
    """A run, and the networks that it made: the first weights of each arm, their masks, the trained weights."""

    def __init__(self, **knobs: float) -> None:
        self.nets: list[MaskedNetworks] = []
        self.starts: list[list[list[torch.Tensor]]] = []
        made, kept = lottery_ticket.MaskedNetworks, self

        class Watched(made):  # type: ignore[misc, valid-type]
            def __init__(self, starts: list[list[torch.Tensor]], masks: list[list[torch.Tensor]]) -> None:
                super().__init__(starts, masks)
                kept.nets.append(self)
                kept.starts.append([[w.clone() for w in start] for start in starts])

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(lottery_ticket, "MaskedNetworks", Watched)
            self.knobs = Knobs(**{**SMALL, **knobs})
            torch.manual_seed(self.knobs.seed)
            self.trace = neurorama.Trace("lottery_ticket", self.knobs.model_dump(), tuple(run(self.knobs)))

    def mask(self, r: int, arm: str) -> list[torch.Tensor]:
        return [m[ARMS.index(arm)] for m in self.nets[r].masks]

    def start(self, r: int, arm: str) -> list[torch.Tensor]:
        return self.starts[r][ARMS.index(arm)]


@pytest.fixture(scope="module")
def recorded() -> Recorded:
    return Recorded()


def sequential(weights: list[torch.Tensor], masks: list[torch.Tensor]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for w, m in zip(weights, masks):
        linear = skip_init(nn.Linear, *w.shape)  # takes nothing from the random stream
        linear.weight.data, linear.bias.data = w.T.clone(), torch.zeros(w.shape[1])
        layers += [torch_prune.custom_from_mask(linear, "weight", m.T), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def test_the_run_is_a_plain_loop_of_torch_layers_and_torch_pruning(recorded: Recorded) -> None:
    """One network at a time, with `nn.Linear`, `l1_unstructured` and the digits as scikit-learn has them."""
    knobs = recorded.knobs
    images, labels = load_digits(return_X_y=True)
    x, y = torch.tensor(images / 16, dtype=torch.float32), torch.tensor(labels)
    torch.manual_seed(knobs.seed)
    order = torch.randperm(len(x))
    test, train = order[:500], order[500:]
    widths = [64, 20, 10, 10]
    first = glorot(widths)
    masks = {arm: [torch.ones_like(w) for w in first] for arm in ARMS}
    for r in range(knobs.rounds + 1):
        fresh = glorot(widths)
        starts = {"ticket": first, "new weights": fresh, "other places": first}
        batches = [torch.randint(len(train), (3, 60)) for _ in range(knobs.steps)]
        trained = {}
        for j, arm in enumerate(ARMS):
            net = trained[arm] = sequential(starts[arm], masks[arm])
            optimiser = torch.optim.Adam(net.parameters(), knobs.rate)
            for batch in batches:
                rows = train[batch[j]]
                optimiser.zero_grad()
                cross_entropy(net(x[rows]), y[rows]).backward()
                optimiser.step()
            with torch.no_grad():
                right = float((net(x[test]).argmax(1) == y[test]).float().mean())
            shown = recorded.trace.series(f"test accuracy/{arm}")[5 * r + 4]
            assert shown[0] == (r + 1) * knobs.steps
            assert shown[1] == pytest.approx(right, abs=0.0021)  # one image may sit on the fence
            for i, ours in enumerate(recorded.nets[r].weights):
                linear = net[2 * i]
                assert torch.equal(recorded.nets[r].masks[i][j].T, linear.weight_mask.bool())
                torch.testing.assert_close(recorded.start(r, arm)[i], starts[arm][i])
                torch.testing.assert_close(
                    (ours[j] * masks[arm][i]).detach().T, linear.weight.detach(), rtol=1e-3, atol=1e-4
                )
        for i, share in enumerate((knobs.share, knobs.share, knobs.share / 2)):
            linear = trained["ticket"][2 * i]
            torch_prune.l1_unstructured(linear, "weight", share)
            masks["ticket"][i] = masks["new weights"][i] = linear.weight_mask.T
        for i, mask in enumerate(masks["ticket"]):
            masks["other places"][i] = mask.flatten()[torch.randperm(mask.numel())].view_as(mask)


@pytest.mark.parametrize("knobs", [{}, {"rounds": 1, "share": 0.96}, {"rounds": 3, "share": 0.2, "width": 30}])
@pytest.mark.parametrize("smallest", [True, False])
def test_each_round_keeps_the_share_that_the_formula_says(knobs: dict[str, float], smallest: bool) -> None:
    seen = Recorded(**knobs, smallest=smallest)
    share, rounds = seen.knobs.share, seen.knobs.rounds
    sizes = [m.numel() for m in seen.mask(0, "ticket")]
    left = [sizes]
    for _ in range(rounds):
        cuts = (share, share, share / 2)
        left.append([n - round(n * cut) for n, cut in zip(left[-1], cuts)])
    for r, counts in enumerate(left):
        for arm in ARMS:
            assert [int(m.sum()) for m in seen.mask(r, arm)] == counts
        shown = seen.trace.numbers("weights left/ticket")[5 * r : 5 * r + 5]
        assert shown == pytest.approx([100 * sum(counts) / sum(sizes)] * 5)
        for n, size, cut in zip(counts, sizes, cuts):
            assert n == pytest.approx(size * (1 - cut) ** r, abs=2)  # the closed form, up to rounding in each round


def test_survivors_only_shrink_and_each_arm_starts_where_it_should(recorded: Recorded) -> None:
    for r in range(3):
        for i, w in enumerate(recorded.start(0, "ticket")):
            assert torch.equal(recorded.start(r, "ticket")[i], w)  # rewound, to the bit
            assert torch.equal(recorded.start(r, "other places")[i], w)
            new = recorded.start(r, "new weights")[i]
            assert (new != w).all()
            assert r == 0 or (new != recorded.start(r - 1, "new weights")[i]).all()
            ticket = recorded.mask(r, "ticket")[i]
            assert torch.equal(recorded.mask(r, "new weights")[i], ticket)
            assert r == 0 or not (ticket & ~recorded.mask(r - 1, "ticket")[i]).any()
            assert r == 0 or not torch.equal(recorded.mask(r, "other places")[i], ticket)


def test_dead_weights_never_move_in_training(recorded: Recorded) -> None:
    for net, starts in zip(recorded.nets, recorded.starts):
        for i, (trained, masks) in enumerate(zip(net.weights, net.masks)):
            first = torch.stack([start[i] for start in starts])
            assert torch.equal(trained[~masks], first[~masks])
            assert (trained != first)[masks].any()


def test_the_cut_looks_at_trained_weights_of_each_layer_by_itself(recorded: Recorded) -> None:
    for r in range(2):
        for i, trained in enumerate(recorded.nets[r].weights):
            before, after = recorded.mask(r, "ticket")[i], recorded.mask(r + 1, "ticket")[i]
            size = trained[0].detach().abs()
            assert size[before & ~after].max() <= size[after].min()


def test_by_lot_the_cut_is_blind_to_the_weights() -> None:
    torch.manual_seed(0)
    trained = [torch.linspace(0.1, 10, 4000).view(80, 50), torch.ones(50, 10), torch.ones(10, 10)]
    masks = [torch.ones_like(w, dtype=torch.bool) for w in trained]
    kept = {by: prune(trained, masks, Knobs(smallest=by, share=0.5))[0].flatten() for by in (True, False)}
    assert kept[True].tolist() == [False] * 2000 + [True] * 2000
    assert abs(int(kept[False][:2000].sum()) - 1000) < 5 * math.sqrt(500)


def test_without_rewinding_every_round_draws_all_weights_anew() -> None:
    seen = Recorded(**EXHIBIT.claim.control)
    for r in range(3):
        for i, w in enumerate(seen.start(r, "ticket")):
            assert (w != seen.start(r, "new weights")[i]).all()
            assert torch.equal(w, seen.start(r, "other places")[i])
            for earlier in range(r):
                assert (w != seen.start(earlier, "ticket")[i]).all()


def test_first_weights_are_those_of_glorot() -> None:
    torch.manual_seed(0)
    weights = glorot([300, 100, 200])
    for w, (a, b) in zip(weights, pairwise([300, 100, 200])):
        assert w.shape == (a, b)
        reference = nn.init.xavier_normal_(torch.empty(a, b))
        assert w.std().item() == pytest.approx(reference.std().item(), rel=0.03)
        assert abs(w.mean().item()) < 5 * w.std().item() / math.sqrt(a * b)


def test_the_pictures_are_of_the_networks(recorded: Recorded) -> None:
    trace = recorded.trace
    assert [frame.step for frame in trace.frames] == list(range(4, 61, 4))
    for arm in ("ticket", "other places"):
        pixels = np.asarray(trace.last(f"living weights of each pixel/{arm}").z)
        counts = recorded.mask(2, arm)[0].sum(1)
        assert pixels.flatten().tolist() == counts.tolist()
    for arm in ARMS:
        accuracy = trace.numbers(f"test accuracy/{arm}")
        for name, at in (("early accuracy", 0), ("final accuracy", 4)):
            curve = trace.last(f"{name}/{arm}")
            assert np.asarray(curve.x).tolist() == [0, 1, 2]
            np.testing.assert_allclose(np.asarray(curve.y), accuracy[at::5], rtol=1e-6)
    assert margin(trace) == pytest.approx(accuracy_of(trace, "ticket") - accuracy_of(trace, "new weights"))


def accuracy_of(trace: neurorama.Trace, arm: str) -> float:
    return trace.numbers(f"test accuracy/{arm}")[-1]


def test_a_short_run_shows_what_is_promised_twice_the_same() -> None:
    first, second = (neurorama.run("lottery_ticket", SMALL) for _ in range(2))
    assert {name.split("/")[0] for name in first.names()} == set(EXHIBIT.views)
    for arm in ARMS:
        assert first.numbers(f"test accuracy/{arm}") == second.numbers(f"test accuracy/{arm}")
