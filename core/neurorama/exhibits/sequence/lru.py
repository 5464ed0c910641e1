r"""A recurrent network forgets because its state is squeezed and mixed anew at every step. The Linear Recurrent
Unit leaves out the squeezing: each state is one complex number that turns and fades at its own pace, and the pace
is set so that it fades slowly and can never grow.

$$x_k = \Lambda x_{k-1} + e^{\gamma^{\log}} \odot (B u_k), \qquad y_k = \mathrm{Re}(C x_k) + D \odot u_k$$

$$\lambda_j = \exp(-e^{\nu_j^{\log}} + i\, e^{\theta_j^{\log}}), \qquad |\lambda_j| = \exp(-e^{\nu_j^{\log}}) < 1$$

At the start the $\lambda_j$ lie on a ring, $r_{\min} \le |\lambda_j| \le r_{\max}$, $\theta_j \le \theta_{\max}$, and
$\gamma_j = \sqrt{1 - |\lambda_j|^2}$ keeps states as large as the input. Around it stand norm, GLU and a skip.

Left out: the paper's six layers, dropout and its tasks of up to 16,000 steps.
"""

import math

import torch
from pydantic import Field
from torch import Tensor, nn

from neurorama import Claim, Entry, Exhibit, Paper, Params, Points, Preset, Run, Trace
from neurorama.kernels.scan import scan

from .arena import SEQUENCES, Classifier, SequenceTask, Tanh

PAPER = Paper(
    id=303,
    title="Resurrecting Recurrent Neural Networks for Long Sequences",
    name="LRU",
    authors="Antonio Orvieto, Samuel L Smith, Albert Gu, Anushan Fernando, Caglar Gulcehre, Razvan Pascanu, Soham De",
    year=2023,
    venue="ICML",
    url="https://arxiv.org/abs/2303.06349",
)


class Knobs(Params):
    r_min: float = Field(0.99, ge=0.0, le=0.999, description="inner radius of the ring of eigenvalues")
    r_max: float = Field(0.999, ge=0.1, le=0.9999, description="outer radius of the ring of eigenvalues")
    max_phase: float = Field(0.314, ge=0.01, le=6.283, description="largest angle of an eigenvalue, in radians")
    states: int = Field(64, ge=4, le=256, description="eigenvalues of the LRU, units of the tanh network")
    width: int = Field(32, ge=8, le=128, description="width of the layers around the recurrence")
    depth: int = Field(1, ge=1, le=4, description="blocks on top of each other")
    steps: int = Field(100, ge=10, le=1000, description="training steps")
    source: str = SEQUENCES.choose()
    linear: bool = Field(True, description="the recurrence is linear; off: the tanh network")
    ring: bool = Field(True, description="eigenvalues start on the ring; off: anywhere in the unit disc")
    stable: bool = Field(True, description="radius and angle are exponentials; off: real and imaginary part are free")
    slow: bool = Field(True, description="angles start small; off: anywhere around the circle")
    normalised: bool = Field(True, description="gamma keeps the states small; off: they grow with memory")


class LRU(nn.Module):
    """The linear recurrent unit. (b, L, h) -> (b, L, h)"""

    def __init__(self, width: int, states: int, r: tuple[float, float], max_phase: float, stable: bool, scaled: bool):
        super().__init__()
        u, v = torch.rand(2, states).clamp(min=1e-6)
        nu = -0.5 * torch.log(u * (r[1] ** 2 - r[0] ** 2) + r[0] ** 2)
        self.stable = stable
        polar, plane = torch.stack([nu.log(), (max_phase * v).log()]), torch.polar((-nu).exp(), max_phase * v)
        self.pole = nn.Parameter(polar if stable else torch.stack([plane.real, plane.imag]))  # (2, n)
        gamma = 0.5 * torch.log1p(-((-2 * nu).exp())) if scaled else torch.zeros(states)
        self.gamma_log = nn.Parameter(gamma, requires_grad=scaled)
        self.B = nn.Parameter(torch.randn(states, 2, width) / math.sqrt(2 * width))  # real and imaginary parts
        self.C = nn.Parameter(torch.randn(width, states, 2) / math.sqrt(states))  # the same of the conjugate of C
        self.D = nn.Parameter(torch.randn(width))

    def eigenvalues(self) -> Tensor:  # -> (n,) complex
        p, q = self.pole
        return torch.polar((-p.exp()).exp(), q.exp()) if self.stable else torch.complex(p, q)

    def forward(self, u: Tensor) -> Tensor:
        b = (self.gamma_log.exp()[:, None, None] * self.B).flatten(0, 1)
        x = scan(self.eigenvalues(), torch.view_as_complex((u @ b.T).unflatten(-1, (-1, 2))))
        return torch.view_as_real(x).flatten(-2) @ self.C.flatten(1).T + self.D * u  # Re(C x)


