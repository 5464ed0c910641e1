"""Edge masks against torch's Gumbel-softmax, dense products with autograd, a plain loop, and PyG."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from torch import Generator, Tensor
from torch_geometric.nn import SAGEConv

from neurorama.kernels.edge_masks import ACTIONS, edge_gates, gated, node_actions
from neurorama.kernels.propagation import adjacency, normalised


def edges(seed: int, n: int = 9) -> Tensor:
    draw = Generator().manual_seed(seed)
    return (torch.rand(n, n, generator=draw) < 0.3).fill_diagonal_(False).nonzero().T.contiguous()


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1000), st.integers(0, 1000))
def test_an_edge_stays_where_both_ends_agree(graph: int, seed: int) -> None:
    edge_index, draw = edges(graph), Generator().manual_seed(seed)
    listen, broadcast = torch.randn(9, 2, generator=draw), torch.randn(9, 2, generator=draw)
    actions = node_actions(listen, broadcast, 0.5, draw)
    assert set(actions.unique().tolist()) <= {0.0, 1.0}
    names = [ACTIONS[2 * int(listens) + int(broadcasts)] for listens, broadcasts in actions.tolist()]
    for gate, (u, v) in zip(edge_gates(actions, edge_index).tolist(), edge_index.T.tolist()):
        kept = names[u] in ("standard", "broadcast") and names[v] in ("standard", "listen")
        assert gate == kept


def test_actions_come_as_often_as_the_softmax_says() -> None:
    listen, broadcast = torch.tensor([0.3, -0.7]), torch.tensor([-1.0, 0.2])
    draw, often = Generator().manual_seed(0), 20_000
    actions = node_actions(listen.expand(often, 2), broadcast.expand(often, 2), 0.1, draw)
    for column, logits in enumerate((listen, broadcast)):
        seen = int(actions[:, column].sum())
        assert binomtest(seen, often, float(logits.softmax(0)[0])).pvalue > 1e-3


@pytest.mark.parametrize("tau", [0.5, 2.0])
def test_mean_gradient_is_that_of_torchs_gumbel_softmax(tau: float) -> None:
    listen, often = torch.tensor([0.8, -0.4]), 20_000
    many = listen.expand(often, 2).clone().requires_grad_()
    temperature = torch.full((often, 1), tau)
    ours = torch.autograd.grad(node_actions(many, many.detach(), temperature)[:, 0].sum(), many)[0][:, 0]
    hard = torch.nn.functional.gumbel_softmax(many, tau, hard=True)[:, 0]
    theirs = torch.autograd.grad(hard.sum(), many)[0][:, 0]
    error = ((ours.var() + theirs.var()) / often).sqrt()
    assert abs(ours.mean() - theirs.mean()) < 4 * error


@pytest.mark.parametrize("self_loops", [False, True])
@pytest.mark.parametrize("how", ["sym", "row"])
def test_gated_products_equal_dense_ones_with_gradients(self_loops: bool, how: str) -> None:
    edge_index = edges(3)
    logits = torch.randn(edge_index.shape[1], dtype=torch.float64, requires_grad=True)
    x = torch.randn(9, 4, dtype=torch.float64, requires_grad=True)
    pull = torch.randn(9, 4, dtype=torch.float64)
    near = normalised(edge_index, 9, torch.ones_like(logits), self_loops, how)
    mask = torch.eye(9, dtype=torch.float64).index_put((edge_index[1], edge_index[0]), logits.sigmoid())
    dense = near.dense() * mask
    ours = gated(near, logits.sigmoid()) @ x
    torch.testing.assert_close(ours, dense @ x)
    expected = torch.autograd.grad((dense @ x * pull).sum(), (logits, x))
    torch.testing.assert_close(torch.autograd.grad((ours * pull).sum(), (logits, x)), expected)


def test_gates_learn_through_hard_actions() -> None:
    edge_index, x = edges(5), torch.randn(9, 3, dtype=torch.float64)
    listen, broadcast = (torch.randn(9, 2, dtype=torch.float64, requires_grad=True) for _ in range(2))
    pull = torch.randn(9, 3, dtype=torch.float64)
    actions = node_actions(listen, broadcast, 1.0, Generator().manual_seed(1))
    near = adjacency(edge_index, 9, torch.ones(edge_index.shape[1], dtype=torch.float64))
    ours = torch.autograd.grad((gated(near, edge_gates(actions, edge_index)) @ x * pull).sum(), actions)[0]
    free = actions.detach().requires_grad_()
    dense = near.dense() * free[:, :1] * free[None, :, 1]
    torch.testing.assert_close(ours, torch.autograd.grad((dense @ x * pull).sum(), free)[0])


def test_all_standard_is_plain_message_passing() -> None:
    edge_index, x, conv = edges(7), torch.randn(9, 4), SAGEConv(4, 3)
    sure = torch.tensor([50.0, -50.0]).expand(9, 2)
    gates = edge_gates(node_actions(sure, sure), edge_index)
    for near in (
        gated(normalised(edge_index, 9, self_loops=False, how="row"), gates),
        normalised(edge_index, 9, gates, self_loops=False, how="row"),
    ):
        torch.testing.assert_close(conv.lin_l(near @ x) + conv.lin_r(x), conv(x, edge_index))
