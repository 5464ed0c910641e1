"""Running an exhibit, judging its claim, and the league of an arena."""

from __future__ import annotations

import inspect
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from . import catalogue, device
from .errors import InputError, nearest
from .exhibit import Exhibit
from .paper import Params
from .trace import Curve, Frame, Run, Trace, split

if TYPE_CHECKING:
    from .arena import Arena
    from .exhibit import Entry

Key = str | Exhibit[Any]  # `area/slug`, a slug, or an exhibit that is being written
Knobs = Params | Mapping[str, Any] | None

_ONE_AT_A_TIME = threading.Lock()  # torch's random stream belongs to the process; runs in threads take turns with it


class _Stream:
    """A random stream of its own for one run on one device, put in place only while that run takes a step."""

    def __init__(self, seed: int, where: str) -> None:
        import torch

        torch.set_num_threads(1)  # small runs are up to 8 times slower with a thread per core
        self._where = where
        with _ONE_AT_A_TIME:
            outside = device.random_state(where)
            torch.manual_seed(seed)
            self._inside = device.random_state(where)
            device.set_random_state(where, outside)

    @contextmanager
    def here(self) -> Iterator[None]:
        with _ONE_AT_A_TIME:
            outside = device.random_state(self._where)
            device.set_random_state(self._where, self._inside)
            try:
                with device.on(self._where):
                    yield
            finally:
                self._inside = device.random_state(self._where)
                device.set_random_state(self._where, outside)


def isolated(seed: int, start: Callable[[], Run], where: str = "") -> Run:
    """The frames of `start()`, each made with this run's own random stream: same seed, same trace.

    `where` is the device; `NEURORAMA_DEVICE` or the CPU otherwise.
    """
    stream = _Stream(seed, device.chosen(where))
    frames: Run | None = None
    while True:
        with stream.here():
            if frames is None:
                frames = start()
            frame = next(frames, None)
        if frame is None:
            return
        yield frame


def knobs_of(exhibit: Exhibit[Any], params: Knobs) -> Params:
    """Validated knobs of `exhibit`; nothing given means its defaults.

    Raises:
        InputError: a knob that does not exist, or a value out of bounds.
    """
    if isinstance(params, Params):
        if isinstance(params, exhibit.params):
            return params
        params = params.model_dump()
    loose = dict(params or {})
    return exhibit.params.parse(loose)


def _find(key: Key) -> tuple[str, Exhibit[Any]]:
    if isinstance(key, Exhibit):
        return key.paper.name, key
    return catalogue.resolve(key), catalogue.load(key)


def frames(key: Key, params: Knobs = None, where: str = "") -> Run:
    """The run of an exhibit, frame by frame, lazily: take the next one, pause, or leave.

    `where` is the device; `NEURORAMA_DEVICE` or the CPU otherwise.
    """
    _, exhibit = _find(key)
    knobs = knobs_of(exhibit, params)
    return isolated(knobs.seed, lambda: exhibit.run(knobs), where)


def run(key: Key, params: Knobs = None, watch: Callable[[Frame], bool | None] | None = None) -> Trace:
    """Runs an exhibit and records it.

    Args:
        key: `area/slug`, or a slug, or an exhibit that is being written.
        params: knobs, as the exhibit's Params or a mapping; defaults otherwise.
        watch: called with each frame as it comes; `False` stops the run there.

    Raises:
        InputError: unknown key or a bad knob.
    """
    name, exhibit = _find(key)
    knobs = knobs_of(exhibit, params)
    seen: list[Frame] = []
    for frame in frames(key, knobs):
        seen.append(frame)
        if watch is not None and watch(frame) is False:
            break
    return Trace(name, knobs.model_dump(), tuple(seen))


Outcome = Literal["supported", "refuted", "undecided"]


class Interval(BaseModel):
    """Margins over seeds, their mean, its 95 % t-interval, and what follows from it."""

    model_config = ConfigDict(frozen=True)

    margins: tuple[float, ...]
    mean: float
    low: float
    high: float
    outcome: Outcome

    @classmethod
    def of(cls, margins: Sequence[float]) -> Interval:
        """Supported where the interval lies above zero, refuted where it lies below.

        Raises:
            ValueError: fewer than two margins, or one that is not a finite number.
        """
        from scipy.special import stdtrit  # the quantile of Student's t, without all of scipy.stats

        if len(margins) < 2:
            raise ValueError("an interval needs at least two seeds")
        if not all(math.isfinite(margin) for margin in margins):
            raise ValueError(f"a margin is not a finite number: {list(margins)}")
        n = len(margins)
        mean = math.fsum(margins) / n
        spread = math.sqrt(math.fsum((margin - mean) ** 2 for margin in margins) / (n - 1) / n)
        half = float(stdtrit(n - 1, 0.975)) * spread
        low, high = mean - half, mean + half
        outcome: Outcome = "supported" if low > 0 else "refuted" if high < 0 else "undecided"
        return cls(margins=tuple(margins), mean=mean, low=low, high=high, outcome=outcome)


