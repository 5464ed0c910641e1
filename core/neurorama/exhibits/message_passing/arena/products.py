"""A product to be told: a node's own first number, its neighbours' mean second, and the mean third of the graph. The
graph stays, the numbers are drawn anew each time; sums alone cannot tell it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import cycle

import torch
from torch import Generator, Tensor, nn

from neurorama import Bars, Curve, Frame, Graph, Points, Run, Trace, Value, descend
from neurorama.kernels.propagation import normalised
from neurorama.kernels.segment import segment_mean

from .batches import Batch, Piece, Wiring

FEATURES = 3
BATCHES, NODES = 64, 200  # batches that are trained on in turn, and about as many nodes in each
HELD_OUT = 1000  # nodes, or a little more, that validate, and as many that test
TERMS = {"own": [0], "near": [1], "all": [2], "own·near": [0, 1], "own·all": [0, 2], "near·all": [1, 2]}
TERMS |= {"own·near·all": [0, 1, 2]}

VIEWS = {
    "graph": "One test graph. Colour: how far off each node's answer is.",
    "terms": "What the answers are made of: the last term is what is asked for, the other six are not.",
    "degree": "Before training: the power with which what comes out grows, after each local layer without its norm.",
    "answers": "Each dot is a node of a test graph: on the diagonal it is right.",
    "test R^2": "On fresh numbers: 1 is right, 0 is no better than the mean.",
    "validation R^2": "On other fresh numbers, to choose the step at which an arm is judged.",
    "loss": "Squared error on the numbers of the step.",
}


def factors(batch: Batch) -> Tensor:
    """(3, n): a node's first number, the mean second of its neighbours and itself, the mean third of its graph; each
    scaled so that its square is 1 on average."""
    own, near, far = batch.x.split(1, dim=1)
    near = normalised(batch.edge_index, len(batch.x), how="row") @ near
    far = segment_mean(far, batch.batch, batch.num_graphs)[batch.batch]
    heard = 1 + batch.edge_index[1].bincount(minlength=len(own))
    scales = own.new_tensor(1.0), (1 / heard).mean().rsqrt(), batch.wiring.sizes[batch.batch, None].sqrt()
    return torch.cat([part * scale for part, scale in zip((own, near, far), scales)], dim=1).T


def draw(piece: Piece, nodes: int, stream: Generator) -> Batch:
    """The graph as many times as it takes for so many `nodes`, with numbers uniform in [-3^1/2, 3^1/2]: mean 0 and
    variance 1. y (n,) is the product of the `factors`, for each node."""
    wiring = Wiring.of([piece] * -(-nodes // piece[1]))
    x = (2 * torch.rand(wiring.num_nodes, FEATURES, generator=stream) - 1) * 3**0.5
    batch = Batch(wiring, x, x[:, 0])
    return replace(batch, y=factors(batch).prod(0))


def terms(found: Tensor, said: Tensor) -> Bars:
    """How much of each product of `factors` found (3, n) there is in answers (n,): in right ones, 1 of the last."""
    parts = torch.stack([found[which].prod(0) for which in TERMS.values()])
    return Bars(list(TERMS), parts @ said / parts.square().sum(1), "share in the answer")


@torch.no_grad()
def degree(net: nn.Module, piece: Piece) -> Curve:
    """The growth of the states after each layer when all features grow, as a power of theirs: the degree, where a state
    is a polynomial of the features. Powers up to 16 or so can be told.

    Args:
        net: a network that is fresh, and of no use afterwards. Of its layers `near`, each loses its `norm`; the first
            states of `net.hidden` are theirs.
    """
    net.double().eval()
    for layer in net.near:  # type: ignore[union-attr]
        layer.norm = nn.Identity()  # type: ignore[union-attr]
    batch = draw(piece, 1, Generator().manual_seed(0))
    depth = len(net.near)  # type: ignore[arg-type]
    small, large = (net.hidden(replace(batch, x=scale * batch.x.double()))[:depth] for scale in (1e6, 1e7))  # type: ignore[operator]
    powers = [float((b.norm() / a.norm()).log10()) for a, b in zip(small, large)]
    return Curve(range(1, depth + 1), powers, "layer", "degree", dots=True)


def meet(systems: Mapping[str, nn.Module], piece: Piece, seed: int, steps: int, every: int) -> Run:
    """Trains all systems in lockstep on the same numbers, a batch a step, by the squared error.

    A system maps a batch to (n, 1), has an `lr`, and an `objective(batch)`, the loss of its next step.
    """
    stream = Generator().manual_seed(seed)
    train = [draw(piece, NODES, stream) for _ in range(BATCHES)]
    val, test = draw(piece, HELD_OUT, stream), draw(piece, HELD_OUT, stream)
    found, (edges, n) = factors(test), piece

    def learn(system: nn.Module) -> Iterator[float]:
        batches = cycle(train)
        return descend(lambda: system.objective(next(batches)), system.parameters(), steps, lr=system.lr)  # type: ignore[operator, arg-type]

    def look(arm: str, system: nn.Module) -> dict[str, Value]:
        from sklearn.metrics import r2_score  # slow to load: not before a run starts

        system.eval()
        with torch.no_grad():
            checked, said = system(val)[:, 0], system(test)[:, 0]
        system.train()
        pairs = torch.stack([test.y, said], dim=1)[:300]
        return {
            f"graph/{arm}": Graph(edges, n, values=(said - test.y)[:n].abs(), unit="error"),
            f"terms/{arm}": terms(found, said),
            f"answers/{arm}": Points(pairs, items="answers", axes=("true", "said")),
            f"test R^2/{arm}": float(r2_score(test.y, said)),
            f"validation R^2/{arm}": float(r2_score(val.y, checked)),
        }

    start = torch.get_rng_state()
    training, streams = {arm: learn(system) for arm, system in systems.items()}, dict.fromkeys(systems, start)
    for step in range(1, steps + 1):
        values: dict[str, Value] = {}
        for arm in systems:
            torch.set_rng_state(streams[arm])
            values[f"loss/{arm}"] = next(training[arm])
            streams[arm] = torch.get_rng_state()
        if step == 1 or step % every == 0 or step == steps:
            for arm, system in systems.items():
                values |= look(arm, system)
            yield Frame(step, steps, values)


def at_best_validation(trace: Trace, arm: str) -> float:
    """Test R^2 where that of validation was highest (the first time)."""
    val, test = trace.numbers(f"validation R^2/{arm}"), trace.numbers(f"test R^2/{arm}")
    return test[val.index(max(val))]
