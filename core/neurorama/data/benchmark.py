"""Public benchmarks, read by PyG's readers from the data root, and fetched into it where they are missing.

Nothing heavy is imported before a benchmark is loaded, so that listing them stays fast.
"""

from __future__ import annotations

import gzip
import io
import pickletools
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..errors import InputError
from . import folder

if TYPE_CHECKING:
    from .types import GraphData, GraphSet, Stream

# What the pickles of Planetoid may name: arrays and sparse matrices, nothing that acts.
_ARRAYS = {
    "__builtin__ list",
    "collections defaultdict",
    "numpy dtype",
    "numpy ndarray",
    "numpy.core.multiarray _reconstruct",
    "scipy.sparse.csr csr_matrix",
}
_IMPORTS = {"GLOBAL", "STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4"}


@dataclass(frozen=True)
class Benchmark:
    """One benchmark: what it is, its files below the data root, the address they come from, and who reads them.

    `url` is the folder that has the files, or one archive (.zip with all of them, .gz with the only one).
    """

    kind: Literal["graph", "graphs", "stream"]
    title: str
    files: tuple[str, ...]
    url: str
    read: Callable[[Path], GraphData | GraphSet | Stream]

    def missing(self) -> list[str]:
        return [file for file in self.files if not (folder.root() / file).is_file()]

    def fetch(self) -> Iterator[tuple[str, bytes]]:
        """(file, content) for each of `files`, downloaded."""
        if self.url.endswith(".gz"):
            yield self.files[0], gzip.decompress(folder.download(self.url))
        elif self.url.endswith(".zip"):
            with zipfile.ZipFile(io.BytesIO(folder.download(self.url))) as archive:
                members = {member.rpartition("/")[2]: member for member in archive.namelist()}
                for file in self.files:
                    yield file, archive.read(members[Path(file).name])
        else:
            for file in self.files:
                yield file, folder.download(f"{self.url}/{Path(file).name}")


