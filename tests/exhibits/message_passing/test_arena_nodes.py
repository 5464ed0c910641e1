"""The arena of nodes against loops, scikit-learn and PyG; what it makes of strange graphs."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score
from torch import nn
from torch_geometric.nn import GINConv

from neurorama import InputError, data
from neurorama.exhibits.message_passing.arena import GCN, GIN, MLP, NODES, VIEWS, NodeTask, energy, measured
from neurorama.kernels.propagation import normalised
from neurorama.trace import split


def task_of(seed: int, num_nodes: int = 12) -> NodeTask:
    """A random graph of two components; the last node has no neighbours."""
    draw = torch.Generator().manual_seed(seed)
    upper = torch.triu(torch.rand(num_nodes, num_nodes, generator=draw) < 0.4, diagonal=1)
    upper[: num_nodes // 2, num_nodes // 2 :] = False
    upper[:, -1] = False
    edge_index = (upper | upper.T).nonzero().T.contiguous()
    y = torch.arange(num_nodes) % 3
    graph = data.GraphData(edge_index, torch.randn(num_nodes, 5, generator=draw), y)
    return NodeTask(graph, normalised(edge_index, num_nodes), y == 0, y == 1, y == 2)


def energy_by_loops(h: np.ndarray, edges: list[tuple[int, int]]) -> float:
    """Half the sum over ordered pairs, self-loops included; divided by the squared norm."""
    pairs = {*edges, *((v, u) for u, v in edges), *((u, u) for u in range(len(h)))}
    degree = [sum((u, v) in pairs for v in range(len(h))) for u in range(len(h))]
    found = 0.0
    for u, v in product(range(len(h)), repeat=2):
        if (u, v) in pairs:
            found += float(((h[u] / degree[u] ** 0.5 - h[v] / degree[v] ** 0.5) ** 2).sum()) / 2
    return found / float((h**2).sum())


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 4), st.floats(0.01, 100))
def test_the_energy_is_the_sum_over_edges(seed: int, width: int, scale: float) -> None:
    task = task_of(seed)
    h = torch.randn(12, width, generator=torch.Generator().manual_seed(seed))
    edges = [(u, v) for u, v in task.edge_index.T.tolist()]
    found = energy(scale * h, task.near)
    assert found == pytest.approx(energy_by_loops(h.numpy().astype(np.float64), edges), rel=1e-3, abs=1e-5)
    assert 0 <= found <= 2


def test_what_averages_leave_has_no_energy() -> None:
    task = task_of(3)
    limit = torch.bincount(task.edge_index[0], minlength=12).add(1).sqrt()[:, None]
    assert energy(limit * torch.tensor([1.0, -2.0]), task.near) == pytest.approx(0, abs=1e-5)
    assert energy(torch.zeros(12, 3), task.near) == 0


@pytest.mark.parametrize("make", [lambda: GCN(5, 8, 3, 4), lambda: GIN(5, 8, 3, 4), lambda: MLP(5, 8, 3)])
def test_the_last_state_is_what_a_network_says(make) -> None:
    torch.manual_seed(0)
    task, system = task_of(1), make().eval()
    states = system.hidden(task)
    torch.testing.assert_close(states[-1], system(task))
    curve = NODES.look("A", system, task)["energy by layer/A"]
    np.testing.assert_allclose(curve.y, [energy(h, task.near) for h in (task.x, *states)], rtol=1e-4)
    assert curve.x.tolist() == list(range(len(states) + 1))


def test_gin_is_a_stack_of_gin_layers_of_pyg() -> None:
    torch.manual_seed(0)
    task, system = task_of(2), GIN(5, 8, 3, 3).eval()
    for eps in system.eps:
        nn.init.normal_(eps)
    h = task.x
    for number, (layer, eps) in enumerate(zip(system.layers, system.eps)):
        h = GINConv(layer, eps=eps.item())(h, task.edge_index)
        h = h.relu() if number < 2 else h
    torch.testing.assert_close(system(task), h, rtol=1e-4, atol=1e-5)


def test_a_gcn_with_normalisation_hears_nothing_more_than_its_layers_reach() -> None:
    task = NODES.data("karate", 0)
    torch.manual_seed(0)
    system = GCN(task.sizes[0], 8, 2, 2, norm=True).eval()
    assert sum(isinstance(layer, nn.BatchNorm1d) for layer in system.modules()) == 1
    x = task.x.clone().requires_grad_()
    far = (task.near.dense() @ task.near.dense())[16] == 0
    graph = data.GraphData(task.edge_index, x, task.y)
    out = system(NodeTask(graph, task.near, task.train, task.val, task.test))
    (grad,) = torch.autograd.grad(out[16].sum(), x)
    assert (grad.abs().sum(1) == 0)[far].all()
    assert (grad.abs().sum(1) > 0)[~far].all()


@pytest.mark.parametrize("seed", range(3))
def test_the_score_is_the_accuracy_or_the_area_under_the_curve(seed: int) -> None:
    task = task_of(seed)
    logits = torch.randn(12, 3, generator=torch.Generator().manual_seed(seed))
    mask = torch.arange(12) % 4 != 0
    expected = accuracy_score(task.y[mask], logits.argmax(1)[mask])
    assert measured(logits, task, mask) == pytest.approx(expected)
    y = torch.tensor([0, 1] * 6)
    two = NodeTask(data.GraphData(task.edge_index, task.x, y), task.near, mask, mask, mask, "ROC AUC")
    gap = (logits[:, 1] - logits[:, 0])[mask]
    pairs = [(a, b) for a in gap[y[mask] == 1] for b in gap[y[mask] == 0]]
    assert measured(logits, two, mask) == pytest.approx(sum(float(a > b) for a, b in pairs) / len(pairs))


def test_every_baseline_of_a_league_is_as_deep_as_asked() -> None:
    task = NODES.data("karate", 0)
    found = NODES.baselines(task, depth=7)
    assert {name: len(system.layers) for name, system in found.items() if isinstance(system, GCN)} == {
        "GCN": 7,
        "GCN, 2 layers": 2,
    }
    values = {split(name)[0] for name in NODES.look("GCN", found["GCN"], task)}
    assert values <= set(VIEWS) == set(NODES.views)


@pytest.mark.parametrize("source", ["karate", "blocks", "blocks-mixed", "blocks-opposed"])
def test_embedded_sources_are_undirected_and_split(source: str) -> None:
    task = NODES.data(source, 1)
    assert not (task.train & task.val | task.train & task.test | task.val & task.test).any()
    assert set(map(tuple, task.edge_index.T.tolist())) == {(v, u) for u, v in task.edge_index.T.tolist()}
    assert NODES.meaning(source) == "accuracy on the test nodes"


def test_blocks_go_from_homophily_to_heterophily() -> None:
    shares = []
    for source in ("blocks", "blocks-mixed", "blocks-opposed"):
        task = NODES.data(source, 0)
        src, dst = task.edge_index
        shares.append(float((task.y[src] == task.y[dst]).float().mean()))
    assert shares[0] > 0.75 > 0.55 > shares[1] > 1 / 3 > shares[2]


@pytest.mark.parametrize(
    "source",
    ["cora", "citeseer", "texas", "cornell", "actor", "chameleon-filtered", "squirrel-filtered", "minesweeper"],
)
def test_real_sources_have_their_public_splits(source: str, shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEURORAMA_DATA", str(shared_data))
    task, other = NODES.data(source, 0), NODES.data(source, 1)
    given = data.graph(source).splits
    for mine, theirs in zip((task.train, task.val, task.test), given[0]):
        assert torch.equal(mine, theirs)
    assert torch.equal(task.train, other.train) == (len(given) == 1)
    assert task.near.num_nodes == task.graph.num_nodes
    torch.manual_seed(0)
    system = GCN(task.sizes[0], 4, task.sizes[1], 2)
    score = NODES.score(system, task)
    assert 0 <= score <= 1
    if source == "minesweeper":
        assert (task.measure, NODES.meaning(source)) == ("ROC AUC", "ROC AUC on the test nodes")
        assert float(task.y.float().mean()) == pytest.approx(0.2, abs=0.01)
        constant = torch.zeros(len(task.y), 2)
        assert measured(constant, task, task.test) == 0.5  # whoever always says "free" is right on four fifths


def own(labels: list[str], links: list[tuple[int, int]], tmp_path: Path, directed: bool = False) -> str:
    """A graph of the user's own, as node-link JSON."""
    nodes = [{"id": i, "class": label} for i, label in enumerate(labels)]
    edges = [{"source": u, "target": v} for u, v in links]
    file = tmp_path / "graph.json"
    file.write_text(json.dumps({"directed": directed, "graph": {}, "nodes": nodes, "links": edges}))
    return data.add(file)


