"""RootNeighbors of Finkelshtein et al. (2024, https://arxiv.org/abs/2310.01267): which neighbours matter is written in
their degrees alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle

import torch
from torch import Generator, Tensor, nn

from neurorama import Bars, Frame, Graph, Points, Run, Trace, Value, descend
from neurorama.kernels.edge_masks import gated

from .batches import Batch, Wiring
from .nets import Wired

FEATURES = 5
HUB = 6  # the degree of a neighbour that counts

VIEWS = {
    "choices": "A test tree. Colour: neither, speak, listen, both. Thick rims: the neighbours whose mean is asked for.",
    "who speaks": "Hubs, the neighbours that count, should speak; the root's other neighbours should not.",
    "answers": "Each dot is a test tree, one feature of five: on the diagonal the root is right.",
    "test error": "Mean absolute error at the roots of trees with more hubs than in training.",
    "validation error": "On other such trees, to choose the step at which an arm is judged.",
    "loss": "Squared error at the roots of the batch.",
}


def root_neighbours(count: int, seed: int, more: int = 0) -> Batch:
    """`count` trees of depth two, node 0 of each its root; y (count, 5) is the mean of its neighbours of degree 6.

    As the authors make them: 1 to 3 neighbours are hubs with five leaves each, the other ones, up to 10 in all, have
    one or two leaves; features are uniform in [-2, 2]. `target` holds the roots.

    Args:
        more: hubs more in each tree; the authors validate and test with 2, and train with none.
    """
    draw = Generator().manual_seed(seed)

    def number(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=draw))

    pieces, hubs, first = [], [], 0
    for _ in range(count):
        children, big = number(3 + more, 10), number(1, 3) + more
        leaves = [HUB - 1] * big + [number(1, 2) for _ in range(children - big)]
        above = torch.arange(1, children + 1).repeat_interleave(torch.tensor(leaves))
        parent = torch.cat([torch.zeros(children, dtype=torch.long), above])
        down = torch.stack([parent, torch.arange(1, len(parent) + 1)])
        pieces.append((torch.cat([down, down.flip(0)], dim=1), len(parent) + 1))
        hubs.append(first + torch.arange(1, big + 1))
        first += len(parent) + 1
    x = 4 * torch.rand(first, FEATURES, generator=draw) - 2
    wiring = Wiring.of(pieces)
    return Batch(wiring, x, torch.stack([x[some].mean(0) for some in hubs]), target=wiring.starts)


class Layer(nn.Module):
    """W [h, sum or mean of what is heard]: SumGNN and MeanGNN of the paper. Edges may be shut by gates (m,)."""

    def __init__(self, width: int, out: int, mean: bool) -> None:
        super().__init__()
        self.linear, self.mean = nn.Linear(2 * width, out), mean

    def forward(self, graph: Wired, h: Tensor, gates: Tensor | None = None) -> Tensor:
        near = graph.sums if gates is None else gated(graph.sums, gates)
        heard = near @ torch.cat([h, h.new_ones(len(h), 1)], dim=1)  # in the last column, from how many
        total = heard[:, :-1] / heard[:, -1:].clamp(min=1) if self.mean else heard[:, :-1]
        return self.linear(torch.cat([h, total], dim=1))


def meet(
    systems: Mapping[str, nn.Module], train: Sequence[Batch], val: Batch, test: Batch, steps: int, every: int
) -> Run:
    """Trains all systems in lockstep, a batch a step, by the squared error at the roots; frames hold mean absolute
    errors, `test error/ARM` and `validation error/ARM`, and what the roots say of one feature. A system has an `lr`."""

    def learn(system: nn.Module) -> Iterator[float]:
        batches = cycle(train)

        def loss() -> Tensor:
            batch = next(batches)
            return nn.functional.mse_loss(system(batch)[batch.target], batch.y)

        return descend(loss, system.parameters(), steps, lr=system.lr)  # type: ignore[arg-type]

    start = torch.get_rng_state()
    training, streams = {arm: learn(system) for arm, system in systems.items()}, dict.fromkeys(systems, start)
    for step in range(1, steps + 1):
        values: dict[str, Value] = {}
        for arm, system in systems.items():
            torch.set_rng_state(streams[arm])
            values[f"loss/{arm}"] = next(training[arm])
            if step == 1 or step % every == 0 or step == steps:
                for part, batch in (("validation", val), ("test", test)):
                    with torch.no_grad():
                        said = system(batch)[batch.target]
                    values[f"{part} error/{arm}"] = float((said - batch.y).abs().mean())
                pair = torch.stack([test.y[:, 0], said[:, 0]], dim=1)
                values[f"answers/{arm}"] = Points(pair, items="trees", axes=("the true mean", "what the root says"))
            streams[arm] = torch.get_rng_state()
        if len(values) > len(systems):
            yield Frame(step, steps, values)


def at_best_validation(trace: Trace, arm: str) -> float:
    """Test error where the validation error was lowest (the first time)."""
    val, test = trace.numbers(f"validation error/{arm}"), trace.numbers(f"test error/{arm}")
    return test[val.index(min(val))]


def choices(test: Batch, actions: Tensor) -> dict[str, Value]:
    """Which nodes listen (column 0 of `actions`) and speak (column 1): on the first test tree, and how often."""
    listens, speaks = actions.bool().T
    src, dst = test.edge_index
    degree, child = src.bincount(), torch.zeros_like(listens)
    assert test.target is not None
    child[dst[torch.isin(src, test.target)]] = True
    n = int(test.wiring.sizes[0])
    edges = test.edge_index[:, src < n]
    kept = speaks[edges[0]] & listens[edges[1]]
    groups = {
        "hubs speak": speaks[child & (degree == HUB)],
        "others speak": speaks[child & (degree < HUB)],
        "roots listen": listens[test.target],
    }
    return {
        "choices": Graph(
            edges,
            n,
            (2 * listens + speaks)[:n],
            train=(child & (degree == HUB))[:n],
            directed=True,
            change=kept.long() - 1,
        ),
        "who speaks": Bars(list(groups), [float(group.float().mean()) for group in groups.values()], "share"),
    }
