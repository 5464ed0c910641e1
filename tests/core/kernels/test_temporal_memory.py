"""Newest events against a plain loop and PyG's aggregator; running moments against NumPy."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.nn.models.tgn import LastAggregator

from neurorama.kernels.temporal_memory import Moments, newest

PAIRS = st.lists(st.tuples(st.integers(0, 7), st.integers(8, 14)), max_size=30)


@given(PAIRS)
def test_newest_events_by_a_loop(pairs: list[tuple[int, int]]) -> None:
    src, dst = torch.tensor(pairs, dtype=torch.long).reshape(-1, 2).T
    expected: dict[int, tuple[int, int]] = {}
    for event, (u, v) in enumerate(pairs):
        expected[u], expected[v] = (v, event), (u, event)
    node, other, event = newest(src, dst, 15)
    assert dict(zip(node.tolist(), zip(other.tolist(), event.tolist()))) == expected
    assert node.tolist() == sorted(expected)


def test_newest_events_as_pyg_aggregates_them() -> None:
    torch.manual_seed(0)
    src, dst, message = torch.randint(0, 8, (40,)), torch.randint(8, 15, (40,)), torch.randn(40, 3)
    node, _, event = newest(src, dst, 15)
    theirs = LastAggregator()(message.repeat(2, 1), torch.cat([src, dst]), torch.arange(40).repeat(2), 15)
    torch.testing.assert_close(theirs[node], message[event])


@given(st.integers(0, 2**31), st.lists(st.integers(1, 6), min_size=1, max_size=6))
def test_running_moments_equal_those_of_all_values(seed: int, batches: list[int]) -> None:
    draw = np.random.default_rng(seed)
    moments, kept = Moments.empty(5, 3), {n: [] for n in range(5)}
    for size in batches:
        node, value = draw.integers(0, 4, size), draw.normal(size=(size, 3)).astype(np.float32)
        moments.add(torch.from_numpy(node), torch.from_numpy(value))
        for n, v in zip(node, value):
            kept[n].append(v)
    for n, values in kept.items():
        one = torch.tensor([n])
        mean, variance = (np.mean(values, 0), np.var(values, 0)) if values else (np.zeros(3), np.zeros(3))
        np.testing.assert_allclose(moments.mean(one)[0], mean, atol=1e-5)
        np.testing.assert_allclose(moments.variance(one)[0], variance, atol=1e-5)
