r"""The diagonal linear recurrence, step by step and in chunks.

$$x_k = a_k \odot x_{k-1} + b_k, \qquad x_{-1} = 0$$

Each mode is on its own, so a long sequence can be cut: all chunks run side by side, each as if nothing
had come before it, and then hand what they remember to the next one. That takes about $2\sqrt{L}$ steps
in place of $L$. Only products of coefficients occur, never a quotient, so nothing overflows for $|a| \le 1$.
"""

from __future__ import annotations

import math
from itertools import pairwise, repeat

import torch
from jaxtyping import Inexact
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad


def scan_loop(
    a: Inexact[Tensor, "*steps modes"], b: Inexact[Tensor, "*batch length modes"]
) -> Inexact[Tensor, "*batch length modes"]:
    """The recurrence as it is written, one step after the other: the reference for `scan`, with the same arguments."""
    steps = repeat(a) if a.dim() == 1 else a.unbind(-2)
    states = []
    for a_k, b_k in zip(steps, b.unbind(-2)):
        states.append(a_k * states[-1] + b_k if states else b_k)
    return torch.stack(states, dim=-2)


def scan(
    a: Inexact[Tensor, "*steps modes"], b: Inexact[Tensor, "*batch length modes"], chunk: int | None = None
) -> Inexact[Tensor, "*batch length modes"]:
    """All states of the recurrence, in chunks; with gradients to `a` and `b`.

    Args:
        a: (n,) coefficients that are the same at every step, or (..., L, n), which broadcasts to `b`; real or complex.
        b: (..., L, n) what is added at each step; L is at least 1.
        chunk: steps in a chunk; about the root of L by default. It changes the speed, not the result.

    Returns:
        (..., L, n) the states, in the wider type of the two.

    Raises:
        ValueError: an empty sequence, or a chunk shorter than one step.
    """
    length = b.shape[-2]
    chunk = math.isqrt(length - 1) + 1 if chunk is None and length else chunk
    if not length or chunk is None or chunk < 1:
        raise ValueError(f"a scan needs at least one step and chunk >= 1, not length {length} and chunk {chunk}")
    dtype = torch.promote_types(a.dtype, b.dtype)
    a, b = a.to(dtype), b.to(dtype)
    return _Scan.apply(a if a.dim() == 1 else a.expand_as(b), b, min(chunk, length))  # type: ignore[return-value]


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a: Tensor, b: Tensor, chunk: int) -> Tensor:  # type: ignore[override]
        x = _chunked(a, b, chunk)
        ctx.chunk = chunk
        ctx.save_for_backward(a, x)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:  # type: ignore[override]
        # The gradient obeys the same recurrence backwards in time: g_k = grad_k + conj(a_{k+1}) g_{k+1}.
        a, x = ctx.saved_tensors
        after = a.conj() if a.dim() == 1 else a.conj().roll(-1, dims=-2)
        g = _chunked(after.resolve_conj(), grad, ctx.chunk, back=True)
        to_a = None
        if ctx.needs_input_grad[0]:
            to_a = g[..., 1:, :] * x[..., :-1, :].conj()
            to_a = to_a.reshape(-1, a.numel()).sum(0) if a.dim() == 1 else pad(to_a, (0, 0, 1, 0))
        return to_a, g, None


def _chunked(a: Tensor, b: Tensor, chunk: int, back: bool = False) -> Tensor:
    """The recurrence, or the same from the last step to the first."""
    length = b.shape[-2]
    chunks = -(-length // chunk)

    def cut(steps: Tensor) -> Tensor:  # (..., L, n) -> (..., chunks, chunk, n), zeros at the end
        missing = chunks * chunk - length
        return (pad(steps, (0, 0, 0, missing)) if missing else steps).unflatten(-2, (chunks, chunk))

    b = cut(b)
    a = a.expand(chunk, -1) if a.dim() == 1 else cut(a)
    step, hop = (range(n)[:: -1 if back else 1] for n in (chunk, chunks))
    x = torch.empty_like(b, memory_format=torch.contiguous_format)
    x[..., step[0], :] = b[..., step[0], :]
    for before, k in pairwise(step):
        torch.addcmul(b[..., k, :], a[..., k, :], x[..., before, :], out=x[..., k, :])
    if chunks > 1:
        decay = a.clone()  # what each step has left of the chunk before
        for before, k in pairwise(step):
            decay[..., k, :] *= decay[..., before, :]
        for before, j in pairwise(hop):
            here = decay if a.dim() == 2 else decay[..., j, :, :]
            x[..., j, :, :].addcmul_(here, x[..., before, step[-1], None, :])
    return x.flatten(-3, -2)[..., :length, :]
