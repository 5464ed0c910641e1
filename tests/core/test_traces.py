"""Recordings: small, made of what runs today, thinned as they say, and never a reason to fail."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from neurorama import Frame, InputError, Points, Trace, catalogue, cli, codec, places, runner, traces
from neurorama.stage import Stage

KEY = "message_passing/dagnn"
QUICK = ("graph_systems/disk_gnn", "memory_assoc/modern_hopfield", "message_passing/sgc")


def run_of(frames: int, key: str = KEY) -> Trace:
    rng = np.random.default_rng(0)
    moments = [{"loss": 1 / (i + 1), "points/DAGNN": Points(rng.normal(size=(40, 3)))} for i in range(frames)]
    return Trace(key, {"seed": 0}, tuple(Frame(i, frames - 1, moment) for i, moment in enumerate(moments)))


@pytest.fixture
def assets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the folder of assets."""
    monkeypatch.setattr(places, "assets", lambda: tmp_path)
    return tmp_path


def put(data: bytes, key: str = KEY) -> None:
    traces.file(key).parent.mkdir(parents=True, exist_ok=True)
    traces.file(key).write_bytes(data)


def close(one: Any, other: Any) -> bool:
    """Whether two values differ by no more than half precision can tell, of the largest number."""
    if is_dataclass(one):
        return type(one) is type(other) and all(
            close(getattr(one, part.name), getattr(other, part.name)) for part in fields(one)
        )
    if isinstance(one, np.ndarray | float) and one is not None:
        if np.shape(one) != np.shape(other):
            return False
        largest = np.abs(np.asarray(other, float)).max(initial=0)
        return np.allclose(one, other, rtol=0, atol=2**-10 * largest, equal_nan=True)
    return one == other or (isinstance(one, tuple | list) and list(one) == list(other))


@pytest.mark.parametrize("row", [row for row in catalogue.built() if traces.file(row.key).is_file()], ids=str)
def test_each_recording_is_small_and_can_be_shown(row: catalogue.Row) -> None:
    found = traces.recorded(row.key)
    assert found is not None
    trace, about = found
    assert traces.file(row.key).stat().st_size <= traces.LARGEST
    assert about["every"] < 5
    exhibit = catalogue.load(row.key)
    assert trace.params == exhibit.params().model_dump()
    stage = Stage(trace, exhibit)
    assert {pane.series for pane in stage.panes()} == set(exhibit.views)
    assert stage.steps[-1] == trace.frames[-1].of
    assert traces.still(row.key).is_file()


@pytest.mark.parametrize("key", QUICK)
def test_a_run_of_today_is_what_was_recorded(key: str) -> None:
    found = traces.recorded(key)
    assert found is not None
    recorded, about = found
    assert not about["stale"], f"the code has changed since: neurorama traces {key}"
    today = traces.thinned(runner.run(key), about["every"])
    assert recorded.params == today.params
    for one, other in zip(recorded.frames, today.frames, strict=True):
        assert (one.step, one.of, list(one.values)) == (other.step, other.of, list(other.values))
        for name, value in other.values.items():
            assert close(one.values[name], value), f"{name} at step {one.step}"


