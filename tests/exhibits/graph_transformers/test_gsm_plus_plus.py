"""GSM++ against the same sequence made by hand, one graph at a time, from networkx's clusters."""

from __future__ import annotations

import math

import networkx as nx
import pytest
import torch
from torch import nn

import neurorama
from neurorama.exhibits.graph_transformers.arena import Batch, Wiring, questions
from neurorama.exhibits.graph_transformers.gsm_plus_plus import Knobs, SequenceNet, build, sequence
from neurorama.kernels.selective_scan import Reading

TASK = questions("pieces", 1)
BATCH = TASK.train[0]


def single(number: int) -> Batch:
    edges, n = BATCH.wiring.pieces[number]
    first = int(BATCH.wiring.starts[number])
    return Batch(Wiring.of([(edges, n)]), BATCH.x[first : first + n], BATCH.y[number : number + 1])


def net(layers: str = "RRA", clusters: bool = True) -> SequenceNet:
    torch.manual_seed(0)
    return SequenceNet(*TASK.sizes, Knobs(hidden=8, states=3), layers, clusters).eval()


def boruvka(graph: nx.Graph) -> list[list[frozenset[int]]]:
    """The clusters after each round, those of the nodes first."""
    rounds = [[frozenset([v]) for v in graph]]
    while True:
        home = {v: cluster for cluster in rounds[-1] for v in cluster}
        joined = nx.Graph()
        joined.add_nodes_from(rounds[-1])
        for cluster in rounds[-1]:
            out = [
                (graph.edges[u, v]["cost"], min(u, v), max(u, v))
                for u in cluster
                for v in graph[u]
                if home[v] != cluster
            ]
            if out:
                _, u, v = min(out)
                joined.add_edge(home[u], home[v])
        found = [frozenset().union(*some) for some in nx.connected_components(joined)]
        if len(found) == len(rounds[-1]):
            return rounds
        rounds.append(found)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_graph_is_read_from_its_pieces_to_its_nodes(number: int) -> None:
    system, one = net(), single(number)
    graph = nx.Graph()
    graph.add_nodes_from(range(len(one.x)))
    for u, v in one.edge_index.T.tolist():
        graph.add_edge(u, v, cost=float((one.x[u] - one.x[v]).norm()))
    rounds = boruvka(graph)
    level = {cluster: height for height, found in reversed(list(enumerate(rounds))) for cluster in found}
    line = sorted(level, key=lambda cluster: (-level[cluster], min(cluster)))
    h, tokens = system.enter(one.x), []
    for cluster in line:
        inside = nx.convert_node_labels_to_integers(graph.subgraph(cluster), ordering="sorted").to_directed()
        edges = torch.tensor(list(inside.edges), dtype=torch.long).reshape(-1, 2).T
        tokens.append(system.phi.inside(h[sorted(cluster)], edges).mean(0) + system.level.weight[level[cluster]])
    read = torch.stack(tokens)[None]
    for layer in system.layers:
        read = layer(read)
    torch.testing.assert_close(system(one)[0], system.leave(read[0].mean(0)), atol=1e-5, rtol=1e-4)
    assert {frozenset(piece) for piece in nx.connected_components(graph)} <= set(line)


@pytest.mark.parametrize("clusters", [True, False])
def test_what_fills_the_lines_of_short_graphs_is_not_heard(clusters: bool) -> None:
    system = net(clusters=clusters)
    alone = torch.cat([system(single(number)) for number in range(6)])
    torch.testing.assert_close(system(BATCH)[:6], alone, atol=1e-4, rtol=1e-3)


def test_without_clusters_a_token_is_a_node_with_its_neighbours() -> None:
    seq, one = sequence(single(0), False), single(0)
    graph = nx.Graph(one.edge_index.T.tolist())
    for v in range(len(one.x)):
        assert set(seq.sets.node[seq.sets.patch == v].tolist()) == {v, *graph[v]}


def test_switched_off_it_is_the_transformer_and_whole_it_is_a_hybrid() -> None:
    system, plain = build(Knobs(hidden=8, clusters=False, hybrid=False), TASK), net("AAA", clusters=False)
    plain.load_state_dict(system.state_dict())
    torch.testing.assert_close(plain(BATCH), system.eval()(BATCH))
    kinds = [type(layer) for layer in build(Knobs(), TASK).layers]
    assert kinds == [Reading, Reading, nn.TransformerEncoderLayer]


def test_a_short_run_shows_what_is_promised() -> None:
    trace = neurorama.run("gsm_plus_plus", {"steps": 10, "hidden": 8, "states": 2})
    exhibit = neurorama.catalogue.load("gsm_plus_plus")
    assert {name.split("/")[0] for name in trace.names()} == set(exhibit.views)
    assert math.isfinite(exhibit.claim.margin(trace))
