r"""Propagation over a graph as a product with a sparse matrix in CSR form.

$$H' = \hat A H, \qquad \hat A = \tilde D^{-1/2}(A + I)\tilde D^{-1/2}$$

A product with a CSR matrix reads each feature row once per edge and writes each result once;
gather and scatter over `edge_index` first write all messages to memory. The transpose that the
gradient needs is made once and kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Adjacency:
    """A sparse (n, n) matrix; `adjacency @ x` sums neighbours, with gradients to `x` and to `weight`.

    Args:
        crow: (n + 1,) long, where each row starts.
        col: (m,) long, the column of each entry, row by row.
        weight: (m,) float, the entries.
        order: (m,) long, which column of the `edge_index` it was made from each entry is (numbers from
            its width upwards are the added self-loops).
    """

    crow: Tensor
    col: Tensor
    weight: Tensor
    order: Tensor

    @property
    def num_nodes(self) -> int:
        return self.crow.numel() - 1

    @cached_property
    def row(self) -> Tensor:
        """(m,) the row of each entry."""
        return torch.repeat_interleave(torch.arange(self.num_nodes), self.crow.diff())

    @cached_property
    def _csr(self) -> Tensor:
        return _matrix(self.crow, self.col, self.weight.detach())

    @cached_property
    def _turned(self) -> tuple[Tensor, Tensor, Tensor]:
        """(crow, col, turn): the pattern of the transpose; `turn` says which entry each of its entries is."""
        turn = torch.argsort(self.col, stable=True)
        counts = torch.bincount(self.col, minlength=self.num_nodes)
        crow = torch.zeros(self.num_nodes + 1, dtype=torch.long)
        torch.cumsum(counts, 0, out=crow[1:])
        return crow, self.row[turn], turn

    @cached_property
    def _csr_transpose(self) -> Tensor:
        crow, col, turn = self._turned
        return _matrix(crow, col, self.weight.detach()[turn])

    def reweighted(self, weight: Tensor) -> Adjacency:
        """The same pattern with other entries `weight` (m,), which may want a gradient; the pattern's work is reused."""
        other = Adjacency(self.crow, self.col, weight, self.order)
        for name in ("row", "_turned"):
            other.__dict__[name] = getattr(self, name)
        return other

    def dense(self) -> Tensor:
        """(n, n), for tests and small spectra."""
        out = self.weight.new_zeros(self.num_nodes, self.num_nodes)
        return out.index_put((self.row, self.col), self.weight, accumulate=True)

    def __matmul__(self, x: Tensor) -> Tensor:
        """(n, d) -> (n, d)."""
        if x.dim() != 2 or x.shape[0] != self.num_nodes:
            raise ValueError(f"propagation needs x of shape ({self.num_nodes}, d), not {tuple(x.shape)}")
        if not (torch.is_grad_enabled() and (x.requires_grad or self.weight.requires_grad)):
            return self._csr @ x
        return _Product.apply(self.weight, x, self)  # type: ignore[return-value]


def _matrix(crow: Tensor, col: Tensor, weight: Tensor) -> Tensor:
    n = crow.numel() - 1
    return torch.sparse_csr_tensor(crow, col, weight, (n, n), check_invariants=False)


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx, weight: Tensor, x: Tensor, adjacency: Adjacency) -> Tensor:  # type: ignore[override]
        ctx.adjacency = adjacency
        ctx.save_for_backward(x if ctx.needs_input_grad[0] else x.new_empty(0))
        return adjacency._csr @ x

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:  # type: ignore[override]
        adjacency: Adjacency = ctx.adjacency
        grad = grad.contiguous()
        to_weight = to_x = None
        if ctx.needs_input_grad[0]:
            (x,) = ctx.saved_tensors
            to_weight = (grad[adjacency.row] * x[adjacency.col]).sum(-1)
        if ctx.needs_input_grad[1]:
            to_x = adjacency._csr_transpose @ grad
        return to_weight, to_x, None


def adjacency(edge_index: Tensor, num_nodes: int, weight: Tensor | None = None) -> Adjacency:
    """The matrix with entry [dst, src] for each column (src, dst) of `edge_index` (2, m), so that `@` sums over senders."""
    src, dst = edge_index
    order = torch.argsort(dst * num_nodes + src, stable=True)
    crow = torch.zeros(num_nodes + 1, dtype=torch.long)
    torch.cumsum(torch.bincount(dst, minlength=num_nodes), 0, out=crow[1:])
    entries = torch.ones(src.numel()) if weight is None else weight
    return Adjacency(crow, src[order], entries[order], order)


def normalised(
    edge_index: Tensor,
    num_nodes: int,
    weight: Tensor | None = None,
    self_loops: bool = True,
    how: Literal["sym", "row"] = "sym",
) -> Adjacency:
    r"""$\hat A$: symmetric, $\tilde D^{-1/2}(A + I)\tilde D^{-1/2}$, or by rows, $\tilde D^{-1}(A + I)$.

    Args:
        edge_index: (2, m) long, an undirected edge in both directions, without self-loops where `self_loops` adds them.
        num_nodes: n.
        weight: (m,) float, ones by default.
        self_loops: whether the identity is added.
    """
    entries = torch.ones(edge_index.shape[1]) if weight is None else weight
    if self_loops:
        loops = torch.arange(num_nodes).expand(2, -1)
        edge_index = torch.cat([edge_index, loops], dim=1)
        entries = torch.cat([entries, torch.ones(num_nodes)])
    degree = torch.zeros(num_nodes).index_add(0, edge_index[1], entries)
    if how == "sym":
        scale = degree.clamp(min=1e-12).rsqrt() * (degree > 0)
        entries = scale[edge_index[0]] * entries * scale[edge_index[1]]
    else:
        entries = entries * (degree.clamp(min=1e-12).reciprocal() * (degree > 0))[edge_index[1]]
    return adjacency(edge_index, num_nodes, entries)
