"""Frames written and read back: our store in SQLite and PostgreSQL, beside TensorBoard's and MLflow's files.

All write the same values of the same made-up run, step by step: TensorBoard and MLflow take numbers one by one and
arrays as tensors and files. "At once" writers have each frame where another process can read it before the next one
comes; TensorBoard's usual writer keeps two minutes of them back. Nobody waits for the disk to confirm (PostgreSQL does
where its `fsync` is on, and then says so).
"""

from __future__ import annotations

import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from pydantic import BaseModel

from ..trace import Frame, Graph, Points, Value

CURVES = 12  # numbers of a frame
NODES, EDGES, WIDTH = 200, 800, 16  # of the graph and the representation of a frame that has both


class Kept(BaseModel):
    """How one writer did; `skipped` says why it did not, and then the figures are 0."""

    workload: str
    writer: str
    at_once: bool  # each frame can be read before the next one is written
    rate: float = 0.0  # frames written in a second, the last one readable
    ratio: float = 0.0  # SQLite's rate as a multiple of this one
    newest: float = 0.0  # seconds to read a frame that was just written, median; 0 where the writer holds it back
    whole: float = 0.0  # seconds to read the whole run back
    size: int = 0  # bytes of the run where it is kept; 0 where the database does not tell
    skipped: str = ""


@dataclass
class Log:
    """A run that is written: `write` a frame, `newest` reads it, `close` it, `whole` reads it all, `size` in bytes.

    `newest` and `whole` give the first curve's values, so that it is known to have been read.
    """

    write: Callable[[Frame], object]
    newest: Callable[[], float] | None
    close: Callable[[], object]
    whole: Callable[[], Sequence[float]]
    size: Callable[[], int]


def frames(count: int, arrays: bool) -> list[Frame]:
    """A run: curves, and with `arrays` a representation and a graph whose edges stay while its values change."""
    draw = np.random.default_rng(0)
    edges = draw.integers(0, NODES, (2, EDGES))
    edges.setflags(write=False)

    def one(step: int) -> Frame:
        values: dict[str, Value] = {f"curve/{name}": float(draw.normal()) for name in range(CURVES)}
        if arrays:
            values["x"] = Points(draw.normal(size=(NODES, WIDTH)))
            values["graph"] = Graph(edges, NODES, values=draw.normal(size=NODES))
        return Frame(step, count - 1, values)

    return [one(step) for step in range(count)]


def _arrays(frame: Frame) -> Mapping[str, Any]:
    """The arrays of a frame, for those who keep arrays and nothing else."""
    found: dict[str, Any] = {}
    for name, value in frame.values.items():
        if isinstance(value, Points):
            found[name] = value.x
        elif isinstance(value, Graph):
            found |= {f"{name}_edges": value.edges, f"{name}_values": value.values}
    return found


def _numbers(frame: Frame) -> Mapping[str, float]:
    return {name.replace("/", "_"): value for name, value in frame.values.items() if isinstance(value, float)}


# The writers


@contextmanager
def _ours(url: str) -> Iterator[Log]:
    from .. import codec
    from ..store import Identity, Store

    with Store(url) as store:
        run, writer = store.add(Identity("bench/store", {}, 0, "", "")).id, codec.Writer()
        store.start(run)
        reel = store.follow(run)
        yield Log(
            write=lambda frame: store.append(run, writer.write([frame]), frame.step, frame.of),
            newest=lambda: _first(reel.more()[-1]),
            close=lambda: store.end(run, "done"),
            whole=lambda: [_first(frame) for frame in store.frames(run)],
            size=lambda: store.get(run).size,
        )


def _first(frame: Frame) -> float:
    return float(frame.values["curve/0"])  # type: ignore[arg-type]


@contextmanager
def _sqlite(folder: Path) -> Iterator[Log]:
    with _ours(f"sqlite:///{folder}/runs.sqlite") as log:
        yield log


