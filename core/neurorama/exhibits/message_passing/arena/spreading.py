"""The view of heat that spreads from a source: how much has come, and how fast it comes, moment by moment."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from neurorama import Curve, Graph, Value
from neurorama.kernels.heat import heat
from neurorama.kernels.propagation import normalised

from .distance import DistanceTask

SPREADING = {
    "heard": "What comes from the source after a time: how fast heat rises (or falls, where it was), or heat itself.",
    "at the target": "The same at the target alone: the rate of change has a best time, heat only fills up.",
}


def spreading(task: DistanceTask, rate: str, level: str, times: torch.Tensor) -> Iterator[dict[str, Value]]:
    """One unit of heat starts at the source of the first test graph: the views of `SPREADING` at each moment.

    Args:
        rate, level: the arms under which du/dt and u are shown, for $u = e^{-tL} u_0$.
        times: (t,) ascending.
    """
    assert task.test.source is not None and task.test.target is not None  # noqa: PT018
    source, target = int(task.test.source[0]), int(task.test.target[0])
    near = normalised(*task.test.wiring.pieces[0])
    start = torch.eye(near.num_nodes)[:, [source]]
    u = torch.cat([heat(near, start, time) for time in times], dim=1)  # (n, t)
    for k in range(len(times)):
        values: dict[str, Value] = {}
        for arm, each in ((rate, near @ u - u), (level, u)):
            share, there = each[:, k] / each[:, k].abs().max(), each[target] / each[target].abs().max()
            values[f"heard/{arm}"] = Graph(task.edges, len(u), values=share, unit="share of the largest")
            values[f"at the target/{arm}"] = Curve(times[: k + 1], there[: k + 1], "time", "share of the largest")
        yield values
