r"""A graph network of many layers stops learning: what its first layers should do gets lost on the way. In DeeperGCN
each layer normalises what it reads and only adds to what is there, so that a hundred layers can be trained. How a node
sums up its neighbours, from their mean to their maximum, is learned as well.

$$m_u = \mathrm{ReLU}(h_u) + \epsilon, \qquad \mathrm{SoftMax}_\beta = \sum_{u} \frac{e^{\beta m_u}}{\sum_{w} e^{\beta
m_w}}\, m_u, \qquad \mathrm{PowerMean}_p = \Big(\frac{1}{|N|} \sum_{u} m_u^p\Big)^{1/p} \qquad (u, w \in N(v))$$

$$\mathrm{GENConv}(h)_v = W\big(h_v + s\,\|h_v\|\, m_v / \|m_v\|\big), \qquad
\text{res+}: \; h \leftarrow h + \mathrm{GENConv}(\mathrm{ReLU}(\mathrm{Norm}(h)))$$

One $\beta$ (or $p$) and one $s$ a layer. *Plain* layers are $\mathrm{ReLU}(\mathrm{Norm}(\mathrm{GENConv}(h)))$, *res*
adds h to that, which can only grow; what res+ adds may have any sign.

Left out: edge features; sums, which multiply means by a power of the degree; more than one layer in W; dropout.
"""

from typing import Literal

from pydantic import Field
from torch import Tensor, nn, stack, tensor

from neurorama import Claim, Curve, Entry, Exhibit, Paper, Params, Preset, Run, Trace, Value
from neurorama.kernels.aggregation import power_mean, softmax_mean

from .arena import NODES, VIEWS, NodeTask, Wired, at_best_validation

PAPER = Paper(
    id=338,
    title="DeeperGCN: All You Need to Train Deeper GCNs",
    name="DeeperGCN",
    authors="Guohao Li, Chenxin Xiong, Ali Thabet, Bernard Ghanem",
    year=2020,
    url="https://arxiv.org/abs/2006.07739",
)


class Knobs(Params):
    depth: int = Field(28, ge=1, le=112, description="layers of all networks")
    hidden: int = Field(16, ge=4, le=128, description="features of each layer")
    block: Literal["res+", "res", "plain"] = Field("res+", description="normalise, convolve, add; or add last; or not")
    mean: Literal["softmax", "power", "plain"] = Field("softmax", description="how a node sums up its neighbours")
    sharpness: float = Field(
        1.0, ge=-10.0, le=10.0, description="beta, or p, of all layers before training; p is not 0"
    )
    learned: bool = Field(True, description="beta, or p, is learned; off: it stays")
    scaled: bool = Field(True, description="messages get the length of the node's own state, times a learned s")
    steps: int = Field(40, ge=10, le=1000, description="training steps")
    source: str = NODES.choose("blocks")


class GENConv(nn.Module):
    """One message from neighbours, summed up between mean and maximum. (n, d) -> (n, d)"""

    def __init__(self, knobs: Knobs) -> None:
        super().__init__()
        self.linear, self.mean, self.scaled = nn.Linear(knobs.hidden, knobs.hidden), knobs.mean, knobs.scaled
        self.sharpness = nn.Parameter(tensor(knobs.sharpness), knobs.learned)
        self.s = nn.Parameter(tensor(1.0))

    def forward(self, h: Tensor, graph: Wired) -> Tensor:
        m = h.relu() + 1e-7  # above 0, for powers
        sharpness = self.sharpness * (self.mean != "plain")
        m = (power_mean if self.mean == "power" else softmax_mean)(graph.sums, m, sharpness)
        m = self.s * h.norm(dim=1, keepdim=True) * nn.functional.normalize(m, dim=1) if self.scaled else m
        return self.linear(h + m)


