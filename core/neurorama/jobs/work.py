"""What a side process does: one run at a time, its frames kept until the server has fetched them.

The server fetches instead of being sent to: a run that is faster than the server waits for it, one whose server is
gone ends by itself, and nothing piles up in the scheduler in between. Frames travel as `neurorama.codec` writes them.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, TypedDict

from ..errors import InputError
from ..trace import Frame, Run, Trace

Kind = Literal["run", "league", "margin", "solo"]
Piece = tuple[bytes, int, int]  # a frame as bytes, its step, and of how many

PATIENCE = 60.0  # seconds for which a run goes on though its server does not ask for it
ROOM = 32 * 2**20  # bytes of frames that wait for the server before the run does
_WAIT = 0.2  # seconds that an answer may wait for news
_LOOK = 0.005


class Task(TypedDict):
    """A piece of work, as JSON could have it."""

    run: str  # its id
    kind: Kind
    key: str  # of an exhibit, or of an arena
    knobs: dict[str, Any]
    code: str  # what the server takes the exhibit's code for; "" where it is the same on this machine
    device: str
    memory: int  # MB
    data: str  # the user's data folder, where side process and server share a disk


class Outcome(TypedDict):
    """How it ended."""

    state: Literal["done", "stopped", "failed"]
    error: str  # a line for people, then perhaps a traceback
    numbers: dict[str, float]
    seconds: float


class _Stopped(BaseException):  # past the `except Exception` of any exhibit
    pass


class _Line:
    """The frames of one run that wait for the server, and what the server wants."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pieces: list[Piece] = []
        self._gone = 0  # how many were fetched and dropped
        self._size = 0
        self.stop = False
        self.asked = time.monotonic()
        self.outcome: Outcome | None = None

    def put(self, piece: Piece) -> None:
        """Adds a frame, once there is room for it.

        Raises:
            _Stopped: the run is to end.
        """
        while self._size > ROOM:
            self.check()
            time.sleep(_LOOK)
        with self._lock:
            self._pieces.append(piece)
            self._size += len(piece[0])
        self.check()

    def check(self) -> None:
        """Raises `_Stopped` where the run is to end."""
        if self.stop or time.monotonic() - self.asked > PATIENCE:
            raise _Stopped

    def news(self, seen: int) -> bool:
        """Whether there is more than `seen` frames, or an end."""
        return self.outcome is not None or self._gone + len(self._pieces) > seen

    def after(self, seen: int) -> tuple[list[Piece], Outcome | None]:
        """The frames from number `seen` on; those before it have arrived and are dropped."""
        with self._lock:
            drop = seen - self._gone
            self._size -= sum(len(piece[0]) for piece in self._pieces[:drop])
            del self._pieces[:drop]
            self._gone = seen
            return list(self._pieces), self.outcome


_LINES: dict[str, _Line] = {}
_LINES_LOCK = threading.Lock()


def _line(run: str) -> _Line:
    with _LINES_LOCK:
        for other, line in list(_LINES.items()):
            if time.monotonic() - line.asked > 2 * PATIENCE:
                del _LINES[other]
        return _LINES.setdefault(run, _Line())


async def take(run: str, seen: int, stop: bool) -> tuple[list[Piece], Outcome | None]:
    """For the server: what came after `seen` frames, or soon comes, and how it ended; `stop` asks it to end."""
    line = _line(run)
    line.asked = time.monotonic()
    line.stop = line.stop or stop
    while not line.news(seen) and time.monotonic() - line.asked < _WAIT:
        await asyncio.sleep(_LOOK)
    return line.after(seen)


def kill(dask_worker: Any) -> None:
    """For a nanny: ends its worker as it is; the nanny then starts another."""
    if dask_worker.pid is not None:
        os.kill(dask_worker.pid, getattr(signal, "SIGKILL", signal.SIGTERM))


def do(task: Task) -> None:
    """For a worker: does the work; whatever happens in it, `take` gives it away."""
    line = _line(task["run"])
    if task["data"]:
        os.environ["NEURORAMA_DATA"] = task["data"]
    numbers: dict[str, float] = {}
    start = time.process_time()  # the same on a busy machine

    def ended(state: Literal["done", "stopped", "failed"], error: str = "") -> Outcome:
        return Outcome(state=state, error=error, numbers=numbers, seconds=time.process_time() - start)

    try:
        with _limited(task["memory"]):
            outcome = ended("done", _work(task, line, numbers))
    except _Stopped:
        outcome = ended("stopped")
    except InputError as error:
        outcome = ended("failed", str(error))
    except BaseException as error:  # an exhibit may raise what it likes, even SystemExit
        outcome = ended("failed", _told(error, task["memory"]))
    gc.collect()
    line.outcome = outcome


def _work(task: Task, line: _Line, numbers: dict[str, float]) -> str:
    """Makes the frames, fills in how they end, and says what is strange about them."""
    from .. import catalogue
    from ..codec import Writer

    line.check()
    if task["code"]:
        from ..identity import identify

        if identify(task["key"], task["knobs"]).code != task["code"]:
            raise InputError(
                "the cluster's workers have another version of Neurorama than the server; install the same"
            )
    writer = Writer()
    seen: list[Frame] = []
    strange = ""
    for frame in _frames(task):
        if task["kind"] != "margin":
            line.put((writer.write([frame]), frame.step, frame.of))
        line.check()
        seen.append(frame)
        strange = strange or _strange(frame)
        numbers.update({name: float(value) for name, value in frame.values.items() if isinstance(value, int | float)})
    if task["kind"] in ("run", "margin"):
        margin = catalogue.load(task["key"]).claim.margin
        try:
            numbers["margin"] = float(margin(Trace(task["key"], task["knobs"], tuple(seen))))
        except Exception as error:
            if task["kind"] == "margin":
                raise
            return strange or f"the margin of the claim cannot be measured: {_line_of(error)}"
    return strange


def _frames(task: Task) -> Run:
    from .. import runner

    knobs = task["knobs"]
    if task["kind"] == "league":
        settings = {name: value for name, value in knobs.items() if name != "only"}
        return runner.league(task["key"], knobs=settings, only=knobs["only"], where=task["device"])
    if task["kind"] == "solo":
        return runner.solo(task["key"], knobs["source"], knobs["knobs"], task["device"])
    return runner.frames(task["key"], knobs, task["device"])


def _strange(frame: Frame) -> str:
    from ..check import finite

    for name, value in frame.values.items():
        if not finite(value):
            return f"from step {frame.step} on, {name!r} holds a number that is not finite"
    return ""


def _line_of(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _told(error: BaseException, memory: int) -> str:
    line = _line_of(error)
    if isinstance(error, MemoryError) or "allocate memory" in str(error) or "out of memory" in str(error):
        line = f"it needs more memory than the {memory:,} MB that a run may take"
    return f"{line}\n{''.join(traceback.format_exception(error))}"


@contextmanager
def _limited(memory: int) -> Iterator[None]:
    """At most so many MB more than there are now; elsewhere than on Linux only the nanny watches."""
    if not sys.platform.startswith("linux"):
        yield
        return
    import resource

    with open("/proc/self/statm") as file:
        used = int(file.read().split()[5]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = used + memory * 2**20
    resource.setrlimit(resource.RLIMIT_DATA, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
