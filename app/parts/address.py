"""State in the address: a link reopens the same exhibit with the same knobs and the same seed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin
from urllib.parse import urlencode

import streamlit as st

from neurorama import InputError, Params

from .words import plain


def read(params: type[Params], query: Mapping[str, str]) -> tuple[Params, list[str]]:
    """Knobs from an address; whatever is wrong in it is told in one line each, and stays at its default."""
    good: dict[str, Any] = {}
    complaints = []
    for name, text in query.items():
        try:
            good[name] = getattr(params.parse({name: value(params, name, text)}), name)
        except InputError as error:
            complaints.append(told(error, "The default is used instead."))
    try:
        return params.parse(good), complaints
    except InputError as error:
        return params(), [*complaints, told(error, "The defaults are used instead.")]


def told(error: object, then: str = "") -> str:
    """What is wrong in the address, and what is done about it, as whole sentences."""
    fault = str(error)
    return f"In the address: {fault}{'' if fault.endswith(('?', '.')) else '.'} {then}".strip()


def complain(error: object) -> None:
    """Shows in one line what is wrong in the address."""
    st.warning(plain(str(error)), icon=":material/link_off:")


def value(params: type[Params], name: str, written: str) -> Any:
    """The option of a choice that is written so, where there is one; else what is written, for the field to read."""
    field = params.model_fields.get(name)
    if field is not None and get_origin(field.annotation) is Literal:
        return next((option for option in get_args(field.annotation) if str(option) == written), written)
    return written


def write(subject: Mapping[str, str], params: Params) -> dict[str, str]:
    """The address of these knobs: `subject`, e.g. the exhibit, and the knobs that are not at their defaults."""
    knobs, defaults = params.model_dump(), type(params)().model_dump()
    return {**subject, **{name: text(value) for name, value in knobs.items() if value != defaults[name]}}


def one(key: str, params: Params) -> str:
    """An exhibit and its knobs as one part of an address: `KEY?knob=value&...`."""
    query = urlencode(write({}, params), safe="/")
    return f"{key}?{query}" if query else key


def text(value: Any) -> str:
    """A value of a knob as it is written in an address."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
