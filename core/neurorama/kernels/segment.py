"""Sums, means, maxima and softmaxes over groups of rows that an index names.

`index` (m,) says to which of `num_segments` groups each row belongs; it need not be sorted. An empty
group gives 0. Gradients flow to `x`.
"""

from jaxtyping import Float, Int
from torch import Tensor


def segment_sum(x: Float[Tensor, "m *d"], index: Int[Tensor, " m"], num_segments: int) -> Float[Tensor, "s *d"]:
    """The sum of each group's rows."""
    return x.new_zeros(num_segments, *x.shape[1:]).index_add(0, index, x)


def segment_mean(x: Float[Tensor, "m *d"], index: Int[Tensor, " m"], num_segments: int) -> Float[Tensor, "s *d"]:
    """The mean of each group's rows."""
    count = index.bincount(minlength=num_segments).clamp(min=1).to(x.dtype)
    return segment_sum(x, index, num_segments) / _wide(count, x)


def segment_max(x: Float[Tensor, "m *d"], index: Int[Tensor, " m"], num_segments: int) -> Float[Tensor, "s *d"]:
    """The largest value of each group, column by column; rows that tie share the gradient."""
    out = x.new_zeros(num_segments, *x.shape[1:])
    return out.scatter_reduce(0, _wide(index, x).expand_as(x), x, "amax", include_self=False)


def segment_softmax(x: Float[Tensor, "m *d"], index: Int[Tensor, " m"], num_segments: int) -> Float[Tensor, "m *d"]:
    """The softmax within each group, column by column; a group's rows add up to 1."""
    raised = (x - segment_max(x.detach(), index, num_segments)[index]).exp()
    return raised / segment_sum(raised, index, num_segments)[index]


def _wide(value: Tensor, x: Tensor) -> Tensor:
    """`value` (k,) with as many trailing axes of width 1 as `x` has beyond its first."""
    return value.reshape(-1, *[1] * (x.dim() - 1))
