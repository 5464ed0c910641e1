"""Nodes that wake as they like: a task for a crowd, and two networks that are used in step or out of step.

A network here is a `Wakeful`: in step it maps a `Crowd` to what each node says, (n, 1); out of step it is a state for
each node, a message on each edge, and what becomes of both when a node wakes (`kernels.asynchrony`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

import networkx as nx
import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from neurorama import Frame, Graph, Grid, Points, Run, Value, descend
from neurorama.kernels.asynchrony import out_of_step
from neurorama.kernels.propagation import Adjacency, normalised
from neurorama.kernels.segment import segment_sum

from .batches import Wiring

Moment = tuple[Tensor, Tensor]  # states (n, d) and messages (m, w)

AXES = ("said in step", "said out of step")
VIEWS = {
    "graph": "A test graph. Colour: how far a node is from what it says in step. A thick rim: awake in this tick.",
    "answers": "All test nodes: those on the diagonal say out of step what they say in step.",
    "drift": "The nodes of that graph as time goes by: does what they are off by fade, or stay?",
    "error out of step": "Error against the truth as the clock ticks, over the spread of the truth.",
    "error in step": "The same in step, by the weights that so far did best on the validation graphs.",
    "validation error": "On graphs set aside to choose those weights, all nodes in step.",
    "off by": "Root mean square distance from what the same network says in step.",
    "loss": "Squared error on the training graphs.",
}


@dataclass(frozen=True, eq=False)
class Crowd:
    """Connected graphs in one; x (n, 1) is a number in [-1, 1] for each node, y (n, 1) the sum over its graph, scaled
    to variance 1, that each node is to say."""

    edge_index: Tensor
    x: Tensor
    y: Tensor
    size: int  # nodes of each graph

    @classmethod
    def of(cls, kind: Literal["random", "path"], count: int, size: int, seed: int) -> Crowd:
        """`count` graphs of `size` nodes: paths, or random ones with four neighbours on average."""
        draw, pieces = torch.Generator().manual_seed(seed), []
        while len(pieces) < count:
            number = int(torch.randint(2**31, (), generator=draw))
            graph = nx.path_graph(size) if kind == "path" else nx.gnp_random_graph(size, min(1, 4 / (size - 1)), number)
            if nx.is_connected(graph):
                pieces.append((torch.tensor(list(graph.to_directed().edges)).T, size))
        x = 2 * torch.rand(count, size, 1, generator=draw) - 1
        y = (x.sum(1, keepdim=True) * math.sqrt(3 / size)).expand_as(x)
        return cls(Wiring.of(pieces).edge_index, x.flatten(0, 1), y.flatten(0, 1), size)

    @property
    def src(self) -> Tensor:
        return self.edge_index[0]

    @property
    def dst(self) -> Tensor:
        return self.edge_index[1]

    @cached_property
    def back(self) -> Tensor:
        """(m,) for each edge the one in the other direction."""
        n = len(self.x)
        forth = self.src * n + self.dst
        order = forth.argsort()
        return order[torch.searchsorted(forth[order], self.dst * n + self.src)]

    @cached_property
    def near(self) -> Adjacency:
        """D^-1/2 (A + I) D^-1/2"""
        return normalised(self.edge_index, len(self.x))

    @cached_property
    def _scale(self) -> Tensor:
        return (self.dst.bincount(minlength=len(self.x)) + 1).float().rsqrt()[:, None]

    def near_as_heard(self, h: Tensor, heard: Tensor) -> Tensor:
        """`near @ h` where each neighbour is as it is heard over its edge. (n, d), (m, d) -> (n, d)"""
        return self._scale * (segment_sum(self._scale[self.src] * heard, self.dst, len(h)) + self._scale * h)

    def error(self, said: Tensor) -> float:
        """Relative error: root mean square over the standard deviation of the truth; always to say the mean gives 1."""
        return float((said - self.y).square().mean().sqrt() / self.y.std(correction=0))


class Wakeful(Protocol):
    """A network of the crowd: `start` gives states and messages, `wake` what becomes of them where nodes wake, `read`
    what a node in that state says. `learned` is called once, between training and use."""

    @property
    def read(self) -> nn.Module: ...
    def learned(self, crowd: Crowd) -> None: ...
    def start(self, crowd: Crowd) -> Moment: ...
    def wake(self, crowd: Crowd, h: Tensor, heard: Tensor, turn: Tensor) -> Moment: ...


def reader(width: int) -> nn.Module:
    """What a node says of its state: two layers, the same for all networks."""
    return nn.Sequential(nn.Linear(width, 16), nn.ReLU(), nn.Linear(16, 1))


class LayeredGCN(nn.Module):
    """A GCN all of whose layers are equally wide. A node that wakes computes its next layer from what it last heard,
    whichever layer its neighbours are in, and keeps its state after the last."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.enter, self.read = nn.Linear(1, width), reader(width)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))

    def start(self, crowd: Crowd) -> Moment:
        h = self.enter(crowd.x)
        return h, h[crowd.src]

    def wake(self, crowd: Crowd, h: Tensor, heard: Tensor, turn: Tensor) -> Moment:
        near = crowd.near_as_heard(h, heard)
        after = torch.stack([*(layer(near).relu() for layer in self.layers), h])
        h = after[turn.clamp(max=len(self.layers)), torch.arange(len(h))]
        return h, h[crowd.src]

    def learned(self, crowd: Crowd) -> None: ...

    def forward(self, crowd: Crowd) -> Tensor:
        h = self.enter(crowd.x)
        for layer in self.layers:
            h = layer(crowd.near @ h).relu()
        return self.read(h)


