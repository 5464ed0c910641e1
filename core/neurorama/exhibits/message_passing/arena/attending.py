"""GIN with softmax attention over the whole graph beside each of its layers: the graph transformer to compare with."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neurorama.kernels.attention import dense_weights
from neurorama.kernels.lines import in_lines

from .batches import Batch
from .nets import GIN


class AttendingGIN(GIN):
    """Each layer adds what the node hears from its neighbours and what it attends to in its graph, as in the layers of
    Rampášek et al. (2022, https://arxiv.org/abs/2205.12454) with one head. Batch -> (n, c).

    A linear layer leads in, so that all layers attend on `hidden` numbers.
    """

    def __init__(self, features: int, hidden: int, classes: int, depth: int) -> None:
        super().__init__(hidden, hidden, classes, depth)
        self.enter = nn.Linear(features, hidden)
        self.qkv = nn.ModuleList(nn.Linear(hidden, 3 * hidden) for _ in range(depth))
        self.out = nn.ModuleList(nn.Linear(hidden, width) for width in [*[hidden] * (depth - 1), classes])

    def attend(self, number: int, h: Tensor, batch: Tensor) -> Tensor:
        lines = in_lines(batch)
        q, k, v = (lines.line_up(part) for part in self.qkv[number](h).chunk(3, dim=1))
        return self.out[number](lines.disperse(dense_weights(q, k, mask=lines.mask[:, None]) @ v))

    def hidden(self, task: Batch) -> list[Tensor]:  # type: ignore[override]
        h, states = self.enter(task.x), []
        for number, (layer, eps) in enumerate(zip(self.layers, self.eps)):
            h = layer((1 + eps) * h + task.sums @ h) + self.attend(number, h, task.batch)
            h = h if number == len(self.layers) - 1 else torch.relu(h)
            states.append(h)
        return states
