"""What a paper is, and the knobs that its exhibit turns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .errors import InputError, nearest, one_line

_FROZEN = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Paper(BaseModel):
    """A paper, as literals only, so that the catalogue reads it without importing the exhibit.

    A fact that no source was seen for stays empty (`""` or `0`); it is never guessed.
    """

    model_config = _FROZEN

    id: int
    title: str
    name: str
    authors: str = ""
    year: int = 0
    venue: str = ""
    url: str = ""


class Params(BaseModel):
    """The knobs of an exhibit: every field bounded and described.

    From the fields alone come the widgets of the dashboard, the flags of the command line and the
    cells of the notebook: `bool` takes a term of the mechanism away, `Literal` chooses,
    numbers slide between their bounds, and `source` (made by `Arena.choose`) names the data.
    """

    model_config = _FROZEN

    seed: int = Field(0, ge=0, le=2**31 - 1, description="same seed, same trace")

    @classmethod
    def parse(cls, knobs: Mapping[str, Any]) -> Self:
        """Validated knobs from loose values; strings are read as the field's type.

        Raises:
            InputError: names the knob, its value, what is allowed and the nearest right name.
        """
        for name in knobs:
            if name not in cls.model_fields:
                raise InputError(f"no knob is called {name!r}; {nearest(name, cls.model_fields)}")
        try:
            params = cls.model_validate(dict(knobs))
        except ValidationError as error:
            raise InputError(one_line(error)) from None
        for name, field in cls.model_fields.items():
            extra = field.json_schema_extra
            if isinstance(extra, dict) and "sources" in extra:
                check_source(getattr(params, name), extra["sources"], bool(extra["own"]))  # type: ignore[arg-type]
        return params


def check_source(source: str, sources: Iterable[str], own: bool) -> None:
    """Raises InputError unless `source` is one of `sources`, or a user's own graph where those are taken."""
    if source in sources or (own and source.startswith("mine/")):
        return
    raise InputError(f"source={source!r} is not data for this; {nearest(source, sources)}")
