"""Random walks: they stay on edges, and step as often as the formula says."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from torch import Generator, Tensor

from neurorama.kernels.propagation import adjacency
from neurorama.kernels.walks import node2vec_walks, uniform_walks

# a kite on a string: triangle 0-1-2, and 2-3, 3-4; node 5 alone
PAIRS = torch.tensor([[0, 0, 1, 2, 3], [1, 2, 2, 3, 4]])
EDGES = torch.cat([PAIRS, PAIRS.flip(0)], dim=1)
KITE = adjacency(EDGES, 6)
NEIGHBOURS = {v: set(EDGES[1, EDGES[0] == v].tolist()) for v in range(6)}


def walks(start: Tensor, length: int, seed: int, p: float = 1.0, q: float = 1.0, plain: bool = False) -> Tensor:
    draw = Generator().manual_seed(seed)
    if plain:
        return uniform_walks(KITE.crow, KITE.col, start, length, draw)
    return node2vec_walks(KITE.crow, KITE.col, start, length, p, q, draw)


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), max_size=8), st.integers(0, 6), st.integers(0, 2**31), st.booleans())
def test_walks_stay_on_edges_and_repeat_with_the_seed(start: list[int], length: int, seed: int, plain: bool) -> None:
    walk = walks(torch.tensor(start, dtype=torch.long), length, seed, 0.3, 4.0, plain)
    assert walk.shape == (len(start), length + 1)
    assert walk[:, 0].tolist() == start
    for path in walk.tolist():
        for u, v in pairwise(path):
            assert v in NEIGHBOURS[u] or (u == v == 5)
    assert torch.equal(walk, walks(torch.tensor(start, dtype=torch.long), length, seed, 0.3, 4.0, plain))


def test_every_neighbour_is_chosen_equally_often() -> None:
    ends = walks(torch.full((9000,), 2), 1, seed=0, plain=True)[:, 1]
    assert chisquare(ends.bincount(minlength=6)[[0, 1, 3]]).pvalue > 0.001


def test_a_long_walk_visits_nodes_by_their_degree() -> None:
    ends = walks(torch.zeros(9000, dtype=torch.long), 30, seed=0, plain=True)[:, -1]
    degree = torch.tensor([2.0, 2, 3, 2, 1])  # the triangle makes the walk aperiodic
    assert chisquare(ends.bincount(minlength=6)[:5], 9000 * degree / degree.sum()).pvalue > 0.001


@pytest.mark.parametrize(("p", "q"), [(0.25, 4.0), (4.0, 0.25), (1.0, 1.0)])
def test_second_steps_follow_p_and_q(p: float, q: float) -> None:
    walk = walks(torch.ones(30000, dtype=torch.long), 2, seed=0, p=p, q=q)
    through = walk[walk[:, 1] == 2, 2]  # came 1 -> 2; 0 is a neighbour of 1, 3 is not
    expected = torch.tensor([1.0, 1 / p, 1 / q], dtype=torch.float64)
    seen = through.bincount(minlength=6)[[0, 1, 3]]
    assert chisquare(seen, len(through) * expected / expected.sum()).pvalue > 0.001


def test_without_edges_all_walkers_stay() -> None:
    none = adjacency(torch.zeros(2, 0, dtype=torch.long), 2)
    start = torch.tensor([1, 0])
    for walk in (uniform_walks(none.crow, none.col, start, 2), node2vec_walks(none.crow, none.col, start, 2, 2.0, 2.0)):
        assert torch.equal(walk, start[:, None].expand(-1, 3))
