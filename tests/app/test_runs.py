"""Work in the background: it is found again, it stops between two frames, its faults are one line."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

import neurorama
from neurorama import Frame, InputError
from parts import runs
from parts.runs import Job, Pool

KNOBS = {"depth": 4, "steps": 12}


def wait_until(true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.01)


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool(workers=1, kept=3)
    yield pool
    pool.close()


def counting(gate: threading.Event | None = None) -> Callable[[Job], None]:
    """Work of 1,000 frames; each waits for `gate`."""

    def frames() -> neurorama.Run:
        for step in range(1000):
            if gate is not None:
                gate.wait(10)
            time.sleep(0.001)
            yield Frame(step, 999, {"loss/A": 1.0})

    return lambda job: job.record(frames())


def test_a_run_ends_with_the_frames_that_the_core_gives(pool: Pool) -> None:
    job = pool.start("dagnn", lambda job: job.record(neurorama.frames("dagnn", KNOBS)))
    wait_until(lambda: not job.running)
    assert job.fault == ""
    expected = neurorama.run("dagnn", KNOBS)
    assert [frame.step for frame in job.frames] == [frame.step for frame in expected.frames]
    assert (job.done, job.of) == (12, 12)
    assert job.frames[-1].values["test accuracy/DAGNN"] == expected.last("test accuracy/DAGNN")


def test_the_same_name_is_the_same_job(pool: Pool) -> None:
    job = pool.start("a", counting())
    assert pool.start("a", counting()) is job
    job.stop()


def test_stop_takes_effect_at_the_next_frame_and_the_job_is_not_found_again(pool: Pool) -> None:
    job = pool.start("a", counting())
    wait_until(lambda: len(job.frames) >= 3)
    job.stop()
    taken = len(job.frames)
    wait_until(lambda: not job.running)
    assert taken <= len(job.frames) <= taken + 1
    assert job.stopped
    assert pool.find("a") is None


def test_jobs_wait_their_turn_and_a_waiting_one_can_be_stopped(pool: Pool) -> None:
    gate = threading.Event()
    first, second, third = (pool.start(name, counting(gate)) for name in "abc")
    wait_until(lambda: first.future.running())
    assert not first.waiting
    assert second.waiting
    assert third.waiting
    assert [pool.ahead(job) for job in (first, second, third)] == [0, 0, 1]
    third.stop()
    assert not third.running
    assert third.frames == []
    first.stop()
    second.stop()
    gate.set()
    wait_until(lambda: not first.running and not second.running)


def test_a_run_that_nobody_watches_ends(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "PATIENCE", 0.05)
    watched = pool.start("a", counting())
    for _ in range(30):
        watched.look()
        time.sleep(0.01)
    assert watched.running
    wait_until(lambda: not watched.running, 5)
    assert watched.stopped


def test_a_fault_of_the_user_is_one_line_and_a_fault_of_ours_has_details(pool: Pool) -> None:
    def bad_input(job: Job) -> None:
        raise InputError("depth=99: input should be less than or equal to 64")

    def broken(job: Job) -> None:
        raise RuntimeError("shapes differ\nand more")

    mine, ours = pool.start("a", bad_input), pool.start("b", broken)
    wait_until(lambda: not ours.running)
    assert mine.fault == "depth=99: input should be less than or equal to 64"
    assert mine.details == ""
    assert ours.fault == "RuntimeError: shapes differ"
    assert "Traceback" in ours.details
    assert pool.find("a") is None
    assert pool.find("b") is None


def test_only_the_newest_finished_jobs_are_kept(pool: Pool) -> None:
    jobs = {}
    for name in "abcde":
        jobs[name] = pool.start(name, lambda job: None)
        wait_until(lambda name=name: not jobs[name].running)
    assert [name for name in "abcde" if pool.find(name)] == ["c", "d", "e"]


def test_a_judgement_reports_its_runs_and_stops_between_them(pool: Pool) -> None:
    job = pool.start("judge", lambda job: neurorama.judge("dagnn", KNOBS, seeds=2, watch=job.report))
    wait_until(lambda: not job.running)
    assert (job.done, job.of) == (4, 4)
    assert job.result.exhibit == "message_passing/dagnn"
    assert len(job.result.shown.margins) == 2
    again = pool.start("again", lambda job: neurorama.judge("dagnn", KNOBS, seeds=2, watch=job.report))
    wait_until(lambda: again.done >= 1)
    again.stop()
    wait_until(lambda: not again.running)
    assert again.stopped
    assert again.done < 4
    assert again.result is None
