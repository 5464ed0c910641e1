r"""Mamba's selective scan: a linear recurrence whose step, input and output weights depend on the input.

$$h_i = e^{\Delta_i A} \odot h_{i-1} + \Delta_i x_i \otimes B_i, \qquad y_i = h_i C_i + D \odot x_i$$

A large step $\Delta_i$ lets go of the past and takes the token in, a small one passes it over. Each of the d channels
has n states of its own; with $A < 0$ nothing grows. Gu and Dao (2023), https://arxiv.org/abs/2312.00752; the block
around the scan as in their code, https://github.com/state-spaces/mamba.

What is masked has step 0: the state stays and nothing is added, so padding may lie anywhere.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import pad, silu, softplus

from .scan import scan, scan_loop


def selective_scan(
    x: Float[Tensor, "*b L d"],
    delta: Float[Tensor, "*b L d"],
    A: Float[Tensor, "d n"],
    B: Float[Tensor, "*b L n"],
    C: Float[Tensor, "*b L n"],
    D: Float[Tensor, " d"] | None = None,
    mask: Bool[Tensor, "*b L"] | None = None,
    chunk: int | None = None,
) -> Float[Tensor, "*b L d"]:
    """The scan in chunks, as in `scan`: about two square roots of L steps. It holds L d n numbers at once.

    Args:
        x: the tokens, first to last.
        delta: steps, above 0.
        A: rates, at most 0, which keeps the states bounded.
        B, C: how a token is written to the states, and read from them.
        D: what of the token goes straight to the output; nothing by default.
        mask: which tokens there are; the others give 0.
        chunk: steps in a chunk; 1 and more. It changes the speed, not the result.
    """
    a, b = _recurrence(x, delta, A, B, mask)
    return _read(scan(a, b, chunk), x, C, D, mask)


def selective_scan_loop(
    x: Float[Tensor, "*b L d"],
    delta: Float[Tensor, "*b L d"],
    A: Float[Tensor, "d n"],
    B: Float[Tensor, "*b L n"],
    C: Float[Tensor, "*b L n"],
    D: Float[Tensor, " d"] | None = None,
    mask: Bool[Tensor, "*b L"] | None = None,
) -> Float[Tensor, "*b L d"]:
    """The same, one token after the other: what `selective_scan` is compared with."""
    a, b = _recurrence(x, delta, A, B, mask)
    return _read(scan_loop(a, b), x, C, D, mask)


def _recurrence(x: Tensor, delta: Tensor, A: Tensor, B: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """(a, b), both (*b, L, n d), of h_i = a_i h_{i-1} + b_i; channels last, so that products run along memory."""
    if mask is not None:
        delta = delta.where(mask[..., None], 0.0)
    a = (delta[..., None, :] * A.mT.contiguous()).exp()
    return a.flatten(-2), (B[..., None] * (delta * x)[..., None, :]).flatten(-2)


def _read(h: Tensor, x: Tensor, C: Tensor, D: Tensor | None, mask: Tensor | None) -> Tensor:
    y = (C[..., None] * h.unflatten(-1, (C.shape[-1], -1))).sum(-2)
    y = y if D is None else y + D * x
    return y if mask is None else y.where(mask[..., None], 0.0)


class Mamba(nn.Module):
    """A block: project, short causal convolution, selective scan, gate, project back. (b, L, width) -> (b, L, width)

    Args:
        width: of the tokens.
        states: n of each channel.
        expand: channels for each unit of width.
        reach: tokens that the convolution sees, itself included; 1 and more.
    """

    def __init__(self, width: int, states: int = 16, expand: int = 2, reach: int = 4) -> None:
        super().__init__()
        inner, rank = expand * width, -(-width // 16)
        self.sizes = [rank, states, states]
        self.enter = nn.Linear(width, 2 * inner, bias=False)
        self.convolve = nn.Conv1d(inner, inner, reach, groups=inner)
        self.select = nn.Linear(inner, sum(self.sizes), bias=False)
        self.step = nn.Linear(rank, inner)
        self.leave = nn.Linear(inner, width, bias=False)
        self.A_log = nn.Parameter(torch.arange(1.0, states + 1).log().repeat(inner, 1))
        self.D = nn.Parameter(torch.ones(inner))
        nn.init.uniform_(self.step.weight, -(rank**-0.5), rank**-0.5)
        with torch.no_grad():  # so that the first steps lie between 0.001 and 0.1, evenly in their logarithm
            start = (torch.rand(inner) * math.log(100) + math.log(0.001)).exp()
            self.step.bias.copy_(start + (-(-start).expm1()).log())

    def forward(
        self, tokens: Float[Tensor, "b L width"], mask: Bool[Tensor, "b L"] | None = None
    ) -> Float[Tensor, "b L width"]:
        """Masked tokens are not seen by the others, and give 0."""
        x, gate = self.enter(tokens).chunk(2, dim=-1)
        if mask is not None:
            x = x.where(mask[..., None], 0.0)
        taps, bias = self.convolve.weight[:, 0].T, self.convolve.bias
        before = pad(x, (0, 0, len(taps) - 1, 0))  # tap by tap: the gradient of torch's convolution takes far longer
        x = silu(sum((tap * before[:, k : k + x.shape[1]] for k, tap in enumerate(taps)), bias))  # type: ignore[call-overload]
        low, B, C = self.select(x).split(self.sizes, dim=-1)
        y = selective_scan(x, softplus(self.step(low)), -self.A_log.exp(), B, C, self.D, mask)
        return self.leave(y * silu(gate))


class BidirectionalMamba(nn.Module):
    """One block from the first token to the last plus another from the last to the first. Arguments as in `Mamba`."""

    def __init__(self, width: int, states: int = 16, expand: int = 2, reach: int = 4) -> None:
        super().__init__()
        self.ahead, self.back = (Mamba(width, states, expand, reach) for _ in range(2))

    def forward(
        self, tokens: Float[Tensor, "b L width"], mask: Bool[Tensor, "b L"] | None = None
    ) -> Float[Tensor, "b L width"]:
        turned = None if mask is None else mask.flip(1)
        return self.ahead(tokens, mask) + self.back(tokens.flip(1), turned).flip(1)


class Reading(nn.Module):
    """Tokens, and added to them what a block makes of them once they are normalised. (b, L, width) -> (b, L, width)

    Args:
        both_ways: a second block reads from the last token to the first.
    """

    def __init__(self, width: int, states: int = 16, both_ways: bool = True) -> None:
        super().__init__()
        self.norm, self.block = nn.LayerNorm(width), (BidirectionalMamba if both_ways else Mamba)(width, states)

    def forward(
        self, tokens: Float[Tensor, "b L width"], mask: Bool[Tensor, "b L"] | None = None
    ) -> Float[Tensor, "b L width"]:
        return tokens + self.block(self.norm(tokens), mask)

    @torch.no_grad()
    def let_in(
        self, tokens: Float[Tensor, "b L width"], mask: Bool[Tensor, "b L"] | None = None
    ) -> Float[Tensor, "b L"]:
        """How far each token is let in: its step on the way from the first to the last, the mean over channels."""
        steps: list[Tensor] = []
        ahead = self.block.ahead if isinstance(self.block, BidirectionalMamba) else self.block
        hook = ahead.step.register_forward_hook(lambda *seen: steps.append(softplus(seen[2]).mean(2)))
        self(tokens, mask)
        hook.remove()
        return steps[0]