def load(name: str) -> GraphData | GraphSet | Stream:
    """A benchmark of `BENCHMARKS`, downloaded into the data root if it is not there.

    Raises:
        InputError: its files are missing and cannot be had, or are damaged.
    """
    benchmark = BENCHMARKS[name]
    missing = benchmark.missing()
    if missing:
        try:
            for file, content in list(benchmark.fetch()):
                folder.write(folder.root() / file, content)
        except (OSError, HTTPException, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
            raise InputError(
                f"source={name!r} needs {missing[0]} in {folder.root()}, and it could not be downloaded from "
                f"{benchmark.url} ({_short(error)}); NEURORAMA_DATA names the folder to look in"
            ) from None
    first = folder.root() / benchmark.files[0]
    try:
        return benchmark.read(first)
    except Exception as error:  # whatever a reader makes of a damaged file
        raise InputError(f"source={name!r}: the files in {first.parent} cannot be read ({_short(error)})") from error


def _short(error: BaseException) -> str:
    return (" ".join(str(getattr(error, "reason", error)).split()) or type(error).__name__)[:160]


def _check_pickle(path: Path) -> None:
    """Raises ValueError where unpickling `path` would import anything but arrays."""
    for code, argument, _ in pickletools.genops(path.read_bytes()):
        if code.name in _IMPORTS and not (code.name == "GLOBAL" and argument in _ARRAYS):
            raise ValueError(f"{path.name} is a pickle that wants {argument or code.name}")


def _planetoid(first: Path, classes: tuple[str, ...]) -> GraphData:
    from torch_geometric.io import read_planetoid_data

    from .types import GraphData

    prefix = first.name.split(".")[1]
    for file in first.parent.glob(f"ind.{prefix}.*"):
        if not file.name.endswith(".test.index"):
            _check_pickle(file)
    raw: Any = read_planetoid_data(str(first.parent), prefix)
    return GraphData(
        edge_index=raw.edge_index,
        x=raw.x / raw.x.sum(1, keepdim=True).clamp(min=1),
        y=raw.y,
        classes=classes,
        splits=((raw.train_mask, raw.val_mask, raw.test_mask),),
    )


def _heterophilous(path: Path, classes: tuple[str, ...]) -> GraphData:
    import numpy as np
    import torch

    from .convert import assemble

    with np.load(path, allow_pickle=False) as raw:
        masks = [torch.as_tensor(raw[f"{part}_masks"]) for part in ("train", "val", "test")]
        return assemble(
            pairs=torch.as_tensor(raw["edges"]).T,
            x=torch.as_tensor(raw["node_features"]).float(),
            y=torch.as_tensor(raw["node_labels"]).long(),
            classes=classes,
            splits=tuple(zip(*masks)),
        )


def _tu(first: Path, classes: tuple[str, ...]) -> GraphSet:
    from torch_geometric.io import read_tu_data

    from .types import GraphData, GraphSet

    raw: Any
    raw, slices, _ = read_tu_data(str(first.parent), first.name.removesuffix("_A.txt"))
    edges, nodes = slices["edge_index"].tolist(), slices["x"].tolist()
    return GraphSet(
        graphs=tuple(
            GraphData(raw.edge_index[:, a:b], raw.x[c:d]) for a, b, c, d in zip(edges, edges[1:], nodes, nodes[1:])
        ),
        y=raw.y,
        classes=classes,
    )


def _contacts(path: Path, separator: str) -> Stream:
    """Rows `source target [rating] seconds`, with or without a header; time becomes days since the first event."""
    import numpy as np
    import pandas as pd
    import torch

    from .types import Stream

    with path.open(encoding="utf-8") as file:
        header = 0 if file.read(1).isalpha() else None
    rows = pd.read_csv(path, sep=separator, header=header).to_numpy(dtype=np.float64)
    rows = rows[rows[:, -1].argsort(kind="stable")]
    people, ends = np.unique(rows[:, :2].astype(np.int64), return_inverse=True)
    src, dst = torch.as_tensor(ends.reshape(-1, 2)).T.contiguous()
    return Stream(
        src=src,
        dst=dst,
        t=torch.as_tensor((rows[:, -1] - rows[0, -1]) / 86400).float(),
        num_nodes=len(people),
        message=torch.as_tensor(rows[:, 2:-1]).float() if rows.shape[1] > 3 else None,
        names=tuple(str(person) for person in people),
    )


def _citations(name: str, title: str, *classes: str) -> Benchmark:
    parts = ("x", "tx", "allx", "y", "ty", "ally", "graph", "test.index")
    files = tuple(f"pyg/{name}/raw/ind.{name.lower()}.{part}" for part in parts)
    url = "https://github.com/kimiyoung/planetoid/raw/master/data"
    return Benchmark("graph", title, files, url, partial(_planetoid, classes=classes))


def _yandex(name: str, title: str, *classes: str) -> Benchmark:
    url = "https://github.com/yandex-research/heterophilous-graphs/raw/main/data"
    return Benchmark("graph", title, (f"heterophilous/{name}.npz",), url, partial(_heterophilous, classes=classes))


def _molecules(name: str, title: str, *classes: str) -> Benchmark:
    parts = ("A", "graph_indicator", "graph_labels", "node_labels")
    files = tuple(f"pyg/{name}/raw/{name}_{part}.txt" for part in parts)
    url = f"https://www.chrsmrrs.com/graphkerneldatasets/{name}.zip"
    return Benchmark("graphs", title, files, url, partial(_tu, classes=classes))


def _snap(file: str, title: str, separator: str) -> Benchmark:
    url = f"https://snap.stanford.edu/data/{file}.gz"
    return Benchmark("stream", title, (f"temporal/{file}",), url, partial(_contacts, separator=separator))


BENCHMARKS: dict[str, Benchmark] = {
    "cora": _citations(
        "Cora",
        "Cora: 2,708 papers on machine learning, who cites whom, seven topics",
        "Theory",
        "Reinforcement Learning",
        "Genetic Algorithms",
        "Neural Networks",
        "Probabilistic Methods",
        "Case Based",
        "Rule Learning",
    ),
    "citeseer": _citations(
        "CiteSeer",
        "CiteSeer: 3,327 papers of computer science, who cites whom, six topics",
        "AI",
        "Machine Learning",
        "Information Retrieval",
        "Databases",
        "Agents",
        "Human-Computer Interaction",
    ),
    "texas": _yandex("texas", "Texas: 183 pages of a university's website, mostly linked across classes"),
    "cornell": _yandex("cornell", "Cornell: 183 pages of a university's website, mostly linked across classes"),
    "actor": _yandex("actor", "Actor: 7,600 actors, linked where they share a page of Wikipedia"),
    "chameleon-filtered": _yandex("chameleon_filtered", "Chameleon: 890 pages of Wikipedia, duplicates taken out"),
    "squirrel-filtered": _yandex("squirrel_filtered", "Squirrel: 2,223 pages of Wikipedia, duplicates taken out"),
    "minesweeper": _yandex(
        "minesweeper", "Minesweeper: a board of 100 by 100 fields, where are mines?", "free", "mine"
    ),
    "mutag": _molecules("MUTAG", "MUTAG: 188 molecules, do they change genes?", "not mutagenic", "mutagenic"),
    "proteins": _molecules("PROTEINS", "PROTEINS: 1,113 proteins, are they enzymes?", "enzyme", "not an enzyme"),
    "nci1": _molecules("NCI1", "NCI1: 4,110 molecules, do they act against lung cancer cells?"),
    "collegemsg": _snap("CollegeMsg.txt", "CollegeMsg: 59,835 private messages of students over half a year", " "),
    "bitcoin-otc": _snap("soc-sign-bitcoinotc.csv", "Bitcoin OTC: who trusted whom, and how far, over five years", ","),
}
