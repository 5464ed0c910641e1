"""Out of step: what a node hears and how often it wakes, and solutions of equations that survive it."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from neurorama.kernels.asynchrony import out_of_step

RING = torch.tensor([[0, 1, 2, 3, 1, 2, 3, 0], [1, 2, 3, 0, 0, 1, 2, 3]])


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.05, 1.0), st.integers(1, 8))
def test_news_is_younger_than_the_bound_and_nobody_sleeps_longer(seed: int, awake: float, bound: int) -> None:
    """All send the number of the tick in which they woke; the age of what is heard must keep the promise."""
    src, tick, ages, ups, states = RING[0], 0, [], [], []

    def wake(h: Tensor, heard: Tensor, turn: Tensor) -> tuple[Tensor, Tensor]:
        ages.append(tick - heard[:, 0])
        return h + 1, torch.full((8, 1), float(tick + 1))

    draw = torch.Generator().manual_seed(seed)
    for state, up in out_of_step(wake, torch.zeros(4, 1), torch.zeros(8, 1), src, 40, awake, bound, draw):
        tick += 1
        ups.append(up)
        states.append(state)
    seen = torch.stack(ages)
    assert seen.min() >= 0
    assert seen.max() <= 2 * (bound - 1)  # sent late, and heard late
    woken = torch.stack(ups)
    assert torch.equal(states[-1][:, 0], woken.sum(0).float())
    windows = woken.float().unfold(0, bound, 1).sum(-1)
    assert (windows >= 1).all()


def test_in_step_it_is_the_iteration_itself() -> None:
    a = torch.zeros(4, 4).index_put((RING[1], RING[0]), torch.tensor(0.5))

    def wake(h: Tensor, heard: Tensor, turn: Tensor) -> tuple[Tensor, Tensor]:
        new = torch.zeros_like(h).index_add(0, RING[1], 0.5 * heard)
        return new, new[RING[0]]

    h = torch.tensor([[1.0], [2.0], [-1.0], [0.5]])
    for tick, (state, up) in enumerate(out_of_step(wake, h, h[RING[0]], RING[0], 5), start=1):
        assert up.all()
        torch.testing.assert_close(state, torch.linalg.matrix_power(a, tick) @ h)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.2, 1.0), st.integers(1, 6))
def test_a_contraction_ends_at_its_fixed_point_whoever_wakes(seed: int, awake: float, bound: int) -> None:
    b = torch.tensor([[1.0], [0.0], [-2.0], [3.0]])

    def wake(h: Tensor, heard: Tensor, turn: Tensor) -> tuple[Tensor, Tensor]:
        new = b + torch.zeros_like(h).index_add(0, RING[1], 0.3 * heard)
        return new, new[RING[0]]

    *_, (h, _) = out_of_step(
        wake, torch.zeros(4, 1), torch.zeros(8, 1), RING[0], 300, awake, bound, torch.Generator().manual_seed(seed)
    )
    a = np.zeros((4, 4))
    a[RING[1], RING[0]] = 0.3
    np.testing.assert_allclose(h.numpy(), np.linalg.solve(np.eye(4) - a, b.numpy()), atol=1e-4)
