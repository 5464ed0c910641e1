"""Plain networks that stand beside the systems of all three arenas, and what carries a node network to a task.

A network here takes anything that is wired as a graph (a `NodeTask`, a `Batch`) and gives a row for each of its nodes.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, Protocol

from torch import Tensor, nn

from neurorama.kernels.propagation import Adjacency
from neurorama.kernels.segment import segment_mean, segment_sum

from .batches import Batch


class Wired(Protocol):
    """What a network sees of a graph, or of many in one: features (n, d), edges (2, m), and two matrices (n, n)."""

    @property
    def x(self) -> Tensor: ...
    @property
    def edge_index(self) -> Tensor: ...
    @property
    def near(self) -> Adjacency:
        """D^-1/2 (A + I) D^-1/2, with self-loops in D."""
        ...

    @property
    def sums(self) -> Adjacency:
        """A: `sums @ h` adds up the neighbours."""
        ...


class GCN(nn.Module):
    """The graph convolutional network of Kipf and Welling: transform and average in every layer. Wired -> (n, c).

    `norm` puts batch normalisation before each ReLU, without which what a node hears from afar fades with depth.
    """

    def __init__(
        self, features: int, hidden: int, classes: int, depth: int, dropout: float = 0.0, norm: bool = False
    ) -> None:
        super().__init__()
        widths = [features, *[hidden] * (depth - 1), classes]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.norms = nn.ModuleList(nn.BatchNorm1d(hidden) if norm else nn.Identity() for _ in widths[1:-1])
        self.dropout = nn.Dropout(dropout)

    def hidden(self, task: Wired) -> list[Tensor]:
        """States after each layer; the last are the logits."""
        states = [task.x]
        for layer, norm in zip(self.layers, self.norms):
            states.append(norm(task.near @ layer(self.dropout(states[-1]))).relu())
        return [*states[1:], task.near @ self.layers[-1](self.dropout(states[-1]))]

    def forward(self, task: Wired) -> Tensor:
        return self.hidden(task)[-1]

    def work(self, task: Wired) -> int:
        """Multiply-adds of all products in a training step; going backward repeats one for each factor it updates."""
        n, edges = len(task.x), task.near.col.numel()
        widths = [task.x.shape[1], *(layer.bias.numel() for layer in self.layers)]  # type: ignore[union-attr, operator]
        pairs = list(pairwise(widths))
        return sum(3 * n * d * h + 2 * edges * h for d, h in pairs) - n * widths[0] * widths[1]


class GIN(nn.Module):
    """The graph isomorphism network of Xu et al. (2019, https://arxiv.org/abs/1810.00826): sum, then two layers.

    h' = MLP((1 + eps) h + sum of the neighbours' h), batch normalisation inside the MLP, eps learned. Wired -> (n, c).
    """

    def __init__(self, features: int, hidden: int, classes: int, depth: int) -> None:
        super().__init__()
        widths = [features, *[hidden] * (depth - 1), classes]
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(a, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, b))
            for a, b in pairwise(widths)
        )
        self.eps = nn.ParameterList(nn.Parameter(Tensor([0.0])) for _ in self.layers)

    def hidden(self, task: Wired) -> list[Tensor]:
        """States after each layer; the last are the logits."""
        h, states = task.x, []
        for number, (layer, eps) in enumerate(zip(self.layers, self.eps), start=1):
            h = layer((1 + eps) * h + task.sums @ h)
            h = h if number == len(self.layers) else h.relu()
            states.append(h)
        return states

    def forward(self, task: Wired) -> Tensor:
        return self.hidden(task)[-1]


class MLP(nn.Module):
    """Two layers on the features of each node alone, deaf to its neighbours. Wired -> (n, c)."""

    def __init__(self, features: int, hidden: int, classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        drop = nn.Dropout(dropout)
        self.net = nn.Sequential(drop, nn.Linear(features, hidden), nn.ReLU(), drop, nn.Linear(hidden, classes))

    def hidden(self, task: Wired) -> list[Tensor]:
        """States after each layer; the last are the logits."""
        h = self.net[:3](task.x)
        return [h, self.net[3:](h)]

    def forward(self, task: Wired) -> Tensor:
        return self.net(task.x)


class APPNP(nn.Module):
    """Transform once, then walk with restarts: Gasteiger et al. (2019, https://arxiv.org/abs/1810.05997).

    Wired -> (n, c). H' = (1 - restart) A H + restart H_0, `hops` times, A with self-loops and symmetrically normalised.
    """

    def __init__(
        self, features: int, hidden: int, classes: int, hops: int = 10, restart: float = 0.1, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.mlp, self.hops, self.restart = MLP(features, hidden, classes, dropout), hops, restart

    def hidden(self, task: Wired) -> list[Tensor]:
        """States after each hop; the last are the logits."""
        start = self.mlp(task)
        states = [start]
        for _ in range(self.hops):
            states.append((1 - self.restart) * (task.near @ states[-1]) + self.restart * start)
        return states[1:]

    def forward(self, task: Wired) -> Tensor:
        return self.hidden(task)[-1]


class _Carried(nn.Module):
    """A node network that is asked something of whole graphs; its `hidden`, `lr` and `weight_decay` show through."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        for name in ("lr", "weight_decay", "hidden"):
            if hasattr(net, name):
                object.__setattr__(self, name, getattr(net, name))


class AtTarget(_Carried):
    """What `net` says at the target of each graph: a system of DISTANCE. Batch -> (g, c)."""

    def forward(self, batch: Batch) -> Tensor:
        assert batch.target is not None
        return self.net(batch)[batch.target]


class Pooled(_Carried):
    """The sum or mean of what `net` says at the nodes, then two layers: a system of GRAPHS. Batch -> (g, outputs).

    `net` gives `hidden` numbers for each node.
    """

    def __init__(self, net: nn.Module, hidden: int, outputs: int, how: Literal["sum", "mean"]) -> None:
        super().__init__(net)
        self.pool = segment_sum if how == "sum" else segment_mean
        self.head = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, outputs))

    def forward(self, batch: Batch) -> Tensor:
        return self.head(self.pool(self.net(batch), batch.batch, batch.num_graphs))
