"""Graphs of networkx and PyG become ours and come back."""

import networkx as nx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import Data

from neurorama import data
from neurorama.data.convert import IDENTITY, assemble, structural


@settings(deadline=None)
@given(
    n=st.integers(1, 12),
    ends=st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11), st.integers(1, 9)), max_size=40),
    directed=st.booleans(),
)
def test_assemble_does_what_a_dictionary_does(n: int, ends: list[tuple[int, int, int]], directed: bool) -> None:
    ends = [(u % n, v % n, w) for u, v, w in ends]
    pairs = torch.tensor([end[:2] for end in ends], dtype=torch.long).reshape(-1, 2).T
    found = assemble(pairs, n, weight=torch.tensor([float(w) for *_, w in ends]), directed=directed)
    expected: dict[tuple[int, int], float] = {}
    for u, v, w in ends:
        if u != v:
            expected.setdefault((u, v) if directed else (min(u, v), max(u, v)), w)
    if not directed:
        expected |= {(v, u): w for (u, v), w in expected.items()}
    order = sorted(expected)
    assert found.edge_index.T.tolist() == [list(pair) for pair in order]
    assert found.edge_weight.tolist() == [expected[pair] for pair in order]


@settings(deadline=None, max_examples=50)
@given(
    n=st.integers(2, 15), p=st.floats(0, 1), seed=st.integers(0, 99), directed=st.booleans(), split=st.integers(0, 3)
)
def test_to_pyg_and_back_is_the_same_graph(n: int, p: float, seed: int, directed: bool, split: int) -> None:
    graph = nx.gnp_random_graph(n, p, seed=seed, directed=directed)
    torch.manual_seed(seed)
    masks = tuple(tuple(torch.rand(n) < 0.5 for _ in range(3)) for _ in range(split))
    ours = assemble(
        torch.tensor(list(graph.edges), dtype=torch.long).reshape(-1, 2).T,
        x=torch.randn(n, 3),
        directed=directed,
        y=torch.arange(n) % 2,
        splits=masks,
    )
    raw = data.to_pyg(ours)
    raw.validate()
    back = data.from_pyg(raw)
    assert torch.equal(back.edge_index, ours.edge_index)
    assert torch.equal(back.x, ours.x)
    assert torch.equal(back.y, ours.y)
    assert back.directed == raw.is_directed()
    assert all(torch.equal(a, b) for one, two in zip(back.splits, ours.splits, strict=True) for a, b in zip(one, two))


def test_from_pyg_takes_weights_and_refuses_what_does_not_fit() -> None:
    edge_index = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
    found = data.from_pyg(
        Data(edge_index=edge_index, edge_attr=torch.tensor([[2.0], [2.0], [3.0], [3.0]]), num_nodes=4)
    )
    assert found.edge_weight.tolist() == [2, 2, 3, 3]
    assert torch.equal(found.x, torch.eye(4))
    assert not found.directed
    regression = data.from_pyg(Data(edge_index=edge_index, y=torch.rand(3), num_nodes=3))
    assert regression.y is None
    assert regression.notes == ("y was not read: labels are whole numbers from 0 on",)
    wide = data.from_pyg(Data(edge_index=edge_index, edge_attr=torch.rand(4, 2), num_nodes=3))
    assert wide.edge_weight is None
    with pytest.raises(data.InputError, match="edge_index=2 points at a node"):
        data.from_pyg(Data(edge_index=edge_index, x=torch.eye(2)))
    with pytest.raises(data.InputError, match="needs edge_index"):
        data.from_pyg(Data(x=torch.eye(2)))


def test_attributes_of_networkx_nodes() -> None:
    graph = nx.path_graph(4)
    nx.set_node_attributes(graph, {0: 3, 1: 10, 2: 3, 3: 10}, "y")
    nx.set_node_attributes(graph, {0: "a", 1: "b", 2: "c", 3: "d"}, "label")
    nx.set_node_attributes(graph, {0: True, 1: False, 2: True, 3: False}, "old")
    nx.set_node_attributes(graph, {0: "red"}, "colour")
    found = data.from_networkx(graph)
    assert found.classes == ("3", "10"), "numbers in the order of numbers"
    assert found.y.tolist() == [0, 1, 0, 1]
    assert found.names == ("a", "b", "c", "d")
    assert found.columns == ("old",)
    assert found.x.flatten().tolist() == [1, -1, 1, -1]
    assert found.notes == ("attributes that were not read, being no numbers or not on every node: colour",)
    assert data.from_networkx(graph, label="old").classes == ("False", "True")
    with pytest.raises(data.InputError, match="label='odl' is no attribute of the nodes; did you mean 'old'"):
        data.from_networkx(graph, label="odl")
    with pytest.raises(data.InputError, match="no nodes"):
        data.from_networkx(nx.Graph())


@settings(deadline=None)
@given(value=st.floats(-1e12, 1e12), n=st.integers(2, 30))
def test_a_constant_attribute_is_no_news(value: float, n: int) -> None:
    graph = nx.path_graph(n)
    nx.set_node_attributes(graph, value, "height")
    assert not data.from_networkx(graph).x.any()


def test_weights_of_networkx_edges() -> None:
    graph = nx.Graph()
    graph.add_edge("a", "b", weight="2.5")
    graph.add_edge("b", "c")
    found = data.from_networkx(graph)
    assert found.edge_weight.tolist() == [2.5, 2.5, 1, 1]
    assert found.notes == ("1 edges without a weight count as 1",)
    graph.add_edge("c", "a", weight=float("inf"))
    with pytest.raises(data.InputError, match="edge a - c: weight='inf' is not a finite number"):
        data.from_networkx(graph)


def test_large_graphs_get_features_of_bounded_width() -> None:
    star = torch.stack([torch.zeros(IDENTITY, dtype=torch.long), torch.arange(1, IDENTITY + 1)])
    graph = assemble(star, IDENTITY + 1)
    assert graph.x.shape == (IDENTITY + 1, 16)
    assert (graph.x.sum(1) == 1).all()
    assert not torch.equal(graph.x[0], graph.x[1])
    assert structural(graph.edge_index[:, :0], IDENTITY).shape == (IDENTITY, IDENTITY)
