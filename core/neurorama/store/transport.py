"""A run as one file, to keep or to give away. What comes from a file is checked before anything of it is stored."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from .. import codec
from ..errors import InputError, one_line
from ..trace import Frame, Trace
from .record import Identity, Record

MOST = 256 * 2**20  # bytes of a file
_KIND = "neurorama run"
_Text = Annotated[str, Field(max_length=400)]
_Time = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]


class _About(BaseModel):
    """What the file tells of a run beside its frames."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")

    kind: Literal["neurorama run"]
    state: Literal["done", "stopped", "failed", "lost"]
    source: _Text
    code: _Text
    device: _Text
    name: _Text
    error: Annotated[str, Field(max_length=100_000)]
    created: _Time
    started: _Time | None
    ended: _Time | None
    numbers: dict[_Text, float]


class _Params(BaseModel):
    """The knobs: plain values."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, bool | int | FiniteFloat | _Text]

    seed: int = Field(ge=0, le=2**31 - 1)


def pack(record: Record, frames: list[Frame]) -> bytes:
    """A run as a file; one that still goes on counts as stopped where it is."""
    about = _About(
        kind=_KIND,
        state=record.state if record.over else "stopped",  # type: ignore[arg-type]
        source=record.identity.source,
        code=record.identity.code,
        device=record.device,
        name=record.name,
        error=record.error,
        created=record.created,
        started=record.started,
        ended=record.ended or datetime.now(UTC),
        numbers=dict(record.numbers),
    )
    trace = Trace(record.key, record.params, tuple(frames))
    return codec.dump(trace, about.model_dump(mode="json"), compact=False)


def unpack(data: bytes) -> tuple[Record, list[Frame], list[bytes]]:
    """A run that `pack` wrote: what is known of it, its frames, and these as pieces for a store; its id is "".

    Raises:
        InputError: it is something else, damaged, or too large.
    """
    if len(data) > MOST:
        raise InputError(f"this file has {len(data) / 2**20:.0f} MB; a run has {MOST // 2**20} MB at most")
    trace, told = codec.load(data)
    try:
        about = _About.model_validate(told)
        knobs = _Params.model_validate(trace.params).model_dump()
    except ValidationError as error:
        raise InputError(f"this is not a run that was exported: {one_line(error)}") from None
    seed = knobs.pop("seed")
    facts: dict[str, Any] = about.model_dump(exclude={"kind", "source", "code"})
    record = Record(id="", identity=Identity(trace.exhibit[:200], knobs, seed, about.source, about.code), **facts)
    writer = codec.Writer()
    return record, list(trace.frames), [writer.write([frame]) for frame in trace.frames]
