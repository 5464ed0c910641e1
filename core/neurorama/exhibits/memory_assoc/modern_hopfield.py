r"""A Hopfield network stores patterns as valleys of an energy; a cue rolls down into the nearest one. The classic
network has room for few valleys before they run together. With an exponential inside the energy the valleys get
steep and narrow: exponentially many fit, one step reaches the bottom, and that step is the attention of transformers.

$$E(\xi) = -\tfrac1\beta \log\sum_{i=1}^N e^{\beta\, x_i \cdot \xi} + \tfrac12 \xi\cdot\xi + \tfrac1\beta\log N +
\tfrac12 M^2, \qquad \xi' = \sum_i \mathrm{softmax}_i(\beta\, x_i\cdot\xi)\; x_i$$

$\beta$ sets how narrow the valleys are: one mean of all patterns, means of similar ones, single patterns. $M$ is the
length of the longest pattern, and no update raises $E$.

Left out: the trained layers (Hopfield, HopfieldPooling, HopfieldLayer) and their multiple-instance tasks.
"""

import math
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import pad

from neurorama import Claim, Curve, Entry, Exhibit, Grid, Paper, Params, Preset, Run, Trace
from neurorama.kernels import retrieval

from .arena import RECALL, Memory, RecallTask, random_patterns, schedule, wrong_signs

PAPER = Paper(
    id=70,
    title="Hopfield Networks is All You Need",
    name="Modern Hopfield",
    authors="Hubert Ramsauer, Bernhard Schäfl, Johannes Lehner, Philipp Seidl, Michael Widrich, Lukas Gruber, Markus "
    "Holzleitner, Milena Pavlović, Geir Kjetil Sandve, Victor Greiff, David Kreil, Michael Kopp, Günter Klambauer, "
    "Johannes Brandstetter, Sepp Hochreiter",
    year=2021,
    venue="ICLR",
    url="https://arxiv.org/abs/2008.02217",
)
SIZES, TRIALS = (8, 12, 16, 20, 24), 3  # dimensions of the random patterns, and sets of them


class Knobs(Params):
    beta: float = Field(2.0, ge=0.01, le=16.0, description="inverse temperature: how narrow the valleys are")
    updates: int = Field(1, ge=1, le=20, description="updates from cue to answer")
    steps: int = Field(40, ge=10, le=200, description="steps in which the memory is filled")
    source: str = RECALL.choose()
    softmax: bool = Field(True, description="weights are a softmax; off: in proportion to the product, Hebb's rule")


@dataclass
class Modern:
    """The continuous modern Hopfield network."""

    patterns: Tensor
    beta: float
    updates: int
    softmax: bool

    def recall(self, cues: Tensor) -> Tensor:
        for _ in range(self.updates):
            hebb = cues @ self.patterns.T @ self.patterns / len(self.patterns)
            cues = retrieval.update(self.patterns, cues, self.beta) if self.softmax else hebb
        return cues


def build(knobs: Knobs, task: RecallTask) -> Modern:
    return Modern(task.patterns[:2], knobs.beta, knobs.updates, knobs.softmax)


def pictures(memory: Memory, task: RecallTask) -> Grid:
    """The first eight stored patterns: as they were stored, as they are shown, as they come back."""
    stored = task.patterns[:8]
    back = memory.recall(stored * task.shown) + task.shift
    rows = torch.cat([stored + task.shift, (stored + task.shift) * task.shown, back])
    framed = pad(rows.reshape(3, 8, 8, 8), (1, 0, 1, 0))  # a line between pictures
    return Grid(framed.transpose(1, 2).reshape(27, 72), image=True)


