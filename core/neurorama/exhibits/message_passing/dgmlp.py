r"""Deep graph networks fail early, and averaging over too many neighbours is usually blamed. This paper takes the two
kinds of depth apart: hops that average, and layers that transform. Stacked transformations alone already spoil a
network, long before the averages blur its nodes. DGMLP therefore averages without weights, lets each node keep the
hops that still tell something about it, and transforms with residual links.

$$X^{(k)} = \hat A^k X, \qquad X^{(\infty)}_v = \sum_u \frac{\sqrt{\tilde d_v \tilde d_u}}{\sum_w \tilde d_w}\,X_u,
\qquad \mathrm{NSL}_v(k) = \cos(X^{(k)}_v, X_v)\,\big(1 - \cos(X^{(k)}_v, X^{(\infty)}_v)\big)$$

$$\hat X_v = \sum_{k=0}^{D_p} \mathrm{softmax}_k\big(\mathrm{NSL}_v(k) / T\big)\,X^{(k)}_v, \qquad
H^{(l+1)} = \sigma\big(H^{(l)} W^{(l)}\big) + H^{(l)}$$

$\tilde d$ are degrees with the self-loop, and $u$, $w$ run over the component of $v$.

Left out: dense links, an alternative to residual ones in the paper's study; its graphs of millions of nodes.
"""

from pydantic import Field
from torch import Tensor, nn, stack
from torch.nn.functional import cosine_similarity

from neurorama import Claim, Entry, Exhibit, Grid, Paper, Params, Preset, Result, Run, Trace
from neurorama.kernels.propagation import limit, powers
from neurorama.kernels.stacks import Stacks

from .arena import GCN, NODES, VIEWS, DepthMap, NodeTask, at_best_validation

PAPER = Paper(
    id=21,
    title="Evaluating Deep Graph Neural Networks",
    name="DGMLP",
    authors="Wentao Zhang, Zeang Sheng, Yuezihan Jiang, Yikuan Xia, Jun Gao, Zhi Yang, Bin Cui",
    year=2021,
    url="https://arxiv.org/abs/2108.00955",
)
CORA = {"source": "cora", "depth": 20, "layers": 1, "dropout": 0.2, "lr": 0.2, "weight_decay": 0.005, "steps": 200}
CORA |= {"ones": True}  # what the authors' code reads: words that are there or not
CITESEER = {**CORA, "source": "citeseer", "depth": 15, "dropout": 0.1, "lr": 0.1, "weight_decay": 0.05}


class Knobs(Params):
    depth: int = Field(16, ge=1, le=32, description="hops of DGMLP, layers of the GCN, and the most of both in the map")
    layers: int = Field(16, ge=1, le=32, description="transformations of DGMLP")
    hidden: int = Field(16, ge=4, le=128, description="width of every hidden layer")
    temperature: float = Field(1.0, ge=0.05, le=5.0, description="T: low listens to few hops, high to all alike")
    dropout: float = Field(0.0, ge=0.0, le=0.9, description="share of DGMLP's combined features dropped in training")
    lr: float = Field(0.01, ge=0.001, le=0.5, description="step size of DGMLP")
    weight_decay: float = Field(0.0005, ge=0.0, le=0.05, description="pull of DGMLP's weights towards zero")
    steps: int = Field(120, ge=10, le=500, description="training steps")
    source: str = NODES.choose("blocks")
    weighing: bool = Field(True, description="each node weighs its hops by what they still tell; off: all alike")
    residual: bool = Field(True, description="residual links between DGMLP's transformations; off: a plain stack")
    ones: bool = Field(False, description="words count as zero or one, as the authors have them; off: as shares")
    large: bool = Field(False, description="first weights as large as ReLU wants them (He); off: PyTorch's usual")


def smoothing(reached: Tensor, last: Tensor) -> Tensor:
    """NSL: near 0 where a node forgot its features or is near the limit. (k + 1, n, d), (n, d) -> (k + 1, n)"""
    own = cosine_similarity(reached, reached[:1], dim=-1)
    return own * (1 - cosine_similarity(reached, last[None], dim=-1))


