"""Virtual nodes against PyG's transform and pooling, and the attention they compute against the attention kernel."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from torch_geometric.data import Batch, Data
from torch_geometric.nn import SimpleConv, global_add_pool, global_mean_pool
from torch_geometric.transforms import VirtualNode as AddVirtualNode

from neurorama.kernels.attention import elu_features, linear_attention
from neurorama.kernels.virtual_node import (
    VirtualNode,
    attention_messages,
    attention_update,
    pick,
    softmax_by_rounds,
    virtual_attention,
)


def parts(sizes: list[int], seed: int, *widths: int) -> tuple[Tensor, list[Tensor]]:
    draw = Generator().manual_seed(seed)
    batch = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    return batch, [torch.randn(sum(sizes), w, dtype=torch.float64, generator=draw) for w in widths]


@settings(deadline=None)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), st.integers(0, 1000))
def test_one_round_is_linear_attention_in_each_graph(sizes: list[int], seed: int) -> None:
    batch, (q, k, v) = parts(sizes, seed, 3, 3, 2)
    q, k = elu_features(q), elu_features(k)
    turn = torch.randperm(len(batch), generator=Generator().manual_seed(seed))
    ours = virtual_attention(q[turn], k[turn], v[turn], batch[turn], len(sizes))
    expected = torch.cat([linear_attention(q[batch == g], k[batch == g], v[batch == g]) for g in range(len(sizes))])
    torch.testing.assert_close(ours, expected[turn])


def with_virtual_nodes(sizes: list[int], x: Tensor) -> tuple[Batch, Tensor]:
    """(the batch as PyG makes it, which of its nodes are virtual), with no other edges."""
    none = torch.zeros(2, 0, dtype=torch.long)
    transform = AddVirtualNode()
    graphs = [transform(Data(x=rows, edge_index=none)) for rows in x.split(sizes)]
    whole = Batch.from_data_list(graphs)
    return whole, whole.ptr[1:] - 1


def test_two_rounds_of_message_passing_on_pygs_graph_are_linear_attention() -> None:
    sizes = [4, 1, 6]
    batch, (q, k, v) = parts(sizes, 0, 3, 3, 2)
    q, k = elu_features(q), elu_features(k)
    whole, virtual = with_virtual_nodes(sizes, attention_messages(k, v))
    real = torch.ones(len(whole.x), dtype=torch.bool)
    real[virtual] = False
    conv = SimpleConv(aggr="sum")
    gathered = conv(whole.x, whole.edge_index[:, whole.edge_type == 1])  # nodes to virtual nodes
    heard = conv(gathered, whole.edge_index[:, whole.edge_type == 2])  # and back
    torch.testing.assert_close(attention_update(q, heard[real]), virtual_attention(q, k, v, batch, 3))


def test_reading_and_writing_are_messages_on_pygs_graph() -> None:
    sizes = [4, 1, 6]
    batch, (x,) = parts(sizes, 1, 5)
    node, state = VirtualNode(5).double(), torch.randn(3, 5, dtype=torch.float64)
    whole, virtual = with_virtual_nodes(sizes, x)
    full = whole.x.clone()
    full[virtual] = state
    conv = SimpleConv(aggr="sum")
    heard = full + conv(full, whole.edge_index)  # every node beside its own message
    torch.testing.assert_close(node.write(x, state, batch), node.update(heard[virtual]))
    real = torch.ones(len(full), dtype=torch.bool)
    real[virtual] = False
    torch.testing.assert_close(node.read(x, state, batch), heard[real])


def test_sum_and_mean_are_pygs_pooling() -> None:
    batch, (x,) = parts([4, 1, 6], 2, 5)
    state = torch.zeros(3, 5, dtype=torch.float64)
    for how, pool in (("sum", global_add_pool), ("mean", global_mean_pool)):
        node = VirtualNode(5, how).double()
        torch.testing.assert_close(node.write(x, state, batch), node.update(pool(x, batch)))


def test_it_starts_the_same_in_each_graph_and_learns() -> None:
    batch, (x,) = parts([2, 3], 3, 4)
    node = VirtualNode(4).double()
    state = node.start(2)
    assert not state.any()
    node.write(node.read(x, state, batch), state, batch).sum().backward()
    assert all(p.grad is not None for p in node.parameters())


def test_attention_has_gradients_and_a_query_that_meets_nothing_has_zero() -> None:
    batch, (q, k, v) = parts([3, 2], 4, 3, 3, 2)
    tensors = [t.requires_grad_() for t in (q, k, v)]
    assert torch.autograd.gradcheck(lambda q, k, v: virtual_attention(q.exp(), k.exp(), v, batch, 2), tensors)
    k = k.exp().detach()
    k[3:] = 0
    out = virtual_attention(q.exp(), k, v, batch, 2)
    assert not out[3:].any()
    assert out[:3].all()


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 9), st.integers(0, 1000))
def test_rounds_of_sharp_picks_are_attention_over_those_picked_so_far(n: int, seed: int) -> None:
    _, (x, q) = parts([n], seed, 16, 3)
    x = nn.functional.normalize(x, dim=1)
    key, value = nn.Linear(16, 3, bias=False).double(), nn.Linear(16, 2, bias=False).double()
    rounds = list(softmax_by_rounds(x, 4 * q, key, value, 1000.0))
    assert len(rounds) == n
    for r, (held, weights) in enumerate(rounds, start=1):
        torch.testing.assert_close(held, scaled_dot_product_attention(4 * q, key(x[:r]), value(x[:r])))
        torch.testing.assert_close(weights @ value(x), held)


def test_a_blunt_pick_is_the_mean_and_a_sharp_one_is_a_node() -> None:
    _, (x,) = parts([6], 5, 4)
    x = nn.functional.normalize(x, dim=1)
    torch.testing.assert_close(pick(x, 1e-9), torch.full((6, 6), 1 / 6, dtype=torch.float64))
    torch.testing.assert_close(pick(x, 1e6), torch.eye(6, dtype=torch.float64))
