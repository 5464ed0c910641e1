"""Benchmarks agree with PyG's own datasets; a missing file is fetched whole or not at all."""

import gzip
import io
import pickle
import shutil
import zipfile
from email.message import Message
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from torch_geometric.datasets import HeterophilousGraphDataset, Planetoid, TUDataset
from torch_geometric.transforms import NormalizeFeatures

from neurorama import data
from neurorama.data import benchmark, folder


@pytest.fixture
def root(shared_data: Path, own_data_folder: Path) -> Path:
    """A data root with the real files; the loaders of PyG may write there."""
    for part in ("pyg", "heterophilous", "temporal"):
        shutil.copytree(shared_data / part, own_data_folder / part, copy_function=linked)
    return own_data_folder


def linked(source: str, target: str) -> None:
    Path(target).symlink_to(source)


@pytest.mark.parametrize("name", ["Cora", "CiteSeer"])
def test_citations_are_planetoids(name: str, root: Path) -> None:
    ours = data.graph(name.lower())
    (pyg,) = Planetoid(str(root / "pyg"), name, transform=NormalizeFeatures())
    assert torch.equal(ours.edge_index, pyg.edge_index)
    assert torch.allclose(ours.x, pyg.x)
    assert torch.equal(ours.y, pyg.y)
    assert all(torch.equal(a, b) for a, b in zip(ours.splits[0], (pyg.train_mask, pyg.val_mask, pyg.test_mask)))
    assert ours.num_classes == len(ours.classes)


