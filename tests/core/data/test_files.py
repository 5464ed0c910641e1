"""Files from strangers: valid ones come back as they were written, all others end in one line that says why."""

import csv
import io
import json
import pickle
from collections.abc import Callable
from pathlib import Path

import networkx as nx
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from neurorama import data

SUFFIXES = (".csv", ".tsv", ".txt", ".edges", ".edgelist", ".graphml", ".gml", ".json")


def graphml(graph: nx.Graph) -> bytes:
    return "\n".join(nx.generate_graphml(graph)).encode()


def gml(graph: nx.Graph) -> bytes:
    return "\n".join(nx.generate_gml(graph)).encode()


def node_link(graph: nx.Graph) -> bytes:
    return json.dumps(nx.node_link_data(graph)).encode()


def links(graph: nx.Graph) -> bytes:
    return json.dumps(nx.node_link_data(graph, edges="links")).encode()


WRITERS: list[tuple[str, Callable[[nx.Graph], bytes]]] = [
    (".graphml", graphml),
    (".gml", gml),
    (".json", node_link),
    (".json", links),
]

names = st.text("abcXYZ019 _-<>&'\"é√", min_size=1, max_size=8).map(lambda text: " ".join(text.split())).filter(bool)


@st.composite
def networks(draw: st.DrawFn) -> nx.Graph:
    """Named nodes with a class and a number, weighted edges, at least one of them."""
    nodes = draw(st.lists(names, min_size=3, max_size=9, unique=True))
    graph = nx.DiGraph() if draw(st.booleans()) else nx.Graph()
    for place, node in enumerate(nodes):
        size = draw(st.floats(-100, 100, allow_nan=False).map(lambda value: round(value, 3)))
        graph.add_node(node, **{"class": "<b>" if place == 0 else draw(st.sampled_from(["<b>", "cat"])), "size": size})
    pairs = [(u, v) for u in nodes for v in nodes if u != v]
    for u, v in draw(st.lists(st.sampled_from(pairs), min_size=1, max_size=15)):
        graph.add_edge(u, v, weight=float(draw(st.integers(-5, 5))))
    return graph


def edges_of(graph: data.GraphData) -> dict[tuple[str, str], float]:
    src, dst = graph.edge_index.tolist()
    weights = [1.0] * len(src) if graph.edge_weight is None else graph.edge_weight.tolist()
    return {(graph.names[u], graph.names[v]): w for u, v, w in zip(src, dst, weights)}


def edges_in(graph: nx.Graph) -> dict[tuple[str, str], float]:
    directed = graph if graph.is_directed() else graph.to_directed()
    return {(u, v): w for u, v, w in directed.edges(data="weight")}


@pytest.mark.parametrize(("suffix", "write"), WRITERS)
@settings(deadline=None, max_examples=40)
@given(graph=networks())
def test_what_networkx_writes_is_read_as_it_was(suffix: str, write: Callable, graph: nx.Graph) -> None:
    found = data.read(write(graph), f"a{suffix}")
    assert found.names == tuple(graph)
    assert found.directed == graph.is_directed()
    assert edges_of(found) == edges_in(graph)
    assert [found.classes[k] for k in found.y] == [kind for _, kind in graph.nodes(data="class")]
    assert found.columns == ("size",)
    sizes = [size for _, size in graph.nodes(data="size")]
    mean = sum(sizes) / len(sizes)
    deviation = (sum((size - mean) ** 2 for size in sizes) / len(sizes)) ** 0.5
    assume(deviation > 0.01 or deviation == 0)
    expected = [(size - mean) / deviation if deviation else 0 for size in sizes]
    assert found.x[:, 0].tolist() == pytest.approx(expected, abs=1e-4)
    assert found.notes == ()


@settings(deadline=None, max_examples=60)
@given(graph=networks(), mark=st.sampled_from(",;\t"), suffix=st.sampled_from(SUFFIXES[:5]), weighted=st.booleans())
def test_an_edge_list_is_read_whatever_separates_its_fields(
    graph: nx.Graph, mark: str, suffix: str, weighted: bool
) -> None:
    graph = nx.Graph(graph)
    text = io.StringIO()
    rows = csv.writer(text, delimiter=mark)
    rows.writerow(["source", "target", *(["weight"] if weighted else [])])
    rows.writerows([u, v, *([w] if weighted else [])] for u, v, w in graph.edges(data="weight"))
    found = data.read(text.getvalue().encode(), f"a{suffix}")
    expected = edges_in(graph)
    assert edges_of(found) == (expected if weighted else dict.fromkeys(expected, 1.0))


texts = st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass"))


@settings(deadline=None, max_examples=150)
@given(suffix=st.sampled_from(SUFFIXES), content=st.binary(max_size=300) | texts)
def test_noise_is_refused_in_one_line(suffix: str, content: bytes) -> None:
    reads_or_refuses(content, suffix)


