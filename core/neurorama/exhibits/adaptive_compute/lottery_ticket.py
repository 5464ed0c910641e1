r"""Train a network, cut its smallest weights, put the others back to the very values they started from, train again.
What is left after a few rounds is a small network that learns well alone: a winning ticket. With the same wiring and
new random weights it does not, so the luck lies in the first weights.

$$\theta_T = \mathrm{train}(m \odot \theta_0), \qquad m \leftarrow m - \{p\,\% \text{ smallest } |\theta_T|
\text{ alive, in each layer}\}, \qquad \text{ticket} = m \odot \theta_0$$

The last layer is cut at half the rate. Two other networks train beside the ticket: $m \odot \theta_0'$ with freshly
drawn weights, and $m' \odot \theta_0$, as many weights of each layer kept at random places.

Left out: MNIST and CIFAR-10, early stopping, convolutions, the paper's 20 % a round.
"""

import math
from functools import partial
from itertools import pairwise

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import cross_entropy

from neurorama import Claim, Curve, Exhibit, Frame, Graph, Grid, Paper, Params, Preset, Run, Trace, Value, data, descend
from neurorama.kernels.masks import MaskedNetworks, living_edges, prune_smallest, shuffled

PAPER = Paper(
    id=318,
    title="The Lottery Ticket Hypothesis: Finding Sparse, Trainable Neural Networks",
    name="Lottery Ticket Hypothesis",
    authors="Jonathan Frankle, Michael Carbin",
    year=2019,
    venue="ICLR",
    url="https://arxiv.org/abs/1803.03635",
)

ARMS = ("ticket", "new weights", "other places")


class Knobs(Params):
    rounds: int = Field(8, ge=1, le=20, description="how often the network is pruned")
    share: float = Field(0.35, ge=0.05, le=0.98, description="share of the living weights that a round cuts")
    steps: int = Field(400, ge=20, le=2000, multiple_of=5, description="training steps in each round")
    width: int = Field(100, ge=20, le=300, description="units in the first hidden layer; the second has half as many")
    rate: float = Field(0.0012, ge=0.0001, le=0.05, description="learning rate of Adam")
    rewind: bool = Field(True, description="the ticket starts from its first weights; off: from new ones, every round")
    smallest: bool = Field(True, description="cut the smallest trained weights; off: any weights, by lot")


Layers = list[Tensor]  # a network's weights, or its mask, (inputs, outputs) each


def glorot(widths: list[int]) -> Layers:
    return [torch.randn(a, b) * math.sqrt(2 / (a + b)) for a, b in pairwise(widths)]


def prune(trained: Layers, mask: Layers, knobs: Knobs) -> Layers:
    """A smaller mask; the last layer loses half the share."""
    shares = [knobs.share] * (len(mask) - 1) + [knobs.share / 2]
    sizes = trained if knobs.smallest else [torch.rand_like(w) for w in trained]
    return [prune_smallest(w, m, share) for w, m, share in zip(sizes, mask, shares)]


def batch_loss(net: MaskedNetworks, x: Tensor, y: Tensor) -> Tensor:
    """The sum over the arms, each on a batch of its own; no gradient crosses between them."""
    rows = torch.randint(len(x), (len(ARMS), 60))
    return cross_entropy(net(x[rows]).flatten(0, 1), y[rows].flatten()) * len(ARMS)


def look(net: MaskedNetworks) -> dict[str, Value]:
    """The ticket's wiring, and where its weights are alive, beside the net at other places."""
    ticket = [m[0] for m in net.masks]
    edges, sizes, column = living_edges([w[0] for w in net.weights], ticket, 20)
    drawn = Graph(edges, len(column), column, weights=sizes, items="units", layers=column)
    left = sum(int(m.sum()) for m in ticket) / sum(m.numel() for m in ticket)
    values: dict[str, Value] = {"wiring/ticket": drawn, "weights left/ticket": 100 * left}
    for i in (0, 2):
        pixels = net.masks[0][i].sum(1).view(8, 8)
        values[f"living weights of each pixel/{ARMS[i]}"] = Grid(pixels, unit="living weights", image=True)
    return values


