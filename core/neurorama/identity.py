"""Whether a run was made before: its knobs, a digest of its data, and a digest of the code."""

from __future__ import annotations

from .runner import Key, Knobs
from .store.record import Identity


def identify(key: Key, params: Knobs = None) -> Identity:
    """What makes this run the same as another.

    Raises:
        InputError: unknown key or a bad knob.
    """
    raise NotImplementedError
