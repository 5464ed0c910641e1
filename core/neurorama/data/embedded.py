"""Data that travels inside the packages we depend on: nothing is downloaded."""

from __future__ import annotations

import networkx as nx
import torch

from .types import GraphData


def from_networkx(graph: nx.Graph, y: dict[object, int] | None = None, classes: tuple[str, ...] = ()) -> GraphData:
    """A networkx graph as `GraphData`: nodes keep their order, their labels become names, features are the identity."""
    nodes = list(graph.nodes)
    place = {node: i for i, node in enumerate(nodes)}
    pairs = sorted({(place[u], place[v]) for u, v in graph.edges if u != v})
    if not graph.is_directed():
        pairs = sorted({*pairs, *((v, u) for u, v in pairs)})
    return GraphData(
        edge_index=torch.tensor(pairs, dtype=torch.long).reshape(-1, 2).T.contiguous(),
        x=torch.eye(len(nodes)),
        y=None if y is None else torch.tensor([y[node] for node in nodes]),
        names=tuple(str(node) for node in nodes),
        classes=classes,
        directed=graph.is_directed(),
    )


def karate(seed: int) -> GraphData:
    """Zachary's karate club: 34 members, who they met outside the club, and which half they went with after the split."""
    graph = nx.karate_club_graph()
    side = {node: int(club == "Officer") for node, club in graph.nodes(data="club")}
    return from_networkx(graph, side, ("Mr. Hi", "Officer"))
