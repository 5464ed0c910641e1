"""The store beside a dictionary that does the same: whatever is asked of both, in whatever order, they agree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from neurorama import Frame, InputError, Points, codec
from neurorama.check import alike
from neurorama.errors import StoreError
from neurorama.store import ENDED, STATES, Identity, Reel, Store
from neurorama.store.tables import METADATA

OWNERS = ("ann", "bob")
IDENTITIES = [Identity(f"area/p{n}", {"depth": n}, n, "", "1") for n in range(2)]
SHARED = np.arange(40, dtype=np.float32).reshape(20, 2)


@dataclass
class Told:
    """A run as the dictionary has it."""

    identity: Identity
    owner: str
    name: str = ""
    state: str = "queued"
    frames: list[Frame] = field(default_factory=list)
    size: int = 0
    imported: bool = False
    born: int = 0  # the older of two runs has the smaller; an imported run is as old as its original
    ended: int = 0
    writer: codec.Writer = field(default_factory=codec.Writer)
    reel: Reel | None = None


class Machine(RuleBasedStateMachine):
    """Both, side by side."""

    store: Store  # set by the test: all examples share the database, and each begins with empty tables

    def __init__(self) -> None:
        super().__init__()
        with self.store._database.writing() as connection:
            for table in reversed(METADATA.sorted_tables):
                connection.execute(table.delete())
        self.told: dict[str, Told] = {}  # in the order in which they came
        self.clock = 0

    def tick(self) -> int:
        self.clock += 1
        return self.clock

    def some(self, data: st.DataObject, *states: str) -> str:
        """One of the runs, in one of these states where there is one."""
        fitting = [run for run, told in self.told.items() if told.state in states]
        return data.draw(st.sampled_from(fitting or [*self.told]))

    def newest_first(self) -> list[str]:
        order = {run: place for place, run in enumerate(self.told)}
        return sorted(self.told, key=lambda run: (-self.told[run].born, -order[run]))

    def shrink(self, keep: str) -> None:
        old = [run for run, told in self.told.items() if told.state in ENDED and run != keep and told.size]
        order = {run: place for place, run in enumerate(self.told)}
        for run in sorted(old, key=lambda run: (self.told[run].ended, order[run])):
            if sum(told.size for told in self.told.values()) > self.store.limit:
                del self.told[run]

    @rule(identity=st.sampled_from(IDENTITIES), owner=st.sampled_from(OWNERS), frames=st.integers(0, 4))
    def add(self, identity: Identity, owner: str, frames: int) -> None:
        self.new(identity, owner, frames)

    def new(self, identity: Identity, owner: str, frames: int) -> None:
        """A new run; with frames, one that has begun."""
        run = self.store.add(identity, owner=owner).id
        self.told[run] = Told(identity, owner, born=self.tick())
        if frames:
            self.begin(run)
        for _ in range(frames):
            self.put(run, 0.5, large=True)

    @rule(owner=st.sampled_from(OWNERS), state=st.sampled_from(ENDED), frames=st.integers(1, 2))
    def cross(self, owner: str, state: str, frames: int) -> None:
        """Two new runs; the younger is over first."""
        for identity in IDENTITIES:
            self.new(identity, owner, frames)
        older, younger = [*self.told][-2:]
        self.finish(younger, state)
        self.finish(older, state)

    @precondition(lambda self: self.told)
    @rule(data=st.data(), waiting=st.booleans())
    def start(self, data: st.DataObject, waiting: bool) -> None:
        self.begin(self.some(data, *(["queued"] if waiting else STATES)))

    def begin(self, run: str) -> None:
        told = self.told[run]
        assert self.store.start(run) == (told.state == "queued")
        if told.state == "queued":
            told.state = "running"

    @precondition(lambda self: self.told)
    @rule(data=st.data(), number=st.floats(allow_nan=False), large=st.booleans(), running=st.booleans())
    def append(self, data: st.DataObject, number: float, large: bool, running: bool) -> None:
        self.put(self.some(data, *(["running"] if running else STATES)), number, large)

    def put(self, run: str, number: float, large: bool) -> None:
        told = self.told[run]
        extra = {"large": Points(np.random.default_rng(len(told.frames)).normal(size=(150, 2)))} if large else {}
        frame = Frame(len(told.frames), 99, {"loss": number, "shared": Points(SHARED), **extra})
        if told.state != "running":
            assert not self.store.append(run, codec.Writer().write([frame]), frame.step, frame.of)
            return
        piece = told.writer.write([frame])
        if told.size + len(piece) > self.store.limit:
            with pytest.raises(StoreError, match="limit"):
                self.store.append(run, piece, frame.step, frame.of)
            self.finish(run, "failed")  # its writer is a piece ahead
            return
        assert self.store.append(run, piece, frame.step, frame.of)
        told.frames.append(frame)
        told.size += len(piece)

    @precondition(lambda self: self.told)
    @rule(data=st.data(), state=st.sampled_from(ENDED), running=st.booleans())
    def end(self, data: st.DataObject, state: str, running: bool) -> None:
        self.finish(self.some(data, *(["running"] if running else STATES)), state)

    def finish(self, run: str, state: Any) -> None:
        told = self.told[run]
        if told.state not in ENDED:
            told.state, told.ended = state, self.tick()
        assert self.store.end(run, state).state == told.state
        self.shrink(run)

    @precondition(lambda self: self.told)
    @rule(data=st.data(), name=st.text(max_size=5), owner=st.sampled_from((None, *OWNERS)))
    def rename(self, data: st.DataObject, name: str, owner: str | None) -> None:
        run = self.some(data, *STATES)
        told = self.told[run]
        if owner not in (None, told.owner):
            with pytest.raises(InputError, match="somebody else"):
                self.store.rename(run, name, owner)
            return
        told.name = name.encode("utf-8", "replace").decode().replace("\0", "")
        assert self.store.rename(run, name, owner).name == told.name

    @precondition(lambda self: self.told)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        run = self.some(data, *STATES)
        if self.told[run].state in ENDED:
            self.store.delete(run)
            del self.told[run]
            with pytest.raises(InputError, match="no run"):
                self.store.get(run)
        else:
            with pytest.raises(InputError, match="stop it first"):
                self.store.delete(run)

    @precondition(lambda self: self.told)
    @rule(data=st.data())
    def carry(self, data: st.DataObject) -> None:
        """Out as a file, and in again."""
        run = self.some(data, *STATES)
        told = self.told[run]
        record = self.store.take(self.store.export(run), "bob")
        state = told.state if told.state in ENDED else "stopped"
        ended = told.ended if told.state in ENDED else self.tick()  # what goes on ends in the file, as it is exported
        facts = {"name": told.name, "state": state, "frames": [*told.frames], "size": record.size, "born": told.born}
        self.told[record.id] = Told(told.identity, "bob", **facts, imported=True, ended=ended)
        self.shrink(record.id)

    @precondition(lambda self: self.told)
    @rule(data=st.data())
    def follow(self, data: st.DataObject) -> None:
        told = self.told[run := self.some(data, *STATES)]
        told.reel = told.reel or self.store.follow(run)
        before = len(told.reel.frames)
        fresh = told.reel.more()
        assert alike([dict(f.values) for f in fresh], [dict(f.values) for f in told.frames[before:]])

    @rule(identity=st.sampled_from(IDENTITIES), owner=st.sampled_from(OWNERS))
    def find(self, identity: Identity, owner: str) -> None:
        self.sought(identity, owner)

    def sought(self, identity: Identity, owner: str | None) -> None:
        rank = {"done": 0, "running": 1, "queued": 2}
        same = [
            (rank[told.state], -place, run)
            for place, (run, told) in enumerate(self.told.items())
            if told.identity == identity and told.state in rank and not told.imported and owner in (None, told.owner)
        ]
        found = self.store.find(identity, owner)
        assert (found and found.id) == (min(same)[2] if same else None)

    @rule(owner=st.sampled_from((None, *OWNERS)), key=st.sampled_from(("", "area/p0")), page=st.integers(0, 2))
    def choose(self, owner: str | None, key: str, page: int) -> None:
        fitting = [
            run
            for run in self.newest_first()
            if owner in (None, self.told[run].owner) and key in ("", self.told[run].identity.key)
        ]
        assert self.store.count(owner, key) == len(fitting)
        found = self.store.runs(owner, key, limit=3, offset=3 * page)
        assert [record.id for record in found] == fitting[3 * page : 3 * page + 3]

    @invariant()
    def the_same_is_found(self) -> None:
        for identity in IDENTITIES:
            self.sought(identity, None)

    @invariant()
    def all_is_as_told(self) -> None:
        records = self.store.runs(limit=1000)
        assert [record.id for record in records] == self.newest_first()
        for record in records:
            told = self.told[record.id]
            facts = (record.identity, record.owner, record.name, record.state, record.frames, record.size)
            assert facts == (told.identity, told.owner, told.name, told.state, len(told.frames), told.size)
        assert self.store.size() == sum(told.size for told in self.told.values())

    def teardown(self) -> None:
        for run, told in self.told.items():
            found = self.store.frames(run)
            assert [(f.step, f.of) for f in found] == [(f.step, f.of) for f in told.frames]
            assert alike([dict(f.values) for f in found], [dict(f.values) for f in told.frames])


@pytest.fixture
def small(url: str) -> Iterator[Store]:
    """A store whose limit is soon reached."""
    with Store(url, limit=7000) as store:
        yield store


def test_the_store_does_as_a_dictionary_would(small: Store) -> None:
    usual = settings(max_examples=10, stateful_step_count=25, suppress_health_check=[*HealthCheck])
    run_state_machine_as_test(type("Machine", (Machine,), {"store": small}), settings=usual)
