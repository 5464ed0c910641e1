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
from neurorama import Curve, Exhibit, Frame, Graph, InputError
from neurorama.check import alike
from neurorama.runner import Interval, standings
from neurorama.trace import split

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
    frames = list(neurorama.league(ARENA, steps=6, knobs={"depth": "3"}))
    names = {neurorama.catalogue.load(key).paper.name for key in keys} | {"GCN", "GCN, 2 layers", "MLP"}
    assert {name.partition("/")[2] for name in frames[-1].values} == names
    assert frames[-1].step == frames[-1].of == 6
    again = list(neurorama.league(ARENA, steps=6, knobs={"depth": 3}))
    assert alike(values(without_clock(frames)), values(without_clock(again)))
    assert all(0 <= score <= 1 for name, score in frames[-1].values.items() if name.startswith(ring.metric))


def without_clock(frames: list[Frame]) -> list[Frame]:
    return [
        replace(frame, values={name: value for name, value in frame.values.items() if split(name)[0] != "seconds"})
        for frame in frames
    ]


def test_common_knobs_reach_baselines_and_entries_by_their_own_names() -> None:
    table = standings(neurorama.league(ARENA, steps=1, knobs={"depth": 5}), "test accuracy")
    for name, layers in (("GCN", 5), ("GCN, 2 layers", 2)):
        curve = table[name]["energy by layer"]
        assert isinstance(curve, Curve)
        assert np.asarray(curve.x).tolist() == list(range(layers + 1))  # the features are layer 0


def test_a_league_along_a_knob_ends_a_league_for_each_of_its_values() -> None:
    made = {"source": "karate", "steps": 6, "only": ["sgc"]}
    along = list(neurorama.league(ARENA, knobs={"along": "depth"}, **made))
    assert [(frame.step, frame.of) for frame in along] == [(depth, 32) for depth in (1, 2, 4, 8, 16, 32)]
    first, *_, four = neurorama.league(ARENA, knobs={"depth": 4}, **made)
    whole = replace(four, values={**first.values, **four.values})  # parameters are told at the start
    assert alike(values(without_clock([along[2]])), values(without_clock([whole])))
    for name in ("test accuracy/MLP", "test accuracy/GCN, 2 layers"):  # have no depth: nothing may change for them
        assert len({frame.values[name] for frame in along}) == 1
    with pytest.raises(InputError, match="along"):
        neurorama.league(ARENA, knobs={"along": "source"})


def test_an_entry_may_call_a_common_knob_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    exhibit, built = neurorama.catalogue.load("sgc"), []
    assert exhibit.entry is not None

    def build(knobs, task):
        built.append(knobs)
        return exhibit.entry.build(knobs, task)

    spied = replace(exhibit, entry=replace(exhibit.entry, build=build))
    monkeypatch.setattr(neurorama.catalogue, "load", lambda key: spied)
    next(neurorama.league(ARENA, seed=3, knobs={"depth": 9}, only=["sgc"]))
    assert built == [exhibit.params(seed=3, hops=9)]


def test_standings_are_the_last_numbers_best_first() -> None:
    curve = Curve([0, 1], [1, 0])
    frames = [
        Frame(0, 1, {"score/a": 0.9, "score/b": 0.1, "energy/b": curve, "parameters/a": 7.0}),
        Frame(1, 1, {"score/a": 0.2, "score/b": 0.6, "alone": 3.0, "graph/a": Graph([[0], [1]], 2)}),
    ]
    found = standings(frames, "score")
    assert list(found) == ["b", "a"]
    assert found == {"b": {"score": 0.6, "energy": curve}, "a": {"score": 0.2, "parameters": 7.0}}


def test_a_league_of_some_has_the_baselines_and_them() -> None:
    for name in ("DAGNN", "dagnn", "message_passing/dagnn"):
        (first,) = islice(neurorama.league(ARENA, steps=2, only=[name]), 1)
        assert {split(value)[1] for value in first.values} == {"DAGNN", "GCN", "GCN, 2 layers", "MLP"}
    (first,) = islice(neurorama.league(ARENA, steps=2, only=[]), 1)
    assert {split(value)[1] for value in first.values} == {"GCN", "GCN, 2 layers", "MLP"}


def test_a_league_refuses_what_it_does_not_know() -> None:
    with pytest.raises(InputError, match="did you mean 'message_passing/nodes'"):
        neurorama.league("message_passing/node")
    with pytest.raises(InputError, match="did you mean 'karate'"):
        neurorama.league(ARENA, source="karat")
    with pytest.raises(InputError, match="no entry of this arena is called 'DAGN'; did you mean 'DAGNN'"):
        neurorama.league(ARENA, only=["DAGN"])
    with pytest.raises(InputError, match="depth=0"):
        neurorama.league(ARENA, knobs={"depth": 0})
    with pytest.raises(InputError, match="no knob is called 'dept'; did you mean 'depth'"):
        neurorama.league(ARENA, knobs={"dept": 2})


def test_a_league_is_shown_with_the_captions_of_its_arena() -> None:
    made = {"source": "karate", "steps": 1, "only": ["sgc"]}
    trace = neurorama.Trace(ARENA, {"along": "depth"}, tuple(neurorama.league(ARENA, knobs={"along": "depth"}, **made)))
    card = neurorama.catalogue.card(trace)
    assert (card.time, card.arms) == ("depth", ("SGC", "GCN", "GCN, 2 layers", "MLP"))
    assert {"graph", "energy by layer", "test accuracy", "loss"} <= set(card.views)
    assert neurorama.catalogue.card(replace(trace, exhibit="sgc")) is neurorama.catalogue.load("sgc")
    before = neurorama.catalogue.card(neurorama.Trace(ARENA, {"only": ["message_passing/dagnn"]}, ()))
    assert (before.time, before.arms) == ("training step", ("DAGNN",))
