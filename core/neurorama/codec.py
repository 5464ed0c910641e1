"""Frames as bytes and back: arrays as safetensors, the rest as JSON, all compressed. Nothing in it is ever run.

A run's frames share most of their arrays (a graph's edges, true classes): an array is written once, where it first
comes, and every later frame refers to it by number. So a log of frames can be written and read piece by piece:

    writer = Writer(); reader = Reader()
    pieces = [writer.write([frame]) for frame in run]      # one row of a database each
    frames = [reader.read(piece) for piece in pieces]      # in the same order

`dump` and `load` are a whole trace as one such piece, with what should be known `about` it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as _load_arrays
from safetensors.numpy import save as _save_arrays

from .errors import InputError
from .trace import Bars, Curve, Events, Flow, Frame, Graph, Grid, Hist, Mask, Points, Trace, Value

Array = NDArray[Any]

MOST = 512 * 2**20  # bytes that a piece may unpack to
LEVEL = 3  # of compression while a run goes on; a recording that is kept takes the most there is
_HALF = 1e-2, 6e4  # where half precision loses no more than 0.05 % of the largest number
_TYPES = {kind.__name__: kind for kind in (Points, Grid, Graph, Mask, Bars, Events, Flow, Hist, Curve)}


class Arrays:
    """Arrays by number; the same content is kept once."""

    def __init__(self, compact: bool = False) -> None:
        self._compact = compact
        self._numbers: dict[bytes, str] = {}
        self.fresh: dict[str, Array] = {}  # those that nobody has taken yet

    def keep(self, array: Array) -> str:
        """The number of `array`, as text; integers take the fewest bytes that hold them.

        With `compact`, floats have half precision (an error of at most 0.05 % of the largest) where it holds them.
        """
        array = _small(array, self._compact)
        digest = hashlib.blake2b(str((array.dtype, array.shape)).encode() + array.tobytes(), digest_size=16).digest()
        number = self._numbers.get(digest)
        if number is None:
            number = self._numbers[digest] = str(len(self._numbers))
            self.fresh[number] = array
        return number

    def take(self) -> dict[str, Array]:
        """The arrays that are new since the last call."""
        fresh, self.fresh = self.fresh, {}
        return fresh


def _small(array: Array, compact: bool) -> Array:
    array = np.ascontiguousarray(array)
    if array.dtype.kind in "iu" and array.size:
        low, high = int(array.min()), int(array.max())
        fits = next(kind for kind in (np.int8, np.int16, np.int32, np.int64) if np.iinfo(kind).min <= low
                    and high <= np.iinfo(kind).max)  # fmt: skip
        return array.astype(fits)
    if array.dtype.kind == "f" and compact:
        largest = np.abs(array[np.isfinite(array)]).max(initial=0.0)
        return array.astype(np.float16 if largest == 0 or _HALF[0] < largest < _HALF[1] else np.float32)
    return array


class Writer:
    """Turns frames into pieces of bytes; with `compact`, arrays of floats lose what the eye cannot tell."""

    def __init__(self, compact: bool = False, level: int = LEVEL) -> None:
        self._arrays = Arrays(compact)
        self._level = level

    def write(self, frames: Iterable[Frame], about: Mapping[str, Any] | None = None) -> bytes:
        """One piece; `about` is JSON of the caller's own."""
        plain = [
            {"step": f.step, "of": f.of, "values": {name: self._plain(value) for name, value in f.values.items()}}
            for f in frames
        ]
        words = {"frames": json.dumps(plain, separators=(",", ":")), "about": json.dumps(dict(about or {}))}
        return zstandard.compress(_save_arrays(self._arrays.take(), metadata=words), self._level)

    def _plain(self, value: Value) -> Any:
        """A value as JSON: a number, or its type and fields with `{"@": number}` for arrays."""
        if not is_dataclass(value):
            number = float(value)
            return number if math.isfinite(number) else str(number)  # JSON has no word for infinity
        plain: dict[str, Any] = {"type": type(value).__name__}
        for part in fields(value):
            given = getattr(value, part.name)
            if isinstance(given, np.ndarray):
                plain[part.name] = {"@": self._arrays.keep(given)}
            elif is_dataclass(given):
                plain[part.name] = self._plain(given)  # type: ignore[arg-type]
            elif isinstance(given, list | tuple):
                plain[part.name] = [str(name) for name in given]
            elif given is not None:
                plain[part.name] = given.item() if isinstance(given, np.generic) else given
        return plain


