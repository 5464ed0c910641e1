"""The task of products against loops over nodes, and the degree of networks whose degree is known."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor, nn

from neurorama.exhibits.message_passing.arena import Batch, products


def piece_of(seed: int, n: int = 9) -> tuple[Tensor, int]:
    graph = nx.gnp_random_graph(n, 0.3, seed=seed).to_directed()
    return torch.tensor(list(graph.edges), dtype=torch.long).reshape(-1, 2).T.contiguous(), n


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 1000))
def test_the_answer_is_the_product_of_three_means(seed: int) -> None:
    edges, n = piece_of(seed)
    batch = products.draw((edges, n), 30, Generator().manual_seed(seed))
    assert batch.num_graphs == 4
    assert batch.x.abs().max() <= 3**0.5
    near = np.eye(n)
    near[tuple(edges.flip(0))] = 1
    spread = np.sqrt((1 / near.sum(1)).mean())
    for x, y in zip(batch.x.double().numpy().reshape(4, n, 3), batch.y.numpy().reshape(4, n)):
        for v in range(n):
            heard = x[near[v] > 0, 1].mean() / spread
            assert y[v] == pytest.approx(x[v, 0] * heard * x[:, 2].mean() * np.sqrt(n), abs=1e-4)


def test_factors_are_of_one_size_and_apart() -> None:
    batch = products.draw(piece_of(1), 20_000, Generator().manual_seed(1))
    parts = products.factors(batch)
    np.testing.assert_allclose(parts @ parts.T / len(batch.x), np.eye(3), atol=0.06)
    right = products.terms(parts, batch.y)
    np.testing.assert_allclose(right.values, [0, 0, 0, 0, 0, 0, 1], atol=0.06)
    mixed = products.terms(parts, 2 * parts[0] - parts[1] * parts[2])
    np.testing.assert_allclose(mixed.values, [2, 0, 0, 0, 0, -1, 0], atol=0.12)


class Power(nn.Module):
    """Each layer takes the states of the one before to a power, after a norm that would hide their growth."""

    def __init__(self, powers: list[int]) -> None:
        super().__init__()
        self.near = nn.ModuleList(nn.Module() for _ in powers)
        for layer in self.near:
            layer.norm = nn.LayerNorm(3)
        self.powers = powers

    def hidden(self, batch: Batch) -> list[Tensor]:
        h, states = batch.x, []
        for layer, power in zip(self.near, self.powers):
            h = layer.norm(h + 1) ** power  # type: ignore[operator]
            states.append(h)
        return [*states, h * 0]


def test_the_degree_of_powers_is_found() -> None:
    curve = products.degree(Power([1, 2, 3, 2]), piece_of(2))
    np.testing.assert_allclose(curve.y, [1, 2, 6, 12], atol=1e-3)
