"""The papers' tables: scores known beforehand come back, what is done is not done again, and a failed run is told."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from neurorama import InputError, catalogue, cli, places, runner, tables
from neurorama.jobs import Jobs

ENTRANT, STUMBLES = "shelf/entrant", "shelf/stumbles"


@pytest.fixture(autouse=True)
def board(shelf: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An arena of two systems, and no file of tables but a scratch one."""
    ring = sys.modules["side_process"].BOARD
    monkeypatch.setattr(catalogue, "arena", lambda name: (ring, (ENTRANT, STUMBLES)))
    monkeypatch.setattr(places, "assets", lambda: tmp_path / "published")
    monkeypatch.setattr(places, "tables", lambda: tmp_path / "tables.json")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """(source, seed) of every run that is started."""
    made: list[tuple[str, int]] = []
    solo = Jobs.solo

    def noted(self: Jobs, key: str, source: str, knobs: dict, **more: str):
        made.append((source, knobs["seed"]))
        return solo(self, key, source, knobs, **more)

    monkeypatch.setattr(Jobs, "solo", noted)
    return made


def test_the_test_score_counts_where_validation_was_first_at_its_best() -> None:
    frames = list(runner.solo(ENTRANT, "second", {"steps": 6, "seed": 3}))
    assert [frame.values["validation"] for frame in frames] == [0.1, 0.5, 0.9, 0.9, 0.9, 0.9]
    assert frames[-1].values["best validation"] == pytest.approx(0.6 + 0.1 + 0.03)
    assert frames[-1].values["last step"] == pytest.approx(1.0 + 0.1 + 0.03)
    assert (frames[-1].step, frames[-1].of) == (6, 6)
    with pytest.raises(InputError, match="enters no arena"):
        next(runner.solo("shelf/steady", "first"))


def test_a_table_is_filled_on_the_cluster_and_what_is_done_is_found_again(started: list[tuple[str, int]]) -> None:
    seen: list[tuple[int, int]] = []
    few = list(tables.fill("board", [ENTRANT], runs=2, watch=lambda done, of: seen.append((done, of))))
    assert seen[-1] == (4, 4)
    assert {fault for _, fault in few} == {""}
    first, second = tables.lines("board", [ENTRANT])
    assert first.found is not None
    assert first.found.scores == {0: 60.0, 1: 61.0}
    assert (first.mean, first.runs, first.difference) == (60.5, 2, -2.0)
    assert first.spread == pytest.approx(math.sqrt(0.5))
    assert first.found.knobs["steps"] == 6
    assert not first.close  # the paper's own deviation is 1.6
    assert second.mean == 110.5  # after the last step
    started.clear()
    ((again, _),) = tables.fill("board", [ENTRANT], "first")
    assert started == [("first", 2)]  # the paper has three
    assert (again.mean, again.close) == (61.0, True)
    assert tables.lines("board", source="first")[0] == again
    started.clear()
    list(tables.fill("board", [ENTRANT], "first", runs=1, again=True))
    assert started == [("first", 0)]
    assert tables.lines("board")[0].runs == 1


def test_what_was_found_by_other_settings_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    list(tables.fill("board", [ENTRANT], "first", runs=1))
    line = tables.lines("board")[0]
    assert line.found is not None
    other = line.found.model_copy(update={"knobs": {**line.found.knobs, "effect": 2.0}})
    tables.write_tables({ENTRANT: {"first": other}})
    assert tables.lines("board")[0].found is None
    tables.write_tables({ENTRANT: {"first": line.found.model_copy(update={"at": "last step"})}})
    assert tables.lines("board")[0].found is None
    tables.write_tables({ENTRANT: {"first": line.found}})
    assert tables.lines("board")[0] == line


def test_a_run_that_fails_is_told_and_the_others_are_kept() -> None:
    ((line, fault),) = tables.fill("board", [STUMBLES])
    assert fault == "ZeroDivisionError: a bad split"
    assert line.found is not None
    assert line.found.scores == {0: 60.0, 2: 62.0}


def test_a_table_on_the_command_line_says_what_is_off_and_why() -> None:
    def call(*words: str):
        return CliRunner().invoke(cli.app, ["table", "board", *words])

    shown = call("--only", "shelf/entrant", "--seeds", "2")
    assert shown.exit_code == 0, shown.output
    heads, first, second, *notes = shown.stdout.splitlines()
    assert heads.split() == ["system", "data", "paper", "ours", "difference", "runs", "on"]
    assert "62.5 ± 1.6  60.5 ± 0.7   -2.0 !      2 of 3" in first
    assert "60.0        110.5 ± 0.7  +50.5 !     2 of 2" in second
    assert notes == [
        "Steady on first: nobody knows yet why",
        "Steady on second: It is made up.",
        "Steady on first: the figure is not in its own paper, but in https://example.org/other",
    ]
    failed = call("--only", "shelf/stumbles")
    assert failed.exit_code == 1
    assert "shelf/stumbles on first, a run has failed: ZeroDivisionError" in failed.stderr
    (told,) = json.loads(call("--only", "shelf/entrant", "--source", "second", "--seeds", "0", "--json").stdout)
    assert (told["ours"], told["paper"], told["scores"]) == (110.5, 60.0, {"0": 110.0, "1": 111.0})
    assert "seen_in" not in told
    (told,) = json.loads(call("--only", "shelf/entrant", "--source", "first", "--seeds", "0", "--json").stdout)
    assert told["seen_in"] == "https://example.org/other"


def test_wrong_words_and_a_damaged_file_are_refused_before_any_run(started: list[tuple[str, int]]) -> None:
    with pytest.raises(InputError, match="did you mean 'second'"):
        tables.lines("board", source="secund")
    with pytest.raises(InputError, match="no entry of this arena"):
        tables.lines("board", ["nobody"])
    places.tables().write_text('{"a/b": 3}')
    with pytest.raises(InputError, match="is not a file of tables"):
        list(tables.fill("board"))
    assert places.tables().read_text() == '{"a/b": 3}'
    assert not started