@given(st.lists(st.sets(st.sampled_from(["loss", "a", "b/x"])), min_size=1, max_size=40), st.integers(1, 12))
def test_thinning_keeps_every_point_of_a_curve_and_the_ends_of_every_series(given: list[set[str]], every: int) -> None:
    frames = [
        Frame(
            3 * i, 3 * len(given), {name: 1.0 * i if name == "loss" else Points(np.full((1, 1), i)) for name in names}
        )
        for i, names in enumerate(given)
    ]
    whole = Trace("a/b", {"seed": 1}, tuple(frames))
    thin = traces.thinned(whole, every)
    assert [frame.step for frame in thin.frames] == [frame.step for frame in whole.frames]
    assert thin.numbers("loss") == whole.numbers("loss")
    for name in ("a", "b/x"):
        steps, kept = ([step for step, _ in trace.series(name)] for trace in (whole, thin))
        assert set(kept) <= set(steps)
        assert len(kept) <= -(-len(steps) // every) + 1
        if steps:
            assert (kept[0], kept[-1]) == (steps[0], steps[-1])
            places = [steps.index(step) for step in kept]
            assert max(np.diff(places), default=0) <= every
    if every == 1:
        assert [list(frame.values) for frame in thin.frames] == [list(frame.values) for frame in whole.frames]


def test_a_long_run_is_thinned_until_it_is_small_and_says_how() -> None:
    whole = run_of(60)
    sizes = [len(traces.packed(whole, largest)) for largest in (10**9, 8_000)]
    assert sizes[1] <= 8_000 < sizes[0]
    trace, about = codec.load(traces.packed(whole, 8_000))
    assert about["every"] > 1
    assert len(trace.series("points/DAGNN")) == -(-59 // about["every"]) + 1
    assert trace.numbers("loss") == whole.numbers("loss")
    assert codec.load(traces.packed(whole, 1))[1]["every"] == 59  # no endless search where nothing helps


def test_a_recording_says_when_and_by_which_code_it_was_made(assets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert traces.recorded("dagnn") is None
    put(traces.packed(run_of(3)))
    found = traces.recorded("dagnn")
    assert found is not None
    trace, about = found
    assert (trace.exhibit, len(trace.frames)) == (KEY, 3)
    assert set(about) == {"date", "version", "every", "stale"}
    assert about["date"].endswith("+00:00")
    assert not about["stale"]
    with monkeypatch.context() as changed:
        changed.setattr(traces, "__version__", "99")
        assert traces.recorded(KEY)[1]["stale"]  # type: ignore[index]
    monkeypatch.setattr(traces, "code", lambda row: "other")
    assert traces.recorded(KEY)[1]["stale"]  # type: ignore[index]


def test_the_text_of_a_page_is_not_its_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = catalogue.row(KEY)
    source = row.path.read_text(encoding="utf-8")
    file = tmp_path / "dagnn.py"
    monkeypatch.setattr(catalogue.Row, "path", property(lambda self: file))
    prints = []
    for text in (source, source.replace('"""', '"""More words.\n\n', 1), source + "\nmore = 1\n"):
        file.write_text(text, encoding="utf-8")
        prints.append(traces.code(row))
    assert prints[0] == prints[1] != prints[2]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x04]\x94.",
        traces.packed(run_of(3))[:-30],
        traces.packed(run_of(3, "message_passing/sgc")),
        codec.dump(run_of(3), {"version": "1"}),
        codec.dump(Trace(KEY, {}, ()), {"version": "1", "date": "", "every": 1}),
    ],
    ids=["empty", "foreign", "cut", "another's", "no date", "no frames"],
)
def test_what_cannot_be_read_is_none_and_told_in_the_log(
    data: bytes, assets: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(data)
    assert traces.recorded(KEY) is None
    assert "recording of message_passing/dagnn cannot be read" in caplog.text


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(InputError, match="dagnn"):
        traces.recorded("message_passing/dagn")


def test_reading_takes_no_torch() -> None:
    code = f"import sys; from neurorama import traces; traces.recorded('{KEY}'); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# The command


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of few steps; one exhibit is broken."""
    real = runner.run

    def run(key: str) -> Trace:
        if key.endswith("sgc"):
            raise RuntimeError("boom")
        return Trace(key, {}, real(key, {"steps": 10}).frames)

    monkeypatch.setattr(runner, "run", run)


def test_the_command_records_a_run_and_its_stills(assets: Path, quick: None) -> None:
    done = CliRunner().invoke(cli.app, ["traces", "dagnn"])
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"{KEY}: ")
    files = {str(path.relative_to(assets)) for path in assets.rglob("*.*")}
    assert files == {f"traces/{KEY}.trace", f"pictures/{KEY}-0.svg", f"pictures/{KEY}-1.svg"}
    found = traces.recorded(KEY)
    assert found is not None
    assert len(found[0].frames) > 1
    assert traces.still(KEY).read_text(encoding="utf-8").startswith("<svg")


def test_a_broken_exhibit_breaks_only_itself(assets: Path, quick: None) -> None:
    done = CliRunner().invoke(cli.app, ["traces", "sgc", "dagnn"])
    assert done.exit_code == 1
    assert "! message_passing/sgc cannot be recorded: RuntimeError: boom" in done.stderr
    assert traces.recorded(KEY) is not None
    assert not traces.file("sgc").exists()


def test_recordings_are_made_in_a_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "root", lambda: None)
    done = CliRunner().invoke(cli.app, ["traces", "dagnn"])
    assert done.exit_code != 0
    assert isinstance(done.exception, InputError) or "checkout" in done.stderr
