"""Message passing at scale: how propagation, SGC and diffusion grow with the edges; SGC beside PyG, with training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .duel import Duel
from .growth import Growth

HOPS, SMOOTH = 16, 2  # of plain propagation; of SGC, as in its paper


def _both_ways(pairs: Tensor) -> Tensor:
    return torch.cat([pairs, pairs.flip(0)], dim=1)


def _random_graph(nodes: int, edges: int, features: int) -> tuple[Tensor, Tensor]:
    """Undirected: `edges` pairs, each in both directions."""
    draw = torch.Generator().manual_seed(0)
    pairs = torch.randint(nodes, (2, edges), generator=draw)
    return _both_ways(pairs), torch.randn(nodes, features, generator=draw)


def _smoothed(hops: int) -> Callable[[tuple[Tensor, Tensor]], Tensor]:
    def call(data: tuple[Tensor, Tensor]) -> Tensor:
        from ..kernels.propagation import normalised

        edge_index, x = data
        near = normalised(edge_index, len(x))
        for _ in range(hops):
            x = near @ x
        return x

    return call


def _smoothed_by_scipy(hops: int) -> Callable[[tuple[Tensor, Tensor]], Tensor]:
    def call(data: tuple[Tensor, Tensor]) -> Tensor:
        import numpy as np
        from scipy.sparse import coo_array, diags_array, eye_array

        edge_index, x = data
        src, dst = edge_index.numpy()
        near = coo_array((np.ones(len(src)), (dst, src)), shape=(len(x), len(x))).tocsr() + eye_array(len(x))
        scale = diags_array(near.sum(1) ** -0.5)
        near, out = scale @ near @ scale, x.double().numpy()
        for _ in range(hops):
            out = near @ out
        return torch.from_numpy(out)

    return call


TIME, RTOL = 4.0, 1e-3  # of the diffusion, and of its adaptive solver


def _attention(edge_index: Tensor, x: Tensor) -> Any:
    """GRAND's diffusivity: scaled dot products of two projections, a softmax for each receiver."""
    from ..kernels.attention import edge_weights
    from ..kernels.propagation import adjacency

    draw = torch.Generator().manual_seed(1)
    q, k = (x @ torch.randn(x.shape[1], x.shape[1], generator=draw) / x.shape[1] ** 0.5 for _ in range(2))
    near = adjacency(edge_index, len(x))
    return near.reweighted(edge_weights(near, q[:, None], k[:, None])[:, 0])


def _diffused(data: tuple[Tensor, Tensor]) -> Tensor:
    """GRAND-l, forward: the attention once, then Dormand and Prince to `TIME`."""
    from ..kernels.diffusion import diffusion, dopri5, last

    edge_index, x = data
    return last(dopri5(diffusion(_attention(edge_index, x)), x, TIME, RTOL, RTOL)).state


def _diffused_by_scipy(data: tuple[Tensor, Tensor]) -> Tensor:
    """The matrix exponential at work. The attention is ours: its own tests hold it against others."""
    from scipy.sparse import csr_array, eye_array
    from scipy.sparse.linalg import expm_multiply

    edge_index, x = data
    near = _attention(edge_index, x)
    matrix = csr_array((near.weight.double().numpy(), near.col.numpy(), near.crow.numpy()), shape=(len(x), len(x)))
    return torch.from_numpy(
        expm_multiply(TIME * (matrix - eye_array(len(x))), x.double().numpy(), traceA=-TIME * len(x))
    )


def _furthest(ours: Tensor, theirs: Tensor) -> float:
    """The largest difference, as a share of the largest entry."""
    return float((ours - theirs).abs().max() / theirs.abs().max())