class Verdict(BaseModel):
    """How a claim fared: `shown` at the knobs given, `control` with the mechanism switched off."""

    model_config = ConfigDict(frozen=True)

    exhibit: str
    params: dict[str, Any]
    shown: Interval
    control: Interval
    seconds: float  # of CPU time that one run takes
    version: str
    date: str  # ISO 8601, UTC

    @property
    def outcome(self) -> Outcome:
        return self.shown.outcome


def _margin(key: Key, knobs: Mapping[str, Any]) -> tuple[float, float]:
    """(margin, CPU seconds) of one run: the unit of work of a judgement."""
    start = time.process_time()  # the same on a busy machine
    trace = run(key, knobs)
    seconds = time.process_time() - start
    return float(_find(key)[1].claim.margin(trace)), seconds


def trials(key: Key, params: Knobs = None, seeds: int | None = None) -> list[dict[str, Any]]:
    """The knobs of all runs of a judgement: first as they are, then with the mechanism off, each for every seed."""
    _, exhibit = _find(key)
    base = knobs_of(exhibit, params).model_dump()
    count = exhibit.claim.seeds if seeds is None else seeds
    if count < 2:
        raise InputError(f"seeds={count}: an interval needs at least two")
    arms = (base, {**base, **exhibit.claim.control})
    return [exhibit.params.parse({**arm, "seed": seed}).model_dump() for arm in arms for seed in range(count)]


