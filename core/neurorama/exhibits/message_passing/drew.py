r"""In a graph network a node hears its neighbours only, and what is far away must be passed on many times. Letting all
hear all at once makes distance meaningless. DRew opens the graph up bit by bit: in layer t a node hears all who are
up to t + 1 hops away, and those who are far it hears as they were some layers ago, as if words had been on the way.

$$h_i^{t+1} = h_i^t + \sigma\Big(\sum_{k=1}^{t+1} \sum_{j:\, d(i,j) = k}
\hat A^{(k)}_{ij} W_k^t\, h_j^{\,t - s_\nu(k)}\Big), \qquad s_\nu(k) = \max(0, k - \nu)$$

$\hat A^{(k)}$ joins the nodes at distance exactly k, with self-loops and normalised as in a GCN. With $\nu = 1$ a
message takes one layer for each hop, and no node hears of anything farther away than in an ordinary network; with
$\nu = \infty$ all is news. The class at the far side of a ring must be told: a GCN as deep as that is no better than
a guess.

Left out: the gated and edge-aware versions; molecules, images as graphs; positional encodings.
"""

import math

from pydantic import Field
from torch import Tensor, nn, zeros

from neurorama import Claim, Entry, Exhibit, Frame, Paper, Params, Preset, Run, Trace

from .arena import DISTANCE, GCN, AtTarget, Batch, DistanceTask, at_best_validation
from .arena.layered import LAYERED, HopMatrices, by_distance, opening

PAPER = Paper(
    id=208,
    title="DRew: Dynamically Rewired Message Passing with Delay",
    name="DRew",
    authors="Benjamin Gutteridge, Xiaowen Dong, Michael Bronstein, Francesco Di Giovanni",
    year=2023,
    venue="ICML",
    url="https://arxiv.org/abs/2305.08018",
)


class Knobs(Params):
    distance: int = Field(8, ge=2, le=32, description="hops between the answer and where it is asked for")
    depth: int = Field(0, ge=0, le=32, description="L, layers of every network; 0: as many as the distance")
    nu: int = Field(1, ge=1, le=32, description="who is up to so many hops away is heard without delay")
    hidden: int = Field(32, ge=4, le=256, description="width of the GCN; the others are as narrow as equal weights ask")
    lr: float = Field(0.01, ge=0.0005, le=0.05, description="step size of training")
    steps: int = Field(60, ge=10, le=500, description="training steps")
    source: str = DISTANCE.choose()
    rewire: bool = Field(True, description="layers hear farther than one hop; off: a GCN with residual links")
    gradual: bool = Field(True, description="one hop more in each layer; off: all L hops from the first layer on")
    delay: bool = Field(True, description="what is far is heard late; off: as it is now")
    share: bool = Field(False, description="one W a layer and learned shares of the hops; off: a W for each hop")


class DRew(nn.Module):
    """Batch -> (n, c). Layers are numbered from 0, state t is what layer t reads."""

    def __init__(self, knobs: Knobs, features: int, classes: int, depth: int) -> None:
        super().__init__()
        self.knobs, self.depth, self.lr = knobs, depth, knobs.lr
        sizes = [1 if knobs.share else len(self.hears(t)) for t in range(depth)]
        width = max(1, round(knobs.hidden * math.sqrt(depth / sum(sizes))))  # as many weights as a GCN has
        self.first, self.last = nn.Linear(features, width), nn.Linear(width, classes)
        self.w = nn.ModuleList(nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(k)) for k in sizes)
        self.alpha = nn.ParameterList(nn.Parameter(zeros(len(self.hears(t)))) for t in range(depth))
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in range(depth))
        self.near = HopMatrices(depth)

    def hears(self, t: int) -> list[tuple[int, int]]:
        """What layer t hears: (k, which state of the nodes at distance k)."""
        if not self.knobs.rewire:
            return [(1, t)]
        farthest = t + 1 if self.knobs.gradual else self.depth
        late = [max(0, k - self.knobs.nu) * self.knobs.delay for k in range(1, farthest + 1)]
        return [(k, max(0, t - s)) for k, s in enumerate(late, 1)]

    def hidden(self, batch: Batch) -> list[Tensor]:
        near, states = self.near(batch.wiring), [self.first(batch.x)]
        for t, (w, alpha, norm) in enumerate(zip(self.w, self.alpha, self.norms)):
            heard = [near[k - 1] @ states[at] for k, at in self.hears(t)]
            if self.knobs.share:
                shares = alpha.softmax(0)
                message = w[0](sum(share * h for share, h in zip(shares, heard)))  # type: ignore[index]
            else:
                message = sum(linear(h) for linear, h in zip(w, heard))  # type: ignore[arg-type]
            states.append(states[-1] + norm(message).relu())
        return states

    def forward(self, batch: Batch) -> Tensor:
        return self.last(self.hidden(batch)[-1])


