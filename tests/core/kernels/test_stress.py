"""Stress and its steps against scikit-learn's SMACOF, double loops and the slope of the stress."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist
from sklearn.manifold import smacof
from torch import Tensor

from neurorama.kernels.hops import distances
from neurorama.kernels.stress import all_pairs, forces, majorised, pivot_pairs, stress


def both_ways(graph: nx.Graph) -> Tensor:
    pairs = torch.tensor(list(graph.edges), dtype=torch.long).reshape(-1, 2).T
    return torch.cat([pairs, pairs.flip(0)], dim=1)


def placed(n: int, d: int = 2, seed: int = 0) -> Tensor:
    return torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def weighted(n: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Random pairs in both directions with random ideals and weights."""
    draw = torch.Generator().manual_seed(seed)
    upper = torch.triu(torch.rand(n, n, generator=draw) < 0.5, diagonal=1).nonzero().T
    ideal, weight = (torch.rand(2, upper.shape[1], dtype=torch.float64, generator=draw) + 0.2).unbind()
    return torch.cat([upper, upper.flip(0)], dim=1), ideal.repeat(2), weight.repeat(2)


def test_full_stress_of_a_graph() -> None:
    graph = nx.convert_node_labels_to_integers(nx.les_miserables_graph())
    graph.add_edge(77, 78)
    pairs, ideal, weight = all_pairs(distances(both_ways(graph), 79).double())
    assert pairs.shape[1] == 77 * 76 + 2
    x = placed(79)
    hops = dict(nx.all_pairs_shortest_path_length(graph))
    expected = 0.0
    for i in range(79):
        for j in range(i):
            if j in hops[i]:
                expected += (float((x[i] - x[j]).norm()) - hops[i][j]) ** 2 / hops[i][j] ** 2
    assert float(stress(x, pairs, ideal, weight)) == pytest.approx(expected)


@settings(max_examples=30)
@given(st.integers(2, 8), st.integers(1, 3), st.integers(0, 99))
def test_forces_are_the_sums_over_pairs(n: int, d: int, seed: int) -> None:
    pairs, ideal, weight = weighted(n, seed)
    x = placed(n, d, seed)
    x[-1] = x[0]  # two nodes in one place
    attraction, repulsion = forces(x, pairs, ideal, weight)
    for i in range(n):
        pull, push, total = torch.zeros(d).double(), torch.zeros(d).double(), 0.0
        for (j, to), ideal_ij, w in zip(pairs.T.tolist(), ideal, weight):
            if to == i:
                apart = x[i] - x[j]
                pull, total = pull + w * x[j], total + w
                push = push + (w * ideal_ij * apart / apart.norm() if apart.norm() > 0 else 0)
        torch.testing.assert_close(attraction[i], pull / total if total else x[i])
        torch.testing.assert_close(repulsion[i], push / total if total else push)


@settings(max_examples=30)
@given(st.integers(3, 8), st.integers(0, 99))
def test_the_local_step_goes_down_the_slope_of_the_stress(n: int, seed: int) -> None:
    """x minus its next place is the gradient over twice the weights of its pairs: Newton's step for each node alone."""
    pairs, ideal, weight = weighted(n, seed)
    x = placed(n, 2, seed).requires_grad_()
    (slope,) = torch.autograd.grad(stress(x, pairs, ideal, weight), x)
    total = torch.zeros(n, dtype=torch.float64).index_add(0, pairs[1], weight)[:, None]
    torch.testing.assert_close(total * (x - sum(forces(x, pairs, ideal, weight))), slope / 2)


@pytest.mark.parametrize("d", [2, 3])  # on a line nodes meet, and scikit-learn then divides by a small number
def test_smacof_of_scikit_learn(d: int) -> None:
    graph = nx.karate_club_graph()
    distance = distances(both_ways(graph), 34).double()
    pairs, ideal, weight = all_pairs(distance)
    x = placed(34, d)
    ours = x
    for _ in range(5):
        ours = majorised(ours, pairs, ideal, torch.ones_like(weight))
    theirs, told = smacof(
        distance.numpy(), n_components=d, init=x.numpy(), n_init=1, max_iter=5, eps=0, normalized_stress=False
    )
    np.testing.assert_allclose(ours.numpy(), theirs - theirs.mean(0), rtol=1e-9, atol=1e-9)
    assert told > 0
    assert float(stress(ours, pairs, ideal, torch.ones_like(weight))) == pytest.approx(
        float(((pdist(theirs) - distance.numpy()[np.triu_indices(34, 1)]) ** 2).sum())
    )


@settings(max_examples=30)
@given(st.integers(2, 9), st.integers(1, 3), st.integers(0, 99))
def test_majorised_stress_never_rises_for_any_weights(n: int, d: int, seed: int) -> None:
    pairs, ideal, weight = weighted(n, seed)
    x, before = placed(n, d, seed), torch.inf
    for _ in range(6):
        x = majorised(x, pairs, ideal, weight)
        now = float(stress(x, pairs, ideal, weight))
        assert now <= before + 1e-9
        before = now


def test_both_steps_rest_at_the_same_drawing() -> None:
    graph = nx.grid_2d_graph(3, 3)
    graph = nx.convert_node_labels_to_integers(graph)
    pairs, ideal, weight = all_pairs(distances(both_ways(graph), 9).double())
    x = placed(9)
    for _ in range(1000):
        x = majorised(x, pairs, ideal, weight)
    torch.testing.assert_close(sum(forces(x, pairs, ideal, weight)), x, rtol=1e-5, atol=1e-5)
    alone = placed(9)
    for _ in range(200):
        alone = forces(alone, pairs, ideal, weight)[0]
    assert float(alone.std(0).max()) < 1e-6  # attraction alone draws all nodes together


def test_gradients_flow_even_where_nodes_meet() -> None:
    pairs, ideal, weight = weighted(5, 1)
    x = placed(5)
    x[1] = x[0]
    x.requires_grad_()
    sum(part.sum() for part in forces(x, pairs, ideal, weight)).backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()


def test_pivots_are_far_apart_and_reach_everyone() -> None:
    path = nx.path_graph(9)
    path.add_edge(9, 10)  # another component
    path.add_edges_from([(2, 11), (2, 12)])
    edges = both_ways(path)
    pairs, ideal, weight = pivot_pairs(edges, 13, 3)
    assert torch.equal(pairs[:, : edges.shape[1]], edges)
    assert (ideal[: edges.shape[1]] == 1).all()
    others = pairs[:, edges.shape[1] :]
    assert others[0].unique().tolist() == [
        2,
        8,
    ]  # the middle of most, the far end; the other component has no other pair
    hops = dict(nx.all_pairs_shortest_path_length(path))
    expected = {(p, v): d for p in (2, 8) for v, d in hops[p].items() if d > 1}
    assert dict(zip(map(tuple, others.T.tolist()), ideal[edges.shape[1] :].tolist(), strict=True)) == expected
    torch.testing.assert_close(weight, 1 / ideal.square())


def test_with_all_nodes_as_pivots_it_is_full_stress() -> None:
    edges = both_ways(nx.convert_node_labels_to_integers(nx.karate_club_graph()))
    x = placed(34).float()
    sparse, full = pivot_pairs(edges, 34, 99), all_pairs(distances(edges, 34))
    torch.testing.assert_close(stress(x, *sparse), stress(x, *full), rtol=1e-4, atol=1e-3)
    assert torch.equal(pivot_pairs(edges, 34, 0)[0], edges)
