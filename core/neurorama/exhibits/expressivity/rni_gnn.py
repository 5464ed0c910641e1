r"""A graph network gives two nodes the same answer when their neighbourhoods look alike, so there are graphs
that it can never tell apart. Give every node a random number, drawn afresh at each pass: now all nodes differ,
and the network can follow who is connected to whom. On average over the draws the answer still depends on the graph
alone.

$$h_v^{(0)} = [\,x_v W \,\|\, r_v\,], \qquad r_v \sim \mathcal N(0, I), \qquad
h_v^{(\ell+1)} = \mathrm{relu}\Big(W_1 h_v^{(\ell)} + W_2 \sum_{u \sim v} h_u^{(\ell)}\Big)$$

$$\mathbb E_r\big[f(\pi G, r)\big] = \mathbb E_r\big[f(G, r)\big]
\quad \text{for every reordering } \pi \text{ of the nodes}$$

All nodes of a 3-regular graph look alike to message passing. Does the graph contain a triangle? Without random
numbers every such graph gets the very same answer.

Left out: the paper's own data sets of logical formulas, EXP and CEXP; ours are the simplest graphs with the same
trouble.
"""

import torch
from pydantic import Field
from torch import Tensor

from neurorama import Claim, Entry, Exhibit, Graph, Hist, Paper, Params, Points, Preset, Run, Trace, Value

from .arena import GNN, GRAPHS, Batch, GraphTask

PAPER = Paper(
    id=345,
    title="The Surprising Power of Graph Neural Networks with Random Node Initialization",
    name="GNN with Random Node Initialisation",
    authors="Ralph Abboud, İsmail İlkan Ceylan, Martin Grohe, Thomas Lukasiewicz",
    year=2021,
    venue="IJCAI",
    url="https://arxiv.org/abs/2010.01179",
)


class Knobs(Params):
    share: float = Field(1.0, ge=0.0, le=1.0, description="share of a node's first values that are random")
    draws: int = Field(4, ge=1, le=16, description="draws that the answer is averaged over")
    hidden: int = Field(32, ge=8, le=64, description="width of the hidden layers")
    depth: int = Field(4, ge=1, le=8, description="rounds of message passing")
    steps: int = Field(500, ge=20, le=3000, description="training steps, one batch of 50 graphs each")
    source: str = GRAPHS.choose()
    random: bool = Field(True, description="random first values; off: the plain network")
    fresh: bool = Field(True, description="drawn anew at each pass; off: drawn once and kept, node by node")


class RandomGNN(GNN):
    """Message passing from partly random first values. Batch -> logits (g, c)"""

    def __init__(self, features: int, knobs: Knobs, classes: int) -> None:
        super().__init__(features, knobs.hidden, classes, knobs.depth)
        self.width = round(knobs.share * knobs.hidden) if knobs.random else 0
        self.draws = knobs.draws if self.width else 1
        self.kept = None if knobs.fresh else int(torch.randint(2**31, ()))

    def noise(self, count: int) -> Tensor:  # -> (N, width)
        draw = None if self.kept is None else torch.Generator().manual_seed(self.kept)
        return torch.randn(count, self.width, generator=draw)

    def start(self, batch: Batch) -> Tensor:
        return torch.cat([self.noise(len(batch.x)), super().start(batch)[:, self.width :]], dim=1)

    def vote(self, batch: Batch) -> Tensor:  # the mean probabilities over the draws, (g, c)
        return torch.stack([self(batch).softmax(1) for _ in range(self.draws)]).mean(0)


def build(knobs: Knobs, task: GraphTask) -> RandomGNN:
    return RandomGNN(task.test.x.shape[1], knobs, task.classes)


@torch.no_grad()
def look(arm: str, system: RandomGNN, task: GraphTask, copies: Batch) -> dict[str, Value]:
    """One test graph under many draws, and many test graphs under one."""
    shown = task.graphs[0]
    chance = system(copies).softmax(1)[:, -1]
    colour = system.noise(shown.num_nodes)[:, 0] if system.width else torch.zeros(shown.num_nodes)
    few = Batch.of(task.graphs[:80], task.test.y[:80])
    return {
        f"one graph/{arm}": Graph(shown.edge_index, shown.num_nodes, values=colour, unit="first random value"),
        f"graphs apart/{arm}": Points(system.pooled(few), task.test.y[:80], items="graphs"),
        f"answers over draws/{arm}": Hist.of(chance, 20, 0, 1, "probability of the last class", line=0.5),
        f"spread over draws/{arm}": float(chance.std()),
    }


def run(knobs: Knobs) -> Run:
    task = GRAPHS.data(knobs.source, knobs.seed)
    arms = {"RNI": {}, "plain GNN": {"random": False}, "RNI, one eighth": {"share": 0.125}}
    systems = {arm: build(knobs.model_copy(update=change), task) for arm, change in arms.items()}
    copies = Batch.of([task.graphs[0]] * 64, task.test.y[:1].expand(64))
    for frame in GRAPHS.meet(systems, task, knobs.steps, every=max(1, knobs.steps // 25)):
        for arm, system in systems.items():
            frame = frame.plus(look(arm, system, task, copies))
        yield frame


def margin(trace: Trace) -> float:
    return trace.last("test accuracy/RNI") - trace.last("test accuracy/plain GNN")


EXHIBIT = Exhibit(
    paper=PAPER,
    params=Knobs,
    run=run,
    claim=Claim(
        statement="Random first values let a plain graph network learn what colour refinement cannot see.",
        paper_says="EXP, pairs that 1-WL cannot tell apart: plain networks stay at 50 %; with random initialisation "
        "they learn it almost completely, and faster where it is partial.",
        margin=margin,
        unit="test accuracy, RNI minus the plain network",
        control={"random": False},
    ),
    arms=("RNI", "plain GNN", "RNI, one eighth"),
    views={
        "one graph": "A test graph and the first random value of each node: new at every draw, or none.",
        "test accuracy": "Half of the graphs have a triangle: the plain network can only guess, 0.5.",
        "graphs apart": "Each dot is a test graph, coloured by its class. In the plain network all lie on one point.",
        "answers over draws": "The answer for that one graph over 64 draws: it varies, and training narrows it.",
        "spread over draws": "Standard deviation of those answers: the price of randomness.",
        "loss": "Cross-entropy on the batch.",
    },
    presets={
        "one draw": Preset("A single draw decides: the same network answers less surely.", {"draws": 1}),
        "drawn once": Preset(
            "The same random values at every pass: good on known graphs, and no longer blind to the order.",
            {"fresh": False},
        ),
        "half random": Preset("Half of the values say what the node is, half who it is.", {"share": 0.5}),
        "molecules": Preset(
            "MUTAG: colour refinement is enough here, and randomness changes little (needs its files).",
            {"source": "mutag", "share": 0.5},
        ),
        "where it breaks": Preset(
            "One round: a node hears its neighbours' numbers, but not whether those know each other.", {"depth": 1}
        ),
    },
    fidelity="full",
    departs="Random 3-regular graphs on ten nodes, 400 to learn from, stand for the paper's EXP. Only 21 kinds of them "
    "exist, so a test graph is mostly a renumbered training graph. Four rounds, with batch normalisation, statistics "
    "taken anew before each test, and a mean over nodes; the authors have eight and a maximum. They ask once, here the "
    "answer is a mean over draws.",
    entry=Entry(GRAPHS, build),
)
