"""A graph changed by hand: nodes, edges and features; the outcome is a graph like any other."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, TypeAdapter, ValidationError

from ..errors import InputError, one_line
from . import graph, mine
from .convert import assemble, structural
from .types import GraphData

NODES, NUMBERS = 2_000, 1_000_000  # nodes, and numbers in their features, of a graph that can be edited
MOST = 1_000  # edits

_Node = Annotated[int, Field(ge=0)]
_EDITS = TypeAdapter(
    Annotated[
        list[
            tuple[Literal["link", "part"], _Node, _Node]
            | tuple[Literal["add"]]
            | tuple[Literal["remove"], _Node]
            | tuple[Literal["feature"], _Node, _Node, Annotated[float, Field(allow_inf_nan=False)]]
        ],
        Field(min_length=1, max_length=MOST),
    ]
)


def editable(given: GraphData) -> bool:
    """Whether a graph is small enough to be edited by hand."""
    return given.num_nodes <= NODES and given.x.numel() <= NUMBERS


def featured(given: GraphData) -> bool:
    """Whether its features are its own, not made from the structure."""
    return not torch.equal(given.x, structural(given.edge_index, given.num_nodes))


def edit(source: str, edits: Sequence[Sequence[Any]], seed: int = 0) -> str:
    """Changes the graph called `source` and keeps the outcome; the name under which every `source` knob finds it.

    Args:
        edits: one after the other, `("link", a, b)`, `("part", a, b)`, `("add",)`, `("remove", a)` and
            `("feature", a, column, value)`. Nodes are numbered as in `source` throughout; those that are added
            follow. A new node has the label of most of its neighbours, and the mean of all features.
        seed: draws `source` where it is synthetic.

    Raises:
        InputError: no such graph, one that is too large, or an edit that it does not allow; then nothing is kept.
    """
    stem = re.sub(r"^mine/|(-edited)?-[0-9a-f]{8}$", "", source)
    return mine.keep(edited(graph(source, seed), edits, source), f"{stem}-edited")


def edited(given: GraphData, edits: Sequence[Sequence[Any]], source: str = "this graph") -> GraphData:
    """`given` with the changes that `edit` describes.

    Raises:
        InputError: as `edit`.
    """
    if not editable(given):
        raise InputError(f"source={source!r} is too large to be edited by hand: at most {NODES:,} nodes")
    try:
        steps: list[tuple[Any, ...]] = _EDITS.validate_python(list(edits))
    except ValidationError as error:
        raise InputError(f"these are no edits of a graph ({one_line(error)[:160]})") from None
    n = given.num_nodes
    total = n + sum(step[0] == "add" for step in steps)
    weight = torch.ones(given.edge_index.shape[1]) if given.edge_weight is None else given.edge_weight
    edges = dict(zip(map(tuple, given.edge_index.T.tolist()), weight.tolist()))
    x = given.x.clone() if featured(given) else None
    if x is not None:
        x = torch.cat([x, x.mean(0).expand(total - n, -1)])
    gone: set[int] = set()
    present = n
    for what, *which in steps:
        nodes = which[:1] if what == "feature" else which
        if any(node >= present or node in gone for node in nodes):
            raise InputError(f"source={source!r} has no node {max(nodes)} to {what}")
        if what == "add":
            present += 1
        elif what == "remove":
            gone.add(which[0])
            edges = {pair: value for pair, value in edges.items() if which[0] not in pair}
        elif what == "feature":
            if x is None or which[1] >= x.shape[1]:
                raise InputError(f"source={source!r} has no feature {which[1]} that could be changed")
            x[which[0], which[1]] = which[2]
        elif which[0] == which[1]:
            raise InputError(f"node {which[0]} cannot be linked to itself")
        else:
            for pair in {tuple(which), *(() if given.directed else (tuple(which[::-1]),))}:
                if what == "link":
                    edges.setdefault(pair, 1.0)
                else:
                    edges.pop(pair, None)
    stay = [node for node in range(total) if node not in gone]
    if len(stay) < 2:
        raise InputError("a graph needs two nodes at least")
    place = {node: i for i, node in enumerate(stay)}
    names = [*(given.names or map(str, range(n))), *_fresh(given, total - n)]
    labels = None if given.y is None else _labels(given.y.tolist(), edges, total)
    pairs = torch.tensor([[place[a], place[b]] for a, b in edges], dtype=torch.long).reshape(-1, 2).T
    columns = given.columns or tuple(f"feature {i}" for i in range(given.x.shape[1]))
    kinds = given.classes or tuple(map(str, range(given.num_classes)))
    return assemble(
        pairs=pairs,
        num_nodes=len(stay),
        x=None if x is None else x[stay],
        weight=None if given.edge_weight is None else torch.tensor(list(edges.values())),
        directed=given.directed,
        notes=[f"{source}, changed by hand: {_told(steps)}."],
        y=None if labels is None else torch.tensor([labels[node] for node in stay]),
        names=tuple(names[node] for node in stay),
        classes=() if labels is None else kinds,
        columns=() if x is None else columns,
    )


def _fresh(given: GraphData, count: int) -> list[str]:
    """Names for new nodes that no other has."""
    taken = set(given.names or map(str, range(given.num_nodes)))
    numbers = (str(i) for i in range(given.num_nodes, given.num_nodes + count + len(taken)))
    return [name for name in numbers if name not in taken][:count]


def _labels(known: list[int], edges: dict[tuple[int, ...], float], total: int) -> list[int]:
    """A new node is like most of its neighbours that came before it; one without any is like most nodes."""
    labels, usual = list(known), Counter(known).most_common(1)[0][0]
    for node in range(len(known), total):
        near = Counter(labels[b] for a, b in edges if a == node and b < node)
        near += Counter(labels[a] for a, b in edges if b == node and a < node)
        labels.append(near.most_common(1)[0][0] if near else usual)
    return labels


def _told(steps: Sequence[tuple[Any, ...]]) -> str:
    words = {"link": "linked", "part": "parted", "add": "nodes added", "remove": "nodes removed", "feature": "features"}
    counts = Counter(step[0] for step in steps)
    told = [f"{counts[what]} {said}" for what, said in words.items() if counts[what] and what not in ("link", "part")]
    told += [f"{counts[what]} pairs {words[what]}" for what in ("link", "part") if counts[what]]
    return ", ".join(told)