# All are beyond a processor's cache and the 32 MiB from which malloc takes new pages for every tensor. Smaller sizes
# are several times as fast for each edge, and the slope would tell of these two limits, not of the algorithm.
SIZES = tuple({"nodes": million * 100_000, "edges": million * 1_000_000, "features": 16} for million in (6, 10, 15, 20))
QUICK = tuple({"nodes": edges // 10, "edges": edges, "features": 4} for edges in (200, 400))

GROWTHS = (
    Growth(
        name=f"propagation, {HOPS} hops",
        setup=_random_graph,
        call=_smoothed(HOPS),
        expected=_smoothed_by_scipy(HOPS),
        agree=_furthest,
        sizes=SIZES,
        quick=QUICK,
        allowed=1e-5,
    ),
    Growth(
        name=f"SGC, {SMOOTH} hops before training",
        setup=_random_graph,
        call=_smoothed(SMOOTH),
        expected=_smoothed_by_scipy(SMOOTH),
        agree=_furthest,
        sizes=SIZES,
        quick=QUICK,
        allowed=1e-5,
    ),
    Growth(
        name="GRAND, attention and one adaptive solve",
        setup=_random_graph,
        call=_diffused,
        expected=_diffused_by_scipy,
        agree=_furthest,
        sizes=SIZES,
        quick=QUICK,
        allowed=5 * RTOL,
    ),
)


# SGC from the raw graph to the trained classifier


@dataclass(frozen=True)
class _Task:
    """A graph whose classes keep to themselves: features (n, d), edges both ways, classes (n,), which nodes train."""

    x: Tensor
    edge_index: Tensor
    y: Tensor
    train: Tensor


def _blocks(nodes: int, edges: int, features: int, classes: int) -> _Task:
    draw = torch.Generator().manual_seed(0)
    y = torch.arange(nodes) % classes
    src = torch.randint(nodes, (edges,), generator=draw)
    other = torch.randint(nodes // classes, (edges,), generator=draw) * classes  # plus a class: a node of that class
    own = torch.rand(edges, generator=draw) < 0.8
    dst = other + y[src].where(own, torch.randint(classes, (edges,), generator=draw))
    centre = torch.randn(classes, features, generator=draw)
    x = centre[y] + 2 * torch.randn(nodes, features, generator=draw)
    train = torch.rand(nodes, generator=draw) < 0.1
    pairs = torch.stack([src, dst])
    return _Task(x, _both_ways(pairs[:, src != dst]), y, train)  # PyG counts a self-loop that is there already once


EPOCHS = 100  # of all systems, as for SGC in its paper


def _zero(module: nn.Module) -> None:
    for parameter in module.parameters():
        nn.init.zeros_(parameter)


def _trained(logits: Callable[[], Tensor], parameters: Any, y: Tensor, lr: float, weight_decay: float) -> None:
    optimiser = torch.optim.Adam(parameters, lr=lr, weight_decay=weight_decay)
    for _ in range(EPOCHS):
        optimiser.zero_grad()
        nn.functional.cross_entropy(logits(), y).backward()
        optimiser.step()


def _our_sgc(task: _Task) -> Callable[[], Tensor]:
    def answer() -> Tensor:
        smooth = _smoothed(SMOOTH)((task.edge_index, task.x))
        theta = nn.Linear(smooth.shape[1], int(task.y.max()) + 1)
        _zero(theta)
        rows = smooth[task.train]
        _trained(lambda: theta(rows), theta.parameters(), task.y[task.train], 0.2, 1e-5)
        return theta(smooth).detach()

    return answer


def _pyg_sgc(task: _Task) -> Callable[[], Tensor]:
    def answer() -> Tensor:
        from torch_geometric.nn import SGConv

        layer = SGConv(task.x.shape[1], int(task.y.max()) + 1, K=SMOOTH, cached=True)
        _zero(layer)
        y = task.y[task.train]
        _trained(lambda: layer(task.x, task.edge_index)[task.train], layer.parameters(), y, 0.2, 1e-5)
        return layer(task.x, task.edge_index).detach()

    return answer


def _pyg_gcn(task: _Task) -> Callable[[], Tensor]:
    """Kipf and Welling's two layers, 16 wide, with their settings."""

    def answer() -> Tensor:
        from torch_geometric.nn import GCNConv

        torch.manual_seed(0)
        one = GCNConv(task.x.shape[1], 16, cached=True)
        two = GCNConv(16, int(task.y.max()) + 1, cached=True)

        def logits(dropout: float = 0.5) -> Tensor:
            h = nn.functional.dropout(task.x, dropout)
            h = nn.functional.dropout(one(h, task.edge_index).relu(), dropout)
            return two(h, task.edge_index)

        parameters = [*one.parameters(), *two.parameters()]
        _trained(lambda: logits()[task.train], parameters, task.y[task.train], 0.01, 5e-4)
        return logits(0.0).detach()

    return answer


def _apart(_: _Task, ours: Tensor, theirs: Tensor) -> float:
    return _furthest(ours, theirs)


def _worse(task: _Task, ours: Tensor, theirs: Tensor) -> float:
    """By how much our accuracy on nodes that did not train is the lower one."""
    right, rivals = ((logits.argmax(1) == task.y)[~task.train].float().mean() for logits in (ours, theirs))
    return max(0.0, float(rivals - right))


DUELS = (
    Duel(
        name="SGC, from graph to answer",
        rival="PyG, SGConv with its cache",
        setup=_blocks,
        ours=_our_sgc,
        theirs=_pyg_sgc,
        agree=_apart,
        size={"nodes": 100_000, "edges": 500_000, "features": 64, "classes": 8},
        quick={"nodes": 240, "edges": 1200, "features": 8, "classes": 3},
        allowed=1e-3,
    ),
    Duel(
        name="SGC in place of a GCN",
        rival="PyG, a GCN of two layers",
        setup=_blocks,
        ours=_our_sgc,
        theirs=_pyg_gcn,
        agree=_worse,
        size={"nodes": 100_000, "edges": 500_000, "features": 64, "classes": 8},
        quick={"nodes": 240, "edges": 1200, "features": 8, "classes": 3},
        allowed=0.01,
    ),
)
