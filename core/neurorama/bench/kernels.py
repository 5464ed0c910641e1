"""The kernels beside PyG, networkx and plain loops."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from .duel import Duel

# Propagation


def _random_graph(nodes: int, edges: int, features: int) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(0)
    edge_index = torch.randint(nodes, (2, edges), generator=draw)
    return edge_index, torch.randn(nodes, features, generator=draw)


def _with_gradient(call: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    leaf = x.detach().requires_grad_()
    out = call(leaf)
    out.backward(x)
    assert leaf.grad is not None
    return torch.stack([out.detach(), leaf.grad])


def _our_propagation(backward: bool) -> Callable[[Any], Callable[[], Tensor]]:
    def prepare(data: tuple[Tensor, Tensor]) -> Callable[[], Tensor]:
        from ..kernels.propagation import adjacency

        edge_index, x = data
        near = adjacency(edge_index, len(x))
        return lambda: _with_gradient(near.__matmul__, x) if backward else near @ x

    return prepare


def _pyg_propagation(backward: bool) -> Callable[[Any], Callable[[], Tensor]]:
    def prepare(data: tuple[Tensor, Tensor]) -> Callable[[], Tensor]:
        from torch_geometric.nn import SimpleConv

        edge_index, x = data
        layer = SimpleConv(aggr="sum")  # `propagate` and nothing else
        return lambda: _with_gradient(lambda h: layer(h, edge_index), x) if backward else layer(x, edge_index)

    return prepare


def _furthest(_: Any, ours: Tensor, theirs: Tensor) -> float:
    """The largest difference, as a share of the largest entry."""
    return float((ours - theirs).abs().max() / theirs.abs().max())


# Colour refinement


def _graph_family(graphs: int, nodes: int) -> tuple[list[Any], Tensor, Tensor]:
    """Random graphs, each twice with its nodes renumbered, and regular graphs that refinement cannot tell apart."""
    import networkx as nx

    draw = torch.Generator().manual_seed(0)
    family = []
    for number in range(graphs // 2):
        regular = number % 5 == 0
        graph = nx.random_regular_graph(4, nodes, number) if regular else nx.gnm_random_graph(nodes, 2 * nodes, number)
        renamed = torch.randperm(nodes, generator=draw).tolist()
        family += [graph, nx.relabel_nodes(graph, dict(enumerate(renamed)))]
    edges = [torch.tensor(list(graph.edges)).T + nodes * number for number, graph in enumerate(family)]
    both = torch.cat([torch.cat([e, e.flip(0)], dim=1) for e in edges], dim=1)
    return family, both, torch.arange(len(family)).repeat_interleave(nodes)


_ROUNDS = 3  # of networkx, which starts from degrees: one more for us, who start from nothing


def _our_refinement(data: tuple[list[Any], Tensor, Tensor]) -> Callable[[], Sequence[int]]:
    from ..kernels.colour_refinement import alike, refine

    _, edge_index, batch = data
    return lambda: alike(refine(edge_index, len(batch), rounds=_ROUNDS + 1), batch).tolist()


def _networkx_refinement(data: tuple[list[Any], Tensor, Tensor]) -> Callable[[], Sequence[str]]:
    import networkx as nx

    warnings.filterwarnings("ignore", message="The hashes produced for graphs without node or edge attributes changed")
    return lambda: [nx.weisfeiler_lehman_graph_hash(graph, iterations=_ROUNDS) for graph in data[0]]


def _same_classes(_: Any, ours: Sequence[Hashable], theirs: Sequence[Hashable]) -> float:
    """0 where both find the same graphs alike."""
    return float(not len(set(zip(ours, theirs))) == len(set(ours)) == len(set(theirs)))


# Scan


def _recurrence(length: int, modes: int, batch: int) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(0)
    decay = 0.9 + 0.099 * torch.rand(modes, generator=draw)
    angle = 6.28 * torch.rand(modes, generator=draw)
    return torch.polar(decay, angle), torch.randn(batch, length, modes, dtype=torch.cfloat, generator=draw)


def _our_scan(data: tuple[Tensor, Tensor]) -> Callable[[], Tensor]:
    from ..kernels.scan import scan

    a, b = data
    return lambda: _with_gradient(lambda steps: scan(a, steps), b)


def _loop(data: tuple[Tensor, Tensor]) -> Callable[[], Tensor]:
    a, b = data

    def run(steps: Tensor) -> Tensor:
        states = []
        for step in steps.unbind(1):  # indexing step by step would make the gradient quadratic in the length
            states.append(a * states[-1] + step if states else step)
        return torch.stack(states, dim=1)

    return lambda: _with_gradient(run, b)


# Explainer


class _GCN(nn.Module):
    """Three layers in PyG's own convolutions, which its explainer can mask."""

    def __init__(self, features: int, hidden: int, classes: int) -> None:
        from torch_geometric.nn import GCNConv

        super().__init__()
        widths = [features, hidden, hidden, classes]
        self.layers = nn.ModuleList(GCNConv(a, b) for a, b in pairwise(widths))

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = layer(x, edge_index).relu()
        return self.layers[-1](x, edge_index)


