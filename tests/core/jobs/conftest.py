"""Jobs with a store of their own; the side processes are the same for all tests of a process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from neurorama.jobs import Jobs, Settings


@pytest.fixture
def jobs(shelf: None) -> Iterator[Jobs]:
    with Jobs() as made:
        yield made


@pytest.fixture
def limited(shelf: None) -> Iterator[Callable[..., Jobs]]:
    """Jobs with other settings."""
    made: list[Jobs] = []

    def make(**settings: object) -> Jobs:
        made.append(Jobs(settings=Settings.of_environment().model_copy(update=settings)))
        return made[-1]

    yield make
    for one in made:
        one.close()


def until(true: Callable[[], object], seconds: float = 60) -> None:
    """Returns as soon as `true()`."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)


def cluster() -> psutil.Process:
    """The process that holds this process's own cluster."""
    return next(one for one in psutil.Process().children() if "neurorama.jobs.local" in one.cmdline())
