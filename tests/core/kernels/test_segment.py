"""Segment operations against PyG and plain loops; empty segments; gradients."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch_geometric.utils import scatter, softmax

from neurorama.kernels.segment import segment_max, segment_mean, segment_softmax, segment_sum

REDUCE = {"sum": segment_sum, "mean": segment_mean, "max": segment_max}
cases = st.tuples(
    st.lists(st.integers(0, 6), max_size=25),  # segments 7 and 8 stay empty, others may
    st.sampled_from([(), (1,), (3,), (2, 2)]),
    st.integers(0, 2**31),
)


def drawn(case: tuple[list[int], tuple[int, ...], int]) -> tuple[Tensor, Tensor]:
    index, shape, seed = case
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(len(index), *shape, dtype=torch.float64, generator=draw), torch.tensor(index, dtype=torch.long)


@settings(deadline=None)
@given(cases, st.sampled_from(sorted(REDUCE)))
def test_reductions_equal_pyg(case: tuple[list[int], tuple[int, ...], int], how: str) -> None:
    x, index = drawn(case)
    torch.testing.assert_close(REDUCE[how](x, index, 9), scatter(x, index, dim=0, dim_size=9, reduce=how))


@settings(deadline=None)
@given(cases)
def test_reductions_equal_a_loop(case: tuple[list[int], tuple[int, ...], int]) -> None:
    x, index = drawn(case)
    for s in range(9):
        rows = x[index == s]
        none = x.new_zeros(x.shape[1:])
        torch.testing.assert_close(segment_sum(x, index, 9)[s], rows.sum(0))
        torch.testing.assert_close(segment_mean(x, index, 9)[s], rows.mean(0) if len(rows) else none)
        torch.testing.assert_close(segment_max(x, index, 9)[s], rows.amax(0) if len(rows) else none)
        torch.testing.assert_close(segment_softmax(x, index, 9)[index == s], rows.softmax(0) if len(rows) else rows)


def test_softmax_equals_pyg_and_does_not_overflow() -> None:
    x, index = torch.tensor([1e4, 1e4 + 1, -1e4, 3.0]), torch.tensor([0, 0, 0, 2])
    ours = segment_softmax(x, index, 3)
    assert ours.isfinite().all()
    torch.testing.assert_close(ours, softmax(x, index, num_nodes=3))


@pytest.mark.parametrize("operation", [*REDUCE.values(), segment_softmax])
def test_gradients_equal_finite_differences(operation: Callable[[Tensor, Tensor, int], Tensor]) -> None:
    x, index = drawn(([0, 2, 2, 5, 2, 0], (3,), 1))
    assert torch.autograd.gradcheck(lambda x: operation(x, index, 7), (x.requires_grad_(),))