@dataclass(frozen=True)
class _Case:
    """A trained network on a graph with planted houses; the nodes to explain, and where their masks start.

    `starts` are logits of edges (m,) and of features (1, d) for each node, so that both sides learn from the same.
    """

    model: _GCN
    x: Tensor
    edge_index: Tensor
    nodes: Tensor
    epochs: int
    starts: list[tuple[Tensor, Tensor]]

    @property
    def spread(self) -> Tensor:
        """(e,) PyG's standard deviation of the edge logits at the start."""
        return torch.full((len(self.nodes),), (2 / len(self.x)) ** 0.5)

    def blocks(self) -> tuple[Any, Tensor, Tensor]:
        """The computation graphs side by side, the edge that each entry is, and whether it is one (or a self-loop)."""
        from ..kernels.explainer import computation_graphs
        from ..kernels.propagation import normalised

        near = normalised(self.edge_index, len(self.x))
        blocks = computation_graphs(near, self.nodes, len(self.model.layers))
        edge = near.order[blocks.entry]
        return blocks, edge, edge < self.edge_index.shape[1]


def _houses(base: int, houses: int, nodes: int, epochs: int) -> _Case:
    from ..arena import descend
    from ..data.synthetic import houses as planted
    from ..kernels.explainer import learn_masks

    torch.manual_seed(0)
    graph = planted(0, base, houses)
    model, y = _GCN(graph.x.shape[1], 20, 4), graph.y
    assert y is not None
    for _ in descend(lambda: nn.functional.cross_entropy(model(graph.x, graph.edge_index), y), model.parameters(), 100):
        pass
    inside = (graph.truth["house"] >= 0).nonzero().flatten()
    chosen = inside[torch.randperm(len(inside))[:nodes]]
    case = _Case(model.eval().requires_grad_(False), graph.x, graph.edge_index, chosen, epochs, [])
    blocks, edge, real = case.blocks()
    owner, draw = blocks.edge_owner[real], torch.Generator().manual_seed(0)
    first = next(learn_masks(lambda _, f: torch.zeros(len(f)), owner, case.spread, graph.x.shape[1], 0, generator=draw))
    edges, features = first.edges.logit(), first.features.logit()
    for e in range(nodes):
        start = torch.zeros(graph.edge_index.shape[1]).index_put((edge[real][owner == e],), edges[owner == e])
        case.starts.append((start, features[e : e + 1]))
    return case


def _our_explainer(case: _Case) -> Callable[[], list[Tensor]]:
    """All nodes side by side; for each of them (m,) the masks of the edges, 0 outside its computation graph."""
    from ..kernels.explainer import learn_masks

    def explain() -> list[Tensor]:
        blocks, edge, real = case.blocks()
        x, owner = case.x[blocks.node], blocks.edge_owner[real]
        predicted = case.model(case.x, case.edge_index)[case.nodes].argmax(1)

        def nll(edges: Tensor, features: Tensor) -> Tensor:
            h = x * features[blocks.owner]
            near = blocks.near.reweighted(blocks.near.weight * torch.ones(len(edge)).masked_scatter(real, edges))
            for place, layer in enumerate(case.model.layers):
                h = near @ (h.relu() if place else h) @ layer.lin.weight.T + layer.bias  # type: ignore[operator, union-attr]
            return nn.functional.cross_entropy(h[blocks.target], predicted, reduction="none")

        draw = torch.Generator().manual_seed(0)
        *_, last = learn_masks(nll, owner, case.spread, case.x.shape[1], case.epochs, generator=draw)
        empty = torch.zeros(case.edge_index.shape[1])
        return [empty.index_put((edge[real][owner == e],), last.edges[owner == e]) for e in range(len(case.nodes))]

    return explain