class DeeperGCN(nn.Module):
    """Encoder, GENConv layers in blocks, classifier. NodeTask -> logits (n, c)"""

    def __init__(self, knobs: Knobs, task: NodeTask) -> None:
        super().__init__()
        (features, classes), width = task.sizes, knobs.hidden
        self.encoder, self.classifier = nn.Linear(features, width), nn.Linear(width, classes)
        self.convs = nn.ModuleList(GENConv(knobs) for _ in range(knobs.depth))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(knobs.depth))
        self.block = knobs.block

    def hidden(self, graph: Wired) -> list[Tensor]:
        states = [self.encoder(graph.x)]
        if self.block == "res+":
            states = [self.convs[0](states[0], graph)]
            for norm, conv in zip(self.norms, self.convs[1:]):
                states.append(states[-1] + conv(norm(states[-1]).relu(), graph))
            return [*states, self.norms[-1](states[-1]).relu()]
        for norm, conv in zip(self.norms, self.convs):
            new = norm(conv(states[-1], graph)).relu()
            states.append(new + states[-1] if self.block == "res" else new)
        return states[1:]

    def forward(self, graph: Wired) -> Tensor:
        return self.classifier(self.hidden(graph)[-1])


def look(arm: str, net: DeeperGCN) -> dict[str, Value]:
    """What the last step of training said to each layer, and how it sums up by now."""
    layers = range(1, len(net.convs) + 1)
    sharpness = stack([conv.sharpness * (conv.mean != "plain") for conv in net.convs]).detach()  # type: ignore[operator]
    values: dict[str, Value] = {f"sharpness by layer/{arm}": Curve(layers, sharpness, "layer", "beta, or p")}
    slopes = [g.norm().log10() for conv in net.convs if (g := conv.linear.weight.grad) is not None]  # type: ignore[union-attr, operator]
    if slopes:
        values[f"gradient by layer/{arm}"] = Curve(layers, slopes, "layer", "power of 10")
    return values


def run(knobs: Knobs) -> Run:
    task = NODES.data(knobs.source, knobs.seed)
    changes = {"DeeperGCN": {}, "plain": {"block": "plain"}, "res": {"block": "res"}, "even mean": {"mean": "plain"}}
    changes["a quarter as deep"] = {"depth": max(1, knobs.depth // 4)}
    systems = {arm: DeeperGCN(knobs.model_copy(update=change), task) for arm, change in changes.items()}
    for frame in NODES.meet(systems, task, knobs.steps, every=max(1, knobs.steps // 8)):
        for arm, system in systems.items():
            frame = frame.plus(NODES.look(arm, system, task) | look(arm, system))
        yield frame


def margin(trace: Trace) -> float:
    ours, plain, res = (at_best_validation(trace, arm) for arm in ("DeeperGCN", "plain", "res"))
    return ours - max(plain, res)


EXHIBIT = Exhibit(
    paper=PAPER,
    params=Knobs,
    run=run,
    claim=Claim(
        statement="A deep network learns in res+ blocks where it does not in plain blocks, nor as well in res blocks.",
        paper_says="112 layers of res+ reach 0.858 ROC AUC on ogbn-proteins, 28 layers 71.9 % on ogbn-arxiv.",
        margin=margin,
        unit="test accuracy, DeeperGCN minus the better of plain and res blocks, all as deep",
        control={"block": "plain"},
    ),
    arms=("DeeperGCN", "plain", "res", "even mean", "a quarter as deep"),
    views={
        "graph": VIEWS["graph"],
        "gradient by layer": "How much the last step of training told each layer: plain blocks tell theirs little.",
        "sharpness by layer": "How each layer has come to sum up its neighbours: 0 is their mean, far up the maximum.",
        **VIEWS,
    },
    presets={
        "shallow: all agree": Preset("Three layers: any block learns.", {"depth": 3}),
        "power mean": Preset("The other family of means, from mean to maximum.", {"mean": "power"}),
        "where it breaks": Preset("Neighbours of any class: depth has nothing to gather.", {"source": "blocks-mixed"}),
    },
    fidelity="full",
    departs="W is one layer, as on ogbn-arxiv; norms are over features, as on ogbn-proteins: over nodes, plain blocks "
    "learn too. No self-loops. Depth does no harm here and no good: a quarter of the layers does as well, and even "
    "means do better than learned ones. Tried on seeds 100 to 102.",
    entry=Entry(NODES, DeeperGCN),
)
