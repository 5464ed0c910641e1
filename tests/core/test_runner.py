"""Runs that repeat, judgements that can fail, leagues that are fair."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

import neurorama
from neurorama import Exhibit, InputError
from neurorama.check import alike
from neurorama.runner import Interval

SHORT = {"steps": 12, "depth": 3}
ARENA = "message_passing/nodes"


def values(frames) -> list:
    return [frame.values for frame in frames]


def test_the_same_seed_gives_the_same_trace_and_another_seed_another() -> None:
    one, two, other = (neurorama.run("dagnn", {**SHORT, "seed": seed}) for seed in (0, 0, 1))
    assert alike(values(one.frames), values(two.frames))
    assert not alike(values(one.frames), values(other.frames))


def test_two_runs_in_turn_do_not_disturb_each_other() -> None:
    alone = {seed: values(neurorama.run("dagnn", {**SHORT, "seed": seed}).frames) for seed in (0, 1)}
    runs = {seed: neurorama.frames("dagnn", {**SHORT, "seed": seed}) for seed in (0, 1)}
    mixed: dict[int, list] = {0: [], 1: []}
    for _ in range(13):
        for seed, run in runs.items():
            torch.rand(7)  # someone else draws in between
            mixed[seed].append(next(run).values)
    assert alike(mixed[0], alone[0])
    assert alike(mixed[1], alone[1])


def test_runs_in_threads_do_not_disturb_each_other(tiny: Exhibit) -> None:
    alone = [values(neurorama.run(tiny, {"seed": seed, "steps": 50}).frames) for seed in range(6)]
    with ThreadPoolExecutor(6) as pool:
        beside = list(pool.map(lambda seed: values(neurorama.run(tiny, {"seed": seed, "steps": 50}).frames), range(6)))
    assert alike(alone, beside)


def test_a_run_leaves_the_random_stream_of_others_alone(tiny: Exhibit) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    list(neurorama.frames(tiny))
    assert torch.equal(torch.rand(3), expected)


def test_a_run_is_lazy_and_can_be_stopped(tiny: Exhibit) -> None:
    trace = neurorama.run(tiny, {"steps": 50}, watch=lambda frame: frame.step < 3)
    assert [frame.step for frame in trace.frames] == [0, 1, 2, 3]
    assert len(list(islice(neurorama.frames(tiny, {"steps": 50}), 2))) == 2


def test_a_bad_knob_or_key_is_refused_before_anything_runs() -> None:
    with pytest.raises(InputError, match="did you mean 'depth'"):
        neurorama.run("dagnn", {"dpth": 3})
    with pytest.raises(InputError, match="did you mean 'dagnn'"):
        neurorama.run("dagn")
    with pytest.raises(InputError, match="planned"):
        neurorama.run("reasoning/neurosat")


@pytest.mark.parametrize(
    ("knobs", "outcome"),
    [
        ({"effect": 2.0, "noise": 0.1}, "supported"),
        ({"effect": -2.0, "noise": 0.1}, "refuted"),
        ({"effect": 0.0, "noise": 1.0}, "undecided"),
        ({"effect": 0.0, "noise": 0.0}, "undecided"),
    ],
)
def test_a_claim_is_judged_by_what_was_measured(tiny: Exhibit, knobs: dict, outcome: str) -> None:
    verdict = neurorama.judge(tiny, knobs)
    assert verdict.outcome == outcome
    assert verdict.control.outcome == "undecided"
    assert len(verdict.shown.margins) == tiny.claim.seeds
    measured = [tiny.claim.margin(neurorama.run(tiny, {**knobs, "seed": seed})) for seed in range(5)]
    assert list(verdict.shown.margins) == measured
    assert "seed" not in verdict.params


def test_a_margin_that_is_no_number_gives_no_verdict(tiny: Exhibit) -> None:
    broken = replace(tiny, claim=replace(tiny.claim, margin=lambda trace: math.nan))
    with pytest.raises(ValueError, match="not a finite number"):
        neurorama.judge(broken)


def test_judging_can_be_given_up_and_needs_two_seeds(tiny: Exhibit) -> None:
    seen = []
    with pytest.raises(InterruptedError, match="after 3 of 10"):
        neurorama.judge(tiny, watch=lambda done, of: seen.append((done, of)) or done < 3)
    assert seen == [(1, 10), (2, 10), (3, 10)]
    with pytest.raises(InputError, match="at least two"):
        neurorama.judge(tiny, seeds=1)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=12))
def test_the_interval_is_student_s(margins: list[float]) -> None:
    assume(np.std(margins) > 1e-6)
    ours = Interval.of(margins)
    theirs = stats.ttest_1samp(margins, 0).confidence_interval(0.95)
    assert ours.low == pytest.approx(theirs.low, rel=1e-6, abs=1e-6)
    assert ours.high == pytest.approx(theirs.high, rel=1e-6, abs=1e-6)
    assert ours.outcome == ("supported" if ours.low > 0 else "refuted" if ours.high < 0 else "undecided")


def test_a_league_trains_every_entry_and_baseline_alike() -> None:
    ring, keys = neurorama.catalogue.arena(ARENA)
    frames = list(neurorama.league(ARENA, steps=6))
    names = {neurorama.catalogue.load(key).paper.name for key in keys} | {"GCN, 2 layers", "GCN, 16 layers"}
    assert {name.partition("/")[2] for name in frames[-1].values} == names
    assert frames[-1].step == frames[-1].of == 6
    again = list(neurorama.league(ARENA, steps=6))
    assert alike(values(frames), values(again))
    assert all(0 <= score <= 1 for name, score in frames[-1].values.items() if name.startswith(ring.metric))


def test_a_league_refuses_what_it_does_not_know() -> None:
    with pytest.raises(InputError, match="did you mean 'message_passing/nodes'"):
        neurorama.league("message_passing/node")
    with pytest.raises(InputError, match="did you mean 'karate'"):
        neurorama.league(ARENA, source="karat")
