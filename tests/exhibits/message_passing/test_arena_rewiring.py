"""The view of a rewiring against NetworkX, the pseudo-inverse, and the curvature of each graph on its own."""

from __future__ import annotations

from itertools import combinations

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from neurorama.exhibits.message_passing.arena import REWIRING, one_by_one, rewired
from neurorama.kernels.curvature import balanced_forman
from neurorama.trace import split


def both(graph: nx.Graph) -> torch.Tensor:
    return torch.tensor([(u, v) for u, v in graph.to_directed().edges]).T


def curvatures(graph: nx.Graph) -> dict[frozenset[int], float]:
    edges = torch.tensor(list(graph.edges)).T
    return dict(zip(map(frozenset, graph.edges), balanced_forman(edges, len(graph)).tolist()))


def total_resistance(graph: nx.Graph) -> float:
    """Kirchhoff's index from the pseudo-inverse, pair by pair, within components."""
    pinv = np.linalg.pinv(nx.laplacian_matrix(graph, nodelist=sorted(graph)).toarray().astype(float))
    return sum(
        pinv[u, u] + pinv[v, v] - 2 * pinv[u, v] for u, v in combinations(sorted(graph), 2) if nx.has_path(graph, u, v)
    )


@settings(max_examples=15)
@given(st.integers(0, 10_000))
def test_each_change_is_told_as_the_graph_itself_tells_it(seed: int) -> None:
    draw = np.random.default_rng(seed)
    graph = nx.gnp_random_graph(12, 0.3, seed=seed)
    assume(2 < graph.number_of_edges() < 60)
    missing = list(nx.non_edges(graph))
    added = [missing[i] for i in draw.choice(len(missing), 3, replace=False)]
    edges = list(graph.edges)
    dropped = [edges[i] for i in draw.choice(len(edges), 2, replace=False)]
    views = list(one_by_one("A", both(graph), 12, torch.tensor(added).T, torch.tensor(dropped).T))
    assert len(views) == 6
    now, totals, gains = graph.copy(), [total_resistance(graph)], []
    for number, view in enumerate(views):
        if number:
            before, pair = curvatures(now), (dropped + added)[number - 1]
            near = {*pair, *now[pair[0]], *now[pair[1]]}
            (now.remove_edge if number <= 2 else now.add_edge)(*pair)
            inside = [edge for edge in curvatures(now) if edge <= near and edge != frozenset(pair)]
            low = [min((known[edge] for edge in inside), default=0.0) for known in (before, curvatures(now))]
            gains.append(low[1] - low[0])
            totals.append(total_resistance(now))
            untouched = [edge for edge in curvatures(now) if not edge <= near]
            assert all(curvatures(now)[edge] == pytest.approx(before[edge]) for edge in untouched)
        shown = view["edges/A"]
        change = {frozenset(pair): int(c) for pair, c in zip(shown.edges.T.tolist(), shown.change)}
        assert {edge for edge, c in change.items() if c < 0} == set(map(frozenset, dropped[:number]))
        assert {edge for edge, c in change.items() if c > 0} == set(map(frozenset, added[: max(0, number - 2)]))
        assert {edge for edge, c in change.items() if c >= 0} == set(map(frozenset, now.edges))
        for pair, value in zip(shown.edges.T.tolist(), shown.edge_values):
            if now.has_edge(*pair):
                assert value == pytest.approx(curvatures(now)[frozenset(pair)], abs=1e-5)
        np.testing.assert_allclose(view["total resistance/A"].y, totals, rtol=1e-5)
        np.testing.assert_allclose(view["curvature around it/A"].y, gains, atol=1e-5)


def test_a_shortcut_over_a_bottleneck_opens_it() -> None:
    barbell = nx.barbell_graph(5, 0)
    view = rewired("A", both(barbell), 10, torch.tensor([[3], [6]]), classes=torch.arange(10) % 2)
    before, after = view["total resistance/A"].y
    assert after < 0.8 * before
    bridge = [curvatures(graph)[frozenset((4, 5))] for graph in (barbell, nx.Graph([*barbell.edges, (3, 6)]))]
    assert view["curvature around it/A"].y[0] == pytest.approx(bridge[1] - bridge[0])
    assert bridge[0] < bridge[1]
    assert view["edges/A"].classes.tolist() == [0, 1] * 5


def test_without_changes_it_is_the_graph_as_given() -> None:
    view = rewired("plain", both(nx.path_graph(4)), 4)
    assert {split(name) for name in view} == {(series, "plain") for series in REWIRING}
    assert view["edges/plain"].edges.tolist() == [[0, 1, 2], [1, 2, 3]]
    assert not view["edges/plain"].change.any()
    assert view["total resistance/plain"].y.tolist() == [10.0]
    assert len(view["curvature around it/plain"].y) == 0
