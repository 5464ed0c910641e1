r"""A message between two far nodes passes many others, and is squashed on its way. This network cuts the graph into
overlapping patches, as a vision network cuts an image. A small graph network turns each patch into one token, and since
there are few tokens, all of them may hear each other at once.

$$h_i \leftarrow \mathrm{GNN}_p\Big(h_i + U\,\tfrac{1}{|p|}\sum_{j \in p} h_j\Big) \text{ in each patch } p, \qquad
x_p = \tfrac{1}{|p|}\sum_{i \in p} h_i$$

After $U$ the copies of a node in several patches are averaged. Then tokens are mixed, over patches and over channels:

$$Y = X + \big(W_2\,\sigma(W_1\,\mathrm{LN}(X)^{\top})^{\top}\big)^{\top}, \qquad
Z = Y + W_4\,\sigma(W_3\,\mathrm{LN}(Y))$$

$W_1$ and $W_2$ act on patches, $\sigma$ is GELU. Graph ViT has $(A \odot \mathrm{softmax}(QK^\top / \sqrt d))\,V$
in their place, $A_{pq}$ being the number of nodes that two patches share. A node is told the token of its patch.

Left out: encodings of positions and patches; edge features; whole graphs, and with them the authors' benchmarks.
"""

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.autograd.functional import jacobian

from neurorama import Claim, Entry, Exhibit, Graph, Grid, Paper, Params, Preset, Run, Trace, Value
from neurorama.kernels.mixer import Cut, HadamardLayer, MixerLayer

from .arena import DISTANCE, GIN, AtTarget, Batch, DistanceTask, Wiring, at_best_validation

PAPER = Paper(
    id=254,
    title="A Generalization of ViT/MLP-Mixer to Graphs",
    name="Graph ViT/MLP-Mixer",
    authors="Xiaoxin He, Bryan Hooi, Thomas Laurent, Adam Perold, Yann LeCun, Xavier Bresson",
    year=2023,
    venue="ICML",
    url="https://arxiv.org/abs/2212.13350",
)


class Knobs(Params):
    distance: int = Field(8, ge=2, le=32, description="hops to the answer, and layers of the GIN beside it")
    patches: int = Field(8, ge=1, le=32, description="P, how many a graph is cut into")
    hops: int = Field(1, ge=0, le=3, description="how far a patch is widened beyond its part")
    layers: int = Field(3, ge=1, le=16, description="layers of the small GIN inside patches")
    rounds: int = Field(2, ge=1, le=8, description="how often tokens are mixed")
    hidden: int = Field(32, ge=8, le=128, multiple_of=4, description="width of the patched networks")
    lr: float = Field(0.005, ge=0.0005, le=0.05, description="step size of the patched networks")
    steps: int = Field(80, ge=10, le=1000, description="training steps")
    source: str = DISTANCE.choose()
    mixing: bool = Field(True, description="tokens hear each other; off: they stay as they are")
    redraw: bool = Field(False, description="cut anew at each step of training, as on the authors' benchmarks")


class Patched(nn.Module):
    """GIN inside patches, then tokens that hear each other. Batch -> (n, c)"""

    def __init__(self, features: int, classes: int, knobs: Knobs, attend: bool = False) -> None:
        super().__init__()
        d, self.knobs, self.lr = knobs.hidden, knobs, knobs.lr
        self.enter, self.gin = nn.Linear(features, d), GIN(d, d, d, knobs.layers)
        self.U = nn.ModuleList(nn.Sequential(nn.Linear(d, d), nn.ReLU()) for _ in range(knobs.layers - 1))
        rounds = range(knobs.rounds * knobs.mixing)
        self.mixers = nn.ModuleList(HadamardLayer(d) if attend else MixerLayer(d, knobs.patches) for _ in rounds)
        self.norm, self.leave = nn.LayerNorm(d), nn.Sequential(nn.Linear(2 * d, d), nn.ReLU(), nn.Linear(d, classes))
        self.cuts: dict[Wiring, Cut] = {}

    def cut(self, wiring: Wiring) -> Cut:
        anew = self.knobs.redraw and self.training
        if wiring not in self.cuts or anew:
            draw = None if anew else torch.Generator().manual_seed(self.knobs.seed)
            self.cuts[wiring] = Cut(wiring.edge_index, wiring.batch, self.knobs.patches, self.knobs.hops, draw)
        return self.cuts[wiring]

    def encoded(self, batch: Batch, cut: Cut) -> Tensor:  # -> (s, d), the copies of nodes in patches
        h = self.enter(batch.x)[cut.node]
        for number, (layer, eps) in enumerate(zip(self.gin.layers, self.gin.eps)):
            if number:
                h = cut.met(h + cut.told(self.U[number - 1](cut.tokens(h))))[cut.node]
            h = h + layer((1 + eps) * h + cut.sums @ h).relu()
        return h

    def mixed(self, tokens: Tensor, cut: Cut) -> Tensor:  # (g, P, d) -> (g, P, d)
        for mixer in self.mixers:
            tokens = mixer(tokens, cut.shared)
        return self.norm(tokens)

    def forward(self, batch: Batch) -> Tensor:
        cut = self.cut(batch.wiring)
        h = self.encoded(batch, cut)
        return self.leave(cut.met(torch.cat([h, cut.told(self.mixed(cut.tokens(h), cut))], dim=1)))