def build(knobs: Knobs, task: DistanceTask) -> AtTarget:
    return AtTarget(DRew(knobs, *task.sizes, task.depth))


def run(knobs: Knobs) -> Run:
    task = DISTANCE.data(knobs.source, knobs.seed, knobs.distance, knobs.depth)
    whole = {"rewire": True, "gradual": True, "share": False}
    others = {
        "SP-GCN": whole | {"gradual": False, "delay": False, "share": True},
        "DRew, no delay": whole | {"delay": False},
        "GCN with residuals": whole | {"rewire": False},
    }
    gcn = GCN(task.sizes[0], knobs.hidden, task.classes, task.depth, norm=True)
    systems = {"DRew": build(knobs, task), "GCN": AtTarget(gcn)}
    systems |= {arm: build(knobs.model_copy(update=other), task) for arm, other in others.items()}
    hears = {arm: system.net.hears for arm, system in systems.items() if isinstance(system.net, DRew)}
    for t, values in enumerate(opening(task, hears), 1):
        yield Frame(t, task.depth + knobs.steps, values)
    for frame in DISTANCE.meet(systems, task, knobs.steps, every=max(1, knobs.steps // 10)):
        for arm, system in systems.items():
            frame = frame.plus({**DISTANCE.look(arm, system, task), f"by distance/{arm}": by_distance(system, task)})
        if frame.step:
            yield Frame(task.depth + frame.step, task.depth + knobs.steps, frame.values)


def margin(trace: Trace) -> float:
    ours, *others = (at_best_validation(trace, arm) for arm in ("DRew", "GCN", "SP-GCN", "GCN with residuals"))
    return ours - max(others)


EXHIBIT = Exhibit(
    paper=PAPER,
    params=Knobs,
    run=run,
    claim=Claim(
        statement="Layers that open up hop by hop, and hear late what is far, tell what stands too far away for a GCN "
        "as deep and for layers that hear all hops at once.",
        paper_says="Outperforms multi-hop networks and graph transformers at long range: 0.7150 AP on Peptides-func.",
        margin=margin,
        unit="test accuracy, DRew minus the best of: a GCN, a GCN with residual links, SP-GCN",
        control={"rewire": False},
    ),
    arms=("DRew", "GCN", "SP-GCN", "DRew, no delay", "GCN with residuals"),
    views={**LAYERED, **DISTANCE.views},
    presets={
        "all is news": Preset("Without delay: nodes hear at once how things are far away.", {"delay": False}),
        "all hops at once": Preset("Every layer hears all hops, with weights of their own.", {"gradual": False}),
        "late from three hops on": Preset("Between the extremes.", {"nu": 3}),
        "karate club": Preset("Friendships: a class must cross five hops.", {"source": "karate", "distance": 5}),
        "where it breaks": Preset("A root hears all leaves as one average.", {"source": "tree", "distance": 4}),
    },
    fidelity="full",
    departs="Batch normalisation and the step size are as in the authors' code on rings (the GCN keeps the arena's "
    "step size); rows are not scaled to length 1. All have about as many weights. Test graphs follow the law of those "
    "trained on, so this measures what can be learned in 60 steps (chosen on seeds 100 and 101). SP-GCN, with residual "
    "links and normalisation here, learns it too, on some seeds as fast: so undecided. The GCNs stay at a guess.",
    time="layer, then training step",
    entry=Entry(DISTANCE, build),
)
