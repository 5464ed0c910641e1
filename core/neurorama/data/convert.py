"""Graphs of other libraries as `GraphData`, and back."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np
import torch
from torch import Tensor

from ..errors import InputError, nearest
from .types import GraphData, Split

if TYPE_CHECKING:
    from torch_geometric.data import Data

IDENTITY = 2_000  # up to so many nodes, a graph without features gets the identity
_BUCKETS = 16  # beyond, the logarithm of the degree, one-hot
_LABELS = ("class", "y", "label")  # attributes of nodes that are labels
_NAMES = ("name", "label")  # attributes that name nodes, where each has its own
_LONGEST = 100  # characters of a name


def plain(value: object) -> str:
    """Any value as a short line of text that can be stored and drawn."""
    text = " ".join(str(value).split()).encode("utf-8", "replace").decode()
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def structural(edge_index: Tensor, num_nodes: int, identity: int = IDENTITY) -> Tensor:
    """Features from the structure alone: the identity up to `identity` nodes, else the degree's order of magnitude.

    (2, m) -> (n, n), or (n, 16) one-hot of floor(log2(degree + 1)).
    """
    if num_nodes <= identity:
        return torch.eye(num_nodes)
    degree = torch.bincount(edge_index.flatten(), minlength=num_nodes)
    bucket = (degree + 1).double().log2().floor().long().clamp(max=_BUCKETS - 1)
    return torch.nn.functional.one_hot(bucket, _BUCKETS).float()


def assemble(
    pairs: Tensor,
    num_nodes: int = 0,
    x: Tensor | None = None,
    weight: Tensor | None = None,
    directed: bool = False,
    notes: Sequence[str] = (),
    **rest: Any,
) -> GraphData:
    """`GraphData` from loose pairs: loops dropped, repetitions merged (the first weight counts), both directions.

    Args:
        pairs: (2, k) long, in any order, an undirected edge once or in both directions.
        num_nodes: needed where `x` is not given; then features come from the structure.
        weight: (k,) or None.
        rest: the other fields of `GraphData`.
    """
    n = num_nodes if x is None else x.shape[0]
    loops = pairs[0] == pairs[1]
    kept = pairs[:, ~loops]
    low, high = kept if directed else kept.sort(dim=0).values
    keys, first = np.unique((low * n + high).numpy(), return_index=True)
    # An edge that was listed once in each direction was not repeated.
    listed = len(np.unique((kept[0] * n + kept[1]).numpy()))
    both = np.concatenate([keys, (keys % n) * n + keys // n]) if not directed else keys
    order = both.argsort()
    edge_index = torch.as_tensor(np.stack([both[order] // n, both[order] % n]))
    if weight is not None:
        chosen = weight[~loops][first]
        weight = (chosen if directed else chosen.repeat(2))[order]
    merged = "merged" if weight is None else "merged; the first weight counts"
    found = [(int(loops.sum()), "self-loop", "dropped"), (kept.shape[1] - listed, "repeated edge", merged)]
    cleaned = [f"{k:,} {what}{'s' * (k > 1)} {done}" for k, what, done in found if k]
    return GraphData(
        edge_index=edge_index,
        x=structural(edge_index, n) if x is None else x,
        edge_weight=weight,
        directed=directed,
        notes=(*notes, *cleaned),
        **rest,
    )


def usable(graph: GraphData, source: str, identity: int = IDENTITY) -> GraphData:
    """The graph as undirected message passing wants it; `graph` itself where it is so already.

    One-way edges become two-way, self-loops and repetitions go, features that are missing come from the structure (see
    `structural`; `identity=0` gives all graphs features of one width); `notes` tells what was done.

    Raises:
        InputError: features that are not finite numbers; it names `source`.
    """
    n, x = graph.num_nodes, graph.x
    if not torch.isfinite(x).all():
        raise InputError(f"source={source!r} has features that are not finite numbers")
    src, dst = graph.edge_index
    there, back = (src * n + dst).sort().values, (dst * n + src).sort().values
    simple = torch.equal(there, back) and len(there.unique()) == len(there) and bool((src != dst).all())
    if simple and not graph.directed and x.shape[1]:
        return graph
    return assemble(
        pairs=graph.edge_index,
        x=x if x.shape[1] else structural(graph.edge_index, n, identity),
        weight=graph.edge_weight,
        notes=(*graph.notes, *["one-way edges count as two-way"] * graph.directed),
        y=graph.y,
        names=graph.names,
        classes=graph.classes,
        columns=graph.columns,
        splits=graph.splits,
    )


def from_networkx(graph: nx.Graph, label: str = "") -> GraphData:
    """A networkx graph as `GraphData`; nodes keep their order.

    The attribute `label` (otherwise `class`, `y` or `label`) of the nodes becomes `y`, unless each node has its own;
    a `name` or `label` that is different on each node becomes its name, else the node itself is;
    numeric attributes that all nodes have become features, standardised to mean 0 and deviation 1;
    the attribute `weight` of edges becomes `edge_weight`, 1 where an edge has none. `notes` tells what was left out.

    Raises:
        InputError: a weight or a feature that is not a finite number, no node, or no such attribute as `label`.
    """
    nodes = list(graph.nodes)
    if not nodes:
        raise InputError("the graph has no nodes")
    place = {node: i for i, node in enumerate(nodes)}
    ends = [(place[u], place[v]) for u, v in graph.edges()]
    weight, notes = _weights(graph)
    attributes, partial = _columns([graph.nodes[node] for node in nodes])
    if label and label not in attributes and label not in partial:
        raise InputError(f"label={label!r} is no attribute of the nodes; {nearest(label, [*attributes, *partial])}")
    names, y, classes = [plain(node) for node in nodes], None, ()
    for key in _NAMES:
        values = attributes.get(key, [])
        if values and all(isinstance(value, str) for value in values) and len(set(values)) == len(nodes):
            names = [plain(value) for value in attributes.pop(key)]
            break
    for key in (label,) if label else _LABELS:
        if key in partial:
            notes.append(f"{key} is missing on {partial[key]:,} of {len(nodes):,} nodes, so it is no label")
        values = attributes.get(key, [])
        if values and all(map(_is_class, values)) and len(set(values)) < len(nodes):
            y, classes = _classes(attributes.pop(key))
            break
    x, columns, unread = _features(attributes, names)
    unread += [plain(key) for key in partial]
    if unread:
        shown = f"{', '.join(unread[:8])}{', ...' if len(unread) > 8 else ''}"
        notes.append(f"attributes that were not read, being no numbers or not on every node: {shown}")
    return assemble(
        pairs=torch.tensor(ends, dtype=torch.long).reshape(-1, 2).T,
        num_nodes=len(nodes),
        x=x,
        weight=weight,
        directed=graph.is_directed(),
        notes=notes,
        y=y,
        names=tuple(names),
        classes=classes,
        columns=columns,
    )


def number(value: object, where: str) -> float:
    """A finite number that fits 32 bits, or an InputError that names `where` and the value."""
    try:
        result = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        result = math.nan
    if not math.isfinite(result) or abs(result) > 3e38:
        raise InputError(f"{where}={plain(value)!r} is not a finite number")
    return result


def _weights(graph: nx.Graph) -> tuple[Tensor | None, list[str]]:
    given = [data.get("weight") for _, _, data in graph.edges(data=True)]
    absent = sum(value is None for value in given)
    if absent == len(given):
        return None, []
    values = [
        1.0 if value is None else number(value, f"edge {plain(u)} - {plain(v)}: weight")
        for (u, v), value in zip(graph.edges(), given)
    ]
    return torch.tensor(values), [f"{absent:,} edges without a weight count as 1"] if absent else []


def _columns(rows: Sequence[Mapping[Any, Any]]) -> tuple[dict[str, list[Any]], dict[str, int]]:
    """(attributes that all nodes have, with their values; the others, with how many nodes lack them)."""
    counts = Counter(key for row in rows for key in row)
    full = {str(key): [row[key] for row in rows] for key, count in counts.items() if count == len(rows)}
    return full, {str(key): len(rows) - count for key, count in counts.items() if count < len(rows)}


def _is_class(value: object) -> bool:
    return isinstance(value, (str, int)) or (isinstance(value, float) and value.is_integer())


def _classes(values: Iterable[Any]) -> tuple[Tensor, tuple[str, ...]]:
    values = list(values)
    words = any(isinstance(value, str) for value in values)
    keyed = [str(value) if words else value for value in values]
    order = sorted(set(keyed))
    place = {value: i for i, value in enumerate(order)}
    return torch.tensor([place[value] for value in keyed]), tuple(plain(value) for value in order)


def _features(
    attributes: Mapping[str, list[Any]], names: Sequence[str]
) -> tuple[Tensor | None, tuple[str, ...], list[str]]:
    """(features or None, their names, attributes that are no features)."""
    taken = {
        key: [number(value, f"node {names[i]}: {plain(key)}") for i, value in enumerate(values)]
        for key, values in attributes.items()
        if all(isinstance(value, (int, float)) for value in values)
    }
    unread = [plain(key) for key in attributes if key not in taken]
    if not taken:
        return None, (), unread
    x = torch.tensor(list(taken.values()), dtype=torch.double).T
    deviation = x.std(0, correction=0)
    same = deviation <= 1e-9 * x.abs().amax(0)  # a constant is 0, not its rounding error made large
    x = (x - x.mean(0)) / deviation.masked_fill(same, math.inf)
    return x.float(), tuple(plain(key) for key in taken), unread


def from_pyg(data: Data) -> GraphData:
    """A PyG `Data` as `GraphData`: `x`, `y` of nodes, one-dimensional `edge_weight` (or `edge_attr`) and masks.

    Raises:
        InputError: there is no `edge_index`, or it points at nodes that are not there.
    """
    edge_index, n = getattr(data, "edge_index", None), data.num_nodes
    if edge_index is None or not n:
        raise InputError("a PyG Data needs edge_index and at least one node")
    edge_index = edge_index.long().cpu()
    if edge_index.numel() and not 0 <= int(edge_index.min()) <= int(edge_index.max()) < n:
        raise InputError(f"edge_index={int(edge_index.max())} points at a node that is not there; there are {n}")
    notes: list[str] = []
    y = data.y.reshape(-1).cpu() if isinstance(data.y, Tensor) and data.y.numel() == n else None
    if y is not None and (y.is_floating_point() or int(y.min()) < 0):
        y, notes = None, ["y was not read: labels are whole numbers from 0 on"]
    weight = data.edge_weight if getattr(data, "edge_weight", None) is not None else data.edge_attr
    if weight is not None and weight.numel() != edge_index.shape[1]:
        weight, notes = None, [*notes, "edge_attr was not read: more than one value per edge"]
    masks = [getattr(data, f"{part}_mask", None) for part in ("train", "val", "test")]
    splits: tuple[Split, ...] = ()
    if all(mask is not None for mask in masks):
        splits = tuple(zip(*(mask.cpu().reshape(n, -1).T for mask in masks)))  # type: ignore[union-attr]
    return assemble(
        pairs=edge_index,
        num_nodes=n,
        x=None if data.x is None else data.x.float().cpu().reshape(n, -1),
        weight=None if weight is None else weight.reshape(-1).float().cpu(),
        directed=data.is_directed(),
        notes=notes,
        y=None if y is None else y.long(),
        splits=splits,
    )


def to_pyg(graph: GraphData) -> Data:
    """The graph as a PyG `Data`; several splits become the columns of its masks."""
    from torch_geometric.data import Data

    masks = {
        f"{part}_mask": torch.stack([split[k] for split in graph.splits], dim=1).squeeze(1)
        for k, part in enumerate(("train", "val", "test"))
        if graph.splits
    }
    return Data(x=graph.x, edge_index=graph.edge_index, y=graph.y, edge_weight=graph.edge_weight, **masks)
