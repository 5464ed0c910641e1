"""Names, kinds and laziness of the sources; what is embedded is what the packages hold."""

import subprocess
import sys

import networkx as nx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.utils import homophily

from neurorama import data

MADE = [source.name for source in data.sources() if source.available]


def test_listing_imports_no_torch() -> None:
    code = "import sys; from neurorama import data; data.sources(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_everything_is_listed_once_and_benchmarks_say_what_is_missing() -> None:
    found = data.sources()
    assert len({source.name for source in found}) == len(found)
    cora = next(source for source in found if source.name == "cora")
    assert not cora.available
    assert "pyg/Cora/raw/ind.cora.x" in cora.note
    assert {source.kind for source in found} == {"graph", "graphs", "table", "stream"}
    assert all(source.kind == "table" for source in data.sources("table"))


@pytest.mark.parametrize("name", MADE)
def test_a_source_is_of_its_kind_and_well_formed(name: str) -> None:
    kind = next(source.kind for source in data.sources() if source.name == name)
    found = getattr(data, kind)(name, seed=3)
    if kind == "graph":
        well_formed(found)
    elif kind == "graphs":
        for graph in found.graphs:
            well_formed(graph)
            assert graph.x.shape[1] == found.graphs[0].x.shape[1]
        assert len(found.names) in (0, len(found.graphs))
    elif kind == "table":
        assert found.x.shape == (len(found.y), len(found.columns))
        assert found.y.unique().tolist() == list(range(len(found.classes)))
    else:
        assert len(found.src) == len(found.dst) == len(found.t)


def well_formed(graph: data.GraphData) -> None:
    src, dst = graph.edge_index
    n = graph.num_nodes
    keys = src * n + dst
    assert graph.edge_index.dtype == torch.long
    assert (keys.diff() > 0).all(), "sorted, no duplicates"
    assert (src != dst).all()
    assert set(graph.edge_index.flatten().tolist()) <= set(range(n))
    if not graph.directed:
        assert torch.equal((dst * n + src).sort().values, keys)
        if graph.edge_weight is not None:
            assert torch.equal(graph.edge_weight[(dst * n + src).argsort()], graph.edge_weight)
    for values in (graph.names, graph.y):
        assert values is None or len(values) in (0, n)
    if graph.y is not None and graph.classes:
        assert int(graph.y.max()) < len(graph.classes)


def test_wrong_names_and_kinds_are_told_in_one_line() -> None:
    with pytest.raises(data.InputError, match="did you mean 'karate'"):
        data.load("karat")
    with pytest.raises(data.InputError, match="'digits' is not one graph; allowed: karate"):
        data.graph("digits")
    with pytest.raises(data.InputError, match="no labels to predict: its nodes need an attribute"):
        data.labelled("florentine")


def test_karate_is_networkx_own_with_its_two_halves() -> None:
    graph, club = data.graph("karate"), nx.karate_club_graph()
    assert graph.classes == ("Mr. Hi", "Officer")
    assert [graph.classes[k] for k in graph.y] == [side for _, side in club.nodes(data="club")]
    weights = {(u, v): w for (u, v), w in zip(graph.edge_index.T.tolist(), graph.edge_weight.tolist())}
    assert weights == {pair: w for u, v, w in club.edges(data="weight") for pair in ((u, v), (v, u))}


def test_les_miserables_davis_florentine_and_the_atlas() -> None:
    novel = data.graph("les-miserables")
    assert (novel.num_nodes, novel.edge_index.shape[1] // 2) == (77, 254)
    heaviest = novel.edge_index[:, novel.edge_weight.argmax()]
    assert {novel.names[k] for k in heaviest} == {"Valjean", "Cosette"}
    south = data.graph("davis")
    part = south.truth["part"]
    assert part.bincount().tolist() == [18, 14]
    assert (part[south.edge_index[0]] != part[south.edge_index[1]]).all()
    florence = data.graph("florentine")
    degree = florence.edge_index[0].bincount()
    assert florence.names[degree.argmax()] == "Medici"
    atlas = data.graphs("graph-atlas")
    sizes = torch.tensor([graph.num_nodes for graph in atlas.graphs]).bincount()
    assert sizes.tolist() == [0, 1, 2, 4, 11, 34, 156, 1044]  # the number of graphs on n nodes, OEIS A000088


def test_tables_come_with_names_and_digits_with_a_shape() -> None:
    digits = data.table("digits")
    assert digits.image == (8, 8)
    assert digits.x.shape == (1797, 64)
    assert data.table("breast-cancer").classes == ("malignant", "benign")
    assert data.table("wine").columns[0] == "alcohol"


@settings(deadline=None, max_examples=40)
@given(n=st.integers(2, 30), p=st.floats(0, 1), seed=st.integers(0, 999), directed=st.booleans())
def test_statistics_agree_with_networkx_and_pyg(n: int, p: float, seed: int, directed: bool) -> None:
    graph = nx.gnp_random_graph(n, p, seed=seed, directed=directed)
    nx.set_node_attributes(graph, {node: node % 2 for node in graph}, "class")
    ours = data.from_networkx(graph)
    found = data.statistics(ours)
    plain = nx.Graph(graph)
    assert found["nodes"] == n
    assert found["edges"] == graph.number_of_edges()
    assert found["density"] == pytest.approx(nx.density(graph))
    assert found["components"] == nx.number_connected_components(plain)
    assert found["mean degree"] == pytest.approx(2 * plain.number_of_edges() / n)
    assert found["clustering"] == pytest.approx(nx.average_clustering(plain))
    if n > 2 and graph.number_of_edges():
        assert found["homophily"] == pytest.approx(homophily(ours.edge_index, ours.y, method="edge"), abs=1e-6)
