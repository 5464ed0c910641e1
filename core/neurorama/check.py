"""The contract of an exhibit as a program: `faults` says in plain sentences what is not right yet."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from itertools import islice, pairwise
from typing import Any, Literal, get_args, get_origin

import numpy as np
from pydantic.fields import FieldInfo

from . import __all__ as public
from . import catalogue, places
from .errors import InputError
from .exhibit import Exhibit
from .paper import Params
from .runner import frames
from .trace import Frame, Trace, Value, split

MOST_LINES = 150
FEW_FRAMES = 3
BREAKS = "where it breaks"
VALUE_TYPES = get_args(Value)

_DRAWING = {"anywidget", "bokeh", "ipywidgets", "IPython", "matplotlib", "plotly", "seaborn", "streamlit"}
_OUTSIDE = {"dask", "distributed", "sqlalchemy", "typer", "rich"}
_OPEN = {name for name in public if name[0].isupper()} | {"data", "descend", "kernels"}


def faults(key: str | Exhibit[Any], whole: bool = False) -> list[str]:
    """What is wrong with an exhibit; an empty list means that it keeps the contract.

    Args:
        key: `area/slug`, a slug, or an exhibit that is being written (then its file is not looked at).
        whole: runs all frames of the default run instead of three, and measures the claim's margin.

    Raises:
        InputError: no such paper, or one that is only planned.
    """
    if isinstance(key, Exhibit):
        return [*_card(key), *_run(key, key, whole)]
    row = catalogue.row(key)
    if not row.built:
        catalogue.load(key)  # says that it is planned
    found = list(_file(row))
    try:
        exhibit = catalogue.load(row.key)
    except Exception as error:
        return [*found, f"importing it fails: {_told(error)}"]
    if not isinstance(exhibit, Exhibit):
        return [*found, f"EXHIBIT is a {type(exhibit).__name__}, not an Exhibit"]
    if exhibit.fidelity != row.fidelity:
        found.append(f"fidelity is {exhibit.fidelity!r}, the catalogue says {row.fidelity!r}")
    return [*found, *_card(exhibit), *_run(row.key, exhibit, whole), *_checkout(row)]


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _file(row: catalogue.Row) -> Iterator[str]:
    """The file as text: its docstring, PAPER, imports and length."""
    text = row.path.read_text(encoding="utf-8")
    lines = len(text.splitlines())
    if lines > MOST_LINES:
        yield f"the file has {lines} lines, {MOST_LINES} is the most; a kernel or a part of the arena hides in it"
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        yield f"the file is not Python: {error.msg} in line {error.lineno}"
        return
    told = ast.get_docstring(tree) or ""
    if not told:
        yield "the file has no docstring; it is the text of the page"
    elif told.count("$$") < 2:
        yield "the docstring has no equation between $$ and $$"
    if not any(paragraph.startswith("Left out:") for paragraph in told.split("\n\n")):
        yield 'the docstring has no paragraph that starts with "Left out:"'
    try:
        paper = catalogue.paper(row.key)
    except InputError as error:
        yield str(error)
    else:
        for name in ("id", "title", "name"):
            if getattr(paper, name) != getattr(row, name):
                yield f"PAPER has {name}={getattr(paper, name)!r}, the catalogue {getattr(row, name)!r}"
    yield from imports(tree)


# What may be taken by a relative import: by an exhibit, by an area's `arena.py`, by a file of an `arena` folder.
_NEAR = {"exhibit": r"\.arena", "arena": r"\.\.\w+\.arena", "part": r"\.\w+|\.\.\.\w+\.arena"}


def imports(tree: ast.Module, of: Literal["exhibit", "arena", "part"] = "exhibit") -> Iterator[str]:
    """The imports by which an exhibit reaches where it must not, or an arena, or a part of one that is a folder.

    An exhibit takes from its own area's arena, an arena also from that of another area.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            stem = "." * node.level + (node.module or "")
            each = {"neurorama": "neurorama.", ".": "."}.get(stem)  # what is imported are modules or public names
            names = [stem] if each is None else [each + alias.name for alias in node.names]
        else:
            continue
        for name in dict.fromkeys(names):
            top, _, rest = name.partition(".")
            if name.startswith("."):
                if not re.fullmatch(rf"({_NEAR[of]})(\.\w+)*", name):
                    yield f"line {node.lineno} imports {name}; of its own area an exhibit takes only `.arena`"
            elif top == "neurorama" and rest.partition(".")[0] not in _OPEN:
                yield f"line {node.lineno} imports {name}; an exhibit takes public names, kernels and data only"
            elif top in _DRAWING:
                yield f"line {node.lineno} imports {top}; no exhibit draws, the type of a value does"
            elif top in _OUTSIDE:
                yield f"line {node.lineno} imports {top}; that is not an exhibit's business"


