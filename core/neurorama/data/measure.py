"""What a graph looks like in numbers."""

from __future__ import annotations

import igraph

from .types import GraphData


def statistics(graph: GraphData) -> dict[str, float]:
    """Size and shape of a graph; an undirected edge counts once.

    `density` is the share of possible edges that exist, `clustering` the mean over nodes of the share of pairs of
    neighbours that are neighbours themselves (0 where there is no pair), `homophily` (with labels only) the share of
    edges that join nodes of one class. Direction counts for edges and density only.
    """
    n = graph.num_nodes
    src, dst = graph.edge_index
    m = graph.edge_index.shape[1] / (1 if graph.directed else 2)
    shape = igraph.Graph(n, graph.edge_index.T.numpy()).simplify()
    found = {
        "nodes": n,
        "edges": int(m),
        "density": m / max(1, n * (n - 1) / (1 if graph.directed else 2)),
        "components": len(shape.connected_components()),
        "mean degree": 2 * shape.ecount() / n,
        "clustering": shape.transitivity_avglocal_undirected(mode="zero"),
    }
    if graph.y is not None and m:
        found["homophily"] = float((graph.y[src] == graph.y[dst]).double().mean())
    return found
