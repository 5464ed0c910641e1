"""DGMLP against its formulas in double loops, torch's own layers, and the closed form of the stationary state."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch_geometric.nn import SGConv

import neurorama
from neurorama.exhibits.message_passing.arena import NODES, DepthMap, NodeTask
from neurorama.exhibits.message_passing.dgmlp import DGMLP, Knobs, smoothing
from neurorama.kernels.propagation import limit, powers


@pytest.fixture(scope="module")
def task() -> NodeTask:
    return NODES.data("karate", 1)


def cosine(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(a @ b / (a.norm() * b.norm()))


def test_weights_are_the_formula_written_out(task: NodeTask) -> None:
    system = DGMLP(Knobs(depth=5, layers=2, temperature=0.3), task)
    degree = torch.bincount(task.edge_index[0], minlength=len(task.x)) + 1.0
    conv = [SGConv(task.x.shape[1], task.x.shape[1], K=k, bias=False) if k else None for k in range(6)]
    reached = [task.x]
    for layer in conv[1:]:
        layer.lin.weight.data = torch.eye(task.x.shape[1])
        reached.append(layer(task.x, task.edge_index).detach())
    for v in (0, 7, 33):
        last = sum((degree[v] * degree[u]).sqrt() / degree.sum() * task.x[u] for u in range(len(task.x)))
        levels = [cosine(x[v], task.x[v]) * (1 - cosine(x[v], last)) for x in reached]
        whole = sum(math.exp(level / 0.3) for level in levels)
        weights = [math.exp(level / 0.3) / whole for level in levels]
        torch.testing.assert_close(system.gate[:, v], torch.tensor(weights), rtol=1e-4, atol=1e-5)
        mixed = sum(weight * x[v] for weight, x in zip(weights, reached))
        torch.testing.assert_close(system.combined[v], mixed, rtol=1e-4, atol=1e-5)


def test_at_the_stationary_state_nothing_is_left_and_at_the_start_all(task: NodeTask) -> None:
    last = limit(task.edge_index, len(task.x), task.x)
    far = torch.stack([task.x, powers(task.near, task.x, 400)[-1]])
    level = smoothing(far, last)
    assert level[1].abs().max() < 1e-4
    torch.testing.assert_close(level[0], 1 - torch.nn.functional.cosine_similarity(task.x, last))


def test_switched_off_all_hops_count_alike_and_the_stack_is_plain(task: NodeTask) -> None:
    system = DGMLP(Knobs(depth=4, layers=3, weighing=False, residual=False), task).eval()
    torch.testing.assert_close(system.combined, torch.stack(powers(task.near, task.x, 4)).mean(0))
    layers = []
    for weight, bias in zip(system.net.weights, system.net.biases):
        layer = nn.Linear(*weight.shape[1:])
        layer.weight.data, layer.bias.data = weight[0].T, bias[0, 0]
        layers += [layer, nn.ReLU()]
    torch.testing.assert_close(system(task), nn.Sequential(*layers[:-1])(system.combined))


def test_a_cell_of_the_map_learns_as_its_network_would_alone(task: NodeTask) -> None:
    torch.manual_seed(0)
    both = DepthMap(task, 6, 5)
    weights = [p[1].detach().clone() for p in both.nets[2].parameters()]  # so many layers, depths[1] hops
    both.at(5)
    alone = [nn.Parameter(p) for p in weights]
    x, last = powers(task.near, task.x, 6)[both.depths[1]], len(alone) // 2 - 1
    adam = torch.optim.Adam(alone, 0.01, weight_decay=5e-4)
    for _ in range(5):
        h = x[task.train]
        for number in range(last + 1):
            h = h @ alone[number] + alone[last + 1 + number]
            h = h if number == last else h.relu()
        adam.zero_grad()
        nn.functional.cross_entropy(h, task.y[task.train]).backward()
        adam.step()
    for one, other in zip(both.nets[2].parameters(), alone):
        torch.testing.assert_close(one[1], other, rtol=1e-4, atol=1e-5)


def test_a_short_run_shows_what_is_promised() -> None:
    trace = neurorama.run("dgmlp", {"steps": 10, "depth": 4, "layers": 3})
    exhibit = neurorama.catalogue.load("dgmlp")
    assert {name.split("/")[0] for name in trace.names()} == set(exhibit.views)
    assert math.isfinite(exhibit.claim.margin(trace))


def test_as_the_authors_read_words_they_are_there_or_not() -> None:
    blocks = NODES.data("blocks", 1)
    there = replace(blocks, graph=replace(blocks.graph, x=(blocks.x > 0).float()))
    torch.manual_seed(0)
    read = DGMLP(Knobs(depth=3, layers=1, ones=True), blocks)
    torch.manual_seed(0)
    given = DGMLP(Knobs(depth=3, layers=1), there)
    assert (blocks.x != there.x).any()
    torch.testing.assert_close(read.eval()(blocks), given.eval()(there))