def _card(exhibit: Exhibit[Any]) -> Iterator[str]:
    """The index card: knobs, arms, views, presets, claim."""
    for name, knob in exhibit.params.model_fields.items():
        yield from _knob(name, knob)
    defaults = _parsed(exhibit, {}, "the default knobs")
    if isinstance(defaults, str):
        yield defaults
    if len(set(exhibit.arms)) < 2:
        yield "arms need a method and a baseline beside it"
    if not exhibit.views:
        yield "there are no views: nothing would be drawn"
    for series, caption in exhibit.views.items():
        if not caption.strip():
            yield f"the view {series!r} has no caption"
    if BREAKS not in exhibit.presets:
        yield f'no preset is called "{BREAKS}"'
    for name, preset in exhibit.presets.items():
        if not preset.says.strip():
            yield f"the preset {name!r} has no sentence that says what to see"
        parsed = _parsed(exhibit, preset.knobs, f"the preset {name!r}")
        if isinstance(parsed, str):
            yield parsed
    control = _parsed(exhibit, exhibit.claim.control, "the claim's control")
    if isinstance(control, str):
        yield control
    elif control == defaults:
        yield "the claim's control is the default run; it must switch the mechanism off"
    for name in ("statement", "unit"):
        if not getattr(exhibit.claim, name).strip():
            yield f"the claim has no {name}"
    yield from _common(exhibit)
    if exhibit.claim.seeds < 5:
        yield f"the claim is judged over {exhibit.claim.seeds} seeds; 5 is the least"
    if not exhibit.departs.strip():
        yield "departs does not say what the miniature leaves out"


def _knob(name: str, knob: FieldInfo) -> Iterator[str]:
    if not knob.description:
        yield f"the knob {name!r} has no description"
    kind = knob.annotation
    if kind is bool or get_origin(kind) is Literal:
        return
    if kind in {int, float}:
        for bound in ("ge", "le"):
            if not any(hasattr(rule, bound) for rule in knob.metadata):
                yield f"the knob {name!r} has no {bound}=... bound"
    elif not (kind is str and isinstance(knob.json_schema_extra, dict) and "sources" in knob.json_schema_extra):
        yield f"the knob {name!r} is a {kind}; a knob is int, float, bool, Literal[...] or an arena's source"


def _common(exhibit: Exhibit[Any]) -> Iterator[str]:
    """A league must be able to hand over each of its common knobs at both ends of its range."""
    if exhibit.entry is None:
        return
    for name, bounds in exhibit.entry.arena.knobs.model_json_schema()["properties"].items():
        own = exhibit.entry.takes.get(name, name)
        if own in exhibit.params.model_fields:
            for end in {bounds[end] for end in ("minimum", "maximum") if end in bounds}:
                parsed = _parsed(exhibit, {own: end}, f"the common knob {name!r} of its arena")
                if isinstance(parsed, str):
                    yield parsed


def _parsed(exhibit: Exhibit[Any], knobs: Mapping[str, Any], what: str) -> Params | str:
    """The knobs with the defaults around them, or the fault."""
    try:
        return exhibit.params.parse({**exhibit.params().model_dump(), **knobs})
    except (InputError, ValueError) as error:
        return f"{what}: {str(error).splitlines()[0]}"


