"""All pairs and their walks, against powers of each graph's own matrix."""

from __future__ import annotations

import networkx as nx
import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neurorama.kernels.pairs import pair_walks


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), st.integers(1, 5), st.integers(0, 1000))
def test_pairs_are_those_within_graphs_and_walks_are_powers(sizes: list[int], length: int, seed: int) -> None:
    graphs = [nx.gnp_random_graph(n, 0.5, seed=seed + k, directed=True) for k, n in enumerate(sizes)]
    union = nx.disjoint_union_all(graphs)
    edges = torch.tensor(list(union.edges), dtype=torch.long).reshape(-1, 2).T
    order = np.random.default_rng(seed).permutation(len(union))  # nodes of a graph need not stand side by side
    place = torch.from_numpy(order)
    batch = torch.empty(len(union), dtype=torch.long)
    batch[place] = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    a, b, walks = pair_walks(place[edges], batch, length)
    assert len(a) == sum(n * n for n in sizes)
    assert len({*zip(a.tolist(), b.tolist())}) == len(a)
    matrix = np.zeros((len(union), len(union)))
    matrix[tuple(place[edges].numpy())] = 1
    matrix /= np.maximum(matrix.sum(1, keepdims=True), 1)
    for k in range(length):
        power = np.linalg.matrix_power(matrix, k)
        np.testing.assert_allclose(walks[:, k], power[a, b], atol=1e-5)
    assert (batch[a] == batch[b]).all()