class IGNN(nn.Module):
    """The implicit network of Gu et al. (2020, https://arxiv.org/abs/2009.06211): h is where h = relu(A-hat h W + x B)
    stands still. The rows of W sum up to `contraction` at most, so that there is one such point.

    It is trained through `rounds` rounds of that equation.
    """

    def __init__(self, width: int, contraction: float = 0.9, rounds: int = 30) -> None:
        super().__init__()
        self.inner, self.enter, self.read = nn.Linear(width, width, bias=False), nn.Linear(1, width), reader(width)
        self.contraction, self.rounds = contraction, rounds

    def weight(self) -> Tensor:
        w = self.inner.weight
        return w * (self.contraction / w.abs().sum(1, keepdim=True).clamp(min=self.contraction))

    def start(self, crowd: Crowd) -> Moment:
        h = crowd.x.new_zeros(len(crowd.x), self.inner.in_features)
        return h, h[crowd.src]

    def wake(self, crowd: Crowd, h: Tensor, heard: Tensor, turn: Tensor) -> Moment:
        h = (linear(crowd.near_as_heard(h, heard), self.weight()) + self.enter(crowd.x)).relu()
        return h, h[crowd.src]

    def learned(self, crowd: Crowd) -> None: ...

    def forward(self, crowd: Crowd) -> Tensor:
        w, inputs = self.weight(), self.enter(crowd.x)
        h = inputs.relu()
        for _ in range(self.rounds if self.training else 3 * self.rounds):
            h = (linear(crowd.near @ h, w) + inputs).relu()
        return self.read(h)


def learn(system: nn.Module, crowd: Crowd, steps: int) -> Iterator[float]:
    """Trains in step, on all graphs at once; yields the loss. A system may bring its own `lr`."""

    def loss() -> Tensor:
        system.train()
        return nn.functional.mse_loss(system(crowd), crowd.y)

    return descend(loss, system.parameters(), steps, lr=getattr(system, "lr", 0.01))


@torch.no_grad()
def wander(
    system: Wakeful, crowd: Crowd, ticks: int, awake: float, bound: int, seed: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Uses a trained network out of step: what the nodes say and who was awake, after each tick. The same seed wakes
    the same nodes and delays the same news, whichever the network."""
    draw = torch.Generator().manual_seed(seed)

    def wake(h: Tensor, heard: Tensor, turn: Tensor) -> Moment:
        return system.wake(crowd, h, heard, turn)

    for h, up in out_of_step(wake, *system.start(crowd), crowd.src, ticks, awake, bound, draw):
        yield system.read(h), up


def in_and_out_of_step(
    systems: Mapping[str, nn.Module],
    crowd: Crowd,
    val: Crowd,
    test: Crowd,
    steps: int,
    ticks: int,
    awake: float,
    bound: int,
    seed: int,
) -> Run:
    """Trains all systems in step on `crowd`, goes back to where each erred least on `val`, and uses them out of step on
    `test`; frames hold what `VIEWS` names."""
    training = {arm: learn(system, crowd, steps) for arm, system in systems.items()}
    every, best = max(1, steps // 20), dict.fromkeys(systems, math.inf)
    kept, said = dict[str, dict[str, Tensor]](), dict[str, Tensor]()
    for step in range(1, steps + 1):
        values: dict[str, Value] = {f"loss/{arm}": next(losses) for arm, losses in training.items()}
        if step == 1 or step % every == 0 or step == steps:
            for arm, system in systems.items():
                error = val.error(system.eval()(val).detach())
                if error < best[arm]:
                    best[arm], said[arm] = error, system(test).detach()
                    kept[arm] = {name: weight.clone() for name, weight in system.state_dict().items()}
                values |= {f"validation error/{arm}": error, f"error in step/{arm}": test.error(said[arm])}
            yield Frame(step, steps + ticks, values)
    walks = {}
    for arm, system in systems.items():
        system.load_state_dict(kept[arm])
        system.learned(crowd)  # type: ignore[operator]
        walks[arm] = wander(system, test, ticks, awake, bound, seed)  # type: ignore[arg-type]
    edges, every = test.edge_index[:, test.src < test.size].numpy(), max(1, ticks // 50)
    drift = {arm: torch.zeros(test.size, ticks // every) for arm in systems}
    for tick in range(1, ticks + 1):
        now = {arm: next(walk) for arm, walk in walks.items()}
        if tick % every:
            continue
        values = {}
        for arm, (says, up) in now.items():
            off = drift[arm][:, tick // every - 1] = (says - said[arm])[: test.size, 0]
            when = range(every, every * drift[arm].shape[1] + 1, every)
            values |= {
                f"graph/{arm}": Graph(edges, test.size, values=off, train=up[: test.size], unit="off by"),
                f"answers/{arm}": Points(torch.cat([said[arm], says], 1), items="test nodes", axes=AXES),
                f"drift/{arm}": Grid(drift[arm], "node", "tick", "off by", signed=True, x=when),
                f"error out of step/{arm}": test.error(says),
                f"off by/{arm}": float((says - said[arm]).square().mean().sqrt()),
            }
        yield Frame(steps + tick, steps + ticks, values)
