"""Runs in side processes: the same frames, found again, in their turn, stopped, with limits."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

import neurorama
from neurorama import InputError, codec
from neurorama.check import alike
from neurorama.identity import identify
from neurorama.jobs import Job, Jobs, Settings
from neurorama.store import Store

from .conftest import until

SLOW = {"steps": 1000, "pause": 0.05}


def values(frames: object) -> list:
    return [frame.values for frame in frames]  # type: ignore[attr-defined]


def test_a_side_process_gives_the_frames_that_this_one_gives(jobs: Jobs) -> None:
    job = jobs.submit("dagnn", {"depth": 3, "steps": 12, "seed": 5})
    come = list(job)
    expected = neurorama.run("dagnn", {"depth": 3, "steps": 12, "seed": 5})
    again = codec.load(codec.dump(expected, compact=False))[0]  # as bytes and back, as all frames travel
    assert alike(values(come), values(again.frames))
    assert (job.state, job.fault, job.done, job.of) == ("done", "", 12, 12)
    assert alike(values(job.trace().frames), values(come))
    margin = neurorama.catalogue.load("dagnn").claim.margin(expected)
    assert job.numbers["margin"] == pytest.approx(margin)
    assert job.numbers["loss/GCN"] == pytest.approx(expected.last("loss/GCN"))
    record = jobs.store.get(job.id)
    assert (record.state, record.frames, record.device) == ("done", len(come), "cpu")
    assert record.numbers == job.numbers


def test_frames_come_while_the_run_goes_on(jobs: Jobs) -> None:
    job = jobs.submit("shelf/steady", {"steps": 20, "pause": 0.05})
    first = next(iter(job))
    assert first.step == 0
    assert job.state == "running"
    until(lambda: job.done >= 5)
    assert job.running
    assert job.expected is not None
    assert job.expected > job.elapsed > 0
    assert [frame.step for frame in job] == list(range(21))


def test_the_same_run_is_found_again_unless_it_is_wanted_anew(jobs: Jobs) -> None:
    first = jobs.submit("shelf/steady").wait()
    again, anew = jobs.submit("shelf/steady"), jobs.submit("shelf/steady", again=True)
    other = jobs.submit("shelf/steady", {"seed": 1})
    assert again.id == first.id
    assert again.found
    assert not anew.found
    assert len({first.id, anew.id, other.id}) == 3
    assert alike(values(anew.wait().frames), values(first.frames))
    assert not alike(values(other.wait().frames), values(first.frames))


def test_a_run_that_goes_on_is_found_by_its_owner_and_a_done_one_by_all(jobs: Jobs) -> None:
    job = jobs.submit("shelf/steady", SLOW, owner="ann")
    assert jobs.submit("shelf/steady", SLOW, owner="ann") is job
    bob = jobs.submit("shelf/steady", SLOW, owner="bob")
    assert bob is not job
    job.stop()
    bob.stop()
    done = jobs.submit("shelf/steady", owner="ann").wait()
    assert jobs.submit("shelf/steady", owner="bob").id == done.id


def test_stop_takes_effect_at_the_next_frame(jobs: Jobs) -> None:
    job = jobs.submit("shelf/steady", SLOW)
    until(lambda: job.done >= 3)
    start = time.monotonic()
    job.stop()
    assert job.wait(30).state == "stopped"
    print(f"stopped after {time.monotonic() - start:.2f} s, {len(job.frames)} frames kept")
    assert 3 < len(job.frames) < 1000
    assert job.fault == ""
    assert jobs.store.get(job.id).state == "stopped"
    assert [frame.step for frame in job.frames] == list(range(len(job.frames)))
    assert jobs.submit("shelf/steady", SLOW).id != job.id  # what was stopped is not taken for the whole
    jobs.close()


def test_runs_wait_their_turn_and_a_waiting_one_can_be_stopped(limited: Callable[..., Jobs]) -> None:
    jobs = limited(queue_limit=3)
    going = [jobs.submit("shelf/steady", {**SLOW, "seed": seed}) for seed in range(2)]
    until(lambda: all(job.state == "running" for job in going))
    one, two, three = (jobs.submit("shelf/steady", {"seed": seed}) for seed in range(3))
    assert [job.ahead for job in (one, two, three)] == [0, 1, 2]
    with pytest.raises(InputError, match="runs wait already as may: 3"):
        jobs.submit("shelf/steady", {"seed": 9})
    assert jobs.submit("shelf/steady", {"seed": 9}, later=True).ahead == 3
    two.stop()
    assert two.state == "stopped"
    assert two.frames == []
    assert three.ahead == 1
    going[0].stop()
    assert one.wait(30).state == three.wait(30).state == "done"
    going[1].stop()


def test_one_user_cannot_take_all_turns(limited: Callable[..., Jobs]) -> None:
    jobs = limited(user_limit=4)
    mine = [jobs.submit("shelf/steady", {"pause": 0.1, "seed": seed}, owner="ann") for seed in range(4)]
    with pytest.raises(InputError, match="your runs wait or go on already as may: 4"):
        jobs.submit("shelf/steady", {"seed": 9}, owner="ann")
    other = jobs.submit("shelf/steady", {"pause": 0.1, "seed": 9}, owner="bob")
    for job in [*mine, other]:
        assert job.wait(60).state == "done"
    began = {job.id: jobs.store.get(job.id).started for job in [*mine, other]}
    assert began[other.id] < max(began[job.id] for job in mine)  # whoever has the fewest at work goes first


def test_another_server_watches_and_stops_a_run(jobs: Jobs, shelf: None) -> None:
    job = jobs.submit("shelf/steady", SLOW)
    until(lambda: job.done >= 2)
    with Jobs(store=Store()) as second:
        same = second.submit("shelf/steady", SLOW)
        assert same.id == job.id
        assert same is not job
        assert same.state == "running"
        watched = iter(same)
        assert [next(watched).step for _ in range(5)] == [0, 1, 2, 3, 4]
        same.stop()
        assert same.wait(10).state == "stopped"
    assert job.wait(30).state == "stopped"


def test_a_run_is_opened_again_from_the_store(jobs: Jobs) -> None:
    job = jobs.submit("shelf/steady", {"steps": 6}, owner="ann").wait()
    with Jobs() as later:
        opened = later.get(job.id)
        assert (opened.state, opened.key, opened.params, opened.owner) == ("done", job.key, job.params, "ann")
        assert alike(values(opened.frames), values(job.frames))
        assert opened.numbers == job.numbers
        with pytest.raises(InputError, match="no run"):
            later.get("0" * 16)


def test_what_nobody_watches_ends(jobs: Jobs) -> None:
    job = jobs.submit("shelf/steady", SLOW)
    job.patience = 0.5
    until(lambda: job.state == "running")
    for _ in range(20):
        job.look()
        time.sleep(0.05)
    assert job.running
    assert job.wait(30).state == "stopped"
    assert job.fault == "nobody watched it"


def test_a_league_is_a_job_too_and_is_not_stored(jobs: Jobs) -> None:
    knobs = {"steps": 4, "seed": 1, "depth": 3}
    job = jobs.league("message_passing/nodes", knobs, ["dagnn"])
    expected = list(neurorama.league("message_passing/nodes", knobs=knobs, only=["dagnn"]))
    assert [frame.step for frame in job] == [frame.step for frame in expected]
    numbers = {name: value for frame in expected for name, value in frame.values.items() if isinstance(value, float)}
    assert job.numbers.keys() == numbers.keys()
    told = {name: value for name, value in numbers.items() if not name.startswith("seconds/")}  # no two are the same
    assert {name: job.numbers[name] for name in told} == pytest.approx(told)
    assert jobs.store.count() == 0
    with pytest.raises(InputError, match="did you mean"):
        jobs.league("message_passing/node")
    with pytest.raises(InputError, match="did you mean"):
        jobs.league("message_passing/nodes", {"source": "karat"})
    with pytest.raises(InputError, match="did you mean"):
        jobs.league("message_passing/nodes", only=["dagn"])


def test_bad_input_is_refused_before_anything_starts(jobs: Jobs) -> None:
    with pytest.raises(InputError, match="did you mean 'steps'"):
        jobs.submit("shelf/steady", {"stps": 3})
    with pytest.raises(InputError, match="planned"):
        jobs.submit("reasoning/neurosat")
    assert jobs.store.count() == 0


def test_a_fault_of_the_user_is_one_line_and_a_fault_of_ours_has_a_traceback(jobs: Jobs) -> None:
    mine = jobs.submit("dagnn", {"source": "mine/none"}).wait()
    assert (mine.state, mine.details) == ("failed", "")
    assert "mine/none" in mine.fault
    ours = jobs.submit("shelf/raises").wait()
    assert (ours.state, ours.fault) == ("failed", "ZeroDivisionError: shapes <b>differ</b>")
    assert "Traceback" in ours.details
    assert len(ours.frames) == 2
    assert jobs.get(ours.id).details == ours.details


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("SCHEDULER", "localhost:8786", "NEURORAMA_SCHEDULER='localhost:8786'"),
        ("WORKERS", "0", "NEURORAMA_WORKERS='0'"),
        ("DEVICE", "gpu", "NEURORAMA_DEVICE='gpu'"),
        ("TIME_LIMIT", "soon", "NEURORAMA_TIME_LIMIT='soon'"),
    ],
)
def test_a_bad_setting_is_told(monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str) -> None:
    monkeypatch.setenv(f"NEURORAMA_{name}", value)
    with pytest.raises(InputError) as raised:
        Settings.of_environment()
    assert str(raised.value).startswith(told)
    assert "\n" not in str(raised.value)


def test_frames_wait_for_a_slow_server_and_the_run_waits_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from neurorama.jobs import work

    monkeypatch.setattr(work, "ROOM", 100)
    line = work._Line()
    for step in range(3):
        line.put((bytes(50), step, 2))
    line.stop = True
    with pytest.raises(work._Stopped):  # no room; it would wait, but is to end
        line.put((bytes(50), 3, 2))
    pieces, outcome = line.after(0)
    assert [step for _, step, _ in pieces] == [0, 1, 2]
    assert outcome is None
    assert line.after(1)[0] == pieces[1:]  # asked again, what was not said to have arrived comes again
    assert line.after(3) == ([], None)
    line.stop = False
    line.put((bytes(500), 3, 2))
    monkeypatch.setattr(work, "PATIENCE", -1)
    with pytest.raises(work._Stopped):  # its server is gone
        line.check()


def test_the_public_names_start_and_find_runs(monkeypatch: pytest.MonkeyPatch, jobs: Jobs) -> None:
    monkeypatch.setattr("neurorama.jobs.shared._HERE", [jobs])
    job = neurorama.submit("shelf/steady")
    assert isinstance(job, Job)
    assert job.wait().state == "done"
    assert neurorama.submit("shelf/steady").id == job.id
    assert neurorama.submit("shelf/steady", again=True).id != job.id
    assert jobs.store.find(identify("shelf/steady")) is not None
