"""Random node initialisation against networkx, PyG's GraphConv, and the invariances it must keep."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.nn import GraphConv, global_mean_pool

from neurorama import InputError, data
from neurorama.exhibits.expressivity.arena import GNN, GRAPHS, Batch, regular_graphs
from neurorama.exhibits.expressivity.rni_gnn import Knobs, RandomGNN, build
from neurorama.kernels.colour_refinement import alike, refine


def as_networkx(graph: data.GraphData) -> nx.Graph:
    made = nx.Graph()
    made.add_nodes_from(range(graph.num_nodes))
    made.add_edges_from(graph.edge_index.T.tolist())
    return made


@pytest.fixture(scope="module")
def graphs() -> data.GraphSet:
    return regular_graphs(seed=3, count=60)


def test_labels_are_triangles_and_refinement_sees_none(graphs: data.GraphSet) -> None:
    made = [as_networkx(graph) for graph in graphs.graphs]
    assert all(degree == 3 for graph in made for _, degree in graph.degree)
    assert [int(sum(nx.triangles(graph).values()) > 0) for graph in made] == graphs.y.tolist()
    assert len({nx.weisfeiler_lehman_graph_hash(graph) for graph in made}) == 1
    batch = Batch.of(graphs.graphs, graphs.y)
    edges = torch.stack([batch.near.col, batch.near.row])
    assert len(alike(refine(edges, len(batch.x)), batch.graph).unique()) == 1


def test_the_plain_network_gives_all_of_them_one_answer(graphs: data.GraphSet) -> None:
    batch = Batch.of(graphs.graphs, graphs.y)
    torch.manual_seed(0)
    plain, method = GNN(1, 16, 2).eval(), RandomGNN(1, Knobs(hidden=16), 2).eval()
    with torch.no_grad():
        torch.testing.assert_close(plain(batch), plain(batch)[:1].expand(60, 2))
        assert method(batch).std(0).min() > 1e-3


def test_the_network_is_graph_convolution_norm_and_mean(graphs: data.GraphSet) -> None:
    """Layer by layer with PyG's parts, from the noise to the logits, settled as it is before each test."""
    batch = Batch.of(graphs.graphs, graphs.y)
    torch.manual_seed(0)
    system = RandomGNN(1, Knobs(hidden=8, depth=2, share=0.5), 2)
    system.settle([batch])
    noise = torch.randn(len(batch.x), 4)
    system.noise = lambda count: noise
    edges = torch.stack([batch.near.col.long(), batch.near.row])
    h = torch.cat([noise, system.embed(batch.x)[:, 4:]], dim=1)
    for own, others, norm in zip(system.own, system.others, system.norms):
        conv = GraphConv(8, 8)
        conv.lin_root.weight, conv.lin_rel.weight, conv.lin_rel.bias = own.weight, others.weight, own.bias
        h = conv(h, edges)
        h = ((h - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias).relu()
    expected = system.read(global_mean_pool(h, batch.graph))
    torch.testing.assert_close(system(batch), expected, atol=1e-5, rtol=1e-4)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.125, 0.5, 1.0]))
def test_reordered_nodes_with_their_noise_get_the_same_answer(seed: int, share: float) -> None:
    torch.manual_seed(seed)
    graph = regular_graphs(seed=seed, count=2).graphs[0]
    system = RandomGNN(1, Knobs(hidden=8, share=share), 2).eval()
    noise, order = torch.randn(10, system.width), torch.randperm(10)
    place = torch.empty(10, dtype=torch.long).index_put((order,), torch.arange(10))
    turned = data.GraphData(place[graph.edge_index], graph.x[order])
    one = torch.zeros(1, dtype=torch.long)
    with torch.no_grad():
        system.noise = lambda count: noise
        before = system(Batch.of([graph], one))
        system.noise = lambda count: noise[order]
        after = system(Batch.of([turned], one))
    torch.testing.assert_close(before, after, atol=1e-5, rtol=1e-4)


def test_noise_is_fresh_unless_kept() -> None:
    torch.manual_seed(0)
    task = GRAPHS.data("triangles", 0)
    fresh, kept = build(Knobs(), task), build(Knobs(fresh=False), task)
    assert not torch.equal(fresh.noise(5), fresh.noise(5))
    assert torch.equal(kept.noise(5), kept.noise(5))
    assert build(Knobs(random=False), task).width == 0
    assert build(Knobs(share=0.125), task).width == 4


def test_settled_norms_hold_the_statistics_of_the_training_graphs(graphs: data.GraphSet) -> None:
    batch = Batch.of(graphs.graphs, graphs.y)
    torch.manual_seed(0)
    system = GNN(1, 8, 2, depth=1)
    system.settle([batch])
    h = system.embed(batch.x)
    mixed = (system.own[0](h) + batch.near @ system.others[0](h)).detach()
    torch.testing.assert_close(system.norms[0].running_mean, mixed.mean(0), atol=1e-5, rtol=1e-4)
    assert not system.training


def test_no_graph_is_trained_and_tested_on() -> None:
    task = GRAPHS.data("triangles", 1)
    assert len(task.graphs) == 200
    assert sum(len(batch.y) for batch in task.train) == 400


def test_real_molecules(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEURORAMA_DATA", str(shared_data))
    task = GRAPHS.data("mutag", 0)
    torch.manual_seed(0)
    system = GNN(task.test.x.shape[1], 16, task.classes)
    for _ in GRAPHS.train(system, task, 60):
        pass
    assert GRAPHS.score(system, task) > float(task.test.y.bincount().max() / len(task.test.y)) - 0.05


def test_missing_molecules_are_named() -> None:
    with pytest.raises(InputError, match="NEURORAMA_DATA"):
        GRAPHS.data("mutag", 0)