@contextmanager
def _postgres(folder: Path) -> Iterator[Log]:
    """In a database of its own on the server that `NEURORAMA_TEST_POSTGRES` names; it goes afterwards."""
    from sqlalchemy import create_engine, make_url, text

    server = os.environ["NEURORAMA_TEST_POSTGRES"]
    engine, name = create_engine(server, isolation_level="AUTOCOMMIT"), f"neurorama_bench_{os.getpid()}"
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        with _ours(make_url(server).set(database=name).render_as_string(hide_password=False)) as log:
            yield log
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        engine.dispose()


def _fsync() -> str:
    from sqlalchemy import create_engine, text

    engine = create_engine(os.environ["NEURORAMA_TEST_POSTGRES"])
    with engine.connect() as connection:
        found = connection.execute(text("SHOW fsync")).scalar_one()
    engine.dispose()
    return str(found)


@contextmanager
def _tensorboard(folder: Path, flush: bool) -> Iterator[Log]:
    import torch
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # type: ignore[import-not-found]
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(folder))
    reader = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})

    def write(frame: Frame) -> None:
        for name, value in _numbers(frame).items():
            writer.add_scalar(name, value, frame.step)
        for name, array in _arrays(frame).items():
            writer.add_tensor(name, torch.tensor(array), frame.step)
        if flush:
            writer.flush()

    def whole() -> list[float]:
        accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
        return [event.value for event in accumulator.Reload().Scalars("curve_0")]

    yield Log(
        write=write,
        newest=(lambda: reader.Reload().Scalars("curve_0")[-1].value) if flush else None,
        close=writer.close,
        whole=whole,
        size=lambda: _bytes(folder),
    )


@contextmanager
def _mlflow(folder: Path) -> Iterator[Log]:
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"  # it asks for consent
    from mlflow.entities import Metric  # type: ignore[import-not-found]
    from mlflow.tracking import MlflowClient  # type: ignore[import-not-found]

    client = MlflowClient(tracking_uri=folder.as_uri())
    run = client.create_run(client.create_experiment("bench")).info.run_id

    def write(frame: Frame) -> None:
        now = int(1000 * time.time())
        client.log_batch(run, metrics=[Metric(name, x, now, frame.step) for name, x in _numbers(frame).items()])
        if arrays := _arrays(frame):
            with tempfile.TemporaryDirectory() as scratch:
                file = Path(scratch) / f"{frame.step}.npz"
                np.savez_compressed(file, **arrays)
                client.log_artifact(run, str(file))

    def curve() -> list[float]:
        return [metric.value for metric in client.get_metric_history(run, "curve_0")]

    yield Log(
        write=write,
        newest=lambda: curve()[-1],
        close=lambda: client.set_terminated(run),
        whole=lambda: _mlflow_whole(client, run, folder) or curve(),
        size=lambda: _bytes(folder),
    )


def _mlflow_whole(client: Any, run: str, folder: Path) -> None:
    """Reads all curves and all arrays."""
    for name in range(1, CURVES):
        client.get_metric_history(run, f"curve_{name}")
    for file in folder.rglob("*.npz"):
        with np.load(file) as arrays:
            _ = [arrays[name] for name in arrays]


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


@dataclass(frozen=True)
class Writer:
    """One way to keep a run: its name, how it is opened in a folder, and what it needs."""

    name: str
    open: Callable[[Path], Any]
    at_once: bool = True
    needs: tuple[str, ...] = ()

    def missing(self) -> str:
        """Why it cannot take part, or ""."""
        if self.open is _postgres and "NEURORAMA_TEST_POSTGRES" not in os.environ:
            return "NEURORAMA_TEST_POSTGRES names no server"
        lacking = [name for name in self.needs if find_spec(name) is None]
        return f"{', '.join(lacking)} is not installed" if lacking else ""


