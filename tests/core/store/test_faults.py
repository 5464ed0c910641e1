"""What may happen to a store: killed writers, no room, two servers, damage, other versions. Each is told."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from neurorama import Frame, InputError, codec
from neurorama.errors import StoreError
from neurorama.store import Identity, Store, database, servers
from neurorama.store.tables import SERVERS

FIRST = Path(__file__).with_name("first.sql")  # a store as migration 0001 left it, with one run of three frames
Tell = Callable[[str, object], None]

# A process that writes frames. What it prints tells how far it was when it ended; a line is one write to the pipe.
WRITER = """
import os, sys
import numpy as np
from neurorama import Frame, Points, codec
from neurorama.store import Identity, Store

url, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
store, writer, draw = Store(url), codec.Writer(), np.random.default_rng(seed)
run = store.add(Identity("area/paper", {}, seed, "", "1")).id
store.start(run)
os.write(1, f"{run}\\n".encode())
for step in range(count):
    piece = writer.write([Frame(step, count - 1, {"loss": float(step), "x": Points(draw.normal(size=(200, 2)))})])
    os.write(1, b"begun\\n")
    assert store.append(run, piece, step, count - 1)
    os.write(1, b"kept\\n")
store.end(run, "done")
sys.stdin.read()  # a server lives on
store.close()
"""


@contextmanager
def writer(url: str, count: int, seed: int = 0) -> Iterator[subprocess.Popen[str]]:
    pipe = subprocess.PIPE
    words = [sys.executable, "-c", WRITER, url, str(count), str(seed)]
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def kind(url: str) -> str:
    return url.partition(":")[0].partition("+")[0]


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    assert process.stderr is not None
    return process.stdout.readline().strip() or pytest.fail(process.stderr.read())


def test_kill_9_of_a_writer(url: str, record_property: Tell) -> None:
    with writer(url, 10_000) as process:
        run, seen = line(process), 0
        while seen < 25:
            seen += line(process) == "kept"
        process.send_signal(signal.SIGKILL)
        assert process.stdout is not None
        rest = process.stdout.read().split()
        kept, begun = seen + rest.count("kept"), seen + rest.count("begun")
        process.wait()
    with Store(url) as store:
        record, frames = store.get(run), store.frames(run)
        begun = max(begun, kept)
        record_property("lost", f"kill -9 of a writer, {kind(url)}: {begun - len(frames)} of {begun} frames")
        assert kept <= len(frames) <= kept + 1  # the one being written is there whole, or not at all
        assert [frame.values["loss"] for frame in frames] == list(range(len(frames)))
        assert record.frames == len(frames)
        assert (record.state, record.over) == ("lost", True)
        assert f"process {process.pid} " in record.error
        assert record.error.endswith("died")
        assert not store.append(run, b"", 0, 0)


def test_a_server_does_not_take_the_runs_of_a_live_one_for_lost(url: str) -> None:
    with writer(url, 10**6) as process, Store(url) as store:
        run = line(process)
        line(process)
        process.send_signal(signal.SIGSTOP)  # it does nothing at all, and lives
        for _ in range(2):
            assert store.reap() == []
            with Store(url) as third:
                assert third.get(run).state == "running"
        process.kill()  # nobody waits for it: what is left is a zombie
        while store.get(run).state == "running":
            store.reap()
        assert store.get(run).state == "lost"


def test_a_server_of_another_machine_is_dead_when_it_is_silent(
    store: Store, url: str, identity: Callable[..., Identity], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = store.add(identity()).id

    def told(seconds: float, **facts: object) -> None:
        with store._database.writing() as connection:
            seen = servers.now(connection) - timedelta(seconds=seconds)
            connection.execute(SERVERS.update().values(seen=seen, **facts))

    with Store(url) as other:
        told(3600)  # silent, but its process is there
        assert other.reap() == []
        told(30, born=5.0)  # the process seems to be another one: perhaps the clock was set
        assert other.reap() == []
        told(30, host="elsewhere pid:[1]", pid=2**22 + 1)
        assert other.reap() == []
        store._beat()
        told(61)
        (lost,) = other.reap()
        assert lost.id == run
        assert lost.error.startswith("its server on elsewhere has not been heard of since ")
        assert other.reap() == []
    again = store.add(identity()).id  # it was not dead after all: it enters itself again, and goes on
    assert store.start(again)
    told(61, born=5.0)
    with Store(url) as other:  # silent, and its process number was given to another process
        assert other.get(again).state == "lost"


def test_closing_tells_what_was_going_on_lost(url: str, identity: Callable[..., Identity]) -> None:
    with Store(url) as store:
        run = store.add(identity()).id
    with Store(url) as store:
        assert (store.get(run).state, store.get(run).error) == ("lost", "its server was closed")


def test_two_servers_write_one_database(url: str, record_property: Tell) -> None:
    count = 60
    with writer(url, count, 1) as one, writer(url, count, 2) as two:  # both find no database and make it
        runs = [line(one), line(two)]
        outputs = [process.communicate(timeout=60) for process in (one, two)]
    assert [fault for _, fault in outputs] == ["", ""]
    with Store(url) as store:
        kept = [len(store.frames(run)) for run in runs]
        assert [store.get(run).state for run in runs] == ["done", "done"]
    record_property("lost", f"two servers, {kind(url)}: {2 * count - sum(kept)} of {2 * count} frames")
    assert kept == [count, count]


def test_servers_that_start_together_make_the_database_once(url: str) -> None:
    code = "import sys; from neurorama.store import Store; print(Store(sys.argv[1]).count())"
    started = [
        subprocess.Popen([sys.executable, "-c", code, url], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(3)
    ]
    assert [process.communicate(timeout=60)[0] for process in started] == ["0\n"] * 3


# Room


def fill(store: Store, run: str, most: int = 400) -> tuple[int, StoreError | None]:
    """Appends frames until there is no room; how many were kept, and what was said."""
    writer, draw = codec.Writer(), np.random.default_rng(0)
    for step in range(most):
        frame = Frame(step, most, {"loss": float(step), "x": _large(draw)})
        try:
            assert store.append(run, writer.write([frame]), step, most)
        except StoreError as error:
            return step, error
    return most, None


def _large(draw: np.random.Generator) -> Any:
    from neurorama import Points

    return Points(draw.normal(size=(5000, 2)))


def test_a_full_disk(tmp_path: Path, identity: Callable[..., Identity], record_property: Tell) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    size = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(disk)]
    if shutil.which("mount") is None or subprocess.run(size, capture_output=True).returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        url = f"sqlite:///{disk}/runs.sqlite"
        store = Store(url)
        run = store.add(identity()).id
        store.start(run)
        kept, error = fill(store, run)
        assert error is not None
        assert "has no room left on its disk" in str(error)
        assert "\n" not in str(error)
        found = [frame.values["loss"] for frame in store.frames(run)]
        record_property("lost", f"full disk: {kept - len(found)} of {kept} frames before the one without room")
        assert kept > 5
        assert found == list(range(kept))
        with pytest.raises(StoreError, match="no room"):  # soon there is too little for anything
            _ = [store.add(identity()) for _ in range(1000)]
        with Store(url) as other:  # it opens, and can be looked at
            assert other.get(run).frames == kept
            assert len(other.frames(run)) == kept
        subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
        assert store.end(run, "failed", str(error)).state == "failed"
        assert store.start(store.add(identity()).id)
        store.close()
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_limit_on_files(tmp_path: Path, record_property: Tell) -> None:
    """As a full disk, where nobody may mount one: the system lets no file of this process grow."""
    resource = pytest.importorskip("resource", reason="needs limits on files, as Unix has them")
    del resource
    code = f"""
