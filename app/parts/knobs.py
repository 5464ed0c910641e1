"""Widgets from the fields of a Params class. The address holds the state; the widgets only show and change it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Literal, get_args, get_origin

import streamlit as st
from pydantic.fields import FieldInfo

from neurorama import Arena, Exhibit, Params, data

from . import address, marks
from .words import label, plain

Subject = Mapping[str, str]  # what the address is about: {"exhibit": KEY} or {"arena": NAME}

BREAKS = "where it breaks"
_MOST_STEPS = 400  # a slider with more positions than this cannot be hit; numbers are typed then


@cache
def of_league(ring: Arena[Any, Any]) -> type[Params]:
    """What a league of this arena can be run with, as knobs; one class for each arena, so that values compare."""
    return ring.settings()


def groups(params: type[Params]) -> tuple[list[str], list[str]]:
    """(knobs, switches): booleans take the mechanism apart, everything else but the seed is a knob."""
    names = [name for name in params.model_fields if name != "seed"]
    switches = [name for name in names if params.model_fields[name].annotation is bool]
    return [name for name in names if name not in switches], switches


def panel(subject: Subject, exhibit: Exhibit[Any], now: Params, own: Sequence[str]) -> None:
    """The column of knobs: *Knobs*, *Take it apart*, *Settings to see*; `own` are the user's graphs."""
    knobs, switches = groups(exhibit.params)
    marks.group("Knobs")
    for name in [*knobs, "seed"]:
        widget(subject, now, name, own)
    if switches:
        marks.group("Take it apart")
        for name in switches:
            widget(subject, now, name, own)
    marks.group("Settings to see")
    if now != exhibit.params():
        st.button(
            "All as they were",
            key="preset-defaults",
            on_click=_preset,
            args=(subject, exhibit.params()),
            width="stretch",
        )
    for number, (name, preset) in enumerate(exhibit.presets.items()):
        wanted = exhibit.params.parse({"seed": now.seed, **preset.knobs})
        st.button(
            f"**{plain(name[0].upper() + name[1:])}**  \n:small[{plain(preset.says)}]",
            key="preset-breaks" if name == BREAKS else f"preset-{number}",
            icon=":material/warning:" if name == BREAKS else None,
            on_click=_preset,
            args=(subject, wanted),
            disabled=now == wanted,
            width="stretch",
        )


def _preset(subject: Subject, wanted: Params) -> None:
    st.query_params.from_dict(address.write(subject, wanted))
    st.session_state["wanted"] = "once"


def _changed(subject: Subject, now: Params, name: str) -> None:
    value = st.session_state[_slot(subject, name)]
    if value is not None:  # an emptied number stays what it was
        st.query_params.from_dict(address.write(subject, type(now).parse({**now.model_dump(), name: value})))


def _slot(subject: Subject, name: str) -> str:
    return f"{'/'.join(subject.values())}:{name}"


def widget(subject: Subject, now: Params, name: str, own: Sequence[str]) -> None:
    """The widget of one knob, showing `now`; a change goes into the address of `subject`."""
    field = type(now).model_fields[name]
    slot = _slot(subject, name)
    st.session_state[slot] = getattr(now, name)
    common: dict[str, Any] = {"key": slot, "on_change": _changed, "args": (subject, now, name)}
    title = f"**{label(name)}**"
    says = field.description or ""
    extra = field.json_schema_extra
    if field.annotation is bool:
        on, _, off = says.partition("; off: ")
        st.toggle(f"{title}  \n:small[:gray[{plain(on)}]]", help=off and f"Off: {plain(off)}", **common)
    elif isinstance(extra, dict) and "sources" in extra:
        sources = [*extra["sources"], *(own if extra["own"] else ())]  # type: ignore[misc]
        if st.session_state[slot] not in sources:  # a graph of the user's that is gone: the run will say so
            sources.append(st.session_state[slot])
        st.selectbox("**data**", sources, help=plain(says), format_func=_source, **common)
        if told := _told(getattr(now, name)):
            st.caption(plain(told))
    elif get_origin(field.annotation) is Literal:
        options = get_args(field.annotation)
        if len(options) <= 4:
            st.segmented_control(title, options, required=True, help=plain(says), format_func=_option, **common)
        else:
            st.selectbox(title, options, help=plain(says), format_func=_option, **common)
    else:
        _number(title, field, bounds(type(now), name), {**common, "help": plain(says)})


def _number(title: str, field: FieldInfo, limits: tuple[float, float], common: dict[str, Any]) -> None:
    low, high = limits
    if field.annotation is int:
        step, form, slides = 1, "%d", high - low <= _MOST_STEPS
        low, high = int(low), int(high)
    else:
        step, form = grid(low, high), "%.4g"
        slides = abs(field.default / step - round(field.default / step)) < 1e-6
        low, high = float(low), float(high)
    if slides:
        st.slider(title, low, high, step=step, format=form, **common)
    else:
        st.number_input(title, low, high, step=step, format=form, **common)


@cache
def bounds(params: type[Params], name: str) -> tuple[float, float]:
    """The smallest and the largest value of a number."""
    schema = params.model_json_schema()["properties"][name]
    low, high = (schema.get(f"{end}imum", schema.get(f"exclusive{end.title()}imum")) for end in ("min", "max"))
    if "exclusiveMinimum" in schema:
        low += grid(low, high)
    if "exclusiveMaximum" in schema:
        high -= grid(low, high)
    return low, high


def grid(low: float, high: float) -> float:
    """A round step that divides [low, high] into 50 to 125 parts."""
    raw = (high - low) / 100
    scale = 10.0 ** math.floor(math.log10(raw))
    return next(nice * scale for nice in (1.0, 2.0, 5.0, 10.0) if nice * scale >= raw * 0.999)


def _source(name: str) -> str:
    return f"{name.removeprefix('mine/')} (yours)" if name.startswith("mine/") else name


def _told(name: str) -> str:
    """What a source is, and what is missing for it."""
    found = next((source for source in data.sources() if source.name == name), None)
    if found is None:  # made by the arena itself, or a graph of the visitor's that is gone
        return "This graph is not here any more." if name.startswith("mine/") else ""
    return found.title if found.available else f"{found.title}: {found.note}"


def _option(option: object) -> str:
    return str(option).replace("_", " ")
