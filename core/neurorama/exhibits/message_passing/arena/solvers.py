"""The view of a diffusion by two solvers side by side, one explicit and one implicit, step by step."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from neurorama import Curve, Graph, Value
from neurorama.kernels.diffusion import Solver, last, solve
from neurorama.kernels.propagation import Adjacency

from .nodes import NodeTask

TAUS = (0.5, 1.0, 2.0, 4.0)  # lengths of a step
FLOWS = {
    "flow": "After training, one feature spreads in long steps. The explicit solver breaks out, the implicit cannot.",
    "largest value": "Of all features, as a power of ten of the start's: heat never rises above 0.",
    "error of the solver": "Against the exact flow: beyond some length, explicit steps are worse than useless.",
}


@torch.no_grad()
def flows(task: NodeTask, near: Adjacency, x: Tensor, time: float, stride: float) -> Iterator[dict[str, Value]]:
    """The diffusion of x by `near`, whose rows sum to one, in steps of `stride`: the views of `FLOWS` after each.

    Shown is the feature that differs most between nodes in the end, its colour held in the range of the start, which
    the exact flow does not leave. Errors are the largest, relative to the largest value at the start.

    Args:
        x: (n, d) features at time 0.
        time: T; where `stride` does not divide it, steps are a little longer or shorter.
    """
    solvers: dict[str, Solver] = {"explicit Euler": "euler", "implicit Euler": "implicit"}
    exact, most = last(solve("rk4", near, x, time, 1 / 8)).state, x.abs().max()
    shown = int(exact.std(0).argmax())
    low, high = x[:, shown].aminmax()
    curves: dict[str, Value] = {}
    for arm, solver in solvers.items():
        errors = [float((last(solve(solver, near, x, time, tau)).state - exact).abs().max() / most) for tau in TAUS]
        curves[f"error of the solver/{arm}"] = Curve(
            TAUS, np.log10(errors), "length of a step", "power of 10", dots=True
        )
    for steps in zip(*(solve(solver, near, x, time, stride) for solver in solvers.values())):
        values = dict(curves)
        for arm, step in zip(solvers, steps):
            heat = step.state[:, shown].clamp(low, high)
            values[f"flow/{arm}"] = Graph(task.edges, len(x), values=heat, unit="feature", names=task.graph.names)
            values[f"largest value/{arm}"] = float((step.state.abs().max() / most).log10())
        yield values
