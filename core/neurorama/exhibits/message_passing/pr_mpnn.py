r"""Which edges would help a graph network? Here a second network learns it. It looks at the graph, gives each pair of
nodes a score, and draws k pairs to be joined, high scores more often. The first network then works on the graph with
these edges, and its loss teaches both, although a draw has no slope.

$$\theta_{ij} = \phi(h_i, h_j) + \phi(h_j, h_i), \qquad
p(M) = \frac{1}{Z_k(\theta)} \prod_{ij \in M} e^{\theta_{ij}}, \quad |M| = k$$

$$z \sim p, \quad \frac{\partial z}{\partial \theta} := \frac{\partial \mu}{\partial \theta}, \quad \mu_{ij} =
P(ij \in M) = \frac{\partial \log Z_k}{\partial \theta_{ij}}, \quad H' = \mathrm{MLP}((1 + \epsilon + A + A_z) H)$$

The chances $\mu$ are exact (SIMPLE). The task: the root of a tree says how many leaves hold a one, with too few layers
to hear from any of them.

Left out: dropping edges by a head of its own; several priors and draws at once; molecules.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn, no_grad

from neurorama import Claim, Entry, Exhibit, Paper, Params, Preset, Run, Trace, Value
from neurorama.kernels.subsets import marginals, sample

from .arena import DISTANCE, GIN, AtTarget, Batch, DistanceTask, Wiring, at_best_validation
from .arena.leaves import CHOSEN, Join, chosen, leaf_count
from .arena.shortcuts import absent

PAPER = Paper(
    id=205,
    title="Probabilistically Rewired Message-Passing Neural Networks",
    name="PR-MPNN",
    authors="C. Qian, A. Manolache, K. Ahmed, Z. Zeng, G. Van den Broeck, M. Niepert, C. Morris",
    year=2024,
    venue="ICLR",
    url="https://arxiv.org/abs/2310.02156",
)


class Knobs(Params):
    tree: int = Field(3, ge=2, le=4, description="depth of the tree")
    layers: int = Field(2, ge=1, le=4, description="layers of the networks downstream; fewer than the tree is deep")
    k: int = Field(8, ge=1, le=32, description="edges that are added")
    pool: int = Field(128, ge=8, le=512, description="candidate pairs at most, drawn at random where there are more")
    hidden: int = Field(32, ge=4, le=128, description="width of all networks")
    lr: float = Field(0.01, ge=0.001, le=0.05, description="step size of training")
    steps: int = Field(80, ge=10, le=500, description="training steps")
    task: Literal["leaf count", "neighbours match"] = Field("leaf count", description="what the root is asked")
    learned: bool = Field(True, description="scores choose; off: any k pairs, anew each time")
    exact: bool = Field(True, description="the slope of the exact chances; off: that of the scores' softmax, times k")


class PRMPNN(nn.Module):
    """Batch of graphs that are wired alike -> (n, c). In training edges are drawn, afterwards the best k are taken."""

    def __init__(self, knobs: Knobs, features: int, classes: int, depth: int) -> None:
        super().__init__()
        d, self.knobs = knobs.hidden, knobs
        self.up = GIN(features, d, d, 1)
        self.phi = nn.Sequential(nn.Linear(2 * d, d), nn.ReLU(), nn.Linear(d, 1))
        self.down = GIN(features, d, classes, depth)
        self.pairs, self.join = torch.empty(0), Join()

    def candidates(self, wiring: Wiring) -> Tensor:
        """(2, a) pairs that may be joined, the same for all batches."""
        if not len(self.pairs):
            pairs = absent(*wiring.pieces[0]).nonzero()
            self.pairs = pairs[torch.randperm(len(pairs))[: self.knobs.pool]].T
        return self.pairs

    def scores(self, batch: Batch) -> Tensor:
        """(g, a) theta of each candidate."""
        pairs = self.candidates(batch.wiring)
        h = self.up(batch).unflatten(0, (batch.num_graphs, -1))
        i, j = h[:, pairs[0]], h[:, pairs[1]]
        return (self.phi(torch.cat([i, j], 2)) + self.phi(torch.cat([j, i], 2)))[..., 0]

    def choose(self, theta: Tensor) -> Tensor:
        """(g, a) zeros and ones, k a row."""
        k = min(self.knobs.k, theta.shape[1])
        if not self.knobs.learned:
            return sample(torch.zeros_like(theta), k)
        if not self.training:
            return torch.zeros_like(theta).scatter(1, theta.topk(k).indices, 1.0)
        slope = marginals(theta, k) if self.knobs.exact else k * theta.softmax(1)
        return sample(theta, k) + slope - slope.detach()

    def forward(self, batch: Batch) -> Tensor:
        z = self.choose(self.scores(batch))
        return self.down(self.join(batch, self.candidates(batch.wiring), z))


def build(knobs: Knobs, task: DistanceTask) -> AtTarget:
    return AtTarget(PRMPNN(knobs, *task.sizes, task.depth))


@no_grad()
def look(arm: str, net: PRMPNN, task: DistanceTask) -> dict[str, Value]:
    one = task.test.copies(0, 1)
    theta = net.eval().scores(one) * net.knobs.learned
    chances, z = marginals(theta, min(net.knobs.k, theta.shape[1]))[0], net.choose(theta)[0]
    return chosen(arm, task, net.candidates(one.wiring), chances, z > 0)


def run(knobs: Knobs) -> Run:
    size = knobs.seed, knobs.tree, knobs.layers
    task = leaf_count(*size) if knobs.task == "leaf count" else DISTANCE.data("tree", *size)
    features, classes = task.sizes
    systems = {"PR-MPNN": build(knobs, task)}
    systems["random edges"] = build(knobs.model_copy(update={"learned": False}), task)
    systems["GIN"] = AtTarget(GIN(features, knobs.hidden, classes, knobs.layers))
    systems["GIN, as deep as the tree"] = AtTarget(GIN(features, knobs.hidden, classes, knobs.tree))
    for system in systems.values():
        system.lr = knobs.lr  # type: ignore[assignment]
    for frame in DISTANCE.meet(systems, task, knobs.steps, every=max(1, knobs.steps // 8)):
        for arm, system in systems.items():
            more = look(arm, system.net, task) if isinstance(system.net, PRMPNN) else {}
            frame = frame.plus({**DISTANCE.look(arm, system, task), **more})
        yield frame


def margin(trace: Trace) -> float:
    ours, *others = (at_best_validation(trace, arm) for arm in ("PR-MPNN", "random edges", "GIN"))
    return ours - max(others)


EXHIBIT = Exhibit(
    paper=PAPER,
    params=Knobs,
    run=run,
    claim=Claim(
        statement="A shallow network with edges that are learned answers what it cannot with random ones, or none.",
        paper_says="Mitigates over-squashing and under-reaching (in words).",
        margin=margin,
        unit="test accuracy, PR-MPNN minus the better of random edges and the graph as given, equally many layers",
        control={"learned": False},
    ),
    arms=("PR-MPNN", "random edges", "GIN", "GIN, as deep as the tree"),
    views={**CHOSEN, **DISTANCE.views, "test accuracy": "On fresh trees, whose leaves are counted by the root."},
    presets={
        "a rough slope": Preset("A softmax in place of exact chances.", {"exact": False}),
        "where it breaks": Preset("Which leaf has the key of the root?", {"task": "neighbours match"}),
    },
    fidelity="full",
    departs="Trees of depth 3 whose edges go both ways. The scorer hears neighbours, where the authors' config for "
    "this task has embeddings only; scores are symmetric; after training the best k are taken. Settings were chosen on "
    "seed 100. A GIN as deep as the tree does it better, and is not in the claim.",
    entry=Entry(DISTANCE, build),
)