import resource, sys
sys.path[:0] = {[str(Path(__file__).parent)]!r}
from test_faults import Identity, Store, fill
store = Store(sys.argv[1])
run = store.add(Identity("area/paper", {{}}, 0, "", "1")).id
store.start(run)
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
kept, error = fill(store, run)
print(run, kept, error)
"""
    url = f"sqlite:///{tmp_path}/runs.sqlite"
    done = subprocess.run([sys.executable, "-c", code, url], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    run, kept, error = done.stdout.strip().split(" ", 2)
    assert error.endswith("its disk is full, at a limit, or failing")
    with Store(url) as store:
        found = [frame.values["loss"] for frame in store.frames(run)]
        assert store.get(run).state == "lost"
    record_property(
        "lost", f"limit on files: {int(kept) - len(found)} of the {kept} frames before the one without room"
    )
    assert int(kept) > 2
    assert found == list(range(int(kept)))


# What is there is not what it should be


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """The file that migration 0001 left."""
    file = tmp_path / "runs.sqlite"
    with sqlite3.connect(file) as connection:
        connection.executescript(FIRST.read_text(encoding="utf-8"))
    connection.close()
    return file


def test_an_older_store_is_migrated(old: Path) -> None:
    with Store(f"sqlite:///{old}") as store:
        (record,) = store.runs()
        assert (record.id, record.name, record.owner, record.state) == ("0123456789abcdef", "my first", "ann", "done")
        assert record.created.isoformat() == "2026-01-02T03:04:05+00:00"
        assert record.numbers == {}
        assert [frame.values["loss/DAGNN"] for frame in store.frames(record.id)] == [1.0, 0.5, 1 / 3]
        assert store.find(record.identity) == record
        assert store.end(store.add(record.identity).id, "done", numbers={"margin": 0.25}).numbers == {"margin": 0.25}


def test_an_older_store_in_either_database_is_migrated_by_whoever_comes_first(url: str) -> None:
    engine, config = create_engine(url), Config()
    config.set_main_option("script_location", str(database._MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()
    with Store(url) as one, Store(url) as other:
        run = one.add(Identity("a/b", {}, 0, "", "1")).id
        assert other.get(run).numbers == {}


def test_a_newer_store_is_refused_and_left_alone(store: Store, url: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE neurorama_schema SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"newer Neurorama \(schema 9999, this one knows 000\d\): update Neurorama"):
        Store(url)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE neurorama_schema SET version_num = '{database.newest()}'"))
    engine.dispose()
    with Store(url) as again:
        assert again.runs() == []


def test_a_database_of_something_else_is_left_alone(url: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE shopping (item TEXT)"))
    with pytest.raises(StoreError, match="a database of something else: it has a table 'shopping'"):
        Store(url)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO shopping VALUES ('milk')"))
    engine.dispose()


def test_a_store_that_may_not_be_written_is_read(old: Path) -> None:
    with Store(f"sqlite:///{old}") as store:
        run = store.runs()[0].id
        read_only = f"sqlite:///file:{old}?mode=ro&uri=true"
        with Store(read_only) as same:
            assert len(same.frames(run)) == 3
            for write in (
                lambda: same.rename(run, "x"),
                lambda: same.delete(run),
                lambda: same.add(store.get(run).identity),
            ):
                with pytest.raises(StoreError, match="is read-only: nothing can be kept or changed in it"):
                    write()
        assert store.get(run).name == "my first"
        assert not Path("file:").exists()


def test_a_file_without_the_right_to_write(old: Path) -> None:
    """One line, whatever the system makes of it; root may write everywhere, so another user tries."""
    with Store(f"sqlite:///{old}"):
        pass
    code = """
