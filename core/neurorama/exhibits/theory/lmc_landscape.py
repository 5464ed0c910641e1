r"""Train two copies of a network from one point, each with its batches in another order. Is the straight line between
the results low in loss, or is there a ridge? Runs that part high on the mountain may come down on two sides of a ridge;
runs that first come down together end on one side, and the line between them stays low.

A barrier is what the loss at $\theta(a) = p + a\,d$, $d = q - p$, lies above its chord. Curvature on the way gives it:

$$B(a) = L(\theta(a)) - (1-a)L(p) - aL(q) = -\int_0^1 g(a,s)\; d^\top H(\theta(s))\, d\; ds, \qquad
g(a,s) = \min(a,s)\,(1-\max(a,s))$$

From the two ends alone, each seen to second order, the mean of both views of the middle is

$$\hat B(\tfrac12) = \tfrac14\,(\nabla L(p) - \nabla L(q))^\top d + \tfrac1{16}\, d^\top (H(p) + H(q))\, d$$

Sharp ends far apart see a wall between them. Moving one layer only, with all else as in $p$, is seen from $p$ alike.

Left out: large networks, test loss, permuted units.
"""

import math

import numpy as np
import torch
from numpy.typing import ArrayLike
from pydantic import Field
from scipy.stats import spearmanr
from torch import Tensor

from neurorama import Bars, Claim, Curve, Exhibit, Frame, Grid, Paper, Params, Points, Preset, Run, Trace, Value, data
from neurorama.kernels import landscape
from neurorama.kernels.landscape import Losses, barrier, curvatures, tanh_losses, train_networks

PAPER = Paper(
    id=153,
    title="Landscaping Linear Mode Connectivity",
    name="Linear mode connectivity landscape",
    authors="Sidak Pal Singh, Linara Adilova, Michael Kamp, Asja Fischer, Bernhard Schölkopf, Thomas Hofmann",
    year=2024,
    venue="HiLD workshop at ICML",
    url="https://arxiv.org/abs/2406.16300",
)


class Knobs(Params):
    latest: int = Field(80, ge=40, le=200, description="the last step at which the two runs part")
    steps: int = Field(200, ge=200, le=1000, description="training steps of every run, before and after parting")
    pairs: int = Field(6, ge=4, le=12, description="pairs of runs, each pair from its own start")
    width: int = Field(32, ge=4, le=64, description="units in each of the two hidden layers")
    rate: float = Field(0.8, ge=0.01, le=2.0, description="first learning rate; it falls to zero as a cosine")
    batch: int = Field(16, ge=4, le=256, description="images in a batch: fewer make noisier steps")
    part: bool = Field(True, description="after parting, other batches for each of the two; off: the same for both")


def rank_correlation(a: ArrayLike, b: ArrayLike) -> float:
    """Spearman's; 0 where one of the two does not vary."""
    a, b = np.asarray(a), np.asarray(b)
    return 0.0 if np.ptp(a) == 0 or np.ptp(b) == 0 else float(np.asarray(spearmanr(a, b))[0])


def surface(losses: Losses, parent: Tensor, p: Tensor, q: Tensor) -> Grid:
    x, y = torch.linspace(-1.6, 1.6, 21), torch.linspace(1.6, -0.8, 16)
    z = losses(landscape.plane(p, q, parent, x, y).flatten(0, 1)).log10().view(len(y), len(x))
    return Grid(z, "towards where they parted", "the two results are at -1 and 1", "log10 of the loss", x=x, y=y)


def one_layer(losses: Losses, p: Tensor, d: Tensor, widths: list[int]) -> dict[str, Value]:
    """p with a single layer moved half way to q, measured and as slope and curvature at p tell it."""
    alone = landscape.layer_moves(d, widths)  # (layers, weights)
    slope, bend = curvatures(losses, p.expand_as(alone), alone)
    rise = losses(p + alone / 2) - losses(p[None])
    names = [f"layer {i + 1}" for i in range(len(alone))]
    sides = {"from the ends": slope / 2 + bend / 8, "measured": rise}
    return {f"one layer half way/{side}": Bars(names, values, "rise of the loss") for side, values in sides.items()}


