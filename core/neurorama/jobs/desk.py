"""Who runs what, and when: runs wait until a worker of the Dask cluster is idle, and their frames go to the store."""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
import time
import weakref
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

from .. import places
from ..errors import InputError
from ..store import Record, State, Store
from . import work
from .job import Job
from .settings import Settings
from .work import Kind, Outcome, Piece, Task

if TYPE_CHECKING:
    from ..runner import Knobs

log = logging.getLogger(__name__)
T = TypeVar("T")
Ending = tuple[State, str, Mapping[str, float]]  # the last numbers of a run's curves

GRACE = 2.5  # seconds in which a run that is asked to end may reach its next frame; then its worker is replaced
_LOOK = 0.1  # seconds between two looks for an idle worker, while runs wait
_IDLE = 2.0  # seconds between two looks whether the cluster is still there
_SILENCE = 5.0  # seconds in which a scheduler answers
_BUSY = 1.0  # seconds in which a worker answers, unless what it runs leaves it no time
_AGAIN = 1.0  # seconds between two attempts to reach a cluster
_DIED = "its side process died: killed, out of memory, or by a fault of its own"


class _Gone(Exception):
    """The cluster does not answer any more."""


class _Died(Exception):
    """The side process does not exist any more."""


class Jobs:
    """Takes runs in, and sees to it that they are done; one for a server, shared by all its threads.

    Nothing starts before the first run does. At the end of the process everything ends with it; runs that were at work
    are then `lost` in the store, and the next server says so.
    """

    def __init__(self, store: Store | None = None, settings: Settings | None = None) -> None:
        """`store` and `settings` are those of the environment otherwise.

        Raises:
            InputError: a setting in the environment is wrong, or the device is not there.
        """
        from ..device import chosen

        self.settings = settings or Settings.of_environment()
        if not self.settings.scheduler:  # else the workers must have it
            chosen(self.settings.device)
        self._store = store
        self.trouble = ""  # why nothing runs at the moment
        self._lock = threading.RLock()
        self._waiting: list[Job] = []
        self._working: dict[str, Job] = {}  # worker -> its run
        self._dying: set[str] = set()  # workers that were killed and are not gone yet
        self._known: weakref.WeakValueDictionary[str, Job] = weakref.WeakValueDictionary()
        self._thread: threading.Thread | None = None
        self._loop = asyncio.new_event_loop()
        self._wake = asyncio.Event()
        self._closing = False
        self._writer = ThreadPoolExecutor(1, "neurorama-writer")  # one by one, so that frames keep their order

    @property
    def store(self) -> Store:
        """Where runs are kept; opened when it is first wanted.

        Raises:
            InputError: it cannot be opened.
        """
        with self._lock:
            self._store = self._store or Store()
            return self._store

    # Taking runs in

    def submit(
        self, key: str, knobs: Knobs = None, *, owner: str = "", again: bool = False, later: bool = False
    ) -> Job:
        """A run of an exhibit: the same one where the store has it, done or under way, else a new one.

        Args:
            key: `area/slug`, or a slug.
            knobs: as for `neurorama.run`.
            owner: whose it is.
            again: a new one in any case.
            later: whatever else waits goes first, and it does not count as waiting for others.

        Raises:
            InputError: unknown key, a bad knob, too many runs wait already, or the store cannot be written.
        """
        from ..identity import identify

        identity = identify(key, knobs)
        with self._lock:
            if not again and (found := self._find(identity, owner)) is not None:
                found.found = True
                return found
            self._admit(owner, later)
            record = self.store.add(identity, owner=owner, device=self.settings.device)
            task = self._task(record.id, "run", record.key, record.params, record.identity.code)
            return self._queue(Job(self, task, owner, record, ours=True, later=later))

    def get(self, run: str) -> Job:
        """The run of that id.

        Raises:
            InputError: there is none.
        """
        with self._lock:
            found = self._known.get(run)
            return found if found is not None else self._opened(self.store.get(run))

    def league(
        self, arena: str, knobs: Mapping[str, Any] | None = None, only: Sequence[str] | None = None, *, owner: str = ""
    ) -> Job:
        """A league; it lives as long as somebody holds it and is not stored.

        Args:
            knobs: source, seed, steps and the arena's common knobs, by name.
            only: the entries that take part, all of them by default.

        Raises:
            InputError: unknown arena, entry or knob, a value out of bounds, or too many runs wait already.
        """
        from .. import catalogue, runner

        ring, keys = catalogue.arena(arena)
        settings = ring.settings().parse(knobs or {}).model_dump()
        entries = list(keys) if only is None else runner.among(keys, only)
        return self._unstored("league", arena, {**settings, "only": entries}, owner, later=False)

    def margin(self, key: str, knobs: Mapping[str, Any], *, owner: str = "") -> Job:
        """A run of which nobody sees more than `numbers["margin"]` and `seconds`; not stored."""
        return self._unstored("margin", key, dict(knobs), owner, later=True)

    def solo(self, key: str, source: str, knobs: Mapping[str, Any], *, owner: str = "") -> Job:
        """An exhibit's entry alone in its arena, as `neurorama.runner.solo` runs it; not stored."""
        return self._unstored("solo", key, {"source": source, "knobs": dict(knobs)}, owner, later=True)

    def ahead(self, job: Job) -> int:
        """How many of those that wait come before `job`."""
        with self._lock:
            return sum(_order(other) < _order(job) for other in self._waiting) if job in self._waiting else 0

    def stop(self, job: Job) -> None:
        """Ends a run, whoever runs it."""
        job.ask("stopped")
        with self._lock:
            waited = job in self._waiting
            if waited:
                self._waiting.remove(job)
        if waited or not job.ours:
            self._end(job, "stopped")
        self._stir()

    def close(self) -> None:
        """Lets the cluster go; what is at work is lost."""
        with self._lock:
            self._closing = True
            waiting, self._waiting = self._waiting, []
        for job in waiting:
            self._end(job, "lost", "the server was closed before it began")
        self._stir()
        if self._thread is not None:
            self._thread.join(10)
        self._writer.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _find(self, identity: Any, owner: str) -> Job | None:
        record = self.store.find(identity)
        if record is not None and not record.over and record.owner != owner:
            record = self.store.find(identity, owner)
        return None if record is None else self.get(record.id)

    def _opened(self, record: Record) -> Job:
        task = self._task(record.id, "run", record.key, record.params, record.identity.code)
        job = Job(self, task, record.owner, record, ours=False)
        self._known[job.id] = job
        return job

    def _unstored(self, kind: Kind, key: str, knobs: dict[str, Any], owner: str, later: bool) -> Job:
        with self._lock:
            self._admit(owner, later)
            task = self._task(secrets.token_hex(8), kind, key, knobs, "")
            return self._queue(Job(self, task, owner, ours=True, later=later))

    def _task(self, run: str, kind: Kind, key: str, knobs: dict[str, Any], code: str) -> Task:
        return Task(
            run=run,
            kind=kind,
            key=key,
            knobs=knobs,
            code=code if self.settings.scheduler else "",
            device=self.settings.device,
            memory=self.settings.memory_limit,
            data="" if self.settings.scheduler else str(places.user()),
        )

    def _admit(self, owner: str, later: bool) -> None:
        if self._closing:
            raise InputError("the server is closing; no run starts any more")
        if later:
            return
        waiting = [job for job in self._waiting if not job.later]
        if len(waiting) >= self.settings.queue_limit:
            raise InputError(f"as many runs wait already as may: {len(waiting)}; try again in a minute")
        mine = sum(job.owner == owner and not job.later for job in [*waiting, *self._working.values()])
        if owner and mine >= self.settings.user_limit:
            raise InputError(f"as many of your runs wait or go on already as may: {mine}; stop one, or wait")

    def _queue(self, job: Job) -> Job:
        self._known[job.id] = job
        self._waiting.append(job)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="neurorama-jobs", daemon=True)
            self._thread.start()
        self._stir()
        return job

    def _stir(self) -> None:
        with suppress(RuntimeError):  # the loop is closed: nothing is left to do
            self._loop.call_soon_threadsafe(self._wake.set)

    def _next(self) -> Job | None:
        """The run whose turn it is: of the owner who has the fewest at work, the one that has waited longest."""
        with self._lock:
            if not self._waiting:
                return None
            owners = [job.owner for job in self._working.values()]
            job = min(self._waiting, key=lambda job: (job.later, owners.count(job.owner), job.queued))
            self._waiting.remove(job)
            return job

    # The thread that keeps the cluster busy

    def _work(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._main())
        except Exception:
            log.exception("the thread that starts runs has failed")
            self.trouble = "a fault of the server keeps runs from starting; it has to be started again"
        finally:
            self._loop.close()

    async def _main(self) -> None:
        while not self._closing:
            if not self.settings.scheduler:
                self.trouble = "the side processes are starting"
            try:
                client = await self._connected()
            except (OSError, TimeoutError, RuntimeError) as error:
                self.trouble = f"{self._cluster} cannot be reached ({type(error).__name__}); runs wait for it"
                await self._rest(_AGAIN)
                continue
            self.trouble = ""
            try:
                await self._serve(client)
            except _Gone:
                self.trouble = f"{self._cluster} is gone; runs wait for it"
            finally:
                with suppress(Exception):
                    await asyncio.wait_for(client.close(timeout=1), 3)

    @property
    def _cluster(self) -> str:
        return f"the cluster at {self.settings.scheduler}" if self.settings.scheduler else "the cluster of this machine"

    async def _connected(self) -> Any:
        starting = None
        if not self.settings.scheduler:
            from .local import local

            starting = self._loop.run_in_executor(None, local, self.settings)
        from distributed import Client  # takes its time, and the side processes take theirs meanwhile

        logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # that a cluster is gone, we say ourselves

        where: dict[str, Any] = {"address": self.settings.scheduler}
        if starting is not None:
            found = await starting
            where = {"address": found.address, "security": found.security()}
        return await Client(**where, asynchronous=True, set_as_default=False, timeout=_SILENCE, name="neurorama")

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), seconds)
        self._wake.clear()

    async def _serve(self, client: Any) -> None:
        """Gives runs to idle workers until the cluster is gone, or we close."""
        followers: set[asyncio.Task[None]] = set()
        try:
            while not self._closing:
                busy = await _asked(client.processing())
                self._dying &= busy.keys()
                taken = self._working.keys() | self._dying
                for worker in [worker for worker, tasks in busy.items() if not tasks and worker not in taken]:
                    if (job := self._next()) is None:
                        break
                    self._working[worker] = job
                    follower = asyncio.create_task(self._follow(client, worker, job))
                    followers.add(follower)
                    follower.add_done_callback(followers.discard)
                await self._rest(_LOOK if self._waiting else _IDLE)
        except _Gone:
            self._lose(f"the connection to {self._cluster} was lost")
            raise
        finally:
            for follower in followers:
                follower.cancel()
            await asyncio.gather(*followers, return_exceptions=True)
            self._lose("the server was closed")

    def _lose(self, why: str) -> None:
        for job in list(self._working.values()):
            self._end(job, "lost", why)
        self._working.clear()

    async def _follow(self, client: Any, worker: str, job: Job) -> None:
        """One run on one worker, from its start to its end."""
        future = None
        try:
            if job.stored and not await self._io(self.store.start, job.id):  # another server has stopped it
                await self._io(self._end, job, "stopped")
                return
            job.begin()
            # Only there: a run whose worker dies is lost, and is not begun anew elsewhere.
            future = client.submit(work.do, job.task, key=f"neurorama-{job.id}", workers=[worker], pure=False)
            await self._io(self._end, job, *await self._watch(client, worker, job))
        except _Gone:
            pass  # `_serve` finds out as well, and says it of all
        except Exception as error:
            log.exception("following a run has failed")
            why = f"{type(error).__name__}: {error}".splitlines()[0]
            await self._io(self._end, job, "failed", f"the cluster cannot do it: {why}")
        finally:
            if future is not None:
                future.release()
            if self._working.get(worker) is job and not job.running:
                del self._working[worker]
            self._wake.set()

    async def _watch(self, client: Any, worker: str, job: Job) -> Ending:
        """Fetches frames until the run is over; how it ended."""
        seen, start, checked = 0, time.monotonic(), time.monotonic()
        while True:
            try:
                pieces, outcome = await self._taken(client, worker, job, seen)
            except _Died:
                return _as_asked(job, "lost", _DIED)
            if pieces:
                await self._io(self._keep, job, pieces)
            seen += len(pieces)
            if outcome is not None:
                job.seconds = outcome["seconds"]
                if outcome["state"] == "stopped":
                    return _as_asked(job, "stopped", outcome["error"], outcome["numbers"])
                return outcome["state"], outcome["error"], outcome["numbers"]
            now = time.monotonic()
            if now - start > self.settings.time_limit:
                job.ask("failed", f"it took longer than the {self.settings.time_limit:g} s that a run may take")
            if job.left_alone:
                job.ask("stopped", "nobody watched it")
            if now - checked > _IDLE:
                checked = now
                await self._io(self._check, job)
            if job.asked and now - job.asked[2] > GRACE:
                self._dying.add(worker)
                with suppress(OSError, TimeoutError):
                    await asyncio.wait_for(client.run(work.kill, workers=[worker], nanny=True), _BUSY)
                return _as_asked(job, "stopped")

    async def _taken(self, client: Any, worker: str, job: Job, seen: int) -> tuple[list[Piece], Outcome | None]:
        """What the worker has; nothing where it is too busy to answer.

        Raises:
            _Died: it is no more.
        """
        fetched = client.run(work.take, job.id, seen, job.asked is not None, workers=[worker])
        try:
            return (await asyncio.wait_for(fetched, _BUSY))[worker]
        except (OSError, TimeoutError):
            if worker not in await _asked(client.processing()):
                raise _Died from None
            await asyncio.sleep(_LOOK)
            return [], None

    def _check(self, job: Job) -> None:
        """Whether another server has stopped it."""
        if job.stored and self.store.get(job.id).over:
            job.ask("stopped")

    def _keep(self, job: Job, pieces: list[Piece]) -> None:
        """More frames into the store; where that is not wanted, or not possible, the run ends."""
        for piece in pieces:
            try:
                if job.stored and not self.store.append(job.id, *piece):
                    job.ask("stopped")
                    return
            except InputError as error:
                job.ask("failed", str(error))
                return
            job.keep(piece)

    def _end(self, job: Job, state: State, error: str = "", numbers: Mapping[str, float] | None = None) -> None:
        if not job.stored:
            job.finish(state, error, numbers)
            return
        try:
            job.take_over(self.store.end(job.id, state, error, numbers))
        except InputError as fault:
            job.finish("failed", error or str(fault), numbers)

    async def _io(self, call: Callable[..., T], *args: Any) -> T:
        return await self._loop.run_in_executor(self._writer, partial(call, *args))


async def _asked(question: Awaitable[T]) -> T:
    """What the scheduler answers.

    Raises:
        _Gone: it does not.
    """
    try:
        return await asyncio.wait_for(question, _SILENCE)
    except (OSError, TimeoutError) as error:
        raise _Gone from error


def _as_asked(job: Job, state: State, error: str = "", numbers: Mapping[str, float] | None = None) -> Ending:
    """How it ends: as somebody asked for it, else in this way."""
    if job.asked is not None:
        state, error, _ = job.asked
    return state, error, numbers or {}


def _order(job: Job) -> tuple[bool, float]:
    return job.later, job.queued
