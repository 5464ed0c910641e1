"""A run as its watchers hold it, while it waits, while it goes on, and afterwards."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, final

from ..errors import InputError
from ..store import ENDED, Record, Reel, State
from ..trace import Frame, Trace
from .work import Piece, Task

if TYPE_CHECKING:
    from .desk import Jobs

_LOOK = 0.05  # seconds between two looks at a run that somebody waits for
_FRESH = 0.3  # seconds for which what the store said of another server's run is believed


@final
class Job:
    """One run; `for frame in job` gives its frames as they come. Safe to share between threads.

    Attributes:
        id: what the store knows it by, and what a link names.
        key: of its exhibit, or of its arena.
        params: all its knobs.
        owner: whose it is; "" where nobody logs in.
        device: where it runs.
        found: it was in the store already.
        seconds: of CPU time that the work took, once it is over and was ours.
        numbers: how it ended: the last number of every curve, and "margin", of the claim.
    """

    def __init__(
        self, jobs: Jobs, task: Task, owner: str, record: Record | None = None, *, ours: bool, later: bool = False
    ) -> None:
        self._jobs = jobs
        self._lock = threading.Lock()
        self._over, self._news = threading.Event(), threading.Event()
        self._kept: list[Piece] = []  # of a run that is not stored
        self._complete = False  # all frames of a run that is over were read
        self._looked = self._asked_store = time.monotonic()
        self._error = ""
        self._state: State = "queued"
        self._step, self._of = 0, 0
        self._started: datetime | None = None
        self._ended: datetime | None = None
        self.queued = time.monotonic()
        self.task, self.later = task, later
        self.id, self.key, self.params, self.device = task["run"], task["key"], task["knobs"], task["device"]
        self.owner = owner
        self.stored = record is not None
        self.ours = ours  # this server runs it; otherwise the store says how it stands
        self.found = False
        self.asked: tuple[State, str, float] | None = None  # how it is to end, why, and since when
        self.patience: float | None = None  # seconds for which it goes on though nobody looks at it
        self.seconds = 0.0
        self.numbers: dict[str, float] = {}
        self.drawn: dict[str, Any] = {}  # the finished run, ready to be seen: for whoever draws it
        self.recorded = ""  # a job is always live; what stands in for one may not be
        self._reel = jobs.store.follow(self.id) if self.stored else Reel(self._pieces)
        if record is not None:
            self.take_over(record)

    # What there is of it

    @property
    def state(self) -> State:
        self._refresh()
        return self._state

    @property
    def running(self) -> bool:
        """Waiting or at work."""
        return self.state not in ENDED

    @property
    def waiting(self) -> bool:
        return self.state == "queued"

    @property
    def stopped(self) -> bool:
        return self.state == "stopped"

    @property
    def ahead(self) -> int:
        """How many runs come before it."""
        return self._jobs.ahead(self)

    @property
    def done(self) -> int:
        """The step of the newest frame, of `of`."""
        self._refresh()
        return self._step

    @property
    def of(self) -> int:
        self._refresh()
        return self._of

    @property
    def fault(self) -> str:
        """What is to be known of how it ended, in one line; "" where all is well."""
        self._refresh()
        return self._error.partition("\n")[0]

    @property
    def details(self) -> str:
        """The traceback, where the exhibit failed."""
        self._refresh()
        return self._error.partition("\n")[2]

    @property
    def trouble(self) -> str:
        """Why it does not come to its turn, where that is not the runs before it."""
        return self._jobs.trouble if self.ours and self.waiting else ""

    @property
    def elapsed(self) -> float:
        """Seconds of work so far."""
        self._refresh()
        if self._started is None:
            return 0.0
        return ((self._ended or datetime.now(UTC)) - self._started).total_seconds()

    @property
    def expected(self) -> float | None:
        """Seconds that it will have taken, as far as its progress tells."""
        elapsed = self.elapsed
        if self._state in ENDED:
            return elapsed
        return elapsed * self._of / self._step if self._step and self._of else None

    @property
    def frames(self) -> list[Frame]:
        """All frames so far.

        Raises:
            InputError: the run was deleted, or is damaged.
        """
        over = not self.running
        with self._lock:
            if not self._complete:
                self._reel.more()
                self._complete = over
            return list(self._reel.frames)

    def trace(self) -> Trace:
        """All there is of it so far."""
        return Trace(self.key, self.params, tuple(self.frames))

    def __iter__(self) -> Iterator[Frame]:
        seen = 0
        while True:
            over = not self.running
            frames = self.frames
            yield from frames[seen:]
            seen = len(frames)
            if over:
                return
            self._news.wait(_LOOK)
            self._news.clear()

    # What is done with it

    def wait(self, timeout: float | None = None) -> Job:
        """Returns it once it is over.

        Raises:
            TimeoutError: it is not, after so many seconds.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while self.running:
            if end is not None and time.monotonic() > end:
                raise TimeoutError(f"run {self.id} is {self._state} after {timeout:g} s")
            self._over.wait(_LOOK)
        return self

    def look(self) -> None:
        """Says that somebody is watching."""
        self._looked = time.monotonic()

    def stop(self) -> None:
        """Ends it at its next frame, or in a few seconds in any case. What was seen of it stays."""
        self._jobs.stop(self)

    # For `Jobs`

    @property
    def left_alone(self) -> bool:
        return self.patience is not None and time.monotonic() - self._looked > self.patience

    def ask(self, state: State, why: str = "") -> None:
        """Notes how it is to end; who asks first is right."""
        self.asked = self.asked or (state, why, time.monotonic())

    def begin(self) -> None:
        """It is at work now."""
        self._state, self._started = "running", datetime.now(UTC)

    def keep(self, piece: Piece) -> None:
        """Notes one more frame; those of a run that is not stored stay here."""
        if not self.stored:
            self._kept.append(piece)
        _, self._step, self._of = piece
        self._news.set()

    def finish(self, state: State, error: str = "", numbers: Mapping[str, float] | None = None) -> None:
        """It is over."""
        self.numbers = dict(numbers or {})
        self._error, self._ended = error, datetime.now(UTC)
        self._state = state
        self._over.set()
        self._news.set()

    def take_over(self, record: Record) -> None:
        """It is as the store says."""
        self._step, self._of = record.step, record.of
        self._started, self._ended = record.started, record.ended
        self._error, self.numbers = record.error, dict(record.numbers)
        self._state = record.state
        if record.over:
            self._over.set()
            self._news.set()

    def _refresh(self) -> None:
        """Another server's run is as the store says."""
        now = time.monotonic()
        if self.ours or self._state in ENDED or now - self._asked_store < _FRESH:
            return
        self._asked_store = now
        try:
            self.take_over(self._jobs.store.get(self.id))
        except InputError as error:  # somebody deleted it
            self.finish("lost", str(error))

    def _pieces(self, after: int) -> list[bytes]:
        return [piece for piece, _, _ in self._kept[after:]]