@settings(deadline=None, max_examples=300)
@given(
    graph=networks(),
    form=st.sampled_from(
        [*WRITERS, (".csv", lambda graph: "\n".join(nx.generate_edgelist(graph, ",", False)).encode())]
    ),
    cut=st.tuples(st.floats(0, 1), st.integers(0, 30)),
    put=st.text(max_size=6) | st.sampled_from(["NaN", "1e999", "[", "]", "{", '"', "-1", "&lol;", "\n", "null", "[[["]),
)
def test_a_damaged_file_is_read_or_refused_in_one_line(
    graph: nx.Graph, form: tuple[str, Callable], cut: tuple[float, int], put: str
) -> None:
    suffix, write = form
    content = write(graph)
    place = int(cut[0] * len(content))
    reads_or_refuses(content[:place] + put.encode("utf-8", "replace") + content[place + cut[1] :], suffix)


def reads_or_refuses(content: bytes, suffix: str) -> None:
    refusal = ""
    try:
        graph = data.read(content, f"a{suffix}")
    except data.InputError as error:
        refusal = str(error)
    if refusal:
        assert "\n" not in refusal
        assert refusal.startswith(f"a{suffix}: ")
    else:
        assert graph.edge_index.numel()
        assert all(len(name) <= 100 and "\n" not in name for name in graph.names)
        assert graph.x.isfinite().all()


@pytest.mark.parametrize(
    ("filename", "content", "message"),
    [
        ("a.csv", b"", "the file is empty"),
        ("a.csv", b" \n\n", "the file is empty"),
        ("a.csv", b"# nothing\n,,\n", "there are no rows in it"),
        ("a.csv", b"\xff\xfea,b", "not UTF-8 text (byte 0 is 0xff)"),
        ("a.csv", b"a,b\0", "zero byte"),
        ("a.csv", b"source,target\n", "no rows below the header"),
        ("a.csv", b"1,2\n3\n", "line 2: 1 fields, 2 are needed"),
        ("a.csv", b"# made by hand\n1,2\n\n,3\n", "line 4: the source is empty"),
        ("a.csv", b"1,2,0.5\n2,3,nan\n", "line 2: weight='nan' is not a finite number"),
        ("a.csv", b"1,2,0.5\n2,3,much\n", "line 2: weight='much' is not a finite number"),
        ("a.csv", b"# a\none\ntwo\n", "line 2: one field only, source and target are needed"),
        ("a.csv", b"7,7\n", "no edge joins two different nodes"),
        ("a.csv", b",".join([b"1"] * 500), "line 1: 500 fields; a row is one edge"),
        ("a.csv", b'a,"b\n', "line 2: unexpected end of data"),
        ("a.csv", b"0,1\n" * 2_000_000, "2,000,001 lines; allowed are 1,000,000 edges"),
        ("a.csv", b"0,1,2,3\n" * 2_000_000, "16.0 MB; allowed are 10 MB"),
        ("a.csv", b"".join(b"%d,%d\n" % (k, k + 1) for k in range(100_000)), "100,001 nodes; allowed are 100,000"),
        ("a.gml", b"graph [ node [ id 0 ]", "cut off"),
        ("a.gml", b"graph [ node [ id 0 ] edge [ source 0 target 1 ] ]", "undefined target 1"),
        ("a.gml", b"graph [" + b" a [" * 50_000, "recursion"),
        ("a.gml", b"1" * 5_000_000, "digits"),
        ("a.json", b'{"nodes": [{"id": 1}', "cut off"),
        ("a.json", b"[" * 1_000_000, "recursion"),
        ("a.json", b"[1, 2]", "node-link JSON is an object"),
        ("a.json", b'{"nodes": [{"name": 1}], "edges": []}', "nodes[0]: an object with 'id'"),
        ("a.json", b'{"nodes": [{"id": 1}, {"id": 1}], "edges": []}', "nodes[1]: id='1' was there before"),
        ("a.json", b'{"nodes": [{"id": 1}], "edges": [{"source": 1, "target": 2}]}', "an edge leads to '2'"),
        ("a.json", b'{"nodes": [{"id": 1}], "edges": []}', "no edge joins two different nodes"),
        (
            "a.json",
            b'{"nodes": [{"id": 1, "a": NaN}, {"id": 2, "a": 1}], "edges": []}',
            "node 1: a='nan' is not a finite",
        ),
        ("a.graphml", b"<graphml><graph>", "cut off"),
        ("a.xlsx", b"PK\x03\x04", "allowed: .csv, .tsv, .txt"),
        ("a.csv", b"PK\x03\x04", "a zip archive"),
        ("a.csv", b"\x1f\x8b", "compressed"),
        ("no suffix", b"1,2", "allowed: .csv"),
    ],
)
def test_a_bad_file_is_refused_with_its_reason(filename: str, content: bytes, message: str) -> None:
    with pytest.raises(data.InputError) as caught:
        data.read(content, filename)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_entities_are_refused_and_never_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    body = (
        '<graphml><graph edgedefault="undirected"><node id="a&x;"/><node id="b"/><edge source="a" target="b"/></graph>'
    )
    bomb = '<!ENTITY y "aaaaaaaaaa"><!ENTITY x "' + "&y;" * 1000 + '">'
    for inside in (f'<!ENTITY x SYSTEM "{secret.as_uri()}">', bomb):
        with pytest.raises(data.InputError, match="a document type or an entity is declared") as caught:
            data.read(f"<!DOCTYPE graphml [{inside}]>{body}</graphml>".encode(), "a.graphml")
        assert "hunter2" not in str(caught.value)


