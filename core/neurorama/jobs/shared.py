"""The jobs of this process: one cluster and one store for whoever asks."""

from __future__ import annotations

import atexit
import threading
from typing import TYPE_CHECKING

from .desk import Jobs
from .job import Job

if TYPE_CHECKING:
    from ..runner import Knobs

_HERE: list[Jobs] = []
_ONE_AT_A_TIME = threading.Lock()


def jobs() -> Jobs:
    """The jobs of this process, with the store and the settings of its environment.

    Raises:
        InputError: a setting is wrong, or the store cannot be opened.
    """
    with _ONE_AT_A_TIME:
        if not _HERE:
            _HERE.append(Jobs())
            atexit.register(_HERE[0].close)
        return _HERE[0]


def submit(key: str, knobs: Knobs = None, again: bool = False) -> Job:
    """Starts a run in a side process; the same run where the store has it, unless it is to be made `again`.

    Raises:
        InputError: unknown key or a bad knob, or too many runs wait already.
    """
    return jobs().submit(key, knobs, again=again)