class DGMLP(nn.Module):
    """Average far, weigh the hops, transform deep. NodeTask -> logits (n, c)"""

    def __init__(self, knobs: Knobs, task: NodeTask) -> None:
        super().__init__()
        x = (task.x > 0).float() if knobs.ones else task.x
        reached = stack(powers(task.near, x, knobs.depth))
        level = smoothing(reached, limit(task.edge_index, len(x), x))
        self.gate = (level / knobs.temperature * knobs.weighing).softmax(0)  # all alike where it is times 0
        self.combined = (self.gate[:, :, None] * reached).sum(0)  # fixed: training never propagates
        features, classes = task.sizes
        self.net = Stacks(1, [features, *[knobs.hidden] * (knobs.layers - 1), classes], knobs.residual, knobs.large)
        self.dropout, self.lr, self.weight_decay = nn.Dropout(knobs.dropout), knobs.lr, knobs.weight_decay

    def hidden(self, task: NodeTask) -> list[Tensor]:
        return [self.combined, *(h[0] for h in self.net.states(self.combined[None]))]

    def forward(self, task: NodeTask) -> Tensor:
        return self.net(self.dropout(self.combined)[None])[0]


def run(knobs: Knobs) -> Run:
    task = NODES.data(knobs.source, knobs.seed)
    features, classes = task.sizes
    systems = {"DGMLP": DGMLP(knobs, task), "GCN": GCN(features, knobs.hidden, classes, knobs.depth)}
    maps = {arm: DepthMap(task, knobs.depth, knobs.steps, arm != "plain", knobs.large) for arm in EXHIBIT.arms[2:]}
    gates = Grid(systems["DGMLP"].gate, "hops", "node", "weight", items="nodes")
    for frame in NODES.meet(systems, task, knobs.steps, every=max(1, knobs.steps // 30)):
        for arm, system in systems.items():
            frame = frame.plus(NODES.look(arm, system, task))
        for arm, each in maps.items():
            frame = frame.plus({f"accuracy over both depths/{arm}": each.at(frame.step)})
        yield frame.plus({"weight of each hop/DGMLP": gates})


def margin(trace: Trace) -> float:
    z = trace.last("accuracy over both depths/plain").z
    worse = z[0, -1] - z[-1, 0]  # what is lost by layers, z[0, 0] - z[-1, 0], minus what is lost by hops
    return float(min(worse, at_best_validation(trace, "DGMLP") - at_best_validation(trace, "GCN")))


EXHIBIT = Exhibit(
    paper=PAPER,
    params=Knobs,
    run=run,
    claim=Claim(
        statement="Deep transformations spoil a network sooner than far averages; mended, it beats a GCN as deep.",
        paper_says="Cora 84.6 %, CiteSeer 73.4 %, PubMed 81.2 % on the public splits; GCN 81.8, 70.8 and 79.3 %.",
        margin=margin,
        unit="test accuracy, the smaller of: lost by layers minus lost by hops; DGMLP minus a GCN as deep",
        control={"residual": False, "weighing": False},
    ),
    arms=("DGMLP", "GCN", "plain", "residual links"),
    views={
        "graph": VIEWS["graph"],
        "accuracy over both depths": "A network a cell. Down: more layers. Right: more hops. Which fails first?",
        "weight of each hop": "How much each node keeps of each hop; near the stationary state it keeps little.",
        **{series: caption for series, caption in VIEWS.items() if series != "graph"},
    },
    presets={
        "few layers": Preset("Two transformations: nothing needs mending, however far it averages.", {"layers": 2}),
        "no residual links": Preset("The plain stack cannot be trained: DGMLP falls as well.", {"residual": False}),
        "the paper's Cora": Preset("The authors' settings: one transformation (needs the Cora files).", CORA),
        "where it breaks": Preset("Large first weights train plain deep stacks too: little to mend.", {"large": True}),
    },
    fidelity="full",
    departs="The map trains decoupled networks; the paper also varies both depths inside a GCN. The first layer has no "
    "residual link, as it changes the width. Paper and code differ on the stationary state: this is the paper's. On "
    "features as noisy as these, one far hop alone (see the map) is more accurate than the nodes' own mix of hops.",
    entry=Entry(NODES, DGMLP),
    results=(Result("cora", 84.6, 0.6, CORA), Result("citeseer", 73.4, 0.5, CITESEER)),
)