def run(knobs: Knobs) -> Run:
    table = data.table("digits", knobs.seed)
    order = torch.randperm(len(table.x))
    (test_x, x), (test_y, y) = ((part[order[:500]], part[order[500:]]) for part in (table.x / 16, table.y))
    widths = [x.shape[1], knobs.width, knobs.width // 2, 10]
    first = glorot(widths)
    mask = elsewhere = [torch.ones_like(w, dtype=torch.bool) for w in first]
    fifth, total = knobs.steps // 5, (knobs.rounds + 1) * knobs.steps
    scores: dict[str, list[list[float]]] = {"early accuracy": [], "final accuracy": []}  # of the arms, round by round
    for r in range(knobs.rounds + 1):
        start = first if knobs.rewind else glorot(widths)
        net = MaskedNetworks([start, glorot(widths), start], [mask, mask, elsewhere])
        training = descend(partial(batch_loss, net, x, y), net.parameters(), knobs.steps, lr=knobs.rate)
        for step, _ in enumerate(training, 1):
            if step % fifth:
                continue
            with torch.no_grad():
                right = (net(test_x).argmax(2) == test_y).float().mean(1).tolist()
            for name, when in zip(scores, (fifth, knobs.steps)):
                scores[name] += [right] if step == when else []
            values = look(net) | {f"test accuracy/{arm}": score for arm, score in zip(ARMS, right)}
            for name, rounds in scores.items():
                for arm, so_far in zip(ARMS, zip(*rounds)):
                    values[f"{name}/{arm}"] = Curve(range(len(rounds)), so_far, "rounds of pruning", "accuracy", True)
            yield Frame(r * knobs.steps + step, total, values)
        mask = prune([w[0].detach() for w in net.weights], mask, knobs)
        elsewhere = [shuffled(m) for m in mask]


def margin(trace: Trace) -> float:
    return trace.last("test accuracy/ticket") - trace.last("test accuracy/new weights")


EXHIBIT = Exhibit(
    paper=PAPER,
    params=Knobs,
    run=run,
    claim=Claim(
        statement="A sparse network learns better from the weights it first had than from new ones.",
        paper_says="On MNIST and CIFAR-10, tickets of less than 10-20 % of the size reach the full network's accuracy.",
        margin=margin,
        unit="test accuracy at the last density, ticket minus the same wiring with new weights",
        control={"rewind": False},
    ),
    arms=ARMS,
    views={
        "wiring": "A sample of the units, from pixels (left) to digits (right); only living weights are drawn.",
        "test accuracy": "It starts anew in every round: see how fast each network climbs again.",
        "final accuracy": "After each round's training: where does each network fall off?",
        "early accuracy": "After a fifth of each round: the ticket learns faster.",
        "living weights of each pixel": "The ticket keeps the pixels that carry ink; the other spreads them evenly.",
        "weights left": "Per cent of all weights.",
    },
    presets={
        "in one go": Preset("As sparse after a single cut: the ticket is worse.", {"rounds": 1, "share": 0.96}),
        "the paper's rate": Preset("20 % a round, as in the paper: a longer way.", {"share": 0.2, "rounds": 15}),
        "the paper's widths": Preset("300 and 100 units: a bigger net holds better tickets.", {"width": 300}),
        "by lot": Preset("Weights are cut at random: no ticket is found.", {"smallest": False}),
        "where it breaks": Preset("Two thirds are left: new weights do as well.", {"rounds": 1, "steps": 1000}),
    },
    fidelity="full",
    departs="8 rounds of 35 % (the paper: 20 %), each 400 steps of Adam on 1,297 digits; accuracy is read after the "
    "last step, not where validation loss was lowest. In a network three times as wide the gap is 0.02, not 0.2.",
    time="training step over all rounds",
)
