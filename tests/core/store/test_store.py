"""Runs and frames go in and come out, in SQLite and in PostgreSQL."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, make_url

from neurorama import Frame, InputError, codec
from neurorama.check import alike
from neurorama.errors import StoreError
from neurorama.store import Identity, Record, Store, database, tables
from neurorama.store.store import limit_of

Made = Callable[..., tuple[Record, list[Frame]]]
Same = Callable[..., Identity]
Film = Callable[..., list[Frame]]


def same(one: list[Frame], other: list[Frame]) -> bool:
    return [(f.step, f.of) for f in one] == [(f.step, f.of) for f in other] and all(
        alike(a.values, b.values) for a, b in zip(one, other)
    )


def test_frames_are_readable_as_they_come_and_lose_nothing(store: Store, identity: Same, film: Film) -> None:
    run = store.add(identity()).id
    assert store.start(run)
    reel, seen, writer, frames = store.follow(run), 0, codec.Writer(), film(20)
    for number, frame in enumerate(frames):
        assert store.append(run, writer.write([frame]), frame.step, frame.of)
        record = store.get(run)
        assert (record.frames, record.step, record.of, record.state) == (number + 1, frame.step, 19, "running")
        if number % 3 == 0:
            seen += len(reel.more())
            assert seen == number + 1
    reel.more()
    assert same(reel.frames, frames)
    assert same(store.frames(run), frames)
    assert same(store.frames(run, after=17), frames[17:])
    assert reel.more() == store.frames(run, after=20) == []
    assert store.get(run).size == sum(map(len, store.pieces(run))) == store.size()
    trace = store.trace(run)
    assert (trace.exhibit, trace.params) == ("area/paper", identity().params)


def test_what_is_known_of_a_run_comes_back(store: Store, identity: Same) -> None:
    before = datetime.now(UTC)
    wanted = identity(seed=2**31 - 1, rate=1 / 3, note="ü ∞ '; DROP TABLE runs; --")
    made = store.add(wanted, owner="ann", name="first", device="cuda")
    assert made == store.get(made.id)
    assert (made.identity, made.state, made.owner, made.name, made.device) == (wanted, "queued", "ann", "first", "cuda")
    assert before <= made.created <= datetime.now(UTC)
    assert made.created.tzinfo is UTC
    assert (made.started, made.ended, made.over) == (None, None, False)
    store.start(made.id)
    numbers = {"loss/A": 0.1, "margin": math.inf, "x": math.nan}
    done = store.end(made.id, "failed", "it broke\nTraceback", numbers)
    assert done == store.get(made.id) or math.isnan(done.numbers["x"])
    assert (done.state, done.error, done.over) == ("failed", "it broke\nTraceback", True)
    assert done.numbers["loss/A"] == 0.1
    assert done.numbers["margin"] == math.inf
    assert math.isnan(done.numbers["x"])
    assert done.started is not None
    assert done.ended is not None
    assert done.created <= done.started <= done.ended


def test_a_run_that_is_over_stays_as_it_is(store: Store, identity: Same, film: Film) -> None:
    run, (frame,) = store.add(identity()).id, film(1)
    piece = codec.Writer().write([frame])
    assert not store.append(run, piece, 0, 0)  # it has not started
    assert store.start(run)
    assert not store.start(run)
    assert store.append(run, piece, 0, 0)
    assert store.end(run, "stopped").state == "stopped"
    assert not store.append(run, piece, 1, 1)
    assert not store.start(run)
    assert store.end(run, "done", "late").state == "stopped"
    record = store.get(run)
    assert (record.frames, record.error) == (1, "")
    with pytest.raises(ValueError, match="does not end"):
        store.end(run, "running")


def test_no_such_run(store: Store) -> None:
    calls: dict[str, Callable[[], object]] = {
        **{name: lambda name=name: getattr(store, name)("nothing") for name in ("get", "start", "pieces", "frames")},
        **{name: lambda name=name: getattr(store, name)("nothing") for name in ("follow", "trace", "delete", "export")},
        "append": lambda: store.append("nothing", b"", 0, 0),
        "end": lambda: store.end("nothing", "done"),
        "rename": lambda: store.rename("nothing", "x"),
    }
    for call in calls.values():
        with pytest.raises(InputError, match="no run is called 'nothing'"):
            call()


def test_the_same_run_is_found_again_and_only_the_same(store: Store, identity: Same, made: Made) -> None:
    assert store.find(identity()) is None
    for ended in ("failed", "stopped", "lost"):
        made(state=ended)
    assert store.find(identity()) is None
    queued = store.add(identity(), owner="bob")
    assert store.find(identity()) == queued
    running = store.add(identity())
    store.start(running.id)
    assert store.find(identity()).id == running.id  # type: ignore[union-attr]
    done, _ = made(owner="ann")
    assert store.find(identity()) == done
    assert store.find(identity(), owner="bob") == queued
    assert store.find(identity(), owner="eve") is None
    differing: list[dict[str, Any]] = [
        {"seed": 1}, {"source": "ab"}, {"code": "2"}, {"depth": 5}, {"key": "a/b"}, {"on": False}
    ]  # fmt: skip
    for other in differing:
        assert store.find(identity(**other)) is None
    turned = Identity(done.key, dict(reversed(list(done.identity.knobs.items()))), 0, "", "1")
    assert store.find(turned) == done  # the order of the knobs is no difference


def test_runs_are_listed_newest_first_page_by_page(store: Store, made: Made) -> None:
    ids = [made(0, owner="ab"[n % 2], key=f"area/p{n % 3}", name=f"No. {n} 100%_")[0].id for n in range(12)][::-1]
    assert [run.id for run in store.runs()] == ids
    assert [run.id for run in store.runs(limit=5, offset=5)] == ids[5:10]
    assert [run.id for run in store.runs(owner="a")] == ids[1::2]
    assert [run.id for run in store.runs(owner="b", key="area/p1")] == [ids[4], ids[10]]
    assert [run.id for run in store.runs(words="no. 11")] == ids[:1]
    assert [run.id for run in store.runs(words="P2 no")] == ids[::3]
    assert store.count(words="100%_") == 12
    assert store.count(words="%5%") == 0
    assert store.count(states=["done"]) == 12
    assert store.count(states=["running", "queued"]) == 0


def test_an_owner_names_and_deletes_what_is_his_only(store: Store, identity: Same, made: Made) -> None:
    run, _ = made(owner="ann")
    for call in (store.delete, lambda run, owner: store.rename(run, "mine", owner)):
        with pytest.raises(InputError, match="belongs to somebody else"):
            call(run.id, "bob")
    assert store.rename(run.id, "ü\0\ud800" + "x" * 500, "ann").name == ("ü?" + "x" * 500)[:120]
    waiting = store.add(identity(), owner="ann")
    with pytest.raises(InputError, match="is queued; stop it first"):
        store.delete(waiting.id)
    store.delete(run.id, "ann")
    assert store.size() == 0
    assert [left.id for left in store.runs()] == [waiting.id]


def test_prune_keeps_what_is_new_and_what_goes_on(store: Store, identity: Same, made: Made) -> None:
    old, new, going_on = made(owner="ann")[0], made(owner="bob")[0], store.add(identity())
    assert store.prune(1) == []
    assert store.prune(0, owner="ann") == [old.id]
    assert store.prune(0) == [new.id]
    assert [run.id for run in store.runs()] == [going_on.id]
    for wrong in (-1, math.nan, math.inf):
        with pytest.raises(InputError, match="keep_days"):
            store.prune(wrong)


def test_the_oldest_ended_runs_go_where_room_is_short(store: Store, identity: Same, made: Made, film: Film) -> None:
    one = made(5)[0].size
    going_on = store.add(identity()).id
    store.start(going_on)
    store.append(going_on, b"x" * one, 0, 1)
    second = made(5)[0].id
    store.limit = 3 * one
    third = made(5)[0].id
    assert [run.id for run in store.runs()] == [third, second, going_on]
    with pytest.raises(StoreError, match="the limit of the whole store"):
        store.append(going_on, b"x" * 3 * one, 1, 1)
    assert store.get(going_on).frames == 1  # what was too much left no trace
    assert store.end(going_on, "failed", "too large").state == "failed"
    fourth = made(5)[0].id
    assert [run.id for run in store.runs()] == [fourth, third, going_on]
    assert store.size() <= store.limit


def test_room_is_given_back(tmp_path: Any, identity: Same) -> None:
    with Store(f"sqlite:///{tmp_path}/runs.sqlite") as store:
        run = store.add(identity()).id
        store.start(run)
        for step in range(50):
            store.append(run, bytes([step]) * 50_000, step, 49)
        store.end(run, "done")
        store.delete(run)
    assert (tmp_path / "runs.sqlite").stat().st_size < 200_000


@pytest.mark.parametrize(("words", "size"), [("500 MB", 500_000_000), ("2gb", 2 * 10**9), ("1.5 KB", 1500), ("7", 7)])
def test_a_limit_in_words(words: str, size: int) -> None:
    assert limit_of(words) == size


@pytest.mark.parametrize("words", ["much", "0 MB", "-1 GB", "5 XB", "1e9"])
def test_what_is_no_limit(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEURORAMA_STORE_LIMIT", words)
    with pytest.raises(InputError, match="NEURORAMA_STORE_LIMIT="):
        Store()


def test_the_users_folder_is_the_usual_place(own_data_folder: Any) -> None:
    with Store() as store:
        assert store.runs() == []
    assert (own_data_folder / "runs.sqlite").is_file()


def test_the_setting_names_another_place(url: str, monkeypatch: pytest.MonkeyPatch, own_data_folder: Any) -> None:
    monkeypatch.setenv("NEURORAMA_STORE", url.replace("+psycopg", ""))
    with Store() as store:
        assert store.name == make_url(url).render_as_string()
    assert not own_data_folder.exists()


@pytest.mark.parametrize(
    "wrong", ["runs.sqlite", "mysql://root:secret@localhost/x", "sqlite://", "postgresql+asyncpg:"]
)
def test_what_is_no_address_is_told_without_a_password(wrong: str) -> None:
    with pytest.raises(InputError, match=r"write sqlite:///FILE or postgresql\+psycopg://") as told:
        Store(wrong)
    assert "secret" not in str(told.value)


def test_migrations_end_where_the_tables_are(store: Store, url: str) -> None:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = compare_metadata(
            MigrationContext.configure(connection, opts={"version_table": "neurorama_schema"}), tables.METADATA
        )
        assert found == []
        assert connection.exec_driver_sql("SELECT version_num FROM neurorama_schema").scalar() == database.newest()
    engine.dispose()


def test_threads_share_a_store(store: Store, identity: Same, film: Film) -> None:
    frames, faults = film(15), list[BaseException]()

    def work(seed: int) -> None:
        try:
            run, writer = store.add(identity(seed=seed)).id, codec.Writer()
            store.start(run)
            reel = store.follow(run)
            for frame in frames:
                assert store.append(run, writer.write([frame]), frame.step, frame.of)
                reel.more()
                store.runs(limit=5)
            assert same(reel.frames, frames)
            store.end(run, "done")
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert store.count(states=["done"]) == 8


def test_old_runs_are_pruned_by_the_day_they_ended(store: Store, made: Made) -> None:
    run, _ = made()
    with store._database.writing() as connection:
        ended = datetime.now(UTC) - timedelta(days=10)
        connection.execute(tables.RUNS.update().values(ended=ended))
    assert store.get(run.id).ended == ended
    assert store.prune(10.1) == []
    assert store.prune(9.9) == [run.id]
