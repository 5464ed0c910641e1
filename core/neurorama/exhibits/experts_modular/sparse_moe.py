r"""A network can know more than it uses at once. A small gate looks at each input and hands it to a few of
many expert networks; the others stay idle, so more experts mean more knowledge at almost the same work.
Left alone, the gate soon favours a few experts. Noise and two penalties keep all of them busy.

$$y = \sum_i G(x)_i E_i(x), \quad G(x) = \mathrm{softmax}(\mathrm{KeepTopK}(H(x), k)), \quad
H(x)_i = (xW_g)_i + \epsilon_i\,\mathrm{softplus}((xW_n)_i)$$

$$L = w\,\mathrm{CV}\Big(\sum_x G(x)\Big)^2 + w\,\mathrm{CV}\Big(\sum_x P(x)\Big)^2, \qquad
P(x)_i = \Phi\Big(\frac{(xW_g)_i - \mathrm{kth\_excluding}(H(x), k, i)}{\mathrm{softplus}((xW_n)_i)}\Big)$$

The first penalty evens out the experts' importance, the second the number of inputs they get: $P$ is the chance
to be chosen if only an expert's own noise is drawn again, which has a gradient where a count has none. CV is the
standard deviation over the mean. Both gate matrices start at zero.

Left out: the two-level (hierarchical) mixture, the language and translation models, many machines.
"""

import torch
from pydantic import Field
from torch import Tensor, nn

from neurorama import Bars, Claim, Entry, Exhibit, Flow, Grid, Paper, Params, Preset, Run, Trace, Value
from neurorama.kernels.routing import chance_of_choice, dispatch, squared_cv, top_k_gates

from .arena import BUDGET, REGIONS, Dense, RegionTask

PAPER = Paper(
    id=305,
    title="Outrageously Large Neural Networks: The Sparsely-Gated Mixture-of-Experts Layer",
    name="Sparsely-gated MoE",
    authors="Noam Shazeer, Azalia Mirhoseini, Krzysztof Maziarz, Andy Davis, Quoc Le, Geoffrey Hinton, Jeff Dean",
    year=2017,
    venue="ICLR",
    url="https://arxiv.org/abs/1701.06538",
)


class Knobs(Params):
    experts: int = Field(16, ge=1, le=32, description="how many experts there are")
    k: int = Field(2, ge=1, le=8, description="how many of them work on each input (all, where there are fewer)")
    budget: int = Field(BUDGET, ge=768, le=8192, description="multiply-adds that one input may cost, in every arm")
    balance: float = Field(0.1, ge=0.0, le=2.0, description="weight w of both balancing penalties")
    steps: int = Field(300, ge=20, le=2000, description="training steps")
    source: str = REGIONS.choose()
    noise: bool = Field(True, description="random noise on the gate's logits while training; off: none")
    importance: bool = Field(True, description="penalty on uneven sums of gates; off: none")
    load: bool = Field(True, description="penalty on uneven loads (it needs the noise); off: none")


