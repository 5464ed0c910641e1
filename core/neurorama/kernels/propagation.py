r"""Propagation over a graph as a product with a sparse matrix in CSR form.

$$H' = \hat A H, \qquad \hat A = \tilde D^{-1/2}(A + I)\tilde D^{-1/2}$$

A product with a CSR matrix reads each feature row once per edge and writes each result once;
gather and scatter over `edge_index` first write all messages to memory. The transpose that the
gradient needs is made once and kept, and the gradient of the entries is a sampled product, so
that nothing of size (edges, features) is ever made.
"""

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor
from torch.autograd.function import once_differentiable

with warnings.catch_warnings():  # torch says once per process that CSR is in beta; it says it here, to nobody
    warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
    torch.sparse_csr_tensor([0, 0], [], [], (1, 1), check_invariants=False)


@dataclass(frozen=True, eq=False)
class Adjacency:
    """A sparse (n, n) matrix; `adjacency @ x` sums neighbours, with gradients to `x` and to `weight`.

    The tensors are kept, not copied: do not write to them.

    Args:
        crow: (n + 1,) long, where each row starts.
        col: (m,) long, the column of each entry, row by row, ascending in each row.
        weight: (m,) float, the entries.
        order: (m,) long, which column of the `edge_index` it was made from each entry is (numbers from
            its width upwards are the added self-loops).
    """

    crow: Int[Tensor, " rows"]
    col: Int[Tensor, " m"]
    weight: Float[Tensor, " m"]
    order: Int[Tensor, " m"]

    @property
    def num_nodes(self) -> int:
        return self.crow.numel() - 1

    @property
    def row(self) -> Int[Tensor, " m"]:
        """(m,) the row of each entry."""
        return self._pattern.row

    @cached_property
    def _pattern(self) -> "_Pattern":
        return _Pattern(self.crow, self.col)

    @cached_property
    def _csr(self) -> Tensor:
        return self._pattern.filled(self.weight.detach())

    @cached_property
    def _csr_transpose(self) -> Tensor:
        pattern, turn = self._pattern.turned
        return pattern.filled(self.weight.detach()[turn])

    def reweighted(self, weight: Float[Tensor, " m"]) -> "Adjacency":
        """The same pattern with other entries, which may want a gradient; the pattern's work is done once for all."""
        other = Adjacency(self.crow, self.col, weight, self.order)
        other.__dict__["_pattern"] = self._pattern
        return other

    def transposed(self) -> "Adjacency":
        """Entry [i, j] becomes [j, i]: sums over receivers in place of senders."""
        pattern, turn = self._pattern.turned
        other = Adjacency(pattern.crow, pattern.col, self.weight[turn], self.order[turn])
        other.__dict__["_pattern"] = pattern
        return other

    def dense(self) -> Float[Tensor, "n n"]:
        """The matrix written out, for tests and small spectra."""
        out = self.weight.new_zeros(self.num_nodes, self.num_nodes)
        return out.index_put((self.row, self.col), self.weight, accumulate=True)

    def __matmul__(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Raises ValueError where `x` does not have a row for each node."""
        if x.dim() != 2 or x.shape[0] != self.num_nodes:
            raise ValueError(f"propagation needs x of shape ({self.num_nodes}, d), not {tuple(x.shape)}")
        if not (torch.is_grad_enabled() and (x.requires_grad or self.weight.requires_grad)):
            return self._csr @ x.detach()
        return _Product.apply(self.weight, x, self)  # type: ignore[return-value]

    def sampled(self, left: Float[Tensor, "n d"], right: Float[Tensor, "n d"]) -> Float[Tensor, " m"]:
        """`left @ right.T` at the entries of the pattern, whatever `weight` is; with gradients to both."""
        return _Sampled.apply(left, right, self)  # type: ignore[return-value]


class _Pattern:
    """Where a matrix has entries, and what is worked out from that when it is first wanted."""

    def __init__(self, crow: Tensor, col: Tensor) -> None:
        self.crow, self.col = crow, col

    @cached_property
    def row(self) -> Tensor:
        return torch.repeat_interleave(torch.arange(len(self.crow) - 1, device=self.crow.device), self.crow.diff())

    @cached_property
    def turned(self) -> "tuple[_Pattern, Tensor]":
        """The pattern of the transpose, and (m,) which entry each of its entries is."""
        turn = torch.argsort(self.col, stable=True)
        return _Pattern(_starts(self.col, len(self.crow) - 1), self.row[turn]), turn

    @cached_property
    def _narrow(self) -> tuple[Tensor, Tensor]:
        """(crow, col) in half as many bytes where that holds them, for a product is bound by what it reads."""
        dtype = torch.int32 if self.col.numel() < 2**31 else torch.int64
        return self.crow.to(dtype), self.col.to(dtype)

    def filled(self, entries: Tensor) -> Tensor:
        """(n, n) sparse CSR."""
        crow, col = self._narrow
        n = len(crow) - 1
        return torch.sparse_csr_tensor(crow, col, entries, (n, n), check_invariants=False)


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, x: Tensor, matrix: Adjacency) -> Tensor:  # type: ignore[override]
        ctx.matrix = matrix
        ctx.save_for_backward(x if ctx.needs_input_grad[0] else x.new_empty(0))
        return matrix._csr @ x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:  # type: ignore[override]
        matrix: Adjacency = ctx.matrix
        grad = grad.contiguous()
        to_weight = to_x = None
        if ctx.needs_input_grad[0]:
            (x,) = ctx.saved_tensors
            to_weight = _at_entries(matrix, grad, x)
        if ctx.needs_input_grad[1]:
            to_x = matrix._csr_transpose @ grad
        return to_weight, to_x, None


class _Sampled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, left: Tensor, right: Tensor, matrix: Adjacency) -> Tensor:  # type: ignore[override]
        ctx.matrix = matrix
        ctx.save_for_backward(left, right)
        return _at_entries(matrix, left, right)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:  # type: ignore[override]
        left, right = ctx.saved_tensors
        matrix: Adjacency = ctx.matrix.reweighted(grad)
        to_left = matrix._csr @ right if ctx.needs_input_grad[0] else None
        to_right = matrix._csr_transpose @ left if ctx.needs_input_grad[1] else None
        return to_left, to_right, None


def _at_entries(matrix: Adjacency, left: Tensor, right: Tensor) -> Tensor:
    """`left @ right.T` where `matrix` has entries. (n, d), (n, d) -> (m,)"""
    if matrix.col.numel() > matrix.num_nodes**2:  # more edges than pairs: torch's product would drop some
        return (left[matrix.row] * right[matrix.col]).sum(-1)
    out = matrix._pattern.filled(left.new_zeros(matrix.col.numel()))
    return torch.sparse.sampled_addmm(out, left, right.t(), out=out).values()


def _starts(row: Tensor, num_nodes: int) -> Tensor:
    """(n + 1,) where each row starts once the entries are sorted by `row`."""
    crow = row.new_zeros(num_nodes + 1)
    torch.cumsum(torch.bincount(row, minlength=num_nodes), 0, out=crow[1:])
    return crow


def adjacency(edge_index: Int[Tensor, "2 m"], num_nodes: int, weight: Float[Tensor, " m"] | None = None) -> Adjacency:
    """The matrix with entry [dst, src] for each column (src, dst) of `edge_index`, so that `@` sums over senders.

    Args:
        edge_index: long; an edge that comes twice counts twice.
        num_nodes: n.
        weight: the entries, ones by default.
    """
    src, dst = edge_index
    key, order = torch.sort(dst * num_nodes + src, stable=True)
    col = key % max(num_nodes, 1)  # the same as src[order], which would hop through memory
    entries = torch.ones(src.numel(), device=src.device) if weight is None else weight[order]
    return Adjacency(_starts(dst, num_nodes), col, entries, order)


def normalised(
    edge_index: Int[Tensor, "2 m"],
    num_nodes: int,
    weight: Float[Tensor, " m"] | None = None,
    self_loops: bool = True,
    how: Literal["sym", "row"] = "sym",
) -> Adjacency:
    r"""$\hat A$: symmetric, $\tilde D^{-1/2}(A + I)\tilde D^{-1/2}$, or by rows, $\tilde D^{-1}(A + I)$.

    Degrees count incoming edges; a node without any has a row of zeros. Gradients reach `weight`.

    Args:
        edge_index: long, an undirected edge in both directions, without self-loops where `self_loops` adds them.
        num_nodes: n.
        weight: not negative, ones by default.
        self_loops: whether the identity is added.
    """
    if self_loops:
        loops = torch.arange(num_nodes, device=edge_index.device).expand(2, -1)
        edge_index = torch.cat([edge_index, loops], dim=1)
        weight = None if weight is None else torch.cat([weight, weight.new_ones(num_nodes)])
    near = adjacency(edge_index, num_nodes, weight)
    degree = near.weight.new_zeros(num_nodes).index_add(0, near.row, near.weight)
    some = degree.where(degree > 0, torch.inf)  # 1 / inf = 0
    if how == "sym":
        scale = some.rsqrt()
        entries = scale[near.row] * near.weight * scale[near.col]
    else:
        entries = near.weight / some[near.row]
    return Adjacency(near.crow, near.col, entries, near.order)


def powers(near: Adjacency, x: Float[Tensor, "n d"], depth: int) -> list[Float[Tensor, "n d"]]:
    """`x` and what it becomes after 1, 2, ..., `depth` propagations."""
    reached = [x]
    for _ in range(depth):
        reached.append(near @ reached[-1])
    return reached


def limit(edge_index: Int[Tensor, "2 m"], num_nodes: int, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    r"""What infinitely many symmetric propagations with self-loops leave of `x`, by its closed form.

    On each connected component $\hat A^\infty_{uv} = \sqrt{\tilde d_u \tilde d_v} / \sum_w \tilde d_w$.

    Args:
        edge_index: long, an undirected edge in both directions, without self-loops.
        num_nodes: n.
    """
    pattern = csr_array((torch.ones(edge_index.shape[1]), edge_index.numpy()), shape=(num_nodes, num_nodes))
    part = torch.from_numpy(connected_components(pattern)[1]).long()
    root = (torch.bincount(edge_index[1], minlength=num_nodes) + 1).to(x.dtype).sqrt()[:, None]
    total = x.new_zeros(num_nodes, x.shape[1]).index_add(0, part, root * x)
    size = x.new_zeros(num_nodes, 1).index_add(0, part, root * root)
    return root * (total / size.where(size > 0, 1.0))[part]
