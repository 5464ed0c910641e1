"""The arena of distance: its tasks against NetworkX, its Jacobian against torch's, and graphs that cannot be used."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from neurorama import InputError, data
from neurorama.exhibits.message_passing.arena import DISTANCE, GCN, GIN, AtTarget, Batch, DistanceTask, Wiring
from neurorama.trace import split


def singles(batch: Batch) -> list[tuple[nx.Graph, Tensor, int, int, int]]:
    """(graph, features, source, target, answer) of each graph on its own."""
    found = []
    for k, (edges, n) in enumerate(batch.wiring.pieces):
        graph = nx.Graph()
        graph.add_nodes_from(range(n))
        graph.add_edges_from(edges.T.tolist())
        first = int(batch.wiring.starts[k])
        x = batch.x[first : first + n]
        found.append((graph, x, int(batch.source[k]) - first, int(batch.target[k]) - first, int(batch.y[k])))
    return found


@pytest.mark.parametrize("k", [2, 5])
def test_on_a_ring_the_class_stands_opposite(k: int) -> None:
    task = DISTANCE.data("ring", 0, distance=k)
    for graph, x, source, target, answer in singles(task.test):
        assert nx.is_isomorphic(graph, nx.cycle_graph(2 * k))
        assert nx.shortest_path_length(graph, source, target) == k
        assert x[source].tolist() == np.eye(5)[answer].tolist()
        assert x[target].tolist() == [0.0] * 5
        others = [node for node in graph if node not in (source, target)]
        assert (x[others] == 1).all()
    assert set(task.test.y.tolist()) == set(range(5))


@pytest.mark.parametrize("k", [2, 3])
def test_the_root_of_a_tree_asks_for_the_value_at_a_key(k: int) -> None:
    task = DISTANCE.data("tree", 1, distance=k)
    leaves = 2**k
    for graph, x, source, target, answer in singles(task.test):
        assert nx.is_isomorphic(graph, nx.balanced_tree(2, k))
        assert graph.degree(target) == 2
        key = int(x[target, :leaves].argmax())
        ends = [node for node in graph if graph.degree(node) == 1]
        assert {nx.shortest_path_length(graph, target, end) for end in ends} == {k}
        table = {int(x[end, :leaves].argmax()): int(x[end, leaves:].argmax()) for end in ends}
        assert sorted(table) == sorted(table.values()) == list(range(leaves))
        assert (table[key], int(x[source, :leaves].argmax())) == (answer, key)
        inner = [node for node in graph if node != target and node not in ends]
        assert not x[inner].any()
        assert not x[target, leaves:].any()


@pytest.mark.parametrize("source", ["barbell", "grid"])
@pytest.mark.parametrize("k", [2, 3, 6])
def test_parity_is_that_of_the_shortest_path(source: str, k: int) -> None:
    task = DISTANCE.data(source, 2, distance=k)
    lengths = Counter()
    for graph, x, start, target, answer in singles(task.test):
        length = nx.shortest_path_length(graph, start, target)
        assert answer == length % 2
        assert (x[:, 0] == 1).all()
        assert (x[:, 1].nonzero().item(), x[:, 2].nonzero().item()) == (start, target)
        lengths[length] += 1
    assert set(lengths) == {k - 1, k}
    assert min(lengths.values()) > 80  # of 256; a fair coin falls below that once in a billion times


@pytest.mark.parametrize("source", ["barbell", "grid"])
def test_where_the_target_is_tells_nothing_of_the_parity(source: str) -> None:
    """Every target has both answers with the same chance: what is known without a message is one half."""
    task = DISTANCE.data(source, 0, distance=4)
    seen: dict[int, Counter[int]] = {}
    for batch in (*task.train, task.val, task.test):
        for node, answer in zip((batch.target - batch.wiring.starts).tolist(), batch.y.tolist()):
            seen.setdefault(node, Counter())[answer] += 1
    for answers in seen.values():
        count = answers.total()
        assert abs(answers[0] - count / 2) < 5 * (count / 4) ** 0.5  # five standard deviations


def test_a_barbell_is_a_path_between_two_cliques() -> None:
    (edges, n), *_ = DISTANCE.data("barbell", 0, distance=6).test.wiring.pieces
    made = nx.Graph(edges.T.tolist())
    assert (n, nx.diameter(made)) == (13, 6)
    assert nx.is_isomorphic(made, nx.barbell_graph(5, 3))


def test_members_of_the_karate_club_are_so_far_apart() -> None:
    task = DISTANCE.data("karate", 0, distance=4)
    club = set(map(frozenset, nx.karate_club_graph().edges))
    for graph, x, source, target, answer in singles(task.test):
        assert set(map(frozenset, graph.edges)) == club
        assert nx.shortest_path_length(graph, source, target) == 4
        assert int(x[source].argmax()) == answer
    assert len({pair[2:4] for pair in singles(task.test)}) > 50


def test_the_same_seed_draws_the_same_and_held_out_graphs_are_fresh() -> None:
    one, two, other = (DISTANCE.data("karate", seed, distance=3) for seed in (0, 0, 1))
    for mine, theirs in zip((*one.train, one.val, one.test), (*two.train, two.val, two.test)):
        assert torch.equal(mine.x, theirs.x)
        assert torch.equal(mine.y, theirs.y)
    assert not torch.equal(one.test.x, other.test.x)
    assert not torch.equal(one.test.x, one.val.x)
    assert one.train[0].wiring is one.train[1].wiring


@pytest.mark.parametrize("net", [lambda: GCN(5, 8, 5, 4, norm=True), lambda: GIN(5, 8, 5, 4)])
def test_graphs_of_a_batch_do_not_hear_each_other(net) -> None:
    torch.manual_seed(0)
    batch, system = DISTANCE.data("ring", 0, distance=4).val, AtTarget(net()).eval()
    alone = [system(batch.copies(k, 1)) for k in range(4)]
    torch.testing.assert_close(system(batch)[:4], torch.cat(alone), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(system(batch.copies(2, 3)), alone[2].expand(3, -1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("source", ["ring", "tree", "grid"])
def test_the_jacobian_is_that_of_torch(source: str) -> None:
    task = DISTANCE.data(source, 0, distance=3)
    torch.manual_seed(0)
    system = AtTarget(GIN(task.sizes[0], 8, task.classes, 3)).eval()
    one = task.test.copies(0, 1)

    def said(x: Tensor) -> Tensor:
        return system(Batch(one.wiring, x, one.y, one.source, one.target))[0]

    expected = torch.autograd.functional.jacobian(said, one.x)  # (c, n, d)
    torch.testing.assert_close(
        DISTANCE.jacobian(system, task), expected.square().sum((0, 2)).sqrt(), rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("net", [GCN, GIN])
def test_with_too_few_layers_nothing_arrives(net) -> None:
    task = DISTANCE.data("ring", 0, distance=5, depth=4)
    torch.manual_seed(0)
    assert task.depth == 4
    source = int(task.test.source[0])
    assert DISTANCE.jacobian(AtTarget(net(5, 8, 5, 4)), task)[source] == 0
    assert DISTANCE.jacobian(AtTarget(net(5, 8, 5, 5)), task)[source] > 0


def test_the_resistance_to_the_target_is_that_of_networkx() -> None:
    for source in ("ring", "barbell", "grid", "karate"):
        task = DISTANCE.data(source, 0, distance=3)
        graph, _, _, target, _ = singles(task.test)[0]
        expected = [0.0 if node == target else nx.resistance_distance(graph, node, target) for node in sorted(graph)]
        np.testing.assert_allclose(task.resistance, expected, rtol=1e-4, atol=1e-5)


def test_a_system_shows_what_is_promised() -> None:
    task = DISTANCE.data("ring", 0, distance=3)
    torch.manual_seed(0)
    (first, *_, last) = DISTANCE.meet(DISTANCE.baselines(task), task, 3)
    looks = {name: DISTANCE.look(name, system, task) for name, system in DISTANCE.baselines(task).items()}
    shown = {split(name)[0] for name in (*last.values, *looks["GCN"])}
    assert shown == set(DISTANCE.views)
    graph = looks["GIN"]["sensitivity/GIN"]
    assert graph.num_nodes == 6
    assert max(graph.values) == 0
    assert min(graph.values) >= -6
    assert first.step == 0


def test_baselines_are_as_deep_as_the_answer_is_far() -> None:
    task = DISTANCE.data("ring", 0, distance=6)
    assert {len(system.net.layers) for system in DISTANCE.baselines(task).values()} == {6}
    assert {name: sum(p.numel() for p in one.parameters()) > 0 for name, one in DISTANCE.baselines(task).items()} == {
        "GCN": True,
        "GIN": True,
    }


def test_a_plain_network_learns_what_is_near() -> None:
    """Two hops: a network of two layers gets nearly all; one that hears no neighbour guesses."""

    class Deaf(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Linear(5, 5)

        def forward(self, batch: Batch) -> Tensor:
            return self.net(batch.x[batch.target])

    task = DISTANCE.data("ring", 0, distance=2)
    torch.manual_seed(0)
    *_, last = DISTANCE.meet({**DISTANCE.baselines(task), "deaf": Deaf()}, task, 120, every=120)
    assert last.values["test accuracy/GIN"] > 0.9
    assert last.values["test accuracy/GCN"] > 0.9
    assert last.values["test accuracy/deaf"] < 0.4


def test_accuracy_against_distance_grows_point_by_point() -> None:
    asked = []

    def make(task: DistanceTask) -> dict[str, nn.Module]:
        asked.append(task.distance)
        return {"GIN": AtTarget(GIN(*task.sizes[:1], 8, task.classes, task.depth))}

    curves = [values["accuracy against distance/GIN"] for values in DISTANCE.sweep(make, "ring", 0, (2, 3), 2)]
    assert asked == [2, 3]
    assert [curve.x.tolist() for curve in curves] == [[2], [2, 3]]
    assert curves[1].y[0] == curves[0].y[0]


def test_a_rewiring_is_done_once_for_each_graph_and_leaves_the_nodes_alone() -> None:
    task = DISTANCE.data("ring", 0, distance=3)
    calls = []

    def complete(edge_index: Tensor, num_nodes: int) -> Tensor:
        calls.append(num_nodes)
        return (1 - torch.eye(num_nodes)).nonzero().T

    other = task.rewired(complete)
    assert calls == [6, 6]  # the batches that are trained on share their edges, those held out theirs
    assert other.test.x is task.test.x
    assert other.train[0].wiring is other.train[5].wiring
    assert all(edges.shape == (2, 30) for edges, _ in other.test.wiring.pieces)
    assert other.resistance[int(other.test.source[0])] == pytest.approx(2 / 6)


def test_pieces_of_a_wiring_are_what_it_was_made_of() -> None:
    pieces = [
        (torch.tensor([[0, 1], [1, 0]]), 3),
        (torch.zeros(2, 0, dtype=torch.long), 2),
        (torch.tensor([[0], [1]]), 2),
    ]
    wiring = Wiring.of(pieces)
    assert (wiring.num_nodes, wiring.num_graphs) == (7, 3)
    assert wiring.batch.tolist() == [0, 0, 0, 1, 1, 2, 2]
    for (edges, n), (given, size) in zip(wiring.pieces, pieces, strict=True):
        assert torch.equal(edges, given)
        assert n == size


# Graphs that are not as one would like


def own(links: list[tuple[int, int]], nodes: int, tmp_path: Path, directed: bool = False) -> str:
    file = tmp_path / "graph.json"
    rows = [{"source": u, "target": v} for u, v in links]
    file.write_text(json.dumps({"directed": directed, "nodes": [{"id": i} for i in range(nodes)], "links": rows}))
    return data.add(file)


PATH = [(0, 1), (1, 2), (2, 3)]


def trained(source: str, distance: int = 3) -> DistanceTask:
    """The task, after a step of each baseline."""
    task = DISTANCE.data(source, 0, distance=distance)
    torch.manual_seed(0)
    systems = DISTANCE.baselines(task)
    *_, last = DISTANCE.meet(systems, task, 1)
    assert all(np.isfinite(value) for value in last.values.values())
    for name, system in systems.items():
        for value in DISTANCE.look(name, system, task).values():
            assert np.isfinite(value if isinstance(value, float) else value.values).all()
    return task


def test_of_several_components_and_isolated_nodes_only_pairs_that_are_connected_are_asked(tmp_path: Path) -> None:
    task = trained(own([*PATH, (4, 5)], 8, tmp_path))
    assert {(source, target) for _, _, source, target, _ in singles(task.test)} == {(0, 3), (3, 0)}
    assert torch.isinf(task.resistance[4:]).all()


def test_one_way_edges_and_loops_count_as_plain_edges(tmp_path: Path) -> None:
    plain = trained(own(PATH, 4, tmp_path))
    odd = trained(own([(1, 0), (1, 2), (3, 2), (1, 1), (1, 1)], 4, tmp_path, directed=True))
    assert torch.equal(plain.test.near.dense(), odd.test.near.dense())


@pytest.mark.parametrize(
    ("source", "distance", "words"),
    [
        ("karate", 6, "distance=6: source='karate' has no two nodes so far apart; 5 is the farthest"),
        ("tree", 7, "distance=7: a tree of that depth is too large here; at most 6"),
        ("davis", 40, "no two nodes so far apart"),
        ("blocks", 3, "300 nodes; at most 200 here"),
        ("digits", 3, "is not one graph"),
    ],
)
def test_what_cannot_be_asked_is_told_before_training(source: str, distance: int, words: str) -> None:
    with pytest.raises(InputError, match=words):
        DISTANCE.data(source, 0, distance=distance)


def test_a_graph_without_edges_is_told_before_training(monkeypatch: pytest.MonkeyPatch) -> None:
    bare = data.GraphData(torch.zeros(2, 0, dtype=torch.long), torch.ones(3, 2))
    monkeypatch.setattr(data, "graph", lambda source: bare)
    with pytest.raises(InputError, match="no two nodes so far apart; 0 is the farthest"):
        DISTANCE.data("karate", 0, distance=2)
