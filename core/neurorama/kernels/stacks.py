"""Many multilayer perceptrons of the same widths side by side: one batched product for each layer of all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Stacks(nn.Module):
    """`cells` networks, each with its own weights: linear layers with ReLU between them.

    Args:
        cells: how many networks.
        widths: of the input, the hidden layers and the output.
        residual: the input of each hidden layer that keeps the width is added to its output, h' = relu(h W + b) + h;
            the first layer and the last one change the width, and have none.
        large: first weights uniform with the variance 2 / width that ReLU wants (He et al., 2015,
            https://arxiv.org/abs/1502.01852); otherwise as `nn.Linear` draws them, with a sixth of it.
    """

    def __init__(self, cells: int, widths: Sequence[int], residual: bool = False, large: bool = False) -> None:
        super().__init__()
        self.weights, self.biases, self.residual = nn.ParameterList(), nn.ParameterList(), residual
        for a, b in pairwise(widths):
            usual = a**-0.5
            bound = (6 / a) ** 0.5 if large else usual
            self.weights.append(torch.empty(cells, a, b).uniform_(-bound, bound))
            self.biases.append(torch.empty(cells, 1, b).uniform_(-usual, usual))

    def states(self, h: Float[Tensor, "cells n d"]) -> Iterator[Float[Tensor, "cells n out"]]:
        """What each layer makes of it; the last are the outputs."""
        last = len(self.weights) - 1
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases)):
            new = torch.baddbmm(bias, h, weight)
            new = new if layer == last else new.relu()
            h = new + h if self.residual and 0 < layer < last else new
            yield h

    def forward(self, h: Float[Tensor, "cells n d"]) -> Float[Tensor, "cells n out"]:
        *_, out = self.states(h)
        return out
