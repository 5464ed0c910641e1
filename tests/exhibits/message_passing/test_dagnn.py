"""DAGNN against its equations in numpy, the limit of far propagation, and PyG's layers for the arena's GCN."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist
from torch_geometric.nn import GCNConv

import neurorama
from neurorama import data
from neurorama.exhibits.message_passing.arena import GCN, NODES, NodeTask, at_best_validation, spread
from neurorama.exhibits.message_passing.dagnn import DAGNN, Knobs, build
from neurorama.kernels.propagation import normalised


def task_of(seed: int, num_nodes: int = 14, features: int = 5) -> NodeTask:
    """A random graph; node 3 has no neighbours."""
    draw = torch.Generator().manual_seed(seed)
    upper = torch.triu(torch.rand(num_nodes, num_nodes, generator=draw) < 0.3, diagonal=1)
    upper[:, 3] = upper[3] = False
    edge_index = (upper | upper.T).nonzero().T.contiguous()
    x, y = torch.randn(num_nodes, features, generator=draw), torch.arange(num_nodes) % 3
    return NodeTask(data.GraphData(edge_index, x, y), normalised(edge_index, num_nodes), y == 0, y == 1, y == 2)


def a_hat(task: NodeTask) -> np.ndarray:
    """The propagation matrix, written from the adjacency matrix."""
    loops = np.eye(len(task.x))
    loops[tuple(task.graph.edge_index)] = 1
    scale = np.diag(loops.sum(0) ** -0.5)
    return scale @ loops @ scale


def dagnn(seed: int, depth: int, gated: bool = True) -> DAGNN:
    torch.manual_seed(seed)
    return DAGNN(5, 8, 3, depth, 0.5, gated).eval()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12))
def test_logits_are_those_of_the_equations(seed: int, depth: int) -> None:
    task, system = task_of(seed), dagnn(seed, depth)
    z = system.mlp(task.x).detach().numpy()
    s, b = system.s.weight[0].detach().numpy(), float(system.s.bias.detach())
    expected = np.zeros_like(z)
    for hop in range(depth + 1):
        h = np.linalg.matrix_power(a_hat(task), hop) @ z
        for node in range(len(z)):
            expected[node] += h[node] / (1 + np.exp(-(h[node] @ s + b)))
    np.testing.assert_allclose(system(task).detach().numpy(), expected, rtol=1e-4, atol=1e-5)


def test_without_gates_all_hops_count_the_same() -> None:
    task, system = task_of(1), dagnn(1, 6, gated=False)
    h = system.reach(task)
    torch.testing.assert_close(system(task), h.mean(1))
    assert not torch.allclose(system(task), dagnn(1, 6)(task))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_renumbered_nodes_get_the_same_logits(seed: int) -> None:
    task, system = task_of(seed), dagnn(seed, 5)
    order = torch.randperm(len(task.x))
    place = torch.empty_like(order).index_put((order,), torch.arange(len(order)))
    edge_index = place[task.graph.edge_index]
    graph = data.GraphData(edge_index, task.x[order], task.y[order])
    turned = NodeTask(graph, normalised(edge_index, len(order)), *(m[order] for m in (task.train, task.val, task.test)))
    torch.testing.assert_close(system(turned), system(task)[order], rtol=1e-4, atol=1e-5)


def test_far_hops_keep_only_the_degrees() -> None:
    """The powers of A-hat tend to the projection on the square roots of the degrees, as the paper proves."""
    task = NODES.data("karate", 0)
    torch.manual_seed(0)
    reach = DAGNN(task.sizes[0], 8, 2, 400, 0.0, True).reach(task).detach()
    pi = torch.bincount(task.graph.edge_index[1], minlength=len(task.x)).add(1).sqrt()
    pi = pi / pi.norm()
    torch.testing.assert_close(reach[:, -1], pi[:, None] * (pi @ reach[:, 0]), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_gcn_is_a_stack_of_gcn_layers_of_pyg(depth: int) -> None:
    task = task_of(2)
    torch.manual_seed(0)
    system = GCN(5, 8, 3, depth, dropout=0.5).eval()
    h = task.x
    for number, layer in enumerate(system.layers):
        conv = GCNConv(layer.in_features, layer.out_features)
        conv.lin.weight, conv.bias = layer.weight, torch.nn.Parameter(torch.zeros(layer.out_features))
        ours = h @ layer.weight.T + layer.bias
        bias = task.near @ ours - task.near @ (h @ layer.weight.T)  # ours is averaged too, PyG's is added afterwards
        h = conv(h, task.graph.edge_index) + bias
        h = h.relu() if number < depth - 1 else h
    torch.testing.assert_close(system(task), h, rtol=1e-4, atol=1e-5)


def test_spread_is_half_the_mean_distance_of_directions() -> None:
    h = torch.randn(30, 4, generator=torch.Generator().manual_seed(0))
    unit = h.numpy() / np.linalg.norm(h.numpy(), axis=1, keepdims=True)
    assert spread(h) == pytest.approx(pdist(unit).mean() / 2, abs=1e-6)
    assert spread(torch.ones(5, 2)) == pytest.approx(0, abs=1e-6)
    assert spread(torch.tensor([[1.0, 0.0], [-3.0, 0.0]])) == pytest.approx(1)


def test_switches_lead_to_the_other_arms() -> None:
    task = NODES.data("karate", 0)
    assert isinstance(build(Knobs(apart=False), task), GCN)
    even = build(Knobs(gates=False, depth=4), task)
    assert isinstance(even, DAGNN)
    assert (even.gates(even.reach(task)) == 1 / 5).all()


def test_a_short_run_shows_what_is_promised() -> None:
    trace = neurorama.run("dagnn", {"steps": 10, "depth": 4})
    exhibit = neurorama.catalogue.load("dagnn")
    assert {name.split("/")[0] for name in trace.names()} == set(exhibit.views)
    ahead = trace.last("test accuracy/DAGNN") - trace.last("test accuracy/GCN")
    assert exhibit.claim.margin(trace) == pytest.approx(ahead)
    val, test = (trace.numbers(f"{part} accuracy/GCN") for part in ("validation", "test"))
    best = at_best_validation(trace, "GCN")
    assert best in [t for v, t in zip(val, test) if v == max(val)]