class SparseMoE(nn.Module):
    """n small networks and the gate that calls k of them. (b, d) -> (b, o) and the balancing penalty ()"""

    def __init__(self, sizes: tuple[int, int], knobs: Knobs) -> None:
        super().__init__()
        (d, o), n = sizes, knobs.experts
        self.k, self.knobs = min(knobs.k, n), knobs
        gate = 2 * d * n  # multiply-adds of the gate, which the experts cannot spend
        width = (knobs.budget - gate) // (self.k * (d + o))
        self.cost = gate + self.k * width * (d + o)
        self.w_gate, self.w_noise = (nn.Parameter(torch.zeros(d, n)) for _ in range(2))
        layers = [((n, d, width), d), ((n, width), d), ((n, width, o), width), ((n, o), width)]  # (shape, inputs)
        self.experts = nn.ParameterList(torch.empty(shape).uniform_(-1, 1) / fan**0.5 for shape, fan in layers)

    def gates(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # (b, d) -> G (b, n), who is chosen (b, n), P (b, n)
        clean = x @ self.w_gate
        if not (self.training and self.knobs.noise):
            gates, chosen = top_k_gates(clean, self.k)
            return gates, chosen, chosen.float()
        spread = nn.functional.softplus(x @ self.w_noise) + 0.01
        noisy = clean + spread * torch.randn_like(clean)
        return *top_k_gates(noisy, self.k), chance_of_choice(clean, noisy, spread, self.k)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        gates, chosen, chance = self.gates(x)
        rows, counts = dispatch(chosen)
        each = zip(x[rows].split(counts), *self.experts)
        parts = [(part @ w1 + b1).relu() @ w2 + b2 for part, w1, b1, w2, b2 in each]
        y = x.new_zeros(len(x), parts[0].shape[1]).index_add(0, rows, gates.T[chosen.T][:, None] * torch.cat(parts))
        uneven = self.knobs.importance * squared_cv(gates.sum(0)) + self.knobs.load * squared_cv(chance.sum(0))
        return y, self.knobs.balance * uneven


def look(arm: str, moe: SparseMoE, task: RegionTask) -> dict[str, Value]:
    """Who serves whom, on the test inputs and with the noise of training."""
    gates, chosen, _ = moe.train().gates(task.test_x)
    share = gates.new_zeros(task.regions, gates.shape[1]).index_add(0, task.test_region, gates)
    some = task.test_region.argsort()[:: len(gates) // 64]
    load, names = chosen.sum(0).float(), [f"expert {i}" for i in range(gates.shape[1])]
    return {
        f"who serves whom/{arm}": Flow(share, [f"region {r}" for r in range(task.regions)], names, "sum of gates"),
        f"load/{arm}": Bars(names, load, "test inputs", items="experts", line=float(load.mean())),
        f"gate/{arm}": Grid(gates[some].T, "expert", "test inputs, sorted by region", "gate"),
        f"CV of load/{arm}": float(squared_cv(load).sqrt()),
    }


def build(knobs: Knobs, task: RegionTask) -> SparseMoE:
    return SparseMoE(task.sizes, knobs)


def run(knobs: Knobs) -> Run:
    task = REGIONS.data(knobs.source, knobs.seed)
    moes = {"MoE": build(knobs, task), "MoE, no balance": build(knobs.model_copy(update={"balance": 0.0}), task)}
    systems = {**moes, "dense": Dense(task.sizes, knobs.budget)}
    what = ["multiply-adds for one input", "parameters"]
    sizes = {f"size/{arm}": Bars(what, [m.cost, sum(p.numel() for p in m.parameters())]) for arm, m in systems.items()}
    for frame in REGIONS.meet(systems, task, knobs.steps, every=max(1, knobs.steps // 40)):
        with torch.no_grad():
            for arm, moe in moes.items():
                frame = frame.plus(look(arm, moe, task))
        yield frame.plus(sizes)


def margin(trace: Trace) -> float:
    return trace.last("test R²/MoE") - trace.last("test R²/dense")


EXHIBIT = Exhibit(
    paper=PAPER,
    params=Knobs,
    run=run,
    claim=Claim(
        statement="A gated mixture of many experts predicts better than a dense network of the same compute.",
        paper_says="One billion words, 8 million operations a word: perplexity 46.1 dense, 45.0 with 4 experts always "
        "on, 39.7 with 32 experts, 34.1 with 4096. Without balancing 39.8 instead of 35.6.",
        margin=margin,
        unit="test R², MoE minus dense, equal multiply-adds for one input",
        control={"experts": 1, "k": 1},
    ),
    arms=("MoE", "dense", "MoE, no balance"),
    views={
        "who serves whom": "Hidden regions on the left, experts on the right: does every expert find its own?",
        "load": "Test inputs that each expert gets; the line is an even share. Without balancing, some get few.",
        "test R²": "All arms spend the same multiply-adds on an input; 1 is perfect.",
        "CV of load": "Standard deviation of the experts' loads over their mean: 0 is even.",
        "gate": "Each column is one test input: a few bright cells, the other experts are idle.",
        "size": "The mixture has many more parameters, but one input touches few of them.",
        "loss": "Squared error on the batch, plus the balancing penalties.",
    },
    presets={
        "32 experts": Preset("Twice the experts, the same work; unbalanced, some never get an input.", {"experts": 32}),
        "4 experts, all on": Preset("Nothing is sparse: hardly better than dense.", {"experts": 4, "k": 4}),
        "no noise": Preset("Experts that were not chosen early never are, penalties or not.", {"noise": False}),
        "where it breaks": Preset("One rule for all inputs: there is nothing to divide.", {"source": "one rule"}),
    },
    fidelity="full",
    departs="One mixture layer on small made-up regressions, where a collapsed gate costs less than in the paper. The "
    "gate's own multiply-adds are charged to the mixture. A floor of 0.01 keeps the noise above zero.",
    entry=Entry(REGIONS, build),
)