def look(arm: str, net: Patched, one: Batch) -> dict[str, Value]:
    cut = net.cut(one.wiring)
    tokens = cut.tokens(net.encoded(one, cut))[0].detach()
    slope = jacobian(lambda x: net.mixed(x[None], cut)[0], tokens, vectorize=True)  # (P, d, P, d)
    return {
        f"patches/{arm}": Graph(one.edge_index, len(one.x), cut.part, train=cut.node.bincount() > 1),
        f"who is told by whom/{arm}": Grid(slope.norm(dim=(1, 3)), "patch", "told by patch", "slope"),  # type: ignore[union-attr]
    }


def build(knobs: Knobs, task: DistanceTask) -> AtTarget:
    return AtTarget(Patched(*task.sizes, knobs))


def run(knobs: Knobs) -> Run:
    task = DISTANCE.data(knobs.source, knobs.seed, knobs.distance)
    gin, vit = GIN(task.sizes[0], knobs.hidden, task.classes, task.depth), Patched(*task.sizes, knobs, attend=True)
    nets = dict(zip(EXHIBIT.arms, (Patched(*task.sizes, knobs), gin, vit)))
    systems, one = {arm: AtTarget(net) for arm, net in nets.items()}, task.test.copies(0, 1)
    for frame in DISTANCE.meet(systems, task, knobs.steps, every=max(1, knobs.steps // 10)):
        for arm, net in nets.items():
            frame = frame.plus(DISTANCE.look(arm, systems[arm], task))
            frame = frame.plus(look(arm, net, one) if isinstance(net, Patched) else {})
        yield frame


def margin(trace: Trace) -> float:
    return at_best_validation(trace, "Graph MLP-Mixer") - at_best_validation(trace, "GIN")


EXHIBIT = Exhibit(
    paper=PAPER,
    params=Knobs,
    run=run,
    claim=Claim(
        statement="Patches that all hear each other carry an answer farther than a GIN as deep as the answer is far.",
        paper_says="Peptides-func: average precision 0.6970 for the MLP-Mixer, 0.6942 for Graph ViT.",
        margin=margin,
        unit="test accuracy, Graph MLP-Mixer minus a GIN with a layer for each hop",
        control={"mixing": False},
    ),
    arms=("Graph MLP-Mixer", "GIN", "Graph ViT"),
    views={
        "patches": "A test graph. Colour: the part that METIS puts a node in. Thick rim: in several patches.",
        "who is told by whom": "How much a mixed token hangs on each token, far off the diagonal too.",
        **DISTANCE.views,
    },
    presets={
        "near": Preset("Four hops: a GIN of four layers hears as well.", {"distance": 4}),
        "one patch": Preset("A single token is enough for a single class.", {"patches": 1}),
        "where it breaks": Preset("Which leaf of a tree is meant: lost in a mean.", {"source": "tree", "distance": 4}),
    },
    fidelity="full",
    departs="A class goes around a ring; the authors fit trees, which takes thousands of steps. One token would hold "
    "it: this shows how far patches reach, not how much they hold. Settings were tried on seed 100. Weights of the "
    "mixer belong to numbers of patches, which METIS gives as it likes; those of Graph ViT do not.",
    entry=Entry(DISTANCE, build),
)