import os
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
from neurorama.errors import StoreError
try:
    store.rename(store.runs()[0].id, "x")
except StoreError as error:
    print(error)
"""
    place = Path(old.parent)
    place.chmod(0o555)
    old.chmod(0o444)
    try:
        before = "import sys; from neurorama.store import Store\n"
        whole = before + code.replace("try:\n", "try:\n    store = Store(sys.argv[1])\n", 1)
        done = subprocess.run([sys.executable, "-c", whole, f"sqlite:///{old}"], capture_output=True, text=True)
    finally:
        place.chmod(0o755)
    assert done.stderr == ""
    assert done.stdout.startswith(f"the store sqlite:///{old} ")
    assert done.stdout.count("\n") == 1


@pytest.mark.parametrize("content", [b"", b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_store(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "runs.sqlite"
    file.write_bytes(content)
    if not content:  # an empty file is an empty database
        Store(f"sqlite:///{file}").close()
        return
    with pytest.raises(StoreError, match=r"is damaged: move it away, and a new one is made") as told:
        Store(f"sqlite:///{file}")
    assert "\n" not in str(told.value)
    assert file.read_bytes() == content
    file.unlink()
    with Store(f"sqlite:///{file}") as store:
        assert store.runs() == []


def test_damage_anywhere_is_told_in_one_line_or_does_no_harm(tmp_path: Path, film: Callable[..., list[Frame]]) -> None:
    file, writer = tmp_path / "runs.sqlite", codec.Writer()
    with Store(f"sqlite:///{file}") as store:
        run = store.add(Identity("a/b", {"depth": 4}, 0, "", "1")).id
        store.start(run)
        for frame in film(30):
            store.append(run, writer.write([frame]), frame.step, frame.of)
        store.end(run, "done")
    good, draw, told = file.read_bytes(), np.random.default_rng(0), list[str]()
    for _ in range(50):
        bad = bytearray(good[: draw.integers(1, len(good))] if draw.random() < 0.2 else good)
        place = int(draw.integers(len(bad)))
        bad[place : place + 40] = draw.bytes(40)
        for rest in tmp_path.glob("runs.sqlite*"):
            rest.unlink()
        file.write_bytes(bad)
        try:
            with Store(f"sqlite:///{file}") as store:
                for record in store.runs():
                    store.trace(record.id)
                    store.rename(record.id, "x")
        except InputError as error:
            told.append(str(error))
    assert len(told) > 5
    assert not any("\n" in words for words in told)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be opened"):
        Store(f"sqlite:///{tmp_path}/file/runs.sqlite")
    with pytest.raises(StoreError, match="cannot be opened"):
        Store(f"sqlite:///{tmp_path}")


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(StoreError, match=r"cannot be used: .*refused") as told:
        Store("postgresql+psycopg://ann:secret@127.0.0.1:1/runs")
    assert "secret" not in str(told.value)


def test_a_writer_that_holds_the_lock_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: Any) -> None:
    monkeypatch.setattr(database, "PATIENCE", 0.2)
    file = tmp_path / "other.sqlite"
    with Store(f"sqlite:///{file}") as store:
        run = store.add(Identity("a/b", {}, 0, "", "1")).id
        holder = sqlite3.connect(file, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="kept busy by another process"):
            store.start(run)
        assert store.get(run).state == "queued"  # readers never wait
        holder.execute("COMMIT")
        holder.close()
        assert store.start(run)
