"""Modern Hopfield: attention, the energy's fall, the three kinds of fixed points, and the memories beside it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

import neurorama
from neurorama.exhibits.memory_assoc.arena import (
    RECALL,
    Classic,
    Dense,
    Nearest,
    random_patterns,
    schedule,
    wrong_signs,
)
from neurorama.exhibits.memory_assoc.modern_hopfield import Knobs, Modern, build, pictures


def test_recall_is_attention_repeated() -> None:
    task = RECALL.data("digits", 0)
    state = cues = task.patterns[:5] * task.shown
    memory = Modern(task.patterns[:200], 0.3, 3, True)
    for _ in range(3):
        state = scaled_dot_product_attention(state, memory.patterns, memory.patterns, scale=0.3)
    torch.testing.assert_close(memory.recall(cues), state)


def test_three_kinds_of_fixed_points() -> None:
    """Two clusters: low beta ends in the mean of all, middle beta in a cluster, high beta in one pattern."""
    torch.manual_seed(0)
    centres = 5 * torch.eye(2, 16).repeat_interleave(4, 0)
    patterns = 5 * torch.nn.functional.normalize(centres + 0.5 * torch.randn(8, 16))
    ends = {beta: Modern(patterns, beta, 30, True).recall(patterns[:1])[0] for beta in (0.001, 0.3, 20.0)}
    torch.testing.assert_close(ends[0.001], patterns.mean(0), atol=0.1, rtol=0)
    torch.testing.assert_close(ends[0.3], patterns[:4].mean(0), atol=0.3, rtol=0)
    torch.testing.assert_close(ends[20.0], patterns[0], atol=1e-3, rtol=0)


def test_one_update_is_exponentially_exact_in_beta() -> None:
    task = random_patterns(20, 64, 0)
    errors = [
        (Modern(task.patterns, beta, 1, True).recall(task.patterns[:4]) - task.patterns[:4]).norm(dim=1).max().item()
        for beta in (0.1, 0.2, 0.3)
    ]
    steps = np.diff(np.log(errors))
    assert (steps < -1).all()
    assert steps[0] == pytest.approx(steps[1], rel=0.5)


def test_without_softmax_it_is_hebbs_rule() -> None:
    task = random_patterns(7, 10, 1)
    cues = task.patterns * task.shown
    hebb = sum(torch.outer(x, x) for x in task.patterns) / 7
    torch.testing.assert_close(Modern(task.patterns, 1.0, 1, False).recall(cues), cues @ hebb)


def test_classic_network_never_raises_its_energy() -> None:
    task = random_patterns(30, 20, 2)
    weights = (task.patterns.T @ task.patterns).fill_diagonal_(0)
    start = random_patterns(50, 20, 3).patterns
    end = Classic(task.patterns).recall(start)
    before, after = (-(s @ weights * s).sum(1) / 2 for s in (start, end))
    assert (after <= before).all()
    assert (after < before).any()
    assert not torch.equal(start, end)


def test_dense_memory_by_the_formula() -> None:
    task = random_patterns(5, 8, 4)
    state = random_patterns(1, 8, 5).patterns[0]
    for _ in range(5):
        field = sum(max(0.0, float(x @ state)) ** 2 * x for x in task.patterns)
        state = torch.as_tensor(field).sign()
    torch.testing.assert_close(Dense(task.patterns).recall(random_patterns(1, 8, 5).patterns)[0], state)


@pytest.mark.parametrize("stored", [2, 3, 100, 1000])
def test_many_random_patterns_come_back_from_half(stored: int) -> None:
    task = random_patterns(1000, 64, 6)
    patterns = task.patterns[:stored]
    assert RECALL.score(Modern(patterns, 2.0, 1, True), task) == 1
    assert RECALL.score(Nearest(patterns), task) == 1
    if stored > 64:
        assert RECALL.score(Classic(patterns), task) < 0.1


def test_wrong_signs_ask_all_over_the_memory() -> None:
    task = random_patterns(500, 32, 7)
    wrong = wrong_signs(Nearest(task.patterns), task)
    assert wrong.shape == (100,)
    assert wrong_signs(Nearest(task.patterns[:3]), task).shape == (3,)
    flipped = Nearest(task.patterns)
    flipped.recall = lambda cues: -Nearest(task.patterns).recall(cues)  # type: ignore[method-assign]
    torch.testing.assert_close(wrong_signs(flipped, task), 1 - wrong)


def test_schedule_fills_by_a_factor() -> None:
    assert schedule(1797, 40)[0] == 2
    assert schedule(1797, 40)[-1] == 1797
    assert schedule(1797, 40) == sorted(schedule(1797, 40))


def test_a_picture_shows_each_digit_where_it_belongs() -> None:
    task = RECALL.data("digits", 0)
    picture = np.asarray(pictures(build(Knobs(), task), task).z)
    assert picture.shape == (27, 72)
    np.testing.assert_allclose(picture[1:9, 19:27], (task.patterns[2] + task.shift).reshape(8, 8), rtol=1e-5, atol=1e-6)
    assert not picture[14:18].any()  # the hidden lower half


def test_digits_are_centred_and_of_one_length() -> None:
    task = RECALL.data("digits", 0)
    torch.testing.assert_close(task.patterns.norm(dim=1), torch.full((1797,), 8.0))
    assert task.patterns.mean(0).abs().max() < 0.1
    assert ((task.patterns + task.shift) > -0.5).float().mean() > 0.95  # with the shift it is ink on paper again


def test_a_short_run_shows_what_is_promised() -> None:
    exhibit = neurorama.catalogue.load("modern_hopfield")
    trace = neurorama.run("modern_hopfield", {"steps": 10})
    assert {name.split("/")[0] for name in trace.names()} == set(exhibit.views)
    for _, curve in trace.series("energy of the cues/modern"):
        assert (np.diff(curve.y) <= 1e-4).all()  # type: ignore[union-attr]
