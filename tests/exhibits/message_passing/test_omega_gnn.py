"""omegaGNN against layers of PyG, a filter on the dense eigenvectors, and what its weights promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.nn import GATConv, GCNConv

import neurorama
from neurorama.data import GraphData
from neurorama.exhibits.message_passing.arena import NODES, NodeTask, energy
from neurorama.exhibits.message_passing.omega_gnn import Knobs, OmegaGNN
from neurorama.kernels.propagation import normalised


@pytest.fixture(scope="module")
def task() -> NodeTask:
    return NODES.data("karate", 1)


def lively(task: NodeTask, seed: int = 0, **knobs: object) -> OmegaGNN:
    """A system with weights of any size and sign, as after long training."""
    torch.manual_seed(seed)
    system = OmegaGNN(Knobs.parse({"depth": 3, "hidden": 5, **knobs}), task).eval()
    for each in [*system.kernels, *system.attending]:
        torch.nn.init.normal_(each)
    if system.omega[0].requires_grad:
        for each in system.omega:
            torch.nn.init.normal_(each)
    return system


def set_omega(system: OmegaGNN, value: float) -> None:
    for each in system.omega:
        torch.nn.init.constant_(each, value)


def test_held_at_one_it_is_a_stack_of_gcn_layers_of_pyg(task: NodeTask) -> None:
    system = lively(task, learned=False)
    h = (task.x @ system.opening.weight.T).relu()
    for kernel in system.kernels:
        conv = GCNConv(5, 5, bias=False)
        conv.lin.weight.data = kernel.T.detach()
        h = conv(h, task.edge_index).relu()
    torch.testing.assert_close(system(task), h @ system.closing.weight.T, rtol=1e-4, atol=1e-5)


def test_held_at_zero_it_is_deaf(task: NodeTask) -> None:
    system = lively(task)
    set_omega(system, 0.0)
    h = (task.x @ system.opening.weight.T).relu()
    for kernel in system.kernels:
        h = (h @ kernel).relu()
    torch.testing.assert_close(system(task), h @ system.closing.weight.T)


@pytest.mark.parametrize("channels", [True, False])
def test_a_layer_of_the_omega_gat_mixes_with_pygs_attention(task: NodeTask, channels: bool) -> None:
    system = lively(task, depth=1, attention=True, channels=channels)
    h = (task.x @ system.opening.weight.T).relu()
    conv = GATConv(5, 5, bias=False)
    conv.lin.weight.data = torch.eye(5)
    receiver, sender = system.attending[0].detach().T
    conv.att_dst.data, conv.att_src.data = receiver[None, None], sender[None, None]
    omega, kernel = system.omega[0].detach(), system.kernels[0].detach()
    mixed = (1 - omega) * h + omega * conv(h, task.edge_index)
    torch.testing.assert_close(system.hidden(task)[-1], (mixed @ kernel).relu(), rtol=1e-4, atol=1e-5)


def test_response_is_the_filter_on_the_eigenvectors(task: NodeTask) -> None:
    """With weights in [0, 1] and positive states neither ReLU nor kernels at the identity change anything."""
    system = OmegaGNN(Knobs(depth=4, hidden=5), task)
    for each, kernel in zip(system.omega, system.kernels):
        torch.nn.init.uniform_(each)
        torch.nn.init.eye_(kernel)
    first, *_, last = (h.detach().double().numpy() for h in system.hidden(task))
    laplacian = np.eye(len(first)) - task.near.dense().double().numpy()
    frequencies, patterns = np.linalg.eigh(laplacian)
    factors = system.response(torch.from_numpy(frequencies).float()).numpy().T
    np.testing.assert_allclose(last, patterns @ (factors * (patterns.T @ first)), atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.05, 0.5), st.booleans())
def test_below_zero_it_sharpens_and_from_zero_to_a_half_it_smooths(seed: int, size: float, sharpen: bool) -> None:
    task = NODES.data("karate", 0)
    x = torch.rand(len(task.x), 5, generator=torch.Generator().manual_seed(seed)) + 5
    system = OmegaGNN(Knobs(depth=1, hidden=5), task)
    set_omega(system, -size if sharpen else size)
    torch.nn.init.eye_(system.kernels[0])
    system.opening = torch.nn.Identity()  # type: ignore[assignment]
    turned = NodeTask(GraphData(task.edge_index, x, task.y), task.near, task.train, task.val, task.test)
    before, after = (energy(h.detach(), task.near) for h in system.hidden(turned))
    assert (after > before) == sharpen


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_renumbered_nodes_get_the_same_logits(seed: int, attention: bool) -> None:
    task = NODES.data("karate", 0)
    system, order = lively(task, seed, attention=attention), torch.randperm(len(task.x))
    edge_index = order.argsort()[task.edge_index]
    graph = GraphData(edge_index, task.x[order], task.y[order])
    turned = NodeTask(graph, normalised(edge_index, len(order)), *(m[order] for m in (task.train, task.val, task.test)))
    torch.testing.assert_close(system(turned), system(task)[order], rtol=1e-3, atol=1e-4)


def test_every_feature_of_every_layer_learns_its_own_weight(task: NodeTask) -> None:
    torch.manual_seed(0)
    system = OmegaGNN(Knobs(depth=3, hidden=5), task)
    for _ in NODES.train(system, task, 3):
        pass
    omega = torch.stack(list(system.omega))
    assert (omega != 1).float().mean() > 0.5
    assert omega.std(1).min() > 0
    held = OmegaGNN(Knobs(depth=3, hidden=5, learned=False), task)
    for _ in NODES.train(held, task, 3):
        pass
    assert (torch.stack(list(held.omega)) == 1).all()


def test_a_short_run_shows_what_is_promised() -> None:
    trace = neurorama.run("omega_gnn", {"steps": 10, "depth": 4, "source": "karate"})
    exhibit = neurorama.catalogue.load("omega_gnn")
    assert {name.split("/")[0] for name in trace.names()} == set(exhibit.views)
    assert math.isfinite(exhibit.claim.margin(trace))
