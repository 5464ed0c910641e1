"""The user's own graphs: kept whole, found again, thrown away, and nothing outside their folder is touched."""

from pathlib import Path

import networkx as nx
import pytest
import torch

from neurorama import data
from neurorama.data import folder

ROWS = b"source,target,weight\nann,bob,1.5\nbob,<script>,2\n"


def labelled() -> bytes:
    graph = nx.cycle_graph(6, create_using=nx.DiGraph)
    nx.set_node_attributes(graph, {node: "ab"[node % 2] for node in graph}, "class")
    nx.set_node_attributes(graph, {node: node**2 for node in graph}, "size")
    return "\n".join(nx.generate_gml(graph)).encode()


@pytest.mark.parametrize(("content", "filename"), [(ROWS, "My Friends!.csv"), (labelled(), "ring.gml")])
def test_a_graph_comes_back_as_it_was_read(content: bytes, filename: str) -> None:
    name = data.add(content, filename)
    read, kept = data.read(content, filename), data.graph(name)
    for field in ("edge_index", "x", "y", "edge_weight"):
        one, two = getattr(read, field), getattr(kept, field)
        assert (one is None and two is None) or torch.equal(one, two)
    for field in ("names", "classes", "columns", "directed", "notes"):
        assert getattr(read, field) == getattr(kept, field)
    assert data.own() == [name]
    assert name in [source.name for source in data.sources("graph")]
    assert data.add(content, filename) == name, "the same file is the same graph"
    data.remove(name)
    assert data.own() == []
    with pytest.raises(data.InputError, match="no graph of your own"):
        data.load(name)


def test_names_are_made_safe(own_data_folder: Path) -> None:
    names = [data.add(ROWS, f"{stem}.csv") for stem in ("../../etc/Pass wd", "Ünï", "a" * 300)]
    assert [name[:-9] for name in names] == ["mine/pass-wd", "mine/n", f"mine/{'a' * 40}"]
    assert {path.parent for path in own_data_folder.rglob("*") if path.is_file()} == {own_data_folder / "mine"}


@pytest.mark.parametrize(
    "name", ["mine/../secret", "mine/", "mine/a/b", "mine/.hidden", "mine/A", "mine/a\0", "mine/..."]
)
def test_a_name_cannot_lead_out_of_the_folder(name: str, own_data_folder: Path) -> None:
    (own_data_folder / "mine").mkdir(parents=True)
    secret = own_data_folder / "secret.json"
    secret.write_text("{}")
    for act in (data.load, data.remove):
        with pytest.raises(data.InputError, match="a graph of your own is called mine/"):
            act(name)
    assert secret.exists()


def test_what_is_refused_leaves_nothing_behind(own_data_folder: Path) -> None:
    for content, filename in ((b"1,1\n", "a.csv"), (b"", "a.csv"), (ROWS, "a.exe"), (b"\x80\x04", "a.gml")):
        with pytest.raises(data.InputError):
            data.add(content, filename)
    assert not own_data_folder.exists()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'"sources":[0', b'"sources":[7'),
        (b'"sources":[0,', b'"sources":['),
        (b'"weight":[1.5', b'"weight":["x"'),
        (b"{", b""),
        (b'"names"', b'"nomes"'),
    ],
)
def test_a_damaged_graph_says_so(before: bytes, after: bytes) -> None:
    name = data.add(ROWS, "a.csv")
    path = folder.mine() / f"{name.removeprefix('mine/')}.json"
    content = path.read_bytes()
    assert before in content
    path.write_bytes(content.replace(before, after, 1))
    with pytest.raises(data.InputError, match="is damaged") as caught:
        data.load(name)
    assert "\n" not in str(caught.value)


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    folder.write(path, b"old")

    def fail(*_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="full"):
        folder.write(path, b"new")
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"old"


def test_own_graphs_do_not_lie_in_a_cache_that_systems_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEURORAMA_DATA")
    assert folder.root() not in folder.mine().parents


def test_a_graph_without_labels_cannot_be_a_labelling_task() -> None:
    with pytest.raises(data.InputError, match="has no labels"):
        data.labelled(data.add(ROWS, "a.csv"))
    one = b'{"nodes": [{"id": 1, "y": 0}, {"id": 2, "y": 0}], "edges": [{"source": 1, "target": 2}]}'
    with pytest.raises(data.InputError, match="only one label, '0'"):
        data.labelled(data.add(one, "one.json"))
    assert data.labelled(data.add(labelled(), "ring.gml")).num_classes == 2
