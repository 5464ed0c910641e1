r"""Tasks whose answer stands k hops away: the arena of distance.

A system is an `nn.Module` that maps a `Batch` to logits (g, c), one row for each graph, read at its target node; a
network that gives a row for each node becomes one by `AtTarget(net)`. It has `task.depth` layers, as many as the answer
is hops away unless told otherwise. In evaluation mode the graphs of a batch must not hear each other. It may bring its
own `lr` and `weight_decay`. A rewiring goes over a task once, before training: `task.rewired(edit)`.

The tasks:

- `ring`: a ring of 2k nodes. The source holds one of five classes, one-hot; the target, opposite, holds zeros, all
  others ones. The target must tell the class. RingTransfer of Bodnar et al. (2021), https://arxiv.org/abs/2106.12575,
  as Di Giovanni et al. (2023), https://arxiv.org/abs/2302.02941, use it to measure over-squashing.
- `tree`: a binary tree of depth k. Each of its 2^k leaves holds a key and a value, the values in random order; the
  root, the target, holds a key and must tell the value at the leaf with that key. NeighborsMatch of Alon and Yahav
  (2021), https://arxiv.org/abs/2006.05205; there messages go up only, here edges are two-way, as in all these tasks.
- `barbell`, `grid`: source and target are k or k - 1 hops apart, each as often as the other for every target, and are
  marked; the target must tell whether their distance is odd. In the barbell they stand in two cliques of five.
- `karate` and the user's own graph: transfer of a class, as on the ring, between two members who are k hops apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import cycle
from typing import final

import networkx as nx
import numpy as np
import torch
from pydantic import Field
from torch import Generator, Tensor, nn

from neurorama import Arena, Curve, Graph, InputError, Params, Value, data, descend
from neurorama.kernels.hops import distances as hops
from neurorama.kernels.resistance import circuit

from .batches import Batch, Piece, Wiring
from .nets import GCN, GIN, AtTarget

CLASSES = 5  # that a source may hold, as in the paper
CLIQUE = 5  # nodes in each weight of the barbell
TRAINED, SIZE = 24, 64  # batches that are trained on in turn, and graphs in each
HELD_OUT = 256  # fresh graphs for validation, and as many for the test
LARGEST = 200  # nodes of a graph of the user's own; there are SIZE copies of it
DEEPEST = 6  # of a tree: 64 leaves

VIEWS = {
    "sensitivity": "How much the target's answer changes with what each node holds: does the source get through?",
    "resistance to the target": "Effective resistance between each node and the target: many short ways make it small.",
    "test accuracy": "On fresh graphs of the same law; guessing gets 1 in 5 on rings, 1 in 2 on barbell and grid.",
    "jacobian": "The same sensitivity to the source alone, as a power of ten: straight down is over-squashed.",
    "validation accuracy": "On other fresh graphs, set aside to choose the step at which an arm is judged.",
    "loss": "Cross-entropy of the target's answer on the graphs that are trained on.",
}


@dataclass(frozen=True, eq=False)
class DistanceTask:
    """Graphs in which the answer stands `distance` hops from where it is asked for.

    Args:
        train: batches, each a step of training, in turn.
        val, test: fresh graphs of the same law.
        classes: how many answers there are.
        distance: k.
        depth: layers that every system gets.
    """

    train: tuple[Batch, ...]
    val: Batch
    test: Batch
    classes: int
    distance: int
    depth: int

    @property
    def sizes(self) -> tuple[int, int]:
        """(features, classes)."""
        return self.test.x.shape[1], self.classes

    @cached_property
    def example(self) -> Batch:
        """The first test graph, once for each class, so that one step back through it gives the whole Jacobian."""
        return self.test.copies(0, self.classes)

    @cached_property
    def edges(self) -> np.ndarray:
        """Edges of the first test graph as frames share them: read-only."""
        edges = self.test.wiring.pieces[0][0].numpy().copy()
        edges.setflags(write=False)
        return edges

    @cached_property
    def resistance(self) -> Tensor:
        """(n,) effective resistance between each node of the first test graph and its target; infinite where none
        leads to it."""
        assert self.test.target is not None
        edges, n = self.test.wiring.pieces[0]
        return circuit(edges, n).resistance()[int(self.test.target[0])].float()

    def rewired(self, edit: Callable[[Tensor, int], Tensor]) -> DistanceTask:
        """The same task on other edges: `edit(edge_index, num_nodes)` -> (2, m') for each graph that is different."""
        known: dict[int, Wiring] = {}

        def on(batch: Batch) -> Batch:
            if id(batch.wiring) not in known:
                known[id(batch.wiring)] = batch.wiring.rewired(edit)
            return batch.on(known[id(batch.wiring)])

        return replace(self, train=tuple(map(on, self.train)), val=on(self.val), test=on(self.test))


class Distance(Params):
    """The common knobs of this arena."""

    distance: int = Field(5, ge=2, le=32, description="k, hops between the answer and where it is asked for")
    depth: int = Field(0, ge=0, le=32, description="layers of every system; 0: as many as the distance")


@final
class LongRange(Arena[nn.Module, DistanceTask]):
    """Systems map a Batch to logits (g, c) at the targets; the score is the accuracy on fresh graphs."""

    title = "The answer is far away"
    metric = "test accuracy"
    sources = ("ring", "tree", "barbell", "grid", "karate")
    own = True
    steps = 240
    knobs = Distance
    views = VIEWS

    def meaning(self, source: str) -> str:
        return "accuracy at the target, on fresh graphs of the same law"

    def data(self, source: str, seed: int, distance: int = 5, depth: int = 0) -> DistanceTask:
        """The task at `distance` hops, for systems of `depth` layers (0: as many).

        Raises:
            InputError: the source has no two nodes that far apart, or is too large.
        """
        law, classes = _law(source, distance)
        draw = Generator().manual_seed(seed)
        few, many = law(SIZE), law(HELD_OUT)
        train = tuple(few(draw) for _ in range(TRAINED))
        return DistanceTask(train, many(draw), many(draw), classes, distance, depth or distance)

    def baselines(self, data: DistanceTask) -> Mapping[str, nn.Module]:
        features, classes = data.sizes
        return {
            "GCN": AtTarget(GCN(features, 32, classes, data.depth, norm=True)),
            "GIN": AtTarget(GIN(features, 32, classes, data.depth)),
        }

    def train(self, system: nn.Module, data: DistanceTask, steps: int) -> Iterator[float]:
        batches = cycle(data.train)

        def loss() -> Tensor:
            system.train()
            batch = next(batches)
            return nn.functional.cross_entropy(system(batch), batch.y)

        lr, decay = getattr(system, "lr", 0.005), getattr(system, "weight_decay", 0.0)
        return descend(loss, system.parameters(), steps, lr=lr, weight_decay=decay)

    @torch.no_grad()
    def logits(self, system: nn.Module, batch: Batch) -> Tensor:
        """(g, c) in evaluation mode."""
        system.eval()
        return system(batch)

    def score(self, system: nn.Module, data: DistanceTask) -> float:
        return self._accuracy(system, data.test)

    def _accuracy(self, system: nn.Module, batch: Batch) -> float:
        return float((self.logits(system, batch).argmax(1) == batch.y).float().mean())

    def jacobian(self, system: nn.Module, data: DistanceTask) -> Tensor:
        """(n,) the Frobenius norm of d logits(target) / d x_v, for each node v of the first test graph."""
        system.eval()
        example = data.example
        x = example.x.clone().requires_grad_()
        with torch.enable_grad():
            out = system(replace(example, x=x))
            (grad,) = torch.autograd.grad(out.diagonal().sum(), x)
        return grad.reshape(data.classes, -1, x.shape[1]).square().sum((0, 2)).sqrt()

    def look(self, arm: str, system: nn.Module, data: DistanceTask) -> dict[str, Value]:
        """What every system shows, on the first test graph: how far its answer hangs on each node (as a power of ten,
        relative to the node it hangs on most), on the source, and how that node's place resists."""
        assert data.test.source is not None
        norms = self.jacobian(system, data)
        relative = (norms / norms.max().clamp(min=1e-30)).clamp(min=1e-6).log10()
        source = norms[int(data.test.source[0])].clamp(min=1e-12).log10()
        n = len(norms)
        wall = data.resistance.where(data.resistance.isfinite(), data.resistance[data.resistance.isfinite()].max())
        return {
            f"sensitivity/{arm}": Graph(data.edges, n, values=relative, unit="log10 of the Jacobian, largest = 0"),
            "resistance to the target": Graph(data.edges, n, values=wall, unit="effective resistance"),
            f"jacobian/{arm}": float(source),
            f"validation accuracy/{arm}": self._accuracy(system, data.val),
        }

    def sweep(
        self,
        make: Callable[[DistanceTask], Mapping[str, nn.Module]],
        source: str,
        seed: int,
        distances: Sequence[int],
        steps: int,
    ) -> Iterator[dict[str, Value]]:
        """Trains `make(task)` anew at each distance, and yields "accuracy against distance/NAME" so far."""
        reached: dict[str, list[float]] = {}
        for count, distance in enumerate(distances, start=1):
            task = self.data(source, seed, distance)
            systems = make(task)
            *_, last = self.meet(systems, task, steps, every=steps)
            for name in systems:
                reached.setdefault(name, []).append(float(last.values[f"{self.metric}/{name}"]))  # type: ignore[arg-type]
            yield {
                f"accuracy against distance/{name}": Curve(distances[:count], scores, "hops", self.metric, dots=True)
                for name, scores in reached.items()
            }


# The laws: (how many graphs) -> (random stream -> a batch of them), so that what all batches share is made once.

Draw = Callable[[Generator], Batch]
Law = Callable[[int], Draw]


def _law(source: str, k: int) -> tuple[Law, int]:
    """The law of a source at k hops, and the number of its classes."""
    if source == "tree":
        if k > DEEPEST:
            raise InputError(f"distance={k}: a tree of that depth is too large here; at most {DEEPEST}")
        return lambda count: _tree(k, count), 2**k
    if source == "barbell":
        return lambda count: _parity(_piece(_barbell(k)), k, count, source), 2
    if source == "grid":
        side = k // 2 + 3
        return lambda count: _parity(_piece(nx.grid_2d_graph(side, side)), k, count, source), 2
    if source == "ring":
        return lambda count: _transfer(_piece(nx.cycle_graph(2 * k)), k, count, source), CLASSES
    graph = data.usable(data.graph(source), source)
    if graph.num_nodes > LARGEST:
        raise InputError(
            f"source={source!r} has {graph.num_nodes:,} nodes; at most {LARGEST} here, of which copies are made"
        )
    return lambda count: _transfer((graph.edge_index, graph.num_nodes), k, count, source), CLASSES


def _piece(graph: nx.Graph) -> Piece:
    plain = nx.convert_node_labels_to_integers(graph.to_directed())
    return torch.tensor(list(plain.edges)).T.contiguous(), plain.number_of_nodes()


def _barbell(k: int) -> nx.Graph:
    """Two cliques at the ends of a path of k - 2 edges (at k = 2 they share a node): the farthest nodes are k apart."""
    path = nx.path_graph(k - 1)
    for end, name in ((0, "a"), (k - 2, "b")):
        path.update(nx.complete_graph([end, *(f"{name}{i}" for i in range(1, CLIQUE))]))
    return path


def _pick(allowed: Tensor, draw: Generator) -> Tensor:
    """(g, n) booleans -> (g,) one of the allowed columns of each row, all with the same chance."""
    return torch.rand(allowed.shape, generator=draw).masked_fill(~allowed, -1).argmax(1)


def _eligible(ok: Tensor, far: Tensor, k: int, source: str) -> Tensor:
    if not ok.any():
        most = far[far.isfinite()].max()
        raise InputError(f"distance={k}: source={source!r} has no two nodes so far apart; {most:.0f} is the farthest")
    return ok.nonzero().flatten()


def _transfer(piece: Piece, k: int, count: int, source: str) -> Draw:
    far, wiring = hops(*piece), Wiring.of([piece] * count)
    targets = _eligible((far == k).any(1), far, k, source)

    def draw(stream: Generator) -> Batch:
        target = targets[torch.randint(len(targets), (count,), generator=stream)]
        origin = _pick(far[target] == k, stream)
        y = torch.randint(CLASSES, (count,), generator=stream)
        x = torch.ones(wiring.num_nodes, CLASSES)
        x[target + wiring.starts] = 0.0
        x[origin + wiring.starts] = nn.functional.one_hot(y, CLASSES).float()
        return Batch(wiring, x, y, origin + wiring.starts, target + wiring.starts)

    return draw


def _parity(piece: Piece, k: int, count: int, source: str) -> Draw:
    far, wiring = hops(*piece), Wiring.of([piece] * count)
    targets = _eligible((far == k).any(1) & (far == k - 1).any(1), far, k, source)

    def draw(stream: Generator) -> Batch:
        target = targets[torch.randint(len(targets), (count,), generator=stream)]
        apart = k - torch.randint(2, (count,), generator=stream)
        origin = _pick(far[target] == apart[:, None], stream)
        x = torch.zeros(wiring.num_nodes, 3)
        x[:, 0] = 1.0
        x[origin + wiring.starts, 1] = 1.0
        x[target + wiring.starts, 2] = 1.0
        return Batch(wiring, x, apart % 2, origin + wiring.starts, target + wiring.starts)

    return draw


def _tree(k: int, count: int) -> Draw:
    leaves, n = 2**k, 2 ** (k + 1) - 1
    child = torch.arange(1, n)
    up = torch.stack([child, (child - 1) // 2])  # node 0 is the root, the last 2^k are the leaves
    wiring = Wiring.of([(torch.cat([up, up.flip(0)], dim=1), n)] * count)

    def draw(stream: Generator) -> Batch:
        values = torch.rand(count, leaves, generator=stream).argsort(1)
        key = torch.randint(leaves, (count,), generator=stream)
        x = torch.zeros(count, n, 2 * leaves)
        one_hot = torch.eye(leaves)
        x[:, n - leaves :, :leaves] = one_hot
        x[:, n - leaves :, leaves:] = one_hot[values]
        x[:, 0, :leaves] = one_hot[key]
        y = values[torch.arange(count), key]
        return Batch(wiring, x.flatten(0, 1), y, wiring.starts + n - leaves + key, wiring.starts)

    return draw


DISTANCE = LongRange()