def _pyg_explainer(case: _Case) -> Callable[[], list[Tensor]]:
    """One node after the other, as PyG's explainer takes them.

    It starts where we start, and pays for masks from its first step on, not its second: both then walk the same path.
    """
    from torch_geometric.explain import Explainer, GNNExplainer

    class FromStart(GNNExplainer):
        start: tuple[Tensor, Tensor]

        def _initialize_masks(self, x: Any, edge_index: Any) -> None:
            super()._initialize_masks(x, edge_index)
            edges, features = self.start
            self.edge_mask, self.node_mask = nn.Parameter(edges.clone()), nn.Parameter(features.clone())
            self.hard_edge_mask, self.hard_node_mask = edges != 0, torch.ones_like(features, dtype=torch.bool)

    algorithm = FromStart(epochs=case.epochs, lr=0.01)
    explainer = Explainer(
        model=case.model,
        algorithm=algorithm,
        explanation_type="model",
        node_mask_type="common_attributes",
        edge_mask_type="object",
        model_config={"mode": "multiclass_classification", "task_level": "node", "return_type": "raw"},
    )

    def explain() -> list[Tensor]:
        masks = []
        for node, algorithm.start in zip(case.nodes, case.starts):
            masks.append(explainer(case.x, case.edge_index, index=int(node)).edge_mask.detach())
        return masks

    return explain


def _masks_apart(_: Any, ours: list[Tensor], theirs: list[Tensor]) -> float:
    """The largest difference of two masks."""
    return max(float((a - b).abs().max()) for a, b in zip(ours, theirs))


DUELS = (
    Duel(
        name="propagation",
        rival="PyG, propagate on edge_index",
        setup=_random_graph,
        ours=_our_propagation(backward=False),
        theirs=_pyg_propagation(backward=False),
        agree=_furthest,
        size={"nodes": 200_000, "edges": 4_000_000, "features": 64},
        quick={"nodes": 50, "edges": 300, "features": 8},
        allowed=1e-5,
        aim=5,
    ),
    Duel(
        name="propagation, with gradient",
        rival="PyG, propagate on edge_index",
        setup=_random_graph,
        ours=_our_propagation(backward=True),
        theirs=_pyg_propagation(backward=True),
        agree=_furthest,
        size={"nodes": 200_000, "edges": 4_000_000, "features": 64},
        quick={"nodes": 50, "edges": 300, "features": 8},
        allowed=1e-5,
        aim=3,
    ),
    Duel(
        name="colour refinement, many graphs",
        rival="networkx, weisfeiler_lehman_graph_hash",
        setup=_graph_family,
        ours=_our_refinement,
        theirs=_networkx_refinement,
        agree=_same_classes,
        size={"graphs": 600, "nodes": 64},
        quick={"graphs": 12, "nodes": 8},
        aim=50,
    ),
    Duel(
        name="colour refinement, large graphs",
        rival="networkx, weisfeiler_lehman_graph_hash",
        setup=_graph_family,
        ours=_our_refinement,
        theirs=_networkx_refinement,
        agree=_same_classes,
        size={"graphs": 4, "nodes": 10_000},
        quick={"graphs": 2, "nodes": 12},
        aim=50,
    ),
    Duel(
        name="scan, with gradient",
        rival="torch, a Python loop over the steps",
        setup=_recurrence,
        ours=_our_scan,
        theirs=_loop,
        agree=_furthest,
        size={"length": 4096, "modes": 64, "batch": 4},
        quick={"length": 20, "modes": 3, "batch": 2},
        allowed=1e-5,
    ),
    Duel(
        name="explainer",
        rival="PyG, GNNExplainer",
        setup=_houses,
        ours=_our_explainer,
        theirs=_pyg_explainer,
        agree=_masks_apart,
        size={"base": 300, "houses": 80, "nodes": 6, "epochs": 100},
        quick={"base": 20, "houses": 3, "nodes": 2, "epochs": 5},
        allowed=1e-3,
    ),
)