def test_a_graphml_edge_to_nowhere_is_refused() -> None:
    graph = nx.Graph([("a", "b"), ("b", "c")])
    content = graphml(graph).replace(b'<node id="c" />', b"")
    with pytest.raises(data.InputError, match="an edge leads to 'c', which is not among the nodes"):
        data.read(content, "a.graphml")


class Trap:
    def __reduce__(self) -> tuple[Callable, tuple]:
        return Path.touch, (Path(self.mark),)  # type: ignore[attr-defined]


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    trap = Trap()
    trap.mark = str(tmp_path / "sprung")  # type: ignore[attr-defined]
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        content = pickle.dumps(trap, protocol)
        for suffix in SUFFIXES:
            with pytest.raises(data.InputError):
                data.read(content, f"a{suffix}")
    assert not (tmp_path / "sprung").exists()
    pickle.loads(content)
    assert (tmp_path / "sprung").exists(), "the trap works, so the test could fail"


def test_what_was_cleaned_is_told() -> None:
    rows = b"source,target,weight,colour\na,b,2,red\nb,a,2,red\na,a,1,red\na,b,7,red\nb,c,3,red\n"
    found = data.read(rows, "a.csv")
    assert edges_of(found) == {("a", "b"): 2, ("b", "a"): 2, ("b", "c"): 3, ("c", "b"): 3}
    assert found.notes == (
        "columns that were not read: colour",
        "1 self-loop dropped",
        "1 repeated edge merged; the first weight counts",
    )
    assert "the first row was read as an edge, from 'a' to 'b'" in data.read(b"a,b\nb,c\n", "a.csv").notes


@pytest.mark.parametrize("header", ["from;to", "FROM_NODE;TO_NODE", "person;friend"])
def test_a_header_is_told_from_an_edge(header: str) -> None:
    assert data.read(f"{header}\n1;2\n2;3\n".encode(), "a.csv").names == ("1", "2", "3")


def test_columns_are_found_by_name() -> None:
    found = data.read(b"weight,target,source\n5,b,a\n", "a.csv")
    assert edges_of(found) == {("a", "b"): 5, ("b", "a"): 5}


def test_gml_with_repeated_labels_takes_them_as_classes() -> None:
    text = b"""graph [
      node [ id 0 label "x" ] node [ id 1 label "x" ] node [ id 5 label "y" ]
      edge [ source 0 target 1 ] edge [ source 1 target 0 ] edge [ source 0 target 1 ] edge [ source 1 target 1 ]
    ]"""
    found = data.read(text, "a.gml")
    assert found.classes == ("x", "y")
    assert found.y.tolist() == [0, 0, 1]
    assert found.names == ("0", "1", "5")
    assert found.notes == ("1 self-loop dropped", "2 repeated edges merged")


def test_labels_that_not_every_node_has_are_no_labels() -> None:
    nodes = [{"id": 1, "class": "a"}, {"id": 2, "class": "a"}, {"id": 3}]
    found = data.read(json.dumps({"nodes": nodes, "links": [{"source": 1, "target": 2}]}).encode(), "a.json")
    assert found.y is None
    assert "class is missing on 1 of 3 nodes, so it is no label" in found.notes


def test_a_path_is_read_like_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "ring.csv"
    path.write_bytes(b"\xef\xbb\xbf1,2\r\n2,3\r\n3,1\r\n")
    assert edges_of(data.read(path)) == edges_of(data.read(path.read_bytes(), "ring.csv"))
    assert data.read(str(path)).names == ("1", "2", "3")
    with pytest.raises(data.InputError, match="cannot be opened"):
        data.read(tmp_path / "none.csv")
    with pytest.raises(data.InputError, match="cannot be opened"):
        data.read(tmp_path, "folder.csv")
