"""Encodings of position against PyG, networkx, numpy, matrix powers, and the closed forms of cycles."""

from __future__ import annotations

import math

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import AddLaplacianEigenvectorPE, AddRandomWalkPE

from neurorama.kernels.lines import in_lines
from neurorama.kernels.random_walk_pe import laplacian_eigenvectors, random_signs, relative_walks, walk_returns


def graph(n: int, seed: int, directed: bool = False) -> Tensor:
    there = torch.rand(n, n, generator=Generator().manual_seed(seed)) < 0.35
    there.fill_diagonal_(False)
    return (there if directed else there | there.T).nonzero().T.contiguous()


def dense(edge_index: Tensor, n: int) -> Tensor:
    return torch.zeros(n, n, dtype=torch.float64).index_put(tuple(edge_index), torch.ones((), dtype=torch.float64))


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 9), st.integers(0, 1000), st.integers(1, 6), st.booleans())
def test_returns_are_pygs_and_the_diagonal_of_the_relative_walks(
    n: int, seed: int, length: int, directed: bool
) -> None:
    edge_index = graph(n, seed, directed)
    returns = walk_returns(edge_index, n, length, block=4)
    theirs = AddRandomWalkPE(length)(Data(edge_index=edge_index, num_nodes=n)).random_walk_pe
    torch.testing.assert_close(returns, theirs, atol=1e-6, rtol=1e-5)
    relative = relative_walks(dense(edge_index, n), length + 1)
    torch.testing.assert_close(relative.diagonal(dim1=0, dim2=1).T[:, 1:].float(), returns)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 8), st.integers(0, 1000), st.integers(1, 8))
def test_relative_walks_are_powers_and_their_first_entry_is_the_distance(n: int, seed: int, length: int) -> None:
    edge_index = graph(n, seed)
    walks = relative_walks(dense(edge_index, n), length)
    degree = dense(edge_index, n).sum(1).numpy()
    step = dense(edge_index, n).numpy() / np.maximum(degree, 1)[:, None]
    for k in range(length):
        np.testing.assert_allclose(walks[..., k].numpy(), np.linalg.matrix_power(step, k), atol=1e-12)
    near = nx.Graph(edge_index.T.tolist())
    near.add_nodes_from(range(n))
    for source, found in nx.all_pairs_shortest_path_length(near):
        for target in range(n):
            steps = walks[source, target].nonzero()[:, 0].tolist()
            assert steps[0] == found[target] if found.get(target, length) < length else not steps


def test_weights_set_the_chances() -> None:
    edge_index, weight = torch.tensor([[0, 0, 1, 2], [1, 2, 0, 0]]), torch.tensor([3.0, 1.0, 1.0, 2.0])
    walks = relative_walks(in_lines(torch.zeros(3, dtype=torch.long)).adjacency(edge_index, weight), 3)[0]
    torch.testing.assert_close(walks[0, :, 1], torch.tensor([0, 0.75, 0.25]))
    torch.testing.assert_close(walks[0, :, 2], torch.tensor([1.0, 0, 0]))
    torch.testing.assert_close(walk_returns(edge_index, 3, 2, weight), walks.diagonal().T[:, 1:])


def test_a_walk_on_a_cycle_is_binomial() -> None:
    n, steps = 40, 8
    nodes = torch.arange(n)
    edge_index = torch.stack([torch.cat([nodes, nodes]), torch.cat([nodes + 1, nodes - 1]) % n])
    returns = walk_returns(edge_index, n, steps)
    expected = [math.comb(k, k // 2) / 2**k if k % 2 == 0 else 0.0 for k in range(1, steps + 1)]
    torch.testing.assert_close(returns, torch.tensor(expected).expand(n, -1))


def test_a_batch_of_graphs_is_each_graph_alone() -> None:
    parts = [graph(n, n) for n in (4, 7, 1)]
    batch = torch.tensor([0] * 4 + [1] * 7 + [2])
    edge_index = torch.cat([part + first for part, first in zip(parts, (0, 4, 11))], dim=1)
    lines = in_lines(batch)
    adjacency = lines.adjacency(edge_index).double()
    walks = relative_walks(adjacency, 5)
    values, vectors = laplacian_eigenvectors(adjacency, 6, lines.mask)
    for g, (n, part) in enumerate(zip((4, 7, 1), parts)):
        torch.testing.assert_close(walks[g, :n, :n], relative_walks(dense(part, n), 5))
        alone, rows = laplacian_eigenvectors(dense(part, n), 6)
        torch.testing.assert_close(values[g], alone)
        torch.testing.assert_close((vectors[g] * values[g]) @ vectors[g].T, _framed((rows * alone) @ rows.T, 7))
        assert not vectors[g, n:].any()


def _framed(matrix: Tensor, n: int) -> Tensor:
    out = matrix.new_zeros(n, n)
    out[: len(matrix), : len(matrix)] = matrix
    return out


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 9), st.integers(0, 1000))
def test_eigenvectors_are_numpys_up_to_sign(n: int, seed: int) -> None:
    adjacency = dense(graph(n, seed), n)
    values, vectors = laplacian_eigenvectors(adjacency, n - 1)
    degree = adjacency.sum(1).numpy()
    scale = np.where(degree > 0, 1 / np.sqrt(np.maximum(degree, 1)), 0)
    laplacian = np.diag((degree > 0).astype(float)) - scale[:, None] * adjacency.numpy() * scale
    theirs, basis = np.linalg.eigh(laplacian)
    np.testing.assert_allclose(values, theirs[1:], atol=1e-10)
    np.testing.assert_allclose(laplacian @ vectors.numpy(), vectors.numpy() * theirs[1:], atol=1e-10)
    np.testing.assert_allclose((vectors.T @ vectors).numpy(), np.eye(n - 1), atol=1e-10)
    gap = np.diff(theirs)
    for k in range(1, n):
        if min(gap[k - 1], gap[k] if k < n - 1 else np.inf) > 1e-6:  # the eigenvalue is its own
            assert abs(basis[:, k] @ vectors[:, k - 1].numpy()) == pytest.approx(1)


def test_eigenvectors_are_pygs_up_to_sign() -> None:
    edge_index = graph(12, 3)
    transform = AddLaplacianEigenvectorPE(4, is_undirected=True)
    theirs = transform(Data(edge_index=edge_index, num_nodes=12)).laplacian_eigenvector_pe
    _, ours = laplacian_eigenvectors(dense(edge_index, 12), 4)
    torch.testing.assert_close((theirs.double() * ours).sum(0).abs(), torch.ones(4, dtype=torch.float64))


@settings(deadline=None)
@given(st.integers(2, 9), st.integers(0, 1000))
def test_the_largest_entry_is_positive_whatever_sign_comes(n: int, seed: int) -> None:
    _, vectors = laplacian_eigenvectors(dense(graph(n, seed), n).float(), n - 1)
    for column in vectors.T.tolist():
        largest = max(abs(entry) for entry in column)
        assert next(entry for entry in column if abs(entry) >= (1 - 1e-4) * largest) > 0


def test_random_signs_turn_whole_vectors_of_each_graph_half_of_the_time() -> None:
    vectors = torch.rand(3, 5, 400) + 0.1
    turned = random_signs(vectors, Generator().manual_seed(0)) / vectors
    assert set(turned.unique().tolist()) == {-1.0, 1.0}
    assert torch.equal(turned, turned[:, :1].expand_as(turned))
    assert 500 < int((turned[:, 0] > 0).sum()) < 700
