"""Judgements and sweeps: as one process would find them, live, and whole although some runs fail."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import neurorama
from neurorama import InputError
from neurorama.cli import app
from neurorama.jobs import Jobs, Judgement, Sweep, judge_many

from .conftest import until

SHORT = {"steps": 12, "depth": 3}


@pytest.fixture
def shared(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> Jobs:
    """The jobs that the public functions take."""
    monkeypatch.setattr("neurorama.jobs.shared._HERE", [jobs])
    return jobs


def test_a_judgement_on_the_cluster_finds_what_one_process_finds(jobs: Jobs) -> None:
    here = neurorama.judge("dagnn", SHORT, seeds=2)
    there = Judgement(jobs, "dagnn", SHORT, seeds=2)
    assert there.of == 4
    assert there.result is None
    seen: list[tuple[int, int]] = []
    there.wait(lambda done, of: seen.append((done, of)))
    found = there.result
    assert found is not None
    assert (found.shown, found.control, found.params) == (here.shown, here.control, here.params)
    assert found.seconds > 0
    assert seen[-1] == (4, 4)
    assert jobs.store.count() == 0  # nobody looks at these runs


def test_a_judgement_stops_and_says_why_it_has_no_verdict(jobs: Jobs) -> None:
    one = Judgement(jobs, "shelf/steady", {"steps": 1000, "pause": 0.05}, seeds=2)
    until(lambda: any(job.state == "running" for job in one.jobs))
    one.stop()
    one.wait()
    assert one.stopped
    assert one.result is None
    broken = Judgement(jobs, "shelf/raises", seeds=2)
    broken.wait()
    assert broken.result is None
    assert broken.fault == "ZeroDivisionError: shapes <b>differ</b>"
    assert "Traceback" in broken.details
    endless = Judgement(jobs, "shelf/nan", seeds=2)
    endless.wait()
    assert endless.result is None
    assert "not a finite number" in endless.fault
    with pytest.raises(InputError, match="at least two"):
        Judgement(jobs, "shelf/steady", seeds=1)


def test_one_broken_exhibit_does_not_stop_the_judging_of_others(shelf: None) -> None:
    seen: list[tuple[int, int]] = []
    keys = ["shelf/steady", "shelf/raises", "shelf/nowhere", "shelf/where"]
    told = dict(judge_many(keys, seeds=2, watch=lambda done, of: seen.append((done, of))))
    assert told["shelf/steady"].outcome == "supported"  # type: ignore[union-attr]
    assert "ZeroDivisionError" in str(told["shelf/raises"])
    assert isinstance(told["shelf/nowhere"], InputError)
    assert told["shelf/where"].outcome == "supported"  # type: ignore[union-attr]
    assert seen[-1] == (12, 12)


def test_a_sweep_is_a_table_with_a_row_for_each_run(shared: Jobs) -> None:
    seen: list[tuple[int, int]] = []
    axes = {"effect": [1, "2", -1.0], "seed": range(2)}
    table = neurorama.sweep("shelf/steady", axes, {"steps": 2}, watch=lambda done, of: seen.append((done, of)))
    assert isinstance(table, pd.DataFrame)
    assert list(table["effect"]) == [1.0, 1.0, 2.0, 2.0, -1.0, -1.0]
    assert list(table["seed"]) == [0, 1, 0, 1, 0, 1]
    np.testing.assert_allclose(table["margin"], table["effect"] + table["seed"] / 1000)
    np.testing.assert_allclose(table["score/method"], table["margin"])
    assert set(table["state"]) == {"done"}
    assert seen[-1] == (6, 6)
    for run, effect in zip(table["run"], table["effect"]):
        assert shared.get(run).params["effect"] == effect
    more = neurorama.sweep("shelf/steady", {**axes, "seed": range(3)}, {"steps": 2})
    assert set(table["run"]) < set(more["run"])  # those that were there are not made again
    anew = neurorama.sweep("shelf/steady", {"seed": [0]}, {"steps": 2}, again=True)
    assert not set(anew["run"]) & set(more["run"])


def test_a_sweep_fills_in_live_as_a_grid_and_stops(jobs: Jobs) -> None:
    sweep = Sweep(jobs, "shelf/steady", {"effect": [1, 2, 3], "steps": [2, 4], "seed": [0, 1]}, {"pause": 0.1})
    empty = sweep.grid("effect", "steps")
    assert np.isnan(empty.z).all()
    assert np.shape(empty.z) == (2, 3)
    until(lambda: sweep.done >= 3)
    some = sweep.grid("effect", "steps")
    assert np.isfinite(some.z).any()
    sweep.wait()
    grid = sweep.grid("effect", "steps", "score/method")
    np.testing.assert_allclose(grid.z, [[1.0005, 2.0005, 3.0005]] * 2)
    assert (grid.cols, grid.rows, grid.unit) == ("effect", "steps", "score/method")
    np.testing.assert_allclose(grid.x, [1, 2, 3])  # type: ignore[arg-type]
    assert sweep.metrics == ["margin", "score/method", "score/plain"]
    cell = sweep.runs({"effect": 2.0, "steps": 4})
    assert [job.params["seed"] for job in cell] == [0, 1]
    long = Sweep(jobs, "shelf/steady", {"seed": range(5)}, {"steps": 1000, "pause": 0.05})
    until(lambda: any(job.state == "running" for job in long.jobs))
    long.stop()
    long.wait()
    assert {job.state for job in long.jobs} == {"stopped"}


def test_a_sweep_is_whole_although_some_runs_fail(jobs: Jobs) -> None:
    sweep = Sweep(jobs, "shelf/raises", {"seed": [0, 1]})
    sweep.wait()
    table = sweep.result
    assert set(table["state"]) == {"failed"}
    assert table["margin"].isna().all()


@pytest.mark.parametrize(
    ("axes", "told"),
    [
        ({"efect": [1]}, "did you mean 'effect'"),
        ({"effect": [99]}, "effect=99"),
        ({"effect": []}, "0 runs"),
        ({"steps": range(40), "seed": range(40)}, "1,600 runs"),
    ],
)
def test_a_sweep_refuses_what_cannot_be(jobs: Jobs, axes: dict, told: str) -> None:
    with pytest.raises(InputError, match=told):
        Sweep(jobs, "shelf/steady", axes)
    assert jobs.store.count() == 0


def test_a_sweep_on_the_command_line(shared: Jobs, tmp_path: object) -> None:
    file = f"{tmp_path}/table.csv"
    words = ["sweep", "shelf/steady", "--set", "effect=1,2", "--set", "steps=2", "--seeds", "2"]
    written = CliRunner().invoke(app, [*words, "--csv", file])
    assert written.exit_code == 0, written.output
    table = pd.read_csv(file)
    assert list(table["margin"]) == pytest.approx([1.0, 1.001, 2.0, 2.001])
    shown = CliRunner().invoke(app, words)
    assert shown.output.splitlines()[0].split() == ["effect", "seed", "margin", "state", "run"]
    assert shown.output.splitlines()[1].split()[:4] == ["1", "0", "1", "done"]
    failed = CliRunner().invoke(app, ["sweep", "shelf/raises"])
    assert failed.exit_code == 1
    assert "1 of 1 runs were not done" in failed.output
