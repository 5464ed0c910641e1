"""A whole run as plain data: what the player in the browser needs to draw it at any step, without asking again.

A description is JSON in the shape of `schema.json`; long arrays are in a table beside it and named by
`{"@": number}`, long lists of words by `{"@": number, "words": [...]}`, a place in the list for each.
Whatever changes with time is a track: the distinct states of a thing, and which of them holds at each
step; so a player sees at once what stays the same. `pack` puts both parts into one blob of safetensors.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import save

from ..codec import Arrays
from .base import Array, Items, Renderer
from .theme import DARK, LIGHT

if TYPE_CHECKING:
    from .panes import Stage

SHORT = 8  # numbers of a list that is written into the JSON itself
MOMENTS = 24  # steps at which a picture is told in words; between them the last sentence holds
EXACT = 5e-4  # the share of an array's extent that half precision may cost

Track = dict[str, Any]  # {"states": [...], "at": [a state for each step]}; one state needs no "at"


class Describer:
    """Writes descriptions. Arrays that an earlier one gave away are named in a later one, but not given again."""

    def __init__(self) -> None:
        self._arrays = Arrays()

    def describe(self, stage: Stage, about: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The run of `stage` in the shape of `schema.json`; `about` is what else should be known of it."""
        names: dict[tuple[str, ...], int] = {}
        panes, rows = [], []
        for row in stage.plan:
            rows.append(list(range(len(panes), len(panes) + len(row))))
            panes += [self._pane(stage, *place, names) for place in row]
        return {
            "version": 1,
            "about": dict(about or {}),
            "time": {"name": stage.scene.time, "steps": list(stage.steps), "of": stage.of},
            "arms": list(stage.scene.arms),
            "themes": {theme.name: {**asdict(theme), "template": theme.template()} for theme in (LIGHT, DARK)},
            "rows": rows,
            "panes": panes,
            "names": [list(those) for those in names],
        }

    def pack(self, description: Mapping[str, Any]) -> bytes:
        """One blob: the arrays that are new, and the description as `stage` in the metadata."""
        words = json.dumps(description, separators=(",", ":"), allow_nan=False)
        return save(self._arrays.take(), metadata={"stage": words})

    def _pane(
        self, stage: Stage, series: str, arms: tuple[str, ...], wide: float, height: int, names: dict[Any, int]
    ) -> dict[str, Any]:
        made = stage.series[series]
        steps, starts = list(stage.steps), made.starts(arms)
        traces, layout = made.template(arms, LIGHT, height)
        figure = {"data": traces, "layout": layout}
        dark_traces, dark_layout = made.template(arms, DARK, height)
        dark = {"data": dark_traces, "layout": dark_layout}
        patches = list(zip(*(made.patches(arms, step) for step in steps), strict=True))
        return {
            "series": series,
            "arm": "" if made.joint else arms[0],
            "kind": stage.kind(series),
            "caption": stage.views[series],
            "wide": round(wide, 3),
            "height": height,
            "starts": starts,
            "figure": self._plain(figure),
            "dark": self._plain(_differs(figure, dark)),
            "traces": [self._track(states) for states in patches],
            "items": self._items(made, arms, steps, names),
            "notes": self._track(_told(steps, lambda step: made.note(arms, step))),
            "alts": self._track(_told(steps, lambda step: stage.alt(series, arms, step))),
        }

    def _items(
        self, made: Renderer, arms: tuple[str, ...], steps: Sequence[int], names: dict[Any, int]
    ) -> dict[str, Any] | None:
        """Who the marks are, and tracks of what is known of them."""
        every = [made.items(arms, step) for step in steps]
        some = next((one for one in reversed(every) if one is not None), None)
        if some is None:
            return None
        known = dict.fromkeys(name for one in every if one is not None for name in one.facts)
        facts = {name: self._track([_fact(one, name) for one in every]) for name in known}
        spelled = tuple(str(name) for name in some.names)
        place = names.setdefault(spelled, len(names)) if spelled else None
        links = self._track([None if one is None else one.links for one in every])
        return {"kind": some.kind, "names": place, "facts": facts, "links": links}

    def _track(self, values: Iterable[Any]) -> Track:
        places: dict[str, int] = {}
        states, at = [], []
        for value in values:
            plain = self._plain(value)
            key = json.dumps(plain, separators=(",", ":"))
            if key not in places:
                places[key] = len(states)
                states.append(plain)
            at.append(places[key])
        return {"states": states, "at": at} if len(states) > 1 else {"states": states}

    def _plain(self, value: Any) -> Any:
        """`value` as JSON, long arrays and lists by number."""
        if isinstance(value, Mapping):
            return {name: self._plain(part) for name, part in value.items()}
        if isinstance(value, np.ndarray):
            return self._numbers(value)
        if isinstance(value, list | tuple):
            if len(value) > SHORT and all(isinstance(part, str) for part in value):
                return self._words(value)
            if len(value) > SHORT and all(part is None or isinstance(part, int | float) for part in value):
                return self._numbers(np.array([math.nan if part is None else part for part in value]))
            return [self._plain(part) for part in value]
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, float):
            return float(f"{value:.6g}") if math.isfinite(value) else None
        return value

    def _numbers(self, array: Array) -> Any:
        if array.size <= SHORT and array.ndim == 1:
            return [self._plain(number) for number in array.tolist()]
        if array.dtype == bool:
            array = array.astype(np.uint8)
        return {"@": self._arrays.keep(_short(array) if array.dtype.kind == "f" else array)}

    def _words(self, words: Sequence[str]) -> dict[str, Any]:
        distinct = list(dict.fromkeys(words))
        place = {word: i for i, word in enumerate(distinct)}
        return {"words": distinct, "@": self._arrays.keep(np.array([place[word] for word in words]))}


def pack(stage: Stage, about: Mapping[str, Any] | None = None) -> bytes:
    """A whole run as one blob for the player."""
    describer = Describer()
    return describer.pack(describer.describe(stage, about))


def _told(steps: Sequence[int], says: Callable[[int], str]) -> list[str]:
    """What is said at some of the steps, evenly taken and the last among them, for all of them."""
    gap, last = -(-len(steps) // MOMENTS), len(steps) - 1
    said = {i: says(steps[i]) for i in {*range(0, len(steps), gap), last}}
    return [said.get(i) or said[i - i % gap] for i in range(len(steps))]


def _fact(items: Items | None, name: str) -> Any:
    return None if items is None or name not in items.facts else np.asarray(items.facts[name])


def _short(array: Array) -> Array:
    """In half precision where nobody can see it: as an axis or a scale of colours shows differences, it is
    the extent of the numbers that counts, not their size."""
    array = array.astype(np.float32)
    good = array[np.isfinite(array)]
    with np.errstate(over="ignore"):
        half = array.astype(np.float16)
    if not good.size:
        return half
    off = np.abs(half[np.isfinite(array)].astype(np.float32) - good).max()
    return half if off <= EXACT * (good.max() - good.min()) else array


def _differs(light: Any, dark: Any) -> Any:
    """What must be laid over `light` to get `dark`: parts of mappings, whole lists but for the list of traces."""
    if not isinstance(light, Mapping):
        return dark
    over = {}
    for name, value in dark.items():
        if name == "data":
            over[name] = [_differs(a, b) for a, b in zip(light[name], value, strict=True)]
        elif name not in light or repr(light[name]) != repr(value):
            over[name] = _differs(light.get(name), value)
    return over
