"""What goes wrong, and what is lost by it: side processes, servers and schedulers that die; exhibits that misbehave.

Each test prints how much was lost.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from neurorama.jobs import Job, Jobs
from neurorama.store import Store

from .conftest import cluster, until

LONG = {"steps": 2000, "pause": 0.02}


def whole(frames: list) -> bool:
    """Whether none is missing and none comes twice."""
    return [frame.step for frame in frames] == list(range(len(frames)))


def start(jobs: Jobs, count: int, **knobs: object) -> list[Job]:
    made = [jobs.submit("shelf/steady", {**LONG, **knobs, "seed": seed}) for seed in range(count)]
    until(lambda: all(job.done >= 3 for job in made))
    return made


def busy_process(job: Job) -> psutil.Process:
    """The side process that `job` is in."""
    worker = next(address for address, other in job._jobs._working.items() if other is job)
    port = int(worker.rpartition(":")[2])
    return next(
        side
        for side in cluster().children(recursive=True)
        if any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in side.net_connections())
    )


# Side processes


def test_a_killed_side_process_costs_its_run_and_no_other(jobs: Jobs) -> None:
    one, two = start(jobs, 2)
    busy_process(one).kill()
    asked = time.monotonic()
    one.wait(30)
    print(f"told lost after {time.monotonic() - asked:.1f} s; runs lost: 1 of 2; {len(one.frames)} frames kept")
    assert one.state == "lost"
    assert "side process died" in one.fault
    assert len(one.frames) >= 3
    assert whole(one.frames)
    assert jobs.store.get(one.id).state == "lost"
    assert two.state == "running"
    came = two.done
    again = jobs.submit("shelf/steady", {"seed": 0})  # the cluster heals: two at a time go on
    assert again.wait(60).state == "done"
    until(lambda: two.done > came)
    assert whole(two.frames)
    two.stop()
    assert jobs.submit("shelf/steady", one.params).id != one.id  # what was lost is not found again


def test_all_side_processes_killed_at_once(jobs: Jobs) -> None:
    going = start(jobs, 2, steps=9000)  # none is over before the other has begun, however slow the machine
    for side in [busy_process(job) for job in going]:
        side.kill()
    for job in going:
        assert job.wait(30).state == "lost"
    assert jobs.submit("shelf/steady").wait(60).state == "done"
    print("runs lost: 2 of 2, the next one is done")


def test_a_killed_cluster_is_started_again(jobs: Jobs) -> None:
    going = start(jobs, 2, steps=9000)  # none is over before the other has begun, however slow the machine
    waiting = jobs.submit("shelf/steady", {"seed": 7})
    cluster().kill()
    for job in going:
        assert job.wait(60).state == "lost"
    assert waiting.wait(120).state == "done"
    print("runs lost: the 2 at work; the one that waited is done")


# Exhibits


@pytest.mark.parametrize(("key", "fault"), [("raises", "ZeroDivisionError"), ("leaves", "SystemExit: 3")])
def test_an_exhibit_that_raises_fails_alone(jobs: Jobs, key: str, fault: str) -> None:
    side = {process.pid for process in cluster().children(recursive=True)} if jobs._working else None
    job = jobs.submit(f"shelf/{key}").wait(60)
    assert (job.state, len(job.frames)) == ("failed", 2)
    assert fault in job.fault
    assert "Traceback" in job.details
    assert jobs.submit("shelf/steady").wait(60).state == "done"
    assert side is None or side == {process.pid for process in cluster().children(recursive=True)}
    print("frames lost: 0")


@pytest.mark.parametrize("key", ["loops", "deaf"])
def test_an_exhibit_that_never_ends_is_stopped_in_five_seconds(jobs: Jobs, key: str) -> None:
    job = jobs.submit(f"shelf/{key}")
    until(lambda: job.state == "running" and (key == "deaf" or job.done >= 1))
    time.sleep(0.5)
    asked = time.monotonic()
    job.stop()
    job.wait(30)
    print(f"stopped after {time.monotonic() - asked:.1f} s; frames kept: {len(job.frames)}")
    assert job.state == "stopped"
    assert jobs.submit("shelf/steady").wait(60).state == "done"


def test_an_exhibit_that_never_ends_comes_to_its_time_limit(limited: Callable[..., Jobs]) -> None:
    jobs = limited(time_limit=1)
    job = jobs.submit("shelf/loops").wait(60)
    assert (job.state, job.fault) == ("failed", "it took longer than the 1 s that a run may take")
    assert len(job.frames) == 2
    slow = jobs.submit("shelf/steady", LONG).wait(60)
    assert slow.state == "failed"
    assert whole(slow.frames)
    assert jobs.submit("shelf/steady").wait(60).state == "done"


def test_numbers_that_are_none_are_shown_and_told(jobs: Jobs) -> None:
    job = jobs.submit("shelf/nan").wait(60)
    assert (job.state, len(job.frames)) == ("done", 5)
    assert job.fault == "from step 3 on, 'score/method' holds a number that is not finite"
    assert str(job.frames[-1].values["score/method"]) == "nan"
    assert str(jobs.store.get(job.id).numbers["margin"]) == "nan"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere the nanny ends the whole side process")
def test_an_exhibit_that_eats_memory_fails_alone(jobs: Jobs) -> None:
    job = jobs.submit("shelf/hungry").wait(60)
    assert job.state == "failed"
    assert job.fault == "it needs more memory than the 600 MB that a run may take"
    assert 5 < len(job.frames) < 25  # of 32 MiB each
    assert jobs.submit("shelf/steady").wait(60).state == "done"
    largest = max(side.memory_info().rss for side in cluster().children(recursive=True))
    print(f"frames lost: 0; the largest side process has {largest / 2**20:.0f} MiB afterwards")


# Servers

SERVER = """
import importlib.util, json, sys, time
spec = importlib.util.spec_from_file_location("side_process", sys.argv[1])
module = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = module
spec.loader.exec_module(module)
module.install(lambda mapping, key, value: mapping.__setitem__(key, value))
from neurorama.jobs import Jobs
jobs = Jobs()
made = [jobs.submit("shelf/steady", {"steps": 2000, "pause": 0.02, "seed": seed}) for seed in (10, 11, 12)]
while True:
    print(json.dumps([[job.id, job.state, job.done] for job in made]), flush=True)
    time.sleep(0.05)