def _run(key: str | Exhibit[Any], exhibit: Exhibit[Any], whole: bool) -> Iterator[str]:
    """What the default run yields."""
    seen: list[Frame] = []
    again: list[Frame] = []
    for record in (seen, again):
        try:
            for frame in islice(frames(key), None if whole else FEW_FRAMES):
                record.append(frame)
        except Exception as error:
            yield f"the run fails after {len(record)} frames: {_told(error)}"
            return
    if not seen:
        yield "the run has no frames"
        return
    if not alike([frame.values for frame in seen], [frame.values for frame in again]):
        yield "the same seed gives another trace"
    steps = [frame.step for frame in seen]
    if any(after <= before for before, after in pairwise(steps)):
        yield f"steps must rise, these do not: {steps[:10]}"
    if len({frame.of for frame in seen}) > 1:
        yield "`of`, the number of steps, changes within the run"
    if any(not 0 <= frame.step <= frame.of for frame in seen):
        yield "a step lies outside 0..of"
    yield from _values(exhibit, seen)
    import torch

    if torch.get_num_threads() != 1:
        yield "the run changes the number of torch threads; a run has one"
    if whole:
        yield from _ending(key, exhibit, seen)


def _values(exhibit: Exhibit[Any], seen: Iterable[Frame]) -> Iterator[str]:
    types: dict[str, type] = {}
    told: set[str] = set()

    def once(fault: str) -> Iterator[str]:
        if fault not in told:
            told.add(fault)
            yield fault

    for frame in seen:
        for name, value in frame.values.items():
            series, arm = split(name)
            kind = float if isinstance(value, int) and not isinstance(value, bool) else type(value)
            if kind not in VALUE_TYPES:
                yield from once(f"{name!r} is a {kind.__name__}, which is no value type")
            elif not finite(value):
                yield from once(f"{name!r} holds a number that is not finite")
            if types.setdefault(series, kind) is not kind:
                yield from once(f"{series!r} is a {types[series].__name__} here and a {kind.__name__} there")
            if series not in exhibit.views:
                yield from once(f"{series!r} has no caption in views")
            if arm and arm not in exhibit.arms:
                yield from once(f"{name!r} names an arm that is not in arms: {', '.join(exhibit.arms)}")


def _ending(key: str | Exhibit[Any], exhibit: Exhibit[Any], seen: list[Frame]) -> Iterator[str]:
    """What only the whole run can tell."""
    name = key if isinstance(key, str) else key.paper.name
    trace = Trace(name, exhibit.params().model_dump(), tuple(seen))
    shown = {split(value) for value in trace.names()}
    for series in exhibit.views:
        if series not in {shown_series for shown_series, _ in shown}:
            yield f"the view {series!r} is never seen"
    for arm in exhibit.arms:
        if arm not in {shown_arm for _, shown_arm in shown}:
            yield f"the arm {arm!r} is never seen"
    try:
        margin = float(exhibit.claim.margin(trace))
    except Exception as error:
        yield f"the claim's margin cannot be measured: {_told(error)}"
        return
    if not math.isfinite(margin):
        yield f"the claim's margin is {margin}"


def _checkout(row: catalogue.Row) -> Iterator[str]:
    """What a checkout must have beside the file."""
    root = places.root()
    if root is None:
        return
    from .verdicts import read_verdicts

    test = root / "tests" / "exhibits" / row.area / f"test_{row.slug}.py"
    if not test.is_file():
        yield f"there is no {test.relative_to(root)}, which holds the mechanism against something independent"
    verdict = read_verdicts().get(row.key)
    if verdict is None:
        yield f"its claim has not been judged: `neurorama judge {row.key}`"
    elif verdict.control.outcome == "supported":
        yield "its claim comes out supported with the mechanism off, so it says nothing about the mechanism"


def alike(one: Any, other: Any) -> bool:
    """Whether two values, or containers of them, are the same in every part."""
    if type(one) is not type(other):
        return False
    if is_dataclass(one):
        return all(alike(getattr(one, part.name), getattr(other, part.name)) for part in fields(one))
    if isinstance(one, np.ndarray):
        return one.shape == other.shape and one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, Mapping):
        return list(one) == list(other) and all(alike(one[name], other[name]) for name in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(alike(*pair) for pair in zip(one, other))
    return one == other


def finite(value: Any) -> bool:
    """Whether every number in `value` is finite."""
    if is_dataclass(value):
        return all(finite(getattr(value, part.name)) for part in fields(value))
    if isinstance(value, np.ndarray):
        return bool(np.isfinite(value).all())
    return not isinstance(value, float) or math.isfinite(value)