def energies(memory: Modern, task: RecallTask, beta: float) -> dict[str, Curve | Grid]:
    """The energy along the way of the cues, and across the land between two stored patterns."""
    path = list(accumulate(range(6), lambda state, _: memory.recall(state), initial=task.patterns[:8] * task.shown))
    down = [float(retrieval.energy(memory.patterns, state, beta).mean()) for state in path]
    way = torch.linspace(-0.3, 1.3, 81)
    across = task.patterns[0] + way[:, None] * (task.patterns[1] - task.patterns[0])
    weights = pad(retrieval.weights(memory.patterns, path[0], beta), (0, 40))[:, :40]
    return {
        "energy across/modern": Curve(way, retrieval.energy(memory.patterns, across, beta), "from pattern 1 to 2", "E"),
        "energy of the cues/modern": Curve(range(7), down, "updates", "E", dots=True),
        "weights/modern": Grid(weights, "cue", "stored pattern", "softmax weight"),
    }


def run(knobs: Knobs) -> Run:
    task = RECALL.data(knobs.source, knobs.seed)
    systems = {"modern": build(knobs, task), **RECALL.baselines(task)}
    count = len(task.patterns)
    sets = {d: [random_patterns(count, d, 1000 * knobs.seed + trial) for trial in range(TRIALS)] for d in SIZES}
    capacity = {arm: dict.fromkeys(SIZES, 1) for arm in systems}
    for frame, stored in zip(RECALL.meet(systems, task, knobs.steps), [2, *schedule(count, knobs.steps)]):
        for arm, memory in systems.items():
            for d, trials in sets.items():
                wrong = [wrong_signs(replace(memory, patterns=trial.patterns[:stored]), trial) for trial in trials]
                if (torch.cat(wrong) < 0.05).float().mean() >= 0.9:
                    capacity[arm][d] = stored
            log = [math.log10(most) for most in capacity[arm].values()]
            room = Curve(SIZES, log, "dimension", "log10 of the patterns that fit", dots=True)
            frame = frame.plus({f"recalled/{arm}": pictures(memory, task), f"capacity/{arm}": room})
        yield frame.plus({**energies(systems["modern"], task, knobs.beta), "patterns stored": float(stored)})


def margin(trace: Trace) -> float:
    modern, cubic = (np.polyfit(SIZES, trace.last(f"capacity/{arm}").y, 1)[0] for arm in ("modern", "dense, cubic"))
    return float(modern - cubic)


EXHIBIT = Exhibit(
    paper=PAPER,
    params=Knobs,
    run=run,
    claim=Claim(
        statement="One update finds a pattern among so many that each added dimension multiplies what fits.",
        paper_says="Exponentially many patterns (in the dimension) are stored and retrieved with one update.",
        margin=margin,
        unit="powers of ten of capacity per added dimension, modern minus a cubic memory",
        control={"softmax": False},
    ),
    arms=("modern", "classic Hopfield", "dense, cubic", "nearest neighbour"),
    views={
        "recalled": "Eight digits: as stored, as shown to the memory (upper half), and as they come back.",
        "energy across": "The land between two stored patterns, at 0 and 1: two valleys, or one if they ran together.",
        "weights": "What each answer is mixed from: a bright diagonal is one pattern each, a flat row a mean.",
        "recall accuracy": "Share of patterns that come back with at least 95 % of the signs right.",
        "capacity": "Most random patterns recalled from half at 90 %: straight on this scale means exponential.",
        "energy of the cues": "It may only fall; almost all of the fall is in the first update.",
        "loss": "Share of wrong signs: pixels on the wrong side of their mean.",
        "patterns stored": "How full the memory is.",
    },
    presets={
        "means of similar ones": Preset("Middle beta: digits of a kind share a valley.", {"beta": 0.25}),
        "ten updates": Preset("Little changes: only digits that look alike settle better.", {"updates": 10}),
        "random patterns": Preset("Random bits instead of digits: nothing is alike, all fits.", {"source": "random"}),
        "where it breaks": Preset("Low beta: every cue ends in the mean of all patterns.", {"beta": 0.02}),
    },
    fidelity="full",
    departs="Digits are centred and of one length. Capacity is measured on random bits, from half of each, not on the "
    "theorem's spheres. The softmax comes close to the nearest neighbour and never passes it.",
    time="filling step",
    entry=Entry(RECALL, build),
)
