"""Two kinds of depth at once: how far a network averages, and how often it transforms."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neurorama import Grid, descend
from neurorama.kernels.propagation import powers
from neurorama.kernels.stacks import Stacks

from .nodes import NodeTask, measured

CELLS = 4  # depths of each kind
HIDDEN = 16


class DepthMap:
    """A network for each of four times four depths, from 2 (or less) to `depth`: so many averages without weights,
    then so many transformations. All are trained in step, on the labelled nodes.

    Args:
        steps: of training at most.
        residual, large: of the transformations, as in `Stacks`.
    """

    def __init__(self, task: NodeTask, depth: int, steps: int, residual: bool = False, large: bool = False) -> None:
        self.depths = torch.linspace(min(2, depth), depth, CELLS).round().int().tolist()
        self._task, self._done = task, 0
        self._reached = torch.stack(powers(task.near, task.x, depth))[self.depths]  # (hops, n, d)
        features, classes = task.sizes
        self.nets = nn.ModuleList(
            Stacks(CELLS, [features, *[HIDDEN] * (layers - 1), classes], residual, large) for layers in self.depths
        )
        self._best, self._test = torch.full((CELLS, CELLS), -1.0), torch.zeros(CELLS, CELLS)
        self._training = descend(self._loss, self.nets.parameters(), steps, lr=0.01, weight_decay=5e-4)

    def _loss(self) -> Tensor:
        """The sum of all networks' losses, so that each learns as it would alone."""
        logits = torch.cat([net(self._reached[:, self._task.train]) for net in self.nets])  # (cells, labelled, c)
        y = self._task.y[self._task.train].repeat(len(logits))
        return nn.functional.cross_entropy(logits.flatten(0, 1), y) * len(logits)

    @torch.no_grad()
    def at(self, step: int) -> Grid:
        """Trains up to `step`; the test score of each network where its validation score was best so far."""
        while self._done < step:
            with torch.enable_grad():
                next(self._training)
            self._done += 1
        for row, net in enumerate(self.nets):
            for column, logits in enumerate(net(self._reached)):
                val = measured(logits, self._task, self._task.val)
                if val > self._best[row, column]:
                    self._best[row, column] = val
                    self._test[row, column] = measured(logits, self._task, self._task.test)
        return Grid(self._test, "transformations", "hops", "test accuracy", x=self.depths, y=self.depths)
