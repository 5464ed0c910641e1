"""Attention layers against PyG's."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.nn import GATConv
from torch_geometric.nn.attention import PolynormerAttention

from neurorama.kernels.heads import GAT, SigmoidAttention
from neurorama.kernels.propagation import adjacency


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 9), st.integers(1, 3), st.integers(0, 1000))
def test_over_edges_it_is_pygs(n: int, heads: int, seed: int) -> None:
    torch.manual_seed(seed)
    edge_index = (torch.rand(n, n) < 0.4).nonzero().T.contiguous()  # directed, some nodes hear nobody
    layer, conv = GAT(5, 4 * heads, heads), GATConv(5, 4, heads, add_self_loops=False, bias=False)
    with torch.no_grad():
        conv.lin.weight.copy_(layer.v.weight)
        conv.att_dst.copy_(layer.ends[0])
        conv.att_src.copy_(layer.ends[1])
    x = torch.randn(n, 5)
    torch.testing.assert_close(layer(adjacency(edge_index, n), x), conv(x, edge_index), rtol=1e-4, atol=1e-5)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 9), st.sampled_from([1, 2, 4]), st.integers(0, 1000))
def test_over_all_pairs_it_is_pygs_with_the_heads_last(n: int, heads: int, seed: int) -> None:
    torch.manual_seed(seed)
    layer, other = SigmoidAttention(8, heads), PolynormerAttention(8, heads, 8 // heads, beta=1.0, qkv_bias=True)
    turn = torch.arange(8).reshape(heads, -1).T.flatten()  # channels side by side by head -> heads innermost
    with torch.no_grad():
        for ours, theirs in ((layer.k, other.k), (layer.v, other.v)):
            theirs.weight.copy_(ours.weight[turn])
            theirs.bias.copy_(ours.bias[turn])
        for linear in (other.h_lins, other.lin_out):
            linear.weight.zero_()
            linear.bias.zero_()
        other.lin_out.weight.copy_(torch.eye(8))
        other.lin_out.bias.fill_(10.0)  # so that its ReLU lets all through
    other.lns = torch.nn.Identity()
    x = torch.randn(3, n, 8)
    expected = other(x) - 10
    torch.testing.assert_close(layer(x)[..., turn], expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(layer(x[1]), layer(x)[1], rtol=1e-4, atol=1e-5)
