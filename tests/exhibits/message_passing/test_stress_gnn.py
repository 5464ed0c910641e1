"""Stress GNN against double loops, scikit-learn's SMACOF, PyG's random-walk average, and what must be kept."""

from __future__ import annotations

import math

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist
from sklearn.manifold import smacof
from torch import Tensor
from torch_geometric.nn import SimpleConv

import neurorama
from neurorama.data import GraphData
from neurorama.exhibits.message_passing.arena import NODES, NodeTask
from neurorama.exhibits.message_passing.stress_gnn import Knobs, StressGNN, drawings
from neurorama.kernels.propagation import normalised
from neurorama.kernels.stress import stress


@pytest.fixture(scope="module")
def task() -> NodeTask:
    return NODES.data("karate", 0)


def placed(n: int, d: int = 3, seed: int = 0) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def net_of(task: NodeTask, **knobs) -> StressGNN:
    torch.manual_seed(0)
    return StressGNN(Knobs(**{"depth": 4, "hidden": 3, **knobs}), task).eval()


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 2), st.floats(0.3, 3), st.integers(0, 5))
def test_a_round_is_what_the_equation_says(seed: int, rho: float, unit: float, pivots: int) -> None:
    """Node by node: all neighbours, and the pivots that are no neighbours."""
    task = NODES.data("karate", 0)
    net, x = net_of(task, rho=rho, pivots=pivots), placed(34, seed=seed)
    hops = dict(nx.all_pairs_shortest_path_length(nx.karate_club_graph()))
    far = net.pairs[0][net.ideal > 1].unique().tolist()
    assert len(far) == pivots
    found = net.messages(x, unit)
    for i in range(34):
        top, bottom = torch.zeros(3), 0.0
        for j in range(34):
            d = hops[i][j]
            if d == 1 or (j in far and d > 1):
                away = (x[i] - x[j]) / (x[i] - x[j]).norm()
                top, bottom = top + (x[j] + rho * unit * d * away) / d**2, bottom + 1 / d**2
        torch.testing.assert_close(found[i], top / bottom, rtol=1e-3, atol=1e-4)


def test_without_push_and_pivots_it_is_the_mean_of_neighbours(task: NodeTask) -> None:
    net, mean = net_of(task, rho=0.0, pivots=0), SimpleConv("mean")
    h = net.first(task.x)
    for _ in range(4):
        h = mean(h, task.edge_index)
    torch.testing.assert_close(net(task), net.last(h), rtol=1e-4, atol=1e-5)


def test_on_a_complete_graph_a_round_is_a_step_of_smacof() -> None:
    n = 7
    edges = (1 - torch.eye(n)).nonzero().T.contiguous()
    some = torch.ones(n, dtype=torch.bool)
    task = NodeTask(GraphData(edges, torch.eye(n), torch.arange(n) % 2), normalised(edges, n), some, some, some)
    x = placed(n).double()
    x = x - x.mean(0)
    ideal = 1 - np.eye(n)
    step, *_ = smacof(
        ideal, n_components=3, init=x.numpy(), n_init=1, max_iter=1, metric=True, normalized_stress=False, eps=0.0
    )
    # SMACOF divides by n and keeps the node itself in the sum, this divides by n - 1 and leaves it out
    found = net_of(task).messages(x.float()).double()
    np.testing.assert_allclose((n - 1) * found + x, n * step, atol=1e-4)


def test_the_push_keeps_nodes_apart_for_ever(task: NodeTask) -> None:
    start = placed(34)
    for rho, pivots, kept in ((1.0, 8, True), (1.0, 0, True), (0.0, 0, False), (0.0, 8, False)):
        net, x = net_of(task, rho=rho, pivots=pivots), start
        for _ in range(120):
            x = net.messages(x)
        assert (pdist(x.numpy()).mean() > 0.3) == kept


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_rounds_lower_the_stress(task: NodeTask, seed: int) -> None:
    net, x = net_of(task, pivots=8), placed(34, 2, seed)
    before = stress(x, net.pairs, net.ideal, net.weight)
    for _ in range(30):
        x = net.messages(x)
    assert stress(x, net.pairs, net.ideal, net.weight) < before / 2


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 2))
def test_turning_and_moving_all_nodes_commutes_with_a_round(seed: int, rho: float) -> None:
    net, x = net_of(NODES.data("karate", 0), rho=rho), placed(34, seed=seed)
    turn, _ = torch.linalg.qr(placed(3, seed=seed + 1))
    torch.testing.assert_close(net.messages(x @ turn + 2), net.messages(x) @ turn + 2, rtol=1e-3, atol=1e-3)


def test_renumbered_nodes_get_the_same_logits_where_there_are_no_pivots(task: NodeTask) -> None:
    """Pivots are taken in order where several are equally far."""
    net, order = net_of(task, pivots=0), torch.randperm(34)
    edges = order.argsort()[task.edge_index]
    masks = (mask[order] for mask in (task.train, task.val, task.test))
    turned = NodeTask(GraphData(edges, task.x[order], task.y[order]), normalised(edges, 34), *masks)
    again = net_of(turned, pivots=0)
    again.load_state_dict(net.state_dict())
    torch.testing.assert_close(again(turned), net(task)[order], rtol=1e-3, atol=1e-3)


def test_a_node_without_neighbours_and_nodes_in_one_place_do_no_harm() -> None:
    edges = torch.tensor([[0, 1, 3, 4], [1, 0, 4, 3]])
    some = torch.ones(5, dtype=torch.bool)
    task = NodeTask(GraphData(edges, torch.ones(5, 2), torch.arange(5) % 2), normalised(edges, 5), some, some, some)
    net = net_of(task)
    net(task).sum().backward()  # all nodes start in one place
    assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())
    assert torch.equal(net.messages(placed(5))[2], placed(5)[2])


def test_drawings_start_alike_and_only_averages_collapse(task: NodeTask) -> None:
    nets = {"Stress GNN": net_of(task, depth=30), "attraction alone": net_of(task, depth=30, rho=0.0, pivots=0)}
    first, *_, last = drawings(nets, task, 0)
    places = [frame.values[f"drawing/{arm}"].x for frame in (first, last) for arm in nets]
    np.testing.assert_array_equal(places[0], places[1])
    sizes = [pdist(place).mean() for place in places]
    assert sizes[3] < 0.1 * sizes[0]
    assert sizes[2] > sizes[0]
    left = {arm: last.values[f"stress of the drawing/{arm}"] for arm in nets}
    assert left["Stress GNN"] < 0.2 < left["attraction alone"]


def test_a_short_run_shows_what_is_promised() -> None:
    trace = neurorama.run("stress_gnn", {"steps": 10, "depth": 4, "source": "karate"})
    exhibit = neurorama.catalogue.load("stress_gnn")
    assert {name.split("/")[0] for name in trace.names()} == set(exhibit.views)
    assert math.isfinite(exhibit.claim.margin(trace))