def build(knobs: Knobs, task: SequenceTask) -> Classifier:
    def recurrence() -> nn.Module:
        if not knobs.linear:
            return Tanh(knobs.width, knobs.states)
        ring = (min(knobs.r_min, knobs.r_max), knobs.r_max) if knobs.ring else (0.0, 1.0)
        phase = knobs.max_phase if knobs.slow else 2 * math.pi
        return LRU(knobs.width, knobs.states, ring, phase, knobs.stable, knobs.normalised)

    system = Classifier(task.sizes, knobs.width, [recurrence() for _ in range(knobs.depth)])
    system.lr = 0.01 if knobs.linear and knobs.stable else 0.003  # the better of the two for each
    return system


def run(knobs: Knobs) -> Run:
    task = SEQUENCES.data(knobs.source, knobs.seed)
    free = {"linear": True, "ring": False, "stable": False, "slow": False, "normalised": False}
    systems = {}
    for arm, change in {"LRU": {}, "tanh RNN": {"linear": False}, "free diagonal": free}.items():
        torch.manual_seed(knobs.seed)  # the same start for all
        systems[arm] = build(knobs.model_copy(update=change), task)
    for frame in SEQUENCES.meet(systems, task, knobs.steps, every=max(1, knobs.steps // 33)):
        for arm, system in systems.items():
            assert isinstance(system.first, LRU | Tanh)
            modes = system.first.eigenvalues().detach()
            dots = Points(torch.view_as_real(modes), values=modes.abs(), axes=("real", "imaginary"))
            own = {f"eigenvalues/{arm}": dots, f"largest radius/{arm}": float(modes.abs().max())}
            frame = frame.plus(SEQUENCES.look(arm, system, task)).plus(own)
        yield frame


def margin(trace: Trace) -> float:
    return trace.last("test accuracy/LRU") - trace.last("test accuracy/tanh RNN")


EXHIBIT = Exhibit(
    paper=PAPER,
    params=Knobs,
    run=run,
    claim=Claim(
        statement="A linear diagonal recurrence with well-placed eigenvalues remembers where a tanh network cannot.",
        paper_says="Sequential CIFAR: LRU 89.0 %, tanh network in the same blocks 69.9 %. PathX: LRU 94.2 %.",
        margin=margin,
        unit="test accuracy, LRU minus tanh RNN",
        control={"ring": False},
    ),
    arms=("LRU", "tanh RNN", "free diagonal"),
    views={
        "eigenvalues": "Each dot is one mode: near the circle of radius 1 it remembers long, outside it grows.",
        "answer to one push": "What is left of one push at step 0, in powers of ten: does it last to the right edge?",
        "test accuracy": "Naming the first symbol after the whole lag; guessing one of eight gives 0.125.",
        "gradient by age": "How loudly the loss speaks to inputs so far back: where it fades, nothing is learnt.",
        "largest radius": "Above 1 a linear recurrence is unstable; the LRU cannot get there, the free one can.",
        "loss": "Cross-entropy on the batch.",
    },
    presets={
        "twice the lag": Preset(
            "Lag 200: slower for the LRU, hopeless for the tanh network.", {"source": "recall-200"}
        ),
        "free radius": Preset("Real and imaginary part are free: dots leave the disc.", {"stable": False}),
        "digits": Preset("Row by row; wide angles see strokes.", {"source": "digits", "r_min": 0.9, "slow": False}),
        "where it breaks": Preset(
            "No eigenvalue above 0.9, and 0.9 to the power 100 is 0.00003: nothing of the first symbol is left.",
            {"r_min": 0.5, "r_max": 0.9},
        ),
    },
    fidelity="full",
    departs="One block, read at the last step, instead of six and an average; one learning rate for all weights. At "
    "these lags the free diagonal recurrence learns too, often faster: its eigenvalues leave the disc and make the "
    "past louder. The paper finds it behind on longer tasks.",
    entry=Entry(SEQUENCES, build),
)
