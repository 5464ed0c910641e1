"""A graph from a file that somebody brings: text in known formats only, nothing is executed or unpickled."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import networkx as nx
import torch
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from ..errors import InputError
from .convert import assemble, from_networkx, number, plain
from .types import GraphData

MAX_BYTES = 10_000_000
MAX_NODES = 100_000
MAX_EDGES = 1_000_000
MAX_COLUMNS = 30

_BINARY = {
    b"\x80": "a Python pickle, which is never opened",
    b"PK\x03\x04": "a zip archive (perhaps saved by torch or as a spreadsheet)",
    b"\x1f\x8b": "compressed; unpack it first",
}
_SOURCE = {"source", "src", "from", "from_node", "fromnode", "node1", "u"}
_TARGET = {"target", "dst", "to", "to_node", "tonode", "node2", "v"}
_WEIGHT = {"weight", "w", "value"}


def read(source: str | Path | bytes, filename: str = "") -> GraphData:
    """The graph in a file, or in the bytes of one called `filename`; what was cleaned is in its `notes`.

    Read are, by suffix: .csv .tsv .txt .edges .edgelist (rows `source, target[, weight]`, with or without a header,
    undirected), .graphml, .gml and .json (node-link). Files are at most 10 MB, 100,000 nodes and 1,000,000 edges.

    Raises:
        InputError: anything else; it says where and why.
    """
    name = filename or (Path(source).name if not isinstance(source, bytes) else "")
    suffix = Path(name).suffix.lower()
    if suffix not in _READERS:
        raise InputError(f"{plain(name)!r} is not a kind of file that is read; allowed: {', '.join(_READERS)}")
    try:
        graph = _READERS[suffix](_text(contents(source)))
        if graph.num_nodes > MAX_NODES:
            raise InputError(f"{graph.num_nodes:,} nodes; allowed are {MAX_NODES:,}")
        if not graph.edge_index.numel():
            raise InputError("no edge joins two different nodes")
    except InputError as error:
        raise InputError(f"{plain(name)}: {error}") from None
    return graph


def contents(source: str | Path | bytes) -> bytes:
    """The bytes of a file, at most `MAX_BYTES` of them."""
    if isinstance(source, bytes):
        size = len(source)
    else:
        try:
            size = Path(source).stat().st_size
            if size <= MAX_BYTES:
                source = Path(source).read_bytes()
        except (OSError, ValueError) as error:
            raise InputError(f"cannot be opened ({getattr(error, 'strerror', None) or error})") from None
    if size > MAX_BYTES:
        raise InputError(f"{size / 1e6:,.1f} MB; allowed are {MAX_BYTES // 1_000_000} MB")
    assert isinstance(source, bytes)
    return source


def _text(content: bytes) -> str:
    for start, what in _BINARY.items():
        if content.startswith(start):
            raise InputError(f"this is {what}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 text (byte {error.start:,} is 0x{content[error.start]:02x})") from None
    if "\0" in text:
        raise InputError("not a text file (it holds a zero byte)")
    if not text.strip():
        raise InputError("the file is empty")
    return text


def _edge_list(text: str) -> GraphData:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if len(lines) > MAX_EDGES + 2:
        raise InputError(f"{len(lines):,} lines; allowed are {MAX_EDGES:,} edges")
    rows = _rows(lines)
    head = [row for row in (next(rows, None), next(rows, None)) if row]
    source, target, weight, notes, header = _layout(head)
    place: dict[str, int] = {}
    ends: list[int] = []
    weights: list[float] = []
    width = max(source, target, weight or 0)
    for where, row in chain(head[header:], rows):
        if len(row) <= width:
            raise InputError(f"line {where}: {len(row)} fields, {width + 1} are needed")
        for column, role in ((source, "source"), (target, "target")):
            if not row[column]:
                raise InputError(f"line {where}: the {role} is empty")
            ends.append(place.setdefault(row[column], len(place)))
        if weight is not None:
            weights.append(number(row[weight], f"line {where}: weight"))
    if not ends:
        raise InputError("there are no rows below the header")
    return assemble(
        pairs=torch.tensor(ends).reshape(-1, 2).T,
        num_nodes=len(place),
        weight=torch.tensor(weights) if weight is not None else None,
        notes=notes,
        names=tuple(plain(node) for node in place),
    )


def _rows(lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    """(number of the line, its fields), without blank lines and comments; the first line tells the separator."""
    kept = ("" if line.lstrip().startswith(("#", "%")) else line for line in lines)
    first = next((line for line in lines if line.strip() and not line.lstrip().startswith(("#", "%"))), "")
    separator = next((mark for mark in "\t,;" if mark in first), None)
    if separator is None:
        yield from ((k, line.split()) for k, line in enumerate(kept, 1) if line.strip())
        return
    rows = csv.reader(kept, delimiter=separator, strict=True)
    try:
        for row in rows:
            fields = [field.strip() for field in row]
            if any(fields):
                yield rows.line_num, fields
    except csv.Error as error:
        raise InputError(f"line {rows.line_num}: {error}") from None


def _layout(head: list[tuple[int, list[str]]]) -> tuple[int, int, int | None, list[str], bool]:
    """(columns of source, target and weight, notes, whether there is a header), judged by the first two rows."""
    if not head:
        raise InputError("there are no rows in it")
    where, first = head[0]
    second = head[-1][1]
    if len(first) < 2:
        raise InputError(f"line {where}: one field only, source and target are needed")
    if len(first) > MAX_COLUMNS:
        raise InputError(f"line {where}: {len(first):,} fields; a row is one edge: source, target and perhaps a weight")
    words = [field.lower() for field in first]
    source = next((k for k, word in enumerate(words) if word in _SOURCE), None)
    target = next((k for k, word in enumerate(words) if word in _TARGET), None)
    known = source is not None and target is not None
    header = known or (not any(map(_numeric, first)) and any(map(_numeric, second)) and len(first) == len(second))
    if source is None or target is None:
        source, target = 0, 1
    weight = next((k for k, word in enumerate(words) if word in _WEIGHT), None) if header else None
    if not header and len(first) > 2:
        weight = 2
    unread = [k for k in range(len(first)) if k not in (source, target, weight)]
    named = [plain(first[k]) if header else str(k + 1) for k in unread]
    notes = [f"columns that were not read: {', '.join(named)}"] if named else []
    if not header and not any(map(_numeric, first)):
        notes.append(f"the first row was read as an edge, from {plain(first[0])!r} to {plain(first[1])!r}")
    return source, target, weight, notes, header


def _numeric(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _parsed(parse: Callable[[], nx.Graph], what: str) -> nx.Graph:
    """A parser of networkx at work on a stranger's file: whatever it trips over is a fault of the file."""
    try:
        return parse()
    except Exception as error:
        raise InputError(f"not {what} ({plain(error) or type(error).__name__})") from None