WRITERS = (
    Writer("ours, SQLite", _sqlite),
    Writer("ours, PostgreSQL", _postgres, needs=("psycopg",)),
    Writer("TensorBoard, flushed", lambda folder: _tensorboard(folder, flush=True), needs=("tensorboard",)),
    Writer("TensorBoard, as usual", lambda folder: _tensorboard(folder, flush=False), False, ("tensorboard",)),
    Writer("MLflow, file store", _mlflow, needs=("mlflow",)),
)


def measure(quick: bool = False) -> list[Kept]:
    """All writers on both workloads, in turns, so that a busy machine is busy for all; medians of three turns.

    Raises:
        RuntimeError: a writer did not give back what was written.
    """
    count, turns = (5, 1) if quick else (150, 3)
    fit = [writer for writer in WRITERS if not writer.missing()]
    results = []
    for workload, arrays in ((f"{CURVES} curves", False), (f"{CURVES} curves, a graph, a representation", True)):
        run = frames(count, arrays)
        told: dict[str, list[dict[str, float]]] = {writer.name: [] for writer in fit}
        with _quiet():
            for writer in fit:
                _turn(writer, run[:2])  # so that libraries are loaded
            for writer in fit * turns:
                told[writer.name].append(_turn(writer, run))
        first = median(turn["rate"] for turn in told[WRITERS[0].name])
        results += [_kept(writer, workload, told.get(writer.name, []), first) for writer in WRITERS]
    return results


def _kept(writer: Writer, workload: str, turns: Sequence[Mapping[str, float]], first: float) -> Kept:
    """The medians of a writer's turns; `first` is the rate that it is compared with."""
    name = f"{writer.name} (fsync {_fsync()})" if turns and writer.open is _postgres else writer.name
    if not turns:
        return Kept(workload=workload, writer=name, at_once=writer.at_once, skipped=writer.missing())
    figures: dict[str, Any] = {what: median(turn[what] for turn in turns) for what in turns[0]}
    figures |= {"ratio": first / figures["rate"], "size": round(figures["size"])}
    return Kept(workload=workload, writer=name, at_once=writer.at_once, **figures)


def _turn(writer: Writer, run: list[Frame]) -> dict[str, float]:
    written = [_first(frame) for frame in run]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        with writer.open(Path(scratch) / "speed") as log:
            start = time.perf_counter()
            for frame in run:
                log.write(frame)
            log.close()
            seconds = time.perf_counter() - start
            start = time.perf_counter()
            read = log.whole()
            whole, size = time.perf_counter() - start, log.size()
        if not np.allclose(read, written, rtol=1e-6):  # TensorBoard keeps single precision
            raise RuntimeError(f"{writer.name} did not give back what was written")
        looks = []
        with writer.open(Path(scratch) / "latency") as log:
            for frame in run if log.newest else []:
                log.write(frame)
                start = time.perf_counter()
                newest = log.newest() if log.newest else 0.0
                looks.append(time.perf_counter() - start)
                if not np.isclose(newest, _first(frame), rtol=1e-6):
                    raise RuntimeError(f"{writer.name} did not show the newest frame")
            log.close()
    return {"rate": len(run) / seconds, "whole": whole, "size": size, "newest": median(looks) if looks else 0.0}


@contextmanager
def _quiet() -> Iterator[None]:
    """What peers have to say of themselves is no figure."""
    import logging

    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logging.disable(before)


def table(results: Sequence[Kept]) -> Any:
    """The results as a rich table."""
    from rich.table import Table

    out = Table(title="Frames written and read back, medians; × tells how much faster SQLite writes")
    for heading in ("run", "kept by", "frames a second", "×", "newest frame read in", "whole run read in", "size"):
        out.add_column(heading)
    for one in results:
        if one.skipped:
            out.add_row(one.workload, one.writer, f"skipped: {one.skipped}")
            continue
        newest = f"{1000 * one.newest:.2g} ms" if one.newest else "held back"
        whole, size = f"{1000 * one.whole:.3g} ms", f"{one.size / 1000:,.0f} kB"
        out.add_row(one.workload, one.writer, f"{one.rate:,.0f}", f"{one.ratio:.1f}", newest, whole, size)
    return out
