r"""A graph network that starts from equal features gives equal answers for all graphs that colour refinement cannot
tell apart: whether ten nodes with three neighbours each hold a triangle, it cannot know. Give every node random
numbers, drawn afresh each time, and it can: a node recognises its own number when it comes back after three steps.

$$h_v^{(0)} = [\,x_v \,\|\, r_v\,], \quad r_v \sim \mathcal N(0, I), \qquad
h_v^{(\ell+1)} = \phi\Big(W_1 h_v^{(\ell)} + W_2 \sum_{u \in N(v)} h_u^{(\ell)}\Big)$$

The answer now depends on the draw, but its mean over draws does not depend on the order of the nodes:

$$\mathbb E_r\, f(\pi G) = \mathbb E_r\, f(G).$$

Left out: the proof that such networks are universal, and the formula graphs EXP and CEXP of the paper, for which
random 3-regular graphs stand here.
"""

import torch
from pydantic import Field
from torch import Tensor, nn

from neurorama import Claim, Entry, Exhibit, Graph, Hist, Paper, Params, Points, Preset, Run, Trace, Value

from .arena import GNN, GRAPHS, Graphs, GraphTask, side_by_side

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
    share: float = Field(1.0, ge=0.0, le=1.0, description="share of the first features that are random")
    draws: int = Field(8, ge=1, le=64, description="draws that an answer is the mean of")
    layers: int = Field(6, ge=1, le=10, description="rounds of message passing")
    width: int = Field(32, ge=8, le=64, description="width of the node states")
    steps: int = Field(300, ge=50, le=1000, description="training steps")
    source: str = GRAPHS.choose()
    random: bool = Field(True, description="random numbers at the nodes; off: features alone, a plain GNN")
    fresh: bool = Field(True, description="drawn anew at every pass; off: the same numbers for the same places")


class RNI(nn.Module):
    """A GNN whose first features are partly random. Graphs -> logits (g, c)"""

    def __init__(self, features: int, classes: int, knobs: Knobs) -> None:
        super().__init__()
        self.width, self.fresh = knobs.width, knobs.fresh
        self.noise = round(knobs.share * knobs.width) if knobs.random else 0
        self.draws = knobs.draws if self.noise and knobs.fresh else 1
        self.start = nn.Linear(features, knobs.width - self.noise)
        self.net = GNN(knobs.width, classes, knobs.layers)

    def noises(self, nodes: int) -> Tensor:  # (N, noise)
        return torch.randn(nodes, self.noise, generator=None if self.fresh else torch.Generator().manual_seed(0))

    def states(self, graphs: Graphs, noise: Tensor) -> Tensor:  # -> (g, width)
        return self.net(graphs, torch.cat([self.start(graphs.x), noise], 1))

    def forward(self, graphs: Graphs) -> Tensor:
        return self.net.out(self.states(graphs, self.noises(len(graphs.x))))


def build(knobs: Knobs, task: GraphTask) -> RNI:
    return RNI(*task.sizes, knobs)


@torch.no_grad()
def look(arm: str, system: RNI, task: GraphTask, copies: Graphs) -> dict[str, Value]:
    """One graph with the numbers of this moment, its answers over many draws, and all test graphs as points."""
    graph, noise = copies.first(), system.noises(len(copies.x))
    values = noise[: graph.num_nodes, 0] if system.noise else torch.zeros(graph.num_nodes)
    answers = system.net.out(system.states(copies, noise)).softmax(1)[:, 1]
    chances = GRAPHS.chances(system, task.test)[..., 1]
    states = system.states(task.test, system.noises(len(task.test.x)))
    wrong = (chances.mean(0) > 0.5).long() != task.test.y
    return {
        f"graph/{arm}": Graph(graph.edge_index, graph.num_nodes, values=values, unit="first feature"),
        f"answers/{arm}": Hist.of(answers, 20, 0, 1, "probability of class 1", line=float(task.test.y[0])),
        f"representation/{arm}": Points(states, task.test.y, wrong=wrong, items="graphs"),
        f"spread over draws/{arm}": float(chances.std(0, unbiased=False).mean()),
    }


def run(knobs: Knobs) -> Run:
    task = GRAPHS.data(knobs.source, knobs.seed)
    systems = {
        "RNI": build(knobs, task),
        "plain GNN": build(knobs.model_copy(update={"random": False}), task),
        "an eighth random": build(knobs.model_copy(update={"share": 0.125}), task),
    }
    copies = side_by_side([task.test.first()] * 64, task.test.y[:1].repeat(64))
    for frame in GRAPHS.meet(systems, task, knobs.steps, every=max(1, knobs.steps // 30)):
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
        statement="Random numbers at the nodes let message passing tell graphs apart that it otherwise confuses.",
        paper_says="On EXP, made of graphs that colour refinement confuses, plain GNNs stay at 50 % and RNI learns it.",
        margin=margin,
        unit="test accuracy, RNI minus plain GNN",
        control={"random": False},
    ),
    arms=("RNI", "plain GNN", "an eighth random"),
    views={
        "test accuracy": "Each answer is a mean over draws. The plain GNN can only guess: half of the graphs have a triangle.",
        "graph": "One test graph and the first feature of its nodes: random numbers flicker, equal ones do not.",
        "answers": "The same graph asked 64 times; the line is the right answer. A plain GNN has one answer only.",
        "representation": "All test graphs, by true class; a dark ring is a mistake. The plain GNN puts all on one spot.",
        "spread over draws": "Standard deviation of an answer over draws: what averaging has to take away.",
        "loss": "Cross-entropy of one portion of training graphs, one draw each.",
    },
    presets={
        "a single draw": Preset("No averaging: the answers of one graph disagree.", {"draws": 1}),
        "half random": Preset("Half of the features stay fixed, and learning is faster.", {"share": 0.5}),
        "the same numbers": Preset(
            "Numbers that belong to places are learned by heart, and other places have others.", {"fresh": False}
        ),
        "where it breaks": Preset(
            "Two rounds of messages: a number cannot travel around a triangle and be recognised.", {"layers": 2}
        ),
    },
    fidelity="full",
    departs="EXP is replaced by random 3-regular graphs on ten nodes. Only 21 of these differ, so test graphs are mostly "
    "renumbered training graphs, which is no help to the plain GNN. States are 32 wide in 6 layers, normalised by layer; "
    "the authors have 64 in 8.",
    entry=Entry(GRAPHS, build),
)
