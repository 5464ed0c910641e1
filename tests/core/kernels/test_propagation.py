"""Propagation against PyG, dense NumPy, finite differences, and what must hold of any graph."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch_geometric.nn import GCNConv, SGConv, SimpleConv

from neurorama.kernels.propagation import Adjacency, adjacency, limit, normalised


@st.composite
def graphs(draw: st.DrawFn, doubles: bool = True) -> tuple[Tensor, int, Tensor]:
    """(edge_index, n, weight): directed, with self-loops, isolated nodes and, unless refused, edges that come twice."""
    n = draw(st.integers(1, 9))
    pair = st.tuples(st.integers(0, n - 1), st.integers(0, n - 1))
    pairs = draw(st.lists(pair, max_size=30, unique=not doubles))
    weight = draw(st.lists(st.floats(0.1, 3.0), min_size=len(pairs), max_size=len(pairs)))
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2).T, n, torch.tensor(weight, dtype=torch.float64)


def dense(edge_index: Tensor, n: int, weight: Tensor) -> np.ndarray:
    matrix = np.zeros((n, n))
    np.add.at(matrix, (edge_index[1].numpy(), edge_index[0].numpy()), weight.numpy())
    return matrix


def ring(n: int = 6) -> Tensor:
    nodes = torch.arange(n)
    there = torch.stack([nodes, (nodes + 1) % n])
    return torch.cat([there, there.flip(0)], dim=1)


@settings(deadline=None)
@given(graphs(), st.integers(1, 4))
def test_product_equals_the_dense_one(graph: tuple[Tensor, int, Tensor], width: int) -> None:
    edge_index, n, weight = graph
    x = torch.randn(n, width, dtype=torch.float64)
    matrix = adjacency(edge_index, n, weight)
    torch.testing.assert_close(matrix @ x, torch.from_numpy(dense(edge_index, n, weight)) @ x)
    np.testing.assert_allclose(matrix.dense().numpy(), dense(edge_index, n, weight))


@settings(deadline=None)
@given(graphs(), st.sampled_from(["sym", "row"]), st.booleans())
def test_normalisation_equals_the_formula(graph: tuple[Tensor, int, Tensor], how: str, self_loops: bool) -> None:
    edge_index, n, weight = graph
    a = dense(edge_index, n, weight) + np.eye(n) * self_loops
    degree = a.sum(1)
    with np.errstate(divide="ignore"):
        power = np.where(degree > 0, degree ** (-0.5 if how == "sym" else -1.0), 0.0)
    expected = power[:, None] * a * power if how == "sym" else power[:, None] * a
    np.testing.assert_allclose(normalised(edge_index, n, weight, self_loops, how).dense().numpy(), expected, atol=1e-12)


@settings(deadline=None)
@given(graphs())
def test_order_leads_back_to_the_edges(graph: tuple[Tensor, int, Tensor]) -> None:
    edge_index, n, weight = graph
    matrix = adjacency(edge_index, n, weight)
    assert torch.equal(edge_index[:, matrix.order], torch.stack([matrix.col, matrix.row]))
    assert torch.equal(weight[matrix.order], matrix.weight)


@settings(deadline=None)
@given(graphs())
def test_transposed_is_the_matrix_of_the_turned_edges(graph: tuple[Tensor, int, Tensor]) -> None:
    edge_index, n, weight = graph
    turned, expected = adjacency(edge_index, n, weight).transposed(), adjacency(edge_index.flip(0), n, weight)
    assert torch.equal(turned.crow, expected.crow)
    assert torch.equal(turned.col, expected.col)
    assert torch.equal(weight[turned.order], turned.weight)
    np.testing.assert_allclose(turned.dense().numpy(), dense(edge_index, n, weight).T)


@settings(deadline=None)
@given(graphs())
def test_gradients_equal_finite_differences(graph: tuple[Tensor, int, Tensor]) -> None:
    edge_index, n, weight = graph
    pattern = adjacency(edge_index, n)
    x = torch.randn(n, 3, dtype=torch.float64, requires_grad=True)
    if weight.numel():
        weight.requires_grad_()
        assert torch.autograd.gradcheck(lambda w, x: pattern.reweighted(w) @ x, (weight, x))
    assert torch.autograd.gradcheck(lambda x: adjacency(edge_index, n, weight.detach()) @ x, (x,))


@settings(deadline=None, max_examples=30)
@given(graphs())
def test_sampled_product_equals_the_dense_one_with_gradients(graph: tuple[Tensor, int, Tensor]) -> None:
    edge_index, n, _ = graph
    pattern = adjacency(edge_index, n)
    left, right = (torch.randn(n, 3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    torch.testing.assert_close(pattern.sampled(left, right), (left @ right.T)[pattern.row, pattern.col])
    if edge_index.numel():
        assert torch.autograd.gradcheck(pattern.sampled, (left, right))


def test_gradient_reaches_weights_through_the_normalisation() -> None:
    weight = torch.rand(12, dtype=torch.float64, requires_grad=True)
    x = torch.randn(6, 2, dtype=torch.float64, requires_grad=True)
    for how in ("sym", "row"):
        assert torch.autograd.gradcheck(lambda w, x: normalised(ring(), 6, w, how=how) @ x, (weight, x))  # noqa: B023


def test_gcn_and_sgc_of_pyg() -> None:
    draw = torch.Generator().manual_seed(0)
    upper = torch.triu(torch.rand(40, 40, generator=draw) < 0.1, diagonal=1)
    upper[:, 7] = upper[7] = False  # a node without neighbours
    edge_index = (upper | upper.T).nonzero().T.contiguous()
    weight = torch.rand(edge_index.shape[1], generator=draw)
    x = torch.randn(40, 5, generator=draw)
    gcn, sgc = GCNConv(5, 3, bias=False), SGConv(5, 3, K=4, bias=False)
    near = normalised(edge_index, 40, weight)
    torch.testing.assert_close(near @ gcn.lin(x), gcn(x, edge_index, weight))
    far = near @ (near @ (near @ (near @ x)))
    torch.testing.assert_close(sgc.lin(far), sgc(x, edge_index, weight))


def test_directed_edges_sum_over_senders_as_in_pyg() -> None:
    edge_index = torch.tensor([[0, 0, 2, 1], [1, 2, 1, 1]])
    x = torch.randn(4, 3)
    torch.testing.assert_close(adjacency(edge_index, 4) @ x, SimpleConv(aggr="sum")(x, edge_index))


def test_reweighted_keeps_the_work_on_the_pattern() -> None:
    pattern = adjacency(ring(), 6)
    other = pattern.reweighted(torch.full((12,), 2.0))
    assert other.row is pattern.row
    assert other._pattern.turned is pattern._pattern.turned
    torch.testing.assert_close(other.dense(), 2 * pattern.dense())


def test_rows_of_x_must_be_nodes() -> None:
    matrix = Adjacency(torch.tensor([0, 1, 1]), torch.tensor([1]), torch.ones(1), torch.tensor([0]))
    with pytest.raises(ValueError, match=r"\(2, d\), not \(3, 4\)"):
        matrix @ torch.ones(3, 4)


def test_importing_and_using_it_warns_of_nothing() -> None:
    code = """
import torch
from neurorama.kernels.propagation import adjacency
x = torch.ones(2, 1, requires_grad=True)
w = torch.ones(1, requires_grad=True)
(adjacency(torch.tensor([[0], [1]]), 2, w) @ x).sum().backward()
"""
    done = subprocess.run([sys.executable, "-W", "error::UserWarning", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not done.stderr


@given(graphs())
def test_the_limit_is_what_many_propagations_come_to(graph: tuple[Tensor, int, Tensor]) -> None:
    edges, n, _ = graph
    edges = edges[:, edges[0] != edges[1]]
    edges = torch.cat([edges, edges.flip(0)], dim=1).unique(dim=1)
    x = torch.randn(n, 3, dtype=torch.double)
    near = normalised(edges, n, torch.ones(edges.shape[1], dtype=torch.double)).dense()
    torch.testing.assert_close(limit(edges, n, x), torch.linalg.matrix_power(near, 2**16) @ x, atol=1e-6, rtol=1e-6)
