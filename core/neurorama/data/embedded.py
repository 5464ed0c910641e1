"""Data that travels inside the packages we depend on: nothing is downloaded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import networkx as nx
import torch

from .convert import from_networkx
from .types import GraphData, GraphSet, Table


def karate(seed: int) -> GraphData:
    """Zachary's karate club: 34 members, who met whom outside the club and in how many places (the weight), and
    which half they went with after the split."""
    return from_networkx(nx.karate_club_graph(), label="club")


def les_miserables(seed: int) -> GraphData:
    """77 characters of Hugo's novel, linked where they appear together; the weight counts chapters.

    There are no labels: it serves for walks, embeddings, links and layouts, not for telling classes apart.
    """
    return from_networkx(nx.les_miserables_graph())


def davis(seed: int) -> GraphData:
    """18 women and the 14 events that they went to. No labels; `truth["part"]` (n,) is 0 for women, 1 for events."""
    graph = nx.davis_southern_women_graph()
    part = torch.tensor([data.pop("bipartite") for _, data in graph.nodes(data=True)])
    return replace(from_networkx(graph), truth={"part": part})


def florentine(seed: int) -> GraphData:
    """Marriages between 15 families of Florence in the fifteenth century. No labels."""
    return from_networkx(nx.florentine_families_graph())


def graph_atlas(seed: int) -> GraphSet:
    """All 1,252 graphs with one to seven nodes, up to isomorphism; a single constant feature. No labels."""
    graphs = [(graph.name, from_networkx(graph)) for graph in nx.graph_atlas_g() if len(graph)]
    return GraphSet(
        graphs=tuple(replace(graph, x=torch.ones(graph.num_nodes, 1)) for _, graph in graphs),
        names=tuple(name for name, _ in graphs),
    )


def digits(seed: int) -> Table:
    """1,797 handwritten digits of 8 by 8 pixels, 0 (white) to 16."""
    from sklearn.datasets import load_digits

    return replace(_table(load_digits()), image=(8, 8))


def wine(seed: int) -> Table:
    """178 wines of three growers, 13 chemical measurements."""
    from sklearn.datasets import load_wine

    return _table(load_wine())


def breast_cancer(seed: int) -> Table:
    """569 tumours, 30 measurements of their cells, malignant or benign."""
    from sklearn.datasets import load_breast_cancer

    return _table(load_breast_cancer())


def _table(bunch: Any) -> Table:
    return Table(
        x=torch.as_tensor(bunch.data).float(),
        y=torch.as_tensor(bunch.target).long(),
        columns=tuple(str(name) for name in bunch.feature_names),
        classes=tuple(str(name) for name in bunch.target_names),
    )