def run(knobs: Knobs) -> Run:
    x, y = (table := data.table("digits", knobs.seed)).x / 16, table.y
    widths = [x.shape[1], knobs.width, knobs.width, 10]
    s, rates = torch.linspace(0, 1, 17), knobs.rate * (1 + torch.linspace(0, math.pi, knobs.steps).cos()) / 2

    def losses(theta: Tensor) -> Tensor:  # (n, weights) -> (n,), on the first 256 images
        return tanh_losses(theta, widths, x[:256], y[:256])

    parent, at = landscape.random_start(knobs.pairs, widths), 0
    places, parted, own, shuffled = [], [], [], []
    for k in sorted({round(knobs.latest * (i / 29) ** 1.5) for i in range(30)}):
        rows = torch.randint(len(x), (k - at, knobs.pairs, knobs.batch))
        parent, at = train_networks(parent, widths, x, y, rows, rates[at:k]), k
        rows = torch.randint(len(x), (knobs.steps - k, 2, knobs.pairs, knobs.batch))
        rows = (rows if knobs.part else rows[:, :1].expand_as(rows)).flatten(1, 2)
        p, q = train_networks(parent.repeat(2, 1), widths, x, y, rows, rates[k:]).chunk(2)
        d = q - p
        path = landscape.segment(p, q, s)  # (pairs, 17, weights)
        height = barrier(losses(path.flatten(0, 1)).view(len(p), len(s)), s)
        ends, middle = landscape.middle_from_ends(losses, p, q), height[:, len(s) // 2]
        bend = curvatures(losses, path[0], d[:1].expand(len(s), -1))[1]
        places += zip(ends.tolist(), middle.tolist())
        parted += [k] * len(p)
        own.append(rank_correlation(ends, middle))
        shuffled.append(rank_correlation(ends[torch.randperm(len(ends))], middle))
        values = {
            "loss surface": surface(losses, parent[0], p[0], q[0]),
            "height over the chord/measured": Curve(s, height[0], "place on the line", "loss"),
            "height over the chord/curvature": Curve(s, landscape.barrier_from_curvature(bend, s), dots=True),
            "barrier/from the ends": float(ends.clamp(min=0).mean()),
            "barrier/measured": float(height.amax(1).mean()),
            "all pairs": Points(places, values=parted, items="pairs", axes=("from the ends", "measured")),
            **one_layer(losses, p[0], d[0], widths),
            "rank correlation/from the ends": sum(own) / len(own),
            "rank correlation/shuffled": sum(shuffled) / len(shuffled),
        }
        yield Frame(k, knobs.latest, values)


def margin(trace: Trace) -> float:
    heights = [round(height, 4) for height in trace.numbers("barrier/measured")]  # less is rounding, not a ridge
    fall = -rank_correlation([frame.step for frame in trace.frames], heights)
    return min(fall, trace.last("rank correlation/from the ends") - trace.last("rank correlation/shuffled"))


EXHIBIT = Exhibit(
    paper=PAPER,
    params=Knobs,
    run=run,
    claim=Claim(
        statement="The later two runs part, the lower the barrier; slope and curvature at its ends foretell it.",
        margin=margin,
        unit="rank correlation: how barriers fall with the step, or how ends foretell them if that is smaller",
        control={"part": False},
    ),
    arms=("from the ends", "measured", "curvature", "shuffled"),
    views={
        "loss surface": "The plane of where the first pair parted and its two results (at -1 and 1, height 0).",
        "barrier": "Highest point over the chord, mean of all pairs: the ridge goes as the runs part later.",
        "height over the chord": "The straight line of the first pair: measured, and rebuilt from curvature alone.",
        "all pairs": "Each dot a pair, coloured by the step at which it parted: do the ends foretell the middle?",
        "one layer half way": "The same question layer by layer, with the other layers left where they are.",
        "rank correlation": "Among pairs that part at the same step (mean so far), and with the pairs mixed up.",
    },
    presets={
        "calm steps": Preset("Batches of 128: both runs go the same way, and no ridge rises.", {"batch": 128}),
        "where it breaks": Preset("Steps so long that runs do not settle: the ends say less.", {"rate": 1.5}),
    },
    fidelity="full",
    departs="Plain gradient steps on digits, loss measured on 256 of them. The view from the ends is our second-order "
    "reading of barrier height; the form in the paper could not be checked.",
    time="step at which the two part",
)
