"""Attention against torch's, PyG's layers and modules, and a double loop over nodes."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor
from torch.nn.functional import scaled_dot_product_attention
from torch_geometric.nn import GATConv, TransformerConv
from torch_geometric.nn.attention import PolynormerAttention
from torch_geometric.nn.attention.performer import linear_attention as linear_attention_of_pyg

from neurorama.kernels.attention import (
    attend,
    dense_weights,
    edge_weights,
    elu_features,
    gat_weights,
    linear_attention,
    masked_softmax,
    random_features,
)
from neurorama.kernels.propagation import Adjacency, adjacency


def graph(seed: int, n: int = 8) -> tuple[Tensor, Adjacency]:
    """Directed, with self-loops; node 5 receives nothing."""
    there = torch.rand(n, n, generator=Generator().manual_seed(seed)) < 0.35
    there[:, 5] = False
    edge_index = there.nonzero().T.contiguous()
    return edge_index, adjacency(edge_index, n)


def vectors(*shape: int, seed: int = 0, many: int = 3) -> list[Tensor]:
    draw = Generator().manual_seed(seed)
    return [torch.randn(*shape, dtype=torch.float64, generator=draw).requires_grad_() for _ in range(many)]


@pytest.mark.parametrize("lead", [(), (2,), (2, 3)])
def test_dense_attention_equals_torchs(lead: tuple[int, ...]) -> None:
    q, k, v = vectors(*lead, 6, 4)
    bias = torch.randn(6, 6, dtype=torch.float64)
    mask = (torch.rand(*lead, 6, 6) < 0.5) | torch.eye(6, dtype=torch.bool)
    torch.testing.assert_close(dense_weights(q, k) @ v, scaled_dot_product_attention(q, k, v))
    torch.testing.assert_close(dense_weights(q, k, bias) @ v, scaled_dot_product_attention(q, k, v, bias))
    both = bias.expand(mask.shape).masked_fill(~mask, -math.inf)
    expected = scaled_dot_product_attention(q, k, v, both)
    ours = dense_weights(q, k, bias, mask) @ v
    torch.testing.assert_close(ours, expected)
    pull = torch.randn(ours.shape, dtype=ours.dtype)
    slopes = [torch.autograd.grad((out * pull).sum(), (q, k, v), retain_graph=True) for out in (ours, expected)]
    torch.testing.assert_close(*slopes)


def test_who_may_see_nobody_gets_nothing_and_no_gradient_breaks() -> None:
    scores = torch.randn(3, 4, requires_grad=True)
    mask = torch.tensor([[True, True, False, False], [False] * 4, [True] * 4])
    out = masked_softmax(scores, mask)
    assert not out[1].any()
    torch.testing.assert_close(out.sum(1), torch.tensor([1.0, 0, 1]))
    out.square().sum().backward()
    assert scores.grad.isfinite().all()
    assert not scores.grad[~mask].any()
    torch.testing.assert_close(masked_softmax(torch.tensor([[1e4, 0.0]])), torch.tensor([[1.0, 0.0]]))


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1000), st.integers(1, 3))
def test_edge_attention_is_the_dense_one_between_neighbours(seed: int, heads: int) -> None:
    edge_index, near = graph(seed)
    q, k, v = vectors(8, heads, 4, seed=seed)
    bias = torch.randn(edge_index.shape[1], heads, dtype=torch.float64)
    mask = torch.zeros(8, 8, dtype=torch.bool).index_put((edge_index[1], edge_index[0]), torch.tensor(True))
    wide = torch.zeros(heads, 8, 8, dtype=torch.float64)
    wide[:, near.row, near.col] = bias.T
    ours = attend(near, edge_weights(near, q, k, bias), v)
    expected = (dense_weights(*(t.transpose(0, 1) for t in (q, k)), wide, mask) @ v.transpose(0, 1)).transpose(0, 1)
    torch.testing.assert_close(ours, expected)
    assert not ours[5].any()
    pull = torch.randn(ours.shape, dtype=ours.dtype)
    slopes = [torch.autograd.grad((out * pull).sum(), (q, k, v)) for out in (ours, expected)]
    torch.testing.assert_close(*slopes)


def test_edge_attention_is_pygs_transformer_layer() -> None:
    edge_index, near = graph(1)
    conv, x = TransformerConv(5, 3, heads=2, root_weight=False), torch.randn(8, 5)
    q, k, v = (lin(x).unflatten(1, (2, 3)) for lin in (conv.lin_query, conv.lin_key, conv.lin_value))
    torch.testing.assert_close(attend(near, edge_weights(near, q, k), v).flatten(1), conv(x, edge_index))


def test_gat_weights_are_pygs() -> None:
    edge_index, near = graph(2)
    conv, x = GATConv(5, 3, heads=2, add_self_loops=False, bias=False, negative_slope=0.3), torch.randn(8, 5)
    v = conv.lin(x).unflatten(1, (2, 3))
    weights = gat_weights(near, (v * conv.att_dst).sum(-1), (v * conv.att_src).sum(-1), slope=0.3)
    expected, (_, alpha) = conv(x, edge_index, return_attention_weights=True)
    torch.testing.assert_close(weights, alpha[near.order])
    torch.testing.assert_close(attend(near, weights, v).flatten(1), expected)


@pytest.mark.parametrize("features", [elu_features, torch.sigmoid])
def test_linear_attention_equals_a_double_loop(features) -> None:
    q, k, v = vectors(7, 4)
    mask = torch.tensor([True, False, True, True, False, True, True])
    with torch.no_grad():
        ours = linear_attention(features(q), features(k), v, mask)
        for i in range(7):
            top, total = torch.zeros(4, dtype=torch.float64), 0.0
            for j in range(7):
                if mask[j]:
                    weight = float((features(q[i]) * features(k[j])).sum())
                    top, total = top + weight * v[j], total + weight
            torch.testing.assert_close(ours[i], top / total)


def test_linear_attention_is_pygs_and_has_gradients() -> None:
    q, k, v = vectors(2, 6, 3)
    torch.testing.assert_close(
        linear_attention(elu_features(q), elu_features(k), v),
        linear_attention_of_pyg(elu_features(q), elu_features(k), v),
    )
    assert torch.autograd.gradcheck(lambda q, k, v: linear_attention(elu_features(q), elu_features(k), v), (q, k, v))
    none = torch.zeros(2, 6, dtype=torch.bool)
    assert not linear_attention(q.exp(), k.exp(), v, none).any()


def test_sigmoid_features_are_polynormers_global_attention() -> None:
    module, x = PolynormerAttention(6, heads=2, head_channels=3, qk_shared=False), torch.randn(1, 9, 6)
    q, k, v = (lin(x).unflatten(-1, (3, 2)).movedim(-1, 1) for lin in (module.q, module.k, module.v))  # heads are last
    ours = linear_attention(q.sigmoid(), k.sigmoid(), v).movedim(1, -1).flatten(-2)
    ours = module.lin_out(module.lns(ours) * (module.h_lins(x) + module.beta)).relu()
    torch.testing.assert_close(ours, module(x), rtol=1e-4, atol=1e-5)


def test_random_features_have_the_exponential_as_their_mean() -> None:
    draw = Generator().manual_seed(0)
    q, k = (0.7 * torch.randn(5, 4, dtype=torch.float64, generator=draw) for _ in range(2))
    directions = torch.randn(200_000, 4, dtype=torch.float64, generator=draw)
    found = random_features(q, directions) @ random_features(k, directions).T
    products = (q[:, None] + k).square().sum(-1)  # |q + k|^2 gives the variance in closed form
    spread = (2 * q @ k.T).exp() * (products.exp() - 1)
    assert ((found - (q @ k.T).exp()).abs() < 5 * (spread / 200_000).sqrt()).all()


def test_a_performer_comes_closer_to_softmax_attention_with_more_features() -> None:
    draw = Generator().manual_seed(0)
    q, k, v = (torch.randn(10, 4, dtype=torch.float64, generator=draw) for _ in range(3))
    q, k = q / 2, k / 2  # of long vectors the error falls late: its spread is exponential in their length
    errors = []
    for features in (300, 30_000):
        directions = torch.randn(features, 4, dtype=torch.float64, generator=draw)
        wide = [random_features(x / 4**0.25, directions) for x in (q, k)]
        errors.append(float((linear_attention(*wide, v) - dense_weights(q, k) @ v).square().mean().sqrt()))
    assert errors[1] < errors[0] / 3  # a hundred times the features: a tenth of the error is expected
    assert errors[1] < 0.05