def _graphml(text: str) -> GraphData:
    try:
        tree = fromstring(text, forbid_dtd=True)
    except DefusedXmlException:
        raise InputError("a document type or an entity is declared in it, which is refused") from None
    except (ParseError, ValueError) as error:
        raise InputError(f"not XML, or cut off ({error})") from None
    graph = _parsed(lambda: nx.parse_graphml(text, edge_key_type=str), "GraphML")
    declared = {element.get("id") for element in tree.iterfind(".//{*}node")}
    _complete([node for node in graph if node not in declared])
    return from_networkx(graph)


def _gml(text: str) -> GraphData:
    # networkx stops at an edge listed twice, unless the graph says that it is a multigraph.
    if not re.search(r"\bmultigraph[ \t]+1", text):
        text = re.sub(r"^([ \t]*graph\s*\[)", r"\1 multigraph 1 ", text, count=1, flags=re.MULTILINE)
    # Ids tell the nodes apart; labels need not be there, and become names or classes.
    return from_networkx(_parsed(lambda: nx.parse_gml(text, label=None), "GML, or cut off"))  # type: ignore[arg-type]


def _node_link(text: str) -> GraphData:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON, or cut off ({plain(error)})") from None
    edges = content.get("edges", content.get("links")) if isinstance(content, dict) else None
    if not isinstance(edges, list) or not isinstance(content.get("nodes"), list):
        raise InputError("node-link JSON is an object with the lists `nodes` and `edges` (or `links`)")
    graph = nx.MultiDiGraph() if content.get("directed") is True else nx.MultiGraph()
    for k, node in enumerate(content["nodes"]):
        key, rest = _item(node, f"nodes[{k}]", "id")
        if key in graph:
            raise InputError(f"nodes[{k}]: id={plain(key)!r} was there before")
        graph.add_node(key, **rest)
    for k, edge in enumerate(edges):
        u, rest = _item(edge, f"edges[{k}]", "source")
        v, rest = _item(rest, f"edges[{k}]", "target")
        _complete([end for end in (u, v) if end not in graph])
        weight = rest.get("weight", rest.get("value"))
        graph.add_edge(u, v, **({} if weight is None else {"weight": weight}))
    return from_networkx(graph)


def _item(value: Any, where: str, key: str) -> tuple[Any, dict[str, Any]]:
    """(value[key], the rest of it)"""
    if not isinstance(value, dict) or not isinstance(value.get(key), (str, int, float)):
        raise InputError(f"{where}: an object with {key!r} (text or a number) is needed")
    return value[key], {other: field for other, field in value.items() if other != key}


def _complete(strangers: list[Any]) -> None:
    if strangers:
        raise InputError(f"an edge leads to {plain(strangers[0])!r}, which is not among the nodes")


_READERS: dict[str, Callable[[str], GraphData]] = {
    ".csv": _edge_list,
    ".tsv": _edge_list,
    ".txt": _edge_list,
    ".edges": _edge_list,
    ".edgelist": _edge_list,
    ".graphml": _graphml,
    ".gml": _gml,
    ".json": _node_link,
}