def verdict(key: Key, params: Knobs, results: Sequence[tuple[float, float]]) -> Verdict:
    """What follows from the (margin, seconds) of each of the `trials`, in their order.

    Raises:
        ValueError: a margin that is not finite.
    """
    from . import __version__

    half = len(results) // 2
    margins = [margin for margin, _ in results]
    name, exhibit = _find(key)
    knobs = knobs_of(exhibit, params).model_dump(exclude={"seed"})
    return Verdict(
        exhibit=name,
        params=knobs,
        shown=Interval.of(margins[:half]),
        control=Interval.of(margins[half:]),
        seconds=round(sorted(seconds for _, seconds in results[:half])[half // 2], 2),
        version=__version__,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def judge(
    key: Key,
    params: Knobs = None,
    seeds: int | None = None,
    watch: Callable[[int, int], bool | None] | None = None,
) -> Verdict:
    """Judges a claim over seeds 0, 1, 2, ... and again with its mechanism off.

    Args:
        watch: called with (runs done, runs in all); `False` gives up.

    Raises:
        InputError: unknown key or a bad knob.
        InterruptedError: `watch` gave up.
    """
    work = trials(key, params, seeds)
    results: list[tuple[float, float]] = []
    for knobs in work:
        results.append(_margin(key, knobs))
        if watch is not None and watch(len(results), len(work)) is False:
            raise InterruptedError(f"judging {key} was stopped after {len(results)} of {len(work)} runs")
    return verdict(key, params, results)


def league(
    arena: str,
    source: str = "",
    seed: int = 0,
    steps: int = 0,
    knobs: Mapping[str, Any] | None = None,
    only: Sequence[str] | None = None,
    where: str = "",
) -> Run:
    """The entries of one arena and its plain baselines, in lockstep on the same data and budget.

    Some 40 frames hold the score, the loss and the arena's look of each system, the CPU seconds that making and
    training it took (`seconds/NAME`), and the first one how many trainable numbers it has (`parameters/NAME`).

    Along a common knob, e.g. `{"along": "depth"}`, a frame is not a moment of training but a value of that knob: 1, 2,
    4, 8, ... as far as its bounds go, each with systems of its own, trained for the whole budget.

    Args:
        arena: `area/name`, e.g. `message_passing/nodes`.
        source: data by name; the arena's first one otherwise.
        steps: the budget; the arena's own otherwise.
        knobs: values for the arena's common knobs, e.g. `{"depth": 32}`, and `along`.
        only: names, slugs or keys of the entries that take part; all of them by default. The baselines always do.
        where: the device; `NEURORAMA_DEVICE` or the CPU otherwise.

    Raises:
        InputError: unknown arena, source, knob or entry, or a value out of bounds.
    """
    ring, keys = catalogue.arena(arena)
    asked = {name: value for name, value in (("source", source), ("steps", steps)) if value}
    settings = ring.settings().parse({"seed": seed, **asked, **(knobs or {})})
    chosen = keys if only is None else among(keys, only)
    run = _league if settings.model_dump()["along"] == "training" else _along
    return isolated(settings.seed, lambda: run(ring, chosen, settings.model_dump()), where)


def among(keys: Sequence[str], names: Sequence[str]) -> list[str]:
    """The entries that `names` mean, in their order."""
    known = {name: key for key in keys for name in (key, catalogue.row(key).slug, catalogue.row(key).name)}
    for name in names:
        if name not in known:
            raise InputError(f"no entry of this arena is called {name!r}; {nearest(name, known)}")
    return list(dict.fromkeys(known[name] for name in names))


def _league(ring: Arena[Any, Any], keys: Sequence[str], settings: Mapping[str, Any], looks: int = 40) -> Run:
    """A frame before training, and about `looks` in its course."""
    import torch

    seed, steps = settings["seed"], settings["steps"]
    data = ring.data(**_taken(ring.data, settings))
    systems = dict(ring.baselines(data, **_taken(ring.baselines, settings)))
    spent = dict.fromkeys(systems, 0.0)
    torch.optim.Adam([torch.zeros(1)])  # the first optimiser of a process imports for two seconds: nobody's training
    common = {name: value for name, value in settings.items() if name in ring.knobs.model_fields}
    for key in keys:
        exhibit = catalogue.load(key)
        assert exhibit.entry is not None
        own = {exhibit.entry.takes.get(name, name): value for name, value in common.items()}
        params = exhibit.params.parse({name: own[name] for name in own if name in exhibit.params.model_fields})
        torch.manual_seed(seed)
        begin = time.thread_time()
        systems[exhibit.paper.name] = exhibit.entry.build(params, data)
        spent[exhibit.paper.name] = time.thread_time() - begin
    sizes = {f"parameters/{name}": float(_size(system)) for name, system in systems.items()}
    torch.manual_seed(seed)  # however much was drawn to make them
    for frame in ring.meet(systems, data, steps, every=max(1, steps // looks), spent=spent):
        for name, system in systems.items():
            frame = frame.plus(ring.look(name, system, data))
        yield frame.plus(sizes) if frame.step == 0 else frame


def _along(ring: Arena[Any, Any], keys: Sequence[str], settings: Mapping[str, Any]) -> Run:
    """How a league ends, for each value of the knob `settings["along"]`."""
    knob = settings["along"]
    bounds = ring.knobs.model_json_schema()["properties"][knob]
    low, high = bounds["minimum"], bounds["maximum"]
    for value in sorted({min(max(2**k, low), high) for k in range(high.bit_length() + 1)}):
        first, last = _league(ring, keys, {**settings, knob: value}, looks=1)
        yield Frame(value, high, {**first.values, **last.values})  # the first one alone has the number of parameters


def solo(key: Key, source: str, params: Knobs = None, where: str = "") -> Run:
    """The entry of an exhibit alone in its arena, as a paper's table has it: trained, and scored after every step.

    Some 20 frames hold `validation`, the best score so far where a step is chosen; `best validation`, the held-out
    score at the first step that had it; and `last step`, the held-out score now.

    Args:
        source: data of the arena by name; where it comes with splits, the seed takes them in turn.
        params: the exhibit's knobs; `steps` among them is the budget.
        where: the device; `NEURORAMA_DEVICE` or the CPU otherwise.

    Raises:
        InputError: unknown key, source or knob; it enters no arena; its arena sets nothing apart to choose by.
    """
    name, exhibit = _find(key)
    entry = exhibit.entry
    if entry is None:
        raise InputError(f"{name} enters no arena, so that there is no table for it")
    knobs = knobs_of(exhibit, params)
    return isolated(knobs.seed, lambda: _solo(entry, source, knobs), where)


def _solo(entry: Entry[Any], source: str, knobs: Params) -> Run:
    ring, settings = entry.arena, knobs.model_dump()
    data = ring.data(source, knobs.seed)
    system, steps = entry.build(knobs, data), settings["steps"]
    best, test = -math.inf, math.nan
    for step, _ in enumerate(ring.train(system, data, steps), 1):
        validation, now = ring.scores(system, data)
        if validation > best:
            best, test = validation, now
        if step % max(1, steps // 20) == 0 or step == steps:
            yield Frame(step, steps, {"validation": best, "best validation": test, "last step": now})


def _taken(function: Callable[..., Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `settings` that `function` has a parameter for."""
    return {name: settings[name] for name in inspect.signature(function).parameters if name in settings}


def _size(system: Any) -> int:
    """How many numbers of a system are trained."""
    parameters = system.parameters() if hasattr(system, "parameters") else ()
    return sum(one.numel() for one in parameters if one.requires_grad)


def standings(frames: Iterable[Frame], metric: str) -> dict[str, dict[str, float | Curve]]:
    """How a league ended: system -> series -> its last number or curve; the best system first, its metric in front."""
    found: dict[str, dict[str, float | Curve]] = {}
    for frame in frames:
        for name, value in frame.values.items():
            series, arm = split(name)
            if arm and isinstance(value, int | float | Curve):
                found.setdefault(arm, {metric: math.nan})[series] = value
    return dict(sorted(found.items(), key=lambda item: -float(item[1][metric])))  # type: ignore[arg-type]