class Reader:
    """Turns the pieces of one writer back into frames, in the order in which they were written."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._arrays: dict[str, Array] = {}
        self.about: dict[str, Any] = {}  # of the newest piece

    def read(self, piece: bytes) -> list[Frame]:
        """The frames of one piece.

        Raises:
            InputError: it is not a piece that `Writer` wrote, an earlier one is missing, or it is too large.
        """
        try:
            raw = unpacked(piece, self._most)
            self._arrays.update({number: _whole(array) for number, array in _load_arrays(raw).items()})
            words = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])["__metadata__"]
            self.about = json.loads(words["about"])
            return [
                Frame(
                    int(plain["step"]),
                    int(plain["of"]),
                    {str(name): self._value(value) for name, value in plain["values"].items()},
                )
                for plain in json.loads(words["frames"])
            ]
        except InputError:
            raise
        except (SafetensorError, zstandard.ZstdError, ValueError, TypeError, LookupError, AttributeError) as error:
            told = f"{type(error).__name__}: {error}".splitlines()[0]
            raise InputError(f"these are not recorded frames, or they are damaged ({told[:160]})") from None

    def _value(self, plain: Any) -> Value:
        if not isinstance(plain, Mapping):
            return float(plain)
        kind = _TYPES[plain["type"]]
        return kind(**{name: self._part(part) for name, part in plain.items() if name != "type"})

    def _part(self, part: Any) -> Any:
        if isinstance(part, Mapping):
            return self._arrays[part["@"]] if "@" in part else self._value(part)
        return tuple(part) if isinstance(part, list) else part


def _whole(array: Array) -> Array:
    """An array in the precision that values have, read-only, so that frames share it."""
    if array.dtype.kind == "i":
        array = array.astype(np.int64)
    elif array.dtype.kind == "f":
        array = array.astype(np.float32)
    else:
        array = array.copy()
    array.setflags(write=False)
    return array


def unpacked(data: bytes, most: int = MOST) -> bytes:
    """What zstandard packed, if it is no more than `most` bytes.

    Raises:
        InputError: it is more.
        zstandard.ZstdError: it is something else.
    """
    with zstandard.ZstdDecompressor().stream_reader(data) as stream:
        raw = stream.read(most + 1)
    if len(raw) > most:
        raise InputError(f"these frames unpack to more than {most // 2**20} MB")
    return raw


def dump(trace: Trace, about: Mapping[str, Any] | None = None, compact: bool = True) -> bytes:
    """A whole trace as one small piece; `about` is kept with it (version, date, ...)."""
    told = {**(about or {}), "exhibit": trace.exhibit, "params": dict(trace.params)}
    return Writer(compact, level=19).write(trace.frames, told)


def load(data: bytes, most: int = MOST) -> tuple[Trace, dict[str, Any]]:
    """The trace that `dump` wrote, and what was told about it.

    Raises:
        InputError: it is something else, damaged, or unpacks to more than `most` bytes.
    """
    reader = Reader(most)
    frames = reader.read(data)
    about = reader.about
    exhibit, params = about.pop("exhibit", None), about.pop("params", None)
    if not isinstance(exhibit, str) or not isinstance(params, dict):
        raise InputError("this is not a recorded trace: it does not say of which exhibit and with which knobs")
    return Trace(exhibit, params, tuple(frames)), about