TWO = ["a", "a", "a", "b", "b", "b", "a", "b"]


def one_step(source: str) -> NodeTask:
    """The task, after a step of every baseline on it."""
    task = NODES.data(source, 0)
    torch.manual_seed(0)
    frames = list(NODES.meet(NODES.baselines(task, 3), task, 1))
    for name, system in NODES.baselines(task, 3).items():
        assert np.isfinite(NODES.look(name, system, task)[f"representation/{name}"].x).all()
    assert all(np.isfinite(value) for value in frames[-1].values.values())
    return task


def test_isolated_nodes_and_several_components_take_part(tmp_path: Path) -> None:
    task = one_step(own(TWO, [(0, 1), (1, 2), (3, 4), (4, 5)], tmp_path))
    assert task.near.dense()[7].tolist() == [0.0] * 7 + [1.0]


def test_one_way_edges_count_as_two_way(tmp_path: Path) -> None:
    task = one_step(own(TWO, [(0, 1), (1, 2), (3, 4), (5, 3), (6, 7)], tmp_path, directed=True))
    assert torch.equal(task.near.dense(), task.near.dense().T)
    assert "one-way edges count as two-way" in task.graph.notes


def test_self_loops_and_repeated_edges_count_once(tmp_path: Path) -> None:
    links = [(0, 1), (1, 2), (3, 4), (4, 5), (6, 7)]
    plain = one_step(own(TWO, links, tmp_path))
    loops = one_step(own(TWO, [*links, (0, 0), (0, 0), (1, 0), (0, 1)], tmp_path))
    assert torch.equal(plain.near.dense(), loops.near.dense())


def test_missing_features_come_from_the_structure(tmp_path: Path) -> None:
    assert torch.equal(one_step(own(TWO, [(0, 1), (2, 3)], tmp_path)).x, torch.eye(8))


def test_one_class_only_and_no_labels_are_told_before_training(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has only one label, 'a'"):
        NODES.data(own(["a"] * 6, [(0, 1), (2, 3)], tmp_path), 0)
    with pytest.raises(InputError, match="no labels to predict"):
        NODES.data("les-miserables", 0)


def test_features_that_are_no_numbers_are_told_before_training(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = data.graph("karate", 0)
    broken = data.GraphData(graph.edge_index, graph.x / 0, graph.y)
    monkeypatch.setattr(data, "labelled", lambda source, seed: broken)
    with pytest.raises(InputError, match="'karate' has features that are not finite"):
        NODES.data("karate", 0)
