"""A store in each kind of database, and runs to put into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from neurorama import Frame, Graph, Points, codec
from neurorama.store import Identity, Record, Store

EDGES = np.random.default_rng(0).integers(0, 60, (2, 300))


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database that is not made yet."""
    return request.getfixturevalue("postgres") if request.param == "postgresql" else f"sqlite:///{tmp_path}/runs.sqlite"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store(url) as store:
        yield store


@pytest.fixture
def identity() -> Callable[..., Identity]:
    """An identity that differs from the usual one as told."""

    def make(key: str = "area/paper", seed: int = 0, source: str = "", code: str = "1", **knobs: object) -> Identity:
        return Identity(key, {"depth": 4, "rate": 0.1, "on": True, "kind": "soft", **knobs}, seed, source, code)

    return make


@pytest.fixture
def film() -> Callable[[int], list[Frame]]:
    """Frames that share their edges, as those of an exhibit do."""

    def make(count: int, seed: int = 0) -> list[Frame]:
        draw = np.random.default_rng(seed)

        def frame(step: int) -> Frame:
            graph = Graph(EDGES, 60, values=draw.normal(size=60))
            return Frame(
                step, count - 1, {"loss/A": 1 / (step + 3), "x": Points(draw.normal(size=(60, 3))), "g": graph}
            )

        return [frame(step) for step in range(count)]

    return make


@pytest.fixture
def made(
    store: Store, identity: Callable[..., Identity], film: Callable[..., list[Frame]]
) -> Callable[..., tuple[Record, list[Frame]]]:
    """A run that is done, and its frames."""

    def make(frames: int = 3, owner: str = "", name: str = "", state: str = "done", **told: object):
        record = store.add(identity(**told), owner=owner, name=name)
        shown, writer = film(frames), codec.Writer()
        store.start(record.id)
        for frame in shown:
            assert store.append(record.id, writer.write([frame]), frame.step, frame.of)
        return store.end(record.id, state, numbers={"margin": 0.5}), shown  # type: ignore[arg-type]

    return make
