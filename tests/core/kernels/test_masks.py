"""Masks over weights: against torch's own pruning, plain networks with zeros in them, and counts."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import prune

from neurorama.kernels.masks import MaskedNetworks, living_edges, prune_smallest, prune_smallest_of_all, shuffled

SEED = st.integers(0, 2**31 - 1)
WIDTHS = [6, 5, 4, 3]


def distinct(*shape: int) -> torch.Tensor:
    """Weights of which no two have the same size, so that there is one smallest set."""
    size = torch.randperm(torch.Size(shape).numel()).float() + 1
    return (size * torch.randn_like(size).sign()).view(shape)


def drawn(k: int) -> tuple[list[list[torch.Tensor]], list[list[torch.Tensor]]]:
    starts = [[torch.randn(a, b) for a, b in pairwise(WIDTHS)] for _ in range(k)]
    masks = [[torch.rand_like(w) < 0.6 for w in start] for start in starts]
    return starts, masks


def plain(start: list[torch.Tensor], mask: list[torch.Tensor]) -> nn.Sequential:
    """The same network of torch's layers, pruned by torch; biases at zero."""
    layers: list[nn.Module] = []
    for w, m in zip(start, mask):
        linear = nn.Linear(*w.shape)
        linear.weight.data, linear.bias.data = w.T.clone(), torch.zeros(w.shape[1])
        layers += [prune.custom_from_mask(linear, "weight", m.T), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


@settings(max_examples=60, deadline=None)
@given(
    shape=st.sampled_from([(1, 1), (3, 4), (7, 5), (2, 3, 3, 2)]),
    shares=st.lists(st.floats(0, 1), min_size=1, max_size=4),
    seed=SEED,
)
def test_repeated_cuts_are_those_of_torch(shape: tuple[int, ...], shares: list[float], seed: int) -> None:
    """Weights move between the cuts, as they do in training; every round ranks and counts only what is alive."""
    torch.manual_seed(seed)
    module = nn.Identity()
    module.weight = nn.Parameter(distinct(*shape))
    mask = torch.ones(shape, dtype=torch.bool)
    for k, share in enumerate(shares):
        weight = distinct(*shape)
        (module.weight_orig if k else module.weight).data.copy_(weight)
        module(None)  # torch ranks the masked weights as of the last forward pass
        prune.l1_unstructured(module, "weight", share)
        before = mask
        mask = prune_smallest(weight, mask, share)
        assert torch.equal(mask, module.weight_mask.bool())
        assert not (mask & ~before).any()
        assert int(mask.sum()) == int(before.sum()) - round(share * int(before.sum()))


@settings(max_examples=40, deadline=None)
@given(shares=st.lists(st.floats(0, 1), min_size=1, max_size=3), seed=SEED)
def test_one_ranking_over_all_layers_is_that_of_torch(shares: list[float], seed: int) -> None:
    torch.manual_seed(seed)
    shapes = [(4, 3), (3, 5), (2, 2)]
    sizes = distinct(sum(torch.Size(s).numel() for s in shapes)).split([torch.Size(s).numel() for s in shapes])
    weights = [part.view(shape) for part, shape in zip(sizes, shapes)]
    modules = [nn.Linear(s[1], s[0]) for s in shapes]
    for module, weight in zip(modules, weights):
        module.weight.data = weight.clone()
    masks = [torch.ones(s, dtype=torch.bool) for s in shapes]
    for share in shares:
        prune.global_unstructured([(m, "weight") for m in modules], prune.L1Unstructured, amount=share)
        masks = prune_smallest_of_all(weights, masks, share)
        assert [m.tolist() for m in masks] == [m.weight_mask.bool().tolist() for m in modules]


@settings(deadline=None)
@given(share=st.floats(0, 1), seed=SEED)
def test_what_is_cut_is_smaller_than_what_stays(share: float, seed: int) -> None:
    torch.manual_seed(seed)
    weight, alive = torch.randn(6, 7), torch.rand(6, 7) < 0.7
    kept = prune_smallest(weight, alive, share)
    cut = alive & ~kept
    if cut.any() and kept.any():
        assert weight[cut].abs().max() <= weight[kept].abs().min()


def test_inputs_stay_as_they_are_and_dead_weights_do_not_matter() -> None:
    torch.manual_seed(0)
    weight, mask = distinct(5, 5), torch.rand(5, 5) < 0.5
    kept = mask.clone()
    first = prune_smallest(weight, mask, 0.4)
    assert torch.equal(mask, kept)
    assert torch.equal(first, prune_smallest(torch.where(mask, weight, torch.randn(5, 5) * 1000), mask, 0.4))


def test_equal_weights_are_still_cut_in_the_right_number() -> None:
    assert int(prune_smallest(torch.ones(10), torch.ones(10, dtype=torch.bool), 0.3).sum()) == 7


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_is_between_zero_and_one(share: float) -> None:
    with pytest.raises(ValueError, match="not in"):
        prune_smallest(torch.ones(3), torch.ones(3, dtype=torch.bool), share)


@settings(deadline=None)
@given(shape=st.sampled_from([(1,), (4, 5), (2, 3, 4)]), share=st.floats(0, 1), seed=SEED)
def test_a_shuffled_mask_has_as_many_alive(shape: tuple[int, ...], share: float, seed: int) -> None:
    torch.manual_seed(seed)
    mask = torch.rand(shape) < share
    other = shuffled(mask)
    assert other.shape == mask.shape
    assert other.sum() == mask.sum()


def test_a_shuffled_mask_is_anywhere_with_the_same_chance() -> None:
    torch.manual_seed(0)
    mask = torch.zeros(4, 5, dtype=torch.bool)
    mask[0] = True
    share = torch.stack([shuffled(mask) for _ in range(8000)]).float().mean(0)
    assert (share - 0.25).abs().max() < 5 * (0.25 * 0.75 / 8000) ** 0.5


@settings(max_examples=30, deadline=None)
@given(k=st.integers(1, 4), n=st.integers(1, 6), own=st.booleans(), seed=SEED)
def test_side_by_side_is_one_after_the_other(k: int, n: int, own: bool, seed: int) -> None:
    torch.manual_seed(seed)
    starts, masks = drawn(k)
    net, singles = MaskedNetworks(starts, masks), [plain(s, m) for s, m in zip(starts, masks)]
    for i, bias in enumerate(net.biases):
        assert not bias.any()
        bias.data.normal_()
        for single, b in zip(singles, bias):
            single[2 * i].bias.data = b.flatten().clone()
    x = torch.randn(*((k,) if own else ()), n, WIDTHS[0])
    expected = torch.stack([single(x[j] if own else x) for j, single in enumerate(singles)])
    torch.testing.assert_close(net(x), expected, rtol=1e-5, atol=1e-5)


def test_trained_together_they_are_the_networks_trained_alone() -> None:
    torch.manual_seed(0)
    starts, masks = drawn(3)
    net, singles = MaskedNetworks(starts, masks), [plain(s, m) for s, m in zip(starts, masks)]
    together = torch.optim.Adam(net.parameters(), 0.01)
    alone = [torch.optim.Adam(single.parameters(), 0.01) for single in singles]
    for _ in range(30):
        x, y = torch.randn(3, 8, WIDTHS[0]), torch.randint(WIDTHS[-1], (3, 8))
        together.zero_grad()
        (3 * cross_entropy(net(x).flatten(0, 1), y.flatten())).backward()
        together.step()
        for j, (single, optimiser) in enumerate(zip(singles, alone)):
            optimiser.zero_grad()
            cross_entropy(single(x[j]), y[j]).backward()
            optimiser.step()
    for j, single in enumerate(singles):
        for i, w in enumerate(net.weights):
            linear, alive = single[2 * i], masks[j][i]
            torch.testing.assert_close(w[j] * alive, linear.weight_orig.T * alive, rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(net.biases[i][j, 0], linear.bias, rtol=1e-4, atol=1e-5)
            assert torch.equal(w[j][~alive], starts[j][i][~alive])  # dead ones do not even move
            assert (w[j] != starts[j][i])[alive].any()
    x = torch.randn(5, WIDTHS[0])
    changed = [[torch.where(m, w[j], 1e3) for w, m in zip(net.weights, masks[j])] for j in range(3)]
    with torch.no_grad():
        before = net(x)
        for w, layer in zip(net.weights, zip(*changed)):
            w.copy_(torch.stack(layer))
    torch.testing.assert_close(net(x), before)


@settings(max_examples=40, deadline=None)
@given(widths=st.lists(st.integers(1, 9), min_size=2, max_size=4), most=st.integers(1, 10), seed=SEED)
def test_drawn_edges_are_the_living_weights_between_sampled_units(widths: list[int], most: int, seed: int) -> None:
    torch.manual_seed(seed)
    weights = [torch.randn(a, b) for a, b in pairwise(widths)]
    masks = [torch.rand_like(w) < 0.5 for w in weights]
    edges, sizes, layers = living_edges(weights, masks, most)
    units: list[tuple[int, int]] = []  # (layer, unit) of each drawn unit
    for layer, width in enumerate(widths):
        stride = next(s for s in range(1, width + 1) if len(range(0, width, s)) <= most)
        units += [(layer, u) for u in range(0, width, stride)]
    assert layers.tolist() == [layer for layer, _ in units]
    expected = {
        (a, b): abs(weights[k][i, j].item())
        for a, (k, i) in enumerate(units)
        for b, (m, j) in enumerate(units)
        if m == k + 1 and masks[k][i, j]
    }
    assert dict(zip(map(tuple, edges.T.tolist()), sizes.tolist())) == expected
    assert edges.shape[1] == len(expected)
