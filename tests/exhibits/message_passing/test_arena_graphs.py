"""The arena of whole graphs: its synthetic sources against NetworkX, its scores against formulas, strange graphs."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score
from torch import Tensor, nn
from torch_geometric.nn import global_add_pool, global_mean_pool

from neurorama import InputError, data
from neurorama.data.synthetic import cycle_lengths, motif_counts
from neurorama.exhibits.message_passing.arena import GCN, GIN, GRAPHS, Batch, Pooled, Wiring, energy
from neurorama.trace import split


def as_networkx(graph: data.GraphData) -> nx.Graph:
    made = nx.Graph()
    made.add_nodes_from(range(graph.num_nodes))
    made.add_edges_from(graph.edge_index.T.tolist())
    return made


def hanging_houses(graph: nx.Graph) -> int:
    """Houses that one edge holds."""
    found = 0
    for u, v in list(nx.bridges(graph)):
        cut = graph.copy()
        cut.remove_edge(u, v)
        for end in (u, v):
            part = cut.subgraph(nx.node_connected_component(cut, end))
            found += len(part) == 5 and nx.is_isomorphic(part, nx.house_graph())
    return found


@settings(max_examples=8)
@given(st.integers(0, 10_000))
def test_motifs_are_planted_as_often_as_it_says(seed: int) -> None:
    made = motif_counts(seed, num_graphs=12)
    for graph, count in zip(made.graphs, made.y.tolist()):
        whole = as_networkx(graph)
        assert nx.is_connected(whole)
        assert 30 <= len(whole) <= 40
        assert whole.number_of_edges() == len(whole) - 1 + 12  # it tells nothing of the count
        assert hanging_houses(whole) >= count  # the tree around may hold one by chance
        assert graph.edge_index.shape[1] == 2 * whole.number_of_edges()
    assert np.mean([hanging_houses(as_networkx(graph)) for graph in made.graphs]) < made.y.float().mean() + 0.5


@settings(max_examples=10)
@given(st.integers(0, 10_000))
def test_each_graph_has_the_cycle_it_says(seed: int) -> None:
    made = cycle_lengths(seed, num_graphs=12)
    for graph, label in zip(made.graphs, made.y.tolist()):
        whole = as_networkx(graph)
        assert nx.is_connected(whole)
        assert whole.number_of_edges() == len(whole)
        (cycle,) = nx.cycle_basis(whole)
        assert made.classes[label] == f"a cycle of {len(cycle)}"


def test_what_cannot_be_made_is_refused() -> None:
    with pytest.raises(ValueError, match="need 60 nodes"):
        motif_counts(0, most=10)
    with pytest.raises(ValueError, match="a cycle has from 3"):
        cycle_lengths(0, lengths=(2, 3))


@pytest.mark.parametrize("source", ["motifs", "cycles"])
def test_every_graph_is_in_one_part(source: str) -> None:
    task, again, other = (GRAPHS.data(source, seed) for seed in (0, 0, 1))
    assert [len(part.y) for part in (task.val, task.test)] == [80, 80]
    assert sum(len(batch.y) for batch in task.train) == 240
    assert torch.equal(task.test.x, again.test.x)
    assert torch.equal(task.test.y, again.test.y)
    assert not torch.equal(task.test.y, other.test.y)
    given = data.graphs(source, 0)
    parts = [edges for batch in (*task.train, task.val, task.test) for edges, _ in batch.wiring.pieces]
    assert sorted(edges.numpy().tobytes() for edges in parts) == sorted(
        graph.edge_index.numpy().tobytes() for graph in given.graphs
    )


def test_a_quantity_is_scored_by_the_variance_it_explains() -> None:
    task = GRAPHS.data("motifs", 0)
    assert (task.outputs, task.measure) == (1, "R^2")
    y = torch.cat([batch.y for batch in task.train])
    assert task.mean == pytest.approx(float(y.mean()))
    assert task.spread == pytest.approx(float(y.std()))

    class Oracle(nn.Module):
        """Off by `error` in units of the quantity."""

        def __init__(self, error: float) -> None:
            super().__init__()
            self.error = error

        def forward(self, batch: Batch) -> Tensor:
            sign = 1 - 2 * (torch.arange(len(batch.y)) % 2)
            return ((batch.y + self.error * sign - task.mean) / task.spread)[:, None]

    assert GRAPHS.score(Oracle(0.0), task) == pytest.approx(1, abs=1e-5)
    scatter = float(((task.test.y - task.test.y.mean()) ** 2).mean())
    assert GRAPHS.score(Oracle(0.7), task) == pytest.approx(1 - 0.49 / scatter, rel=1e-4)
    assert next(GRAPHS.train(nn.ModuleList([Pooled(GIN(1, 4, 4, 2), 4, 1, "sum")])[0], task, 1)) > 0


def test_a_class_is_scored_by_accuracy() -> None:
    task = GRAPHS.data("cycles", 0)
    torch.manual_seed(0)
    system = GRAPHS.baselines(task, depth=2)["GIN, sum"].eval()
    expected = accuracy_score(task.test.y, system(task.test).argmax(1))
    assert GRAPHS.score(system, task) == pytest.approx(expected)
    assert (task.outputs, GRAPHS.meaning("cycles"), GRAPHS.meaning("motifs")) == (
        5,
        "accuracy on the test graphs",
        "R^2 on the test graphs",
    )


@pytest.mark.parametrize("how", ["sum", "mean"])
def test_pooling_is_that_of_pyg(how) -> None:
    batch = GRAPHS.data("cycles", 0).val
    torch.manual_seed(0)
    system = Pooled(GCN(1, 6, 6, 3, norm=True), 6, 5, how).eval()
    pool = global_add_pool if how == "sum" else global_mean_pool
    expected = system.head(pool(system.net(batch), batch.batch))
    torch.testing.assert_close(system(batch), expected, rtol=1e-4, atol=1e-5)


def test_neither_the_order_of_graphs_nor_that_of_nodes_matters() -> None:
    batch = GRAPHS.data("cycles", 0).val
    torch.manual_seed(0)
    system = Pooled(GIN(1, 6, 6, 3), 6, 5, "sum").eval()
    draw = torch.Generator().manual_seed(0)
    pieces = []
    for edges, n in reversed(batch.wiring.pieces):
        pieces.append((torch.randperm(n, generator=draw)[edges], n))
    turned = Batch(Wiring.of(pieces), batch.x, batch.y.flip(0))
    torch.testing.assert_close(system(turned).flip(0), system(batch), rtol=1e-3, atol=1e-4)


def test_a_system_shows_what_is_promised() -> None:
    for source in ("motifs", "cycles"):
        task = GRAPHS.data(source, 0)
        torch.manual_seed(0)
        systems = GRAPHS.baselines(task, depth=3)
        *_, last = GRAPHS.meet(systems, task, 2)
        look = GRAPHS.look("GIN, sum", systems["GIN, sum"], task)
        assert {split(name)[0] for name in (*last.values, *look)} == set(GRAPHS.views)
        curve = look["energy by layer/GIN, sum"]
        states = systems["GIN, sum"].hidden(task.test)
        np.testing.assert_allclose(curve.y[1:], [energy(h, task.test.near) for h in states], rtol=1e-4)
        drawn = look["what counts/GIN, sum"]
        assert drawn.num_nodes == int(task.test.wiring.sizes[:4].sum())
        assert (drawn.values > 0).any()


@pytest.mark.parametrize(("source", "count", "features"), [("mutag", 188, 7), ("proteins", 1113, 3)])
def test_real_graphs_are_learned_from(
    source: str, count: int, features: int, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEURORAMA_DATA", str(shared_data))
    task = GRAPHS.data(source, 0)
    sizes = [len(batch.y) for batch in (*task.train, task.val, task.test)]
    assert (sum(sizes), task.sizes, task.measure) == (count, (features, 2), "accuracy")
    torch.manual_seed(0)
    *_, last = GRAPHS.meet(GRAPHS.baselines(task, depth=2), task, 3, every=3)
    assert all(np.isfinite(value) for value in last.values.values())


# Graphs that are not as one would like


def made(monkeypatch: pytest.MonkeyPatch, graphs: list[data.GraphData], y: list[int]) -> None:
    monkeypatch.setattr(data, "graphs", lambda source, seed: data.GraphSet(tuple(graphs), torch.tensor(y)))


def graph_of(pairs: list[tuple[int, int]], n: int, features: int = 2, directed: bool = False) -> data.GraphData:
    ends = torch.tensor(pairs, dtype=torch.long).reshape(-1, 2).T
    return data.GraphData(ends, torch.ones(n, features), directed=directed)


def test_strange_graphs_take_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """One-way edges, self-loops twice, several components, isolated nodes, and no edges at all."""
    odd = [
        graph_of([(0, 1), (1, 2)], 3, directed=True),
        graph_of([(0, 1), (1, 0), (0, 0), (0, 0), (0, 1)], 2),
        graph_of([(0, 1), (1, 0), (2, 3), (3, 2)], 6),
        graph_of([], 1),
    ]
    made(monkeypatch, odd * 4, [0, 1] * 8)
    task = GRAPHS.data("cycles", 0)
    for batch in (*task.train, task.val, task.test):
        assert torch.equal(batch.near.dense(), batch.near.dense().T)
        assert not batch.sums.dense().diagonal().any()
        assert batch.sums.dense().max() == 1
    torch.manual_seed(0)
    systems = GRAPHS.baselines(task, depth=2)
    *_, last = GRAPHS.meet(systems, task, 2)
    assert all(np.isfinite(value) for value in last.values.values())
    for name, system in systems.items():
        assert np.isfinite(GRAPHS.look(name, system, task)[f"outputs/{name}"].x).all()


def test_missing_features_become_degrees_of_one_width(monkeypatch: pytest.MonkeyPatch) -> None:
    bare = [graph_of([(0, 1), (1, 0)], 2, features=0), graph_of([(0, 1), (1, 0), (1, 2), (2, 1)], 4, features=0)]
    made(monkeypatch, bare * 8, [0, 1] * 8)
    task = GRAPHS.data("cycles", 0)
    assert task.sizes == (16, 2)
    for batch in (*task.train, task.val, task.test):
        degree = batch.sums.dense().sum(1)
        assert batch.x.argmax(1).tolist() == (degree * 2 + 1).log2().floor().tolist()


def test_one_class_only_and_too_few_graphs_are_told_before_training(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = [graph_of([(0, 1), (1, 0)], 2)]
    for graphs, y in ((plain * 12, [1] * 12), (plain * 4, [0, 1, 0, 1])):
        made(monkeypatch, graphs, y)
        with pytest.raises(InputError, match="'cycles' needs ten graphs or more with two labels"):
            GRAPHS.data("cycles", 0)
    made(monkeypatch, [data.GraphData(plain[0].edge_index, torch.full((2, 1), torch.nan))] * 12, [0, 1] * 6)
    with pytest.raises(InputError, match="'cycles' has features that are not finite"):
        GRAPHS.data("cycles", 0)
    monkeypatch.undo()
    with pytest.raises(InputError) as told:
        GRAPHS.data("karate", 0)
    assert "'karate'" in str(told.value)