"""


@pytest.fixture
def server() -> Iterator[subprocess.Popen[bytes]]:
    """Another server on the same store, with two runs at work and one that waits."""
    side = os.environ["DASK_DISTRIBUTED__WORKER__PRELOAD"]
    process = subprocess.Popen([sys.executable, "-c", SERVER, side], stdout=subprocess.PIPE)
    yield process
    process.kill()
    process.wait()


def told(server: subprocess.Popen[bytes]) -> list[list]:
    assert server.stdout is not None
    return json.loads(server.stdout.readline())


def alive(side: psutil.Process) -> bool:
    try:
        return side.is_running() and side.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # it ended between the two questions
        return False


@pytest.mark.slow
def test_a_killed_server_loses_no_frame_that_it_had_and_its_side_processes_end(
    server: subprocess.Popen[bytes], shelf: None
) -> None:
    state: list[list] = []

    def under_way() -> bool:
        state[:] = told(server)
        return sum(done >= 5 for _, _, done in state) == 2

    until(under_way, 120)
    sides = psutil.Process(server.pid).children(recursive=True)
    server.send_signal(signal.SIGKILL)
    server.wait()
    with Jobs() as jobs:
        for run, before, done in state:
            job = jobs.get(run)
            assert job.state == "lost"
            assert "died" in job.fault
            assert whole(job.frames)
            if before == "running":
                assert len(job.frames) >= done + 1
        print(f"frames lost: 0 of {sum(done + 1 for _, state, done in state if state == 'running')}; runs told lost: 3")
        until(lambda: not any(map(alive, sides)), 30)
        again = jobs.submit("shelf/steady", {"steps": 5, "seed": 10})
        assert again.wait(60).state == "done"


@pytest.mark.slow
def test_two_servers_share_one_file(server: subprocess.Popen[bytes], jobs: Jobs) -> None:
    mine = start(jobs, 2, steps=60)
    state: list[list] = []

    def under_way() -> bool:
        state[:] = told(server)
        return sum(done >= 5 for _, _, done in state) == 2

    until(under_way, 120)
    store = Store()
    assert store.count(states=["running"]) >= 2
    theirs = next(run for run, state, _ in state if state == "running")
    watched = jobs.get(theirs)
    assert watched.state == "running"  # neither server takes the other's runs for lost
    watched.stop()
    until(lambda: {run: how for run, how, _ in told(server)}[theirs] == "stopped", 30)
    for job in mine:
        assert job.wait(120).state == "done"
        assert len(job.frames) == 61
        assert whole(job.frames)
    assert whole(watched.frames)
    print("frames lost: 0")
    store.close()


# Schedulers


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.slow
def test_a_scheduler_goes_and_comes_back(limited: Callable[..., Jobs], tmp_path: Path) -> None:
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    words = {
        "scheduler": ["--host", "127.0.0.1", "--port", str(port), "--no-dashboard"],
        "worker": [address, "--nworkers", "1", "--nthreads", "1", "--no-dashboard", "--host", "127.0.0.1"],
    }
    running: list[subprocess.Popen[bytes]] = []
    log = open(tmp_path / "log", "wb")  # noqa: SIM115

    def begin(what: str) -> None:
        command = [sys.executable, "-m", "distributed.cli.dask_" + what, *words[what]]
        running.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=tmp_path))

    jobs = limited(scheduler=address)
    try:
        early = jobs.submit("shelf/steady", {"steps": 3})
        until(lambda: jobs.trouble)
        assert address in jobs.trouble
        assert early.trouble == jobs.trouble
        begin("scheduler")
        begin("worker")
        assert early.wait(120).state == "done"
        job = jobs.submit("shelf/steady", LONG)
        later = jobs.submit("shelf/steady", {"steps": 4})
        until(lambda: job.done >= 3)
        for process in running:
            process.kill()
        assert job.wait(60).state == "lost"
        assert "connection" in job.fault or "died" in job.fault
        assert whole(job.frames)
        until(lambda: jobs.trouble)
        assert later.state == "queued"
        begin("scheduler")
        begin("worker")
        assert later.wait(120).state == "done"
        print(f"runs lost: the 1 at work, with {len(job.frames)} frames kept; the one that waited is done")
    finally:
        for process in running:
            process.kill()
            process.wait()
        log.close()