def test_cora_is_the_size_that_papers_tell(root: Path) -> None:
    cora = data.graph("cora")
    assert (cora.num_nodes, cora.edge_index.shape[1] // 2, cora.x.shape[1]) == (2708, 5278, 1433)
    assert [int(mask.sum()) for mask in cora.splits[0]] == [140, 500, 1000]
    sizes = dict(zip(cora.classes, cora.y.bincount().tolist()))
    assert sizes["Neural Networks"] == 818
    assert sizes["Rule Learning"] == 180


def test_heterophilous_graphs_are_pygs(root: Path, tmp_path: Path) -> None:
    raw = tmp_path / "h" / "minesweeper" / "raw"
    raw.mkdir(parents=True)
    shutil.copy(root / "heterophilous" / "minesweeper.npz", raw)
    (pyg,) = HeterophilousGraphDataset(str(tmp_path / "h"), "Minesweeper")
    ours = data.graph("minesweeper")
    assert torch.equal(ours.edge_index, pyg.edge_index)
    assert torch.equal(ours.x, pyg.x)
    assert torch.equal(ours.y, pyg.y)
    assert len(ours.splits) == 10
    assert torch.equal(torch.stack([test for *_, test in ours.splits], 1), pyg.test_mask)


@pytest.mark.parametrize("name", ["texas", "cornell", "actor", "chameleon-filtered", "squirrel-filtered"])
def test_splits_of_heterophilous_graphs_do_not_overlap(name: str, root: Path) -> None:
    graph = data.graph(name)
    assert not graph.directed
    src, dst = graph.edge_index
    assert (src != dst).all()
    assert len(graph.splits) == 10
    for train, val, test in graph.splits:
        assert not ((train & val) | (train & test) | (val & test)).any()
        assert test.any()


@pytest.mark.parametrize("name", ["MUTAG", "PROTEINS"])
def test_molecules_are_tudatasets(name: str, root: Path) -> None:
    ours = data.graphs(name.lower())
    pyg = TUDataset(str(root / "pyg"), name)
    assert len(ours.graphs) == len(pyg)
    for k, (mine, theirs) in enumerate(zip(ours.graphs, pyg)):
        assert torch.equal(mine.edge_index, theirs.edge_index)
        assert torch.equal(mine.x, theirs.x)
        assert ours.y[k] == theirs.y
    if name == "MUTAG":
        assert ours.y.bincount()[ours.classes.index("mutagenic")] == 125


@pytest.mark.parametrize(
    ("name", "file", "mark", "skip"),
    [("collegemsg", "CollegeMsg.txt", " ", 0), ("bitcoin-otc", "soc-sign-bitcoinotc.csv", ",", 1)],
)
def test_streams_hold_every_row_in_the_order_of_time(name: str, file: str, mark: str, skip: int, root: Path) -> None:
    lines = (root / "temporal" / file).read_text().splitlines()[skip:]
    rows = sorted(([float(field) for field in line.split(mark)] for line in lines), key=lambda row: row[-1])
    stream = data.stream(name)
    ends = zip(stream.src.tolist(), stream.dst.tolist(), strict=True)
    assert [(int(stream.names[u]), int(stream.names[v])) for u, v in ends] == [(int(u), int(v)) for u, v, *_ in rows]
    days = [(row[-1] - rows[0][-1]) / 86400 for row in rows]
    assert stream.t.tolist() == pytest.approx(days, abs=1e-3)
    if len(rows[0]) == 4:
        assert stream.message.flatten().tolist() == [row[2] for row in rows]


def test_the_header_of_a_stream_may_be_missing(root: Path) -> None:
    path = root / "temporal" / "soc-sign-bitcoinotc.csv"
    with_header = data.stream("bitcoin-otc")
    rows = path.read_text().partition("\n")[2]
    path.unlink()
    path.write_text(rows)
    assert torch.equal(data.stream("bitcoin-otc").src, with_header.src)


def test_nothing_is_written_beside_the_raw_files(root: Path) -> None:
    before = sorted(root.rglob("*"))
    for name in ("cora", "mutag", "texas"):
        data.load(name)
    assert sorted(root.rglob("*")) == before


class Web:
    """A stand-in for the web: answers each address from `pages`, or not at all."""

    def __init__(self, pages: dict[str, bytes]) -> None:
        self.pages, self.asked = pages, []

    def __call__(self, url: str, timeout: float) -> "Web":
        self.asked.append(url)
        if url not in self.pages:
            raise URLError("no way to the host")
        self.body, self.headers = self.pages[url], Message()
        return self

    def __enter__(self) -> "Web":
        return self

    def __exit__(self, *_: object) -> None: ...

    def read(self) -> bytes:
        return self.body


@pytest.mark.parametrize("name", list(benchmark.BENCHMARKS))
def test_without_network_one_line_says_what_is_missing_and_nothing_is_left(
    name: str, own_data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "urlopen", Web({}))
    with pytest.raises(data.InputError) as caught:
        data.load(name)
    message = str(caught.value)
    assert "\n" not in message
    for part in (
        name,
        str(own_data_folder),
        benchmark.BENCHMARKS[name].files[0],
        "NEURORAMA_DATA",
        "no way to the host",
    ):
        assert part in message
    assert not own_data_folder.exists()


@pytest.mark.parametrize("name", ["cora", "texas", "mutag", "collegemsg"])
def test_missing_files_are_fetched_once_and_as_they_are(
    name: str, shared_data: Path, own_data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = benchmark.BENCHMARKS[name]
    real = {file: (shared_data / file).read_bytes() for file in bench.files}
    if bench.url.endswith(".zip"):
        box = io.BytesIO()
        with zipfile.ZipFile(box, "w") as archive:
            for file, content in real.items():
                archive.writestr(f"{name.upper()}/{Path(file).name}", content)
            archive.writestr("../../outside.txt", "never")
        pages = {bench.url: box.getvalue()}
    elif bench.url.endswith(".gz"):
        pages = {bench.url: gzip.compress(next(iter(real.values())))}
    else:
        pages = {f"{bench.url}/{Path(file).name}": content for file, content in real.items()}
    web = Web(pages)
    monkeypatch.setattr(folder, "urlopen", web)
    data.load(name)
    assert sorted(web.asked) == sorted(pages)
    kept = {str(path.relative_to(own_data_folder)): path for path in own_data_folder.rglob("*") if path.is_file()}
    assert {file: path.read_bytes() for file, path in kept.items()} == real
    data.load(name)
    assert len(web.asked) == len(pages)


def test_a_download_that_breaks_off_leaves_nothing(
    shared_data: Path, own_data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = benchmark.BENCHMARKS["cora"]
    some = {f"{bench.url}/{Path(file).name}": (shared_data / file).read_bytes() for file in bench.files[:5]}
    monkeypatch.setattr(folder, "urlopen", Web(some))
    with pytest.raises(data.InputError):
        data.load("cora")
    assert not own_data_folder.exists()


class Trap:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_citation_file_that_would_run_something_is_refused(protocol: int, root: Path, tmp_path: Path) -> None:
    path = root / "pyg" / "Cora" / "raw" / "ind.cora.graph"
    path.unlink()
    path.write_bytes(pickle.dumps(Trap(tmp_path / "sprung"), protocol))
    with pytest.raises(data.InputError, match=r"ind\.cora\.graph is a pickle that wants"):
        data.load("cora")
    assert not (tmp_path / "sprung").exists()


def test_damaged_files_say_which_folder_to_look_in(root: Path) -> None:
    path = root / "heterophilous" / "texas.npz"
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[:5000])
    with pytest.raises(data.InputError, match="heterophilous cannot be read"):
        data.load("texas")
    path.unlink()
    np.savez(path, node_features=np.array([{"a": 1}], dtype=object))
    with pytest.raises(data.InputError, match="cannot be read"):
        data.load("texas")
