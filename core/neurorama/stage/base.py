"""What every renderer has in common.

A renderer draws one series: all its arms, over the whole run. It is made once per trace and holds
what must not move (ranges, places, projections). A figure comes in two halves, so that a player can
send the first once and the second per step: `template`, the traces and layout that stay, and
`patches`, one mapping per trace with the arrays of one step. Figures are plain mappings in plotly's
schema: building them costs a hundredth of what validated objects cost.
"""

from __future__ import annotations

import html
import textwrap
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .theme import Theme, arm_style

Array = NDArray[Any]
Figure = dict[str, Any]  # {"data": [...], "layout": {...}}

LONGEST = 60  # characters of a name from data that are drawn
LEAST = 150  # pixels of height that a picture has at least
BAR = 60  # pixels that a colour bar takes
TITLE = 26  # characters of a line in the name of an axis


@dataclass(frozen=True)
class Scene:
    """What all series of a run share: the time axis from `start` to `end`, the place of each arm, and how what is
    wider than a plane is laid flat ("pca", "umap")."""

    time: str
    start: int
    end: int
    arms: tuple[str, ...]
    projection: str = "pca"

    def style(self, arm: str) -> tuple[str, str]:
        """(colour, dash) of an arm; a value without arm is drawn as the method."""
        return arm_style(self.arms.index(arm) if arm in self.arms else 0)


class Timeline:
    """The values of one arm of one series, by step."""

    def __init__(self, pairs: Sequence[tuple[int, Any]]) -> None:
        self.steps = [step for step, _ in pairs]
        self.values = [value for _, value in pairs]

    def at(self, step: int) -> Any:
        """The newest value at `step`, or None before the first."""
        place = bisect_right(self.steps, step)
        return self.values[place - 1] if place else None


@dataclass(frozen=True)
class Items:
    """What the marks of a picture stand for; the template says `"meta": "items"` in the traces that draw them.

    Args:
        kind: what they are ("nodes"): pictures of the same kind are linked, item by item.
        names: one for each, or () for numbers.
        facts: what is known of each at this step, (n,); booleans are said of those for which they hold.
        links: (2, m) pairs of items that belong together, or None.
    """

    kind: str
    names: Sequence[str] = ()
    facts: Mapping[str, Array] = field(default_factory=dict)
    links: Array | None = None


class Renderer(ABC):
    """Draws one series.

    Class variables:
        joint: all arms share one figure; otherwise each arm has its own, side by side.
        wide: the room a figure takes in a row, a curve being 1.
    """

    joint: ClassVar[bool] = False
    wide: ClassVar[float] = 1.0

    def __init__(self, series: str, lines: Mapping[str, Timeline], scene: Scene) -> None:
        self.series, self.lines, self.scene = series, lines, scene

    def every(self) -> Iterable[Any]:
        """All values of all arms."""
        return (value for line in self.lines.values() for value in line.values)

    @abstractmethod
    def template(self, arms: Sequence[str], theme: Theme, height: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """(traces, layout) without the data of any step."""

    @abstractmethod
    def patches(self, arms: Sequence[str], at: int) -> list[dict[str, Any]]:
        """For each trace of the template what it holds at step `at`; an empty mapping where nothing changes."""

    def note(self, arms: Sequence[str], at: int) -> str:
        """What must be said beside the picture: a limit in force, how far a projection can be trusted."""
        return ""

    def items(self, arms: Sequence[str], at: int) -> Items | None:
        """Who the marks are at step `at`; None where they are nobody."""
        return None

    @abstractmethod
    def says(self, arms: Sequence[str], at: int) -> str:
        """The picture in one sentence, without its step."""

    def figure(self, arms: Sequence[str], at: int, theme: Theme, height: int) -> Figure:
        """Both halves together."""
        traces, layout = self.template(arms, theme, height)
        layout = {"template": theme.template(), "height": height, "uirevision": True, **layout}
        return {"data": [_over(trace, patch) for trace, patch in zip(traces, self.patches(arms, at))], "layout": layout}

    def tall(self, arms: Sequence[str], width: float, most: int) -> int:
        """The height that the picture fills at this width, at most `most`: where shapes are fixed, no empty room."""
        return most

    def starts(self, arms: Sequence[str]) -> int:
        """The first step at which there is something to draw."""
        return min(self.lines[arm].steps[0] for arm in arms)


def _over(trace: dict[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    for name, value in patch.items():
        trace[name] = _over(dict(trace.get(name, {})), value) if isinstance(value, Mapping) else value
    return trace


def text(words: object) -> str:
    """`words` as plotly shows them: markup is shown, not obeyed; long names are cut."""
    plain = " ".join(str(words).split())
    return html.escape(plain if len(plain) <= LONGEST else plain[: LONGEST - 1] + "…", quote=False)


def number(value: float) -> str:
    """Three significant digits, without an exponent where a reader can do without: 0.123, 12.3, 12,346."""
    if not np.isfinite(value):
        return "not a number" if np.isnan(value) else "infinite"
    size = abs(value)
    if size >= 1e7 or 0 < size < 1e-4:
        return f"{value:.2e}"
    return f"{value:,.0f}" if size >= 1000 else f"{float(f'{value:.3g}'):g}"


def count(how_many: int, what: str) -> str:
    """`1 node`, `2,708 nodes`"""
    plural = what if how_many == 1 else what[:-1] + "ies" if what.endswith("ty") else what + "s"
    return f"{how_many:,} {plural}"


def listing(names: Sequence[str]) -> str:
    """`a, b and c`"""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else list(names))


def limits(arrays: Iterable[Any], pad: float = 0.05, zero: bool = False) -> list[float]:
    """[low, high] of all finite numbers. With room (`pad`) they are an axis: it starts at nought where that is near,
    and shares keep the scale from 0 to 1; `pad=0` gives the bare extremes. `zero` holds nought inside."""
    low, high = np.inf, -np.inf
    for array in arrays:
        array = np.asarray(array, np.float64)
        good = array[np.isfinite(array)]
        if good.size:
            low, high = min(low, float(good.min())), max(high, float(good.max()))
    if low > high:
        return [0.0, 1.0]
    if zero or (pad and 0 < low < 0.4 * high):
        low = min(low, 0.0)
    if zero:
        high = max(high, 0.0)
    if low == high:
        reach = abs(low) * 0.1 or 0.5
        return [low - reach, high + reach]
    if pad and low >= 0 and 0.5 < high <= 1:
        low, high = 0.0, 1.0
    room = (high - low) * pad
    return [low if low == 0 and zero else low - room, high + room]


def axis(title: str, span: Sequence[float] | None = None, **more: Any) -> dict[str, Any]:
    """An axis with its name, a long one in two lines; `span` fixes it for the whole run."""
    fixed = {"range": list(span), "autorange": False} if span is not None else {}
    lines = textwrap.wrap(text(title), TITLE, break_long_words=False, break_on_hyphens=False)
    return {"title": {"text": "<br>".join(lines)}, **fixed, **more}


def bar(unit: str, theme: Theme) -> dict[str, Any]:
    """A thin colour bar that names its unit."""
    return {
        "thickness": 10,
        "outlinewidth": 0,
        "nticks": 5,
        "tickfont": {"size": 11, "color": theme.soft},
        "title": {"text": text(unit), "side": "right", "font": {"size": 12, "color": theme.soft}},
    }


def apart(heights: Sequence[float], sizes: Sequence[float], span: Sequence[float]) -> list[float]:
    """Middles of labels, moved as little as is needed for none to cover another or to leave `span`.

    A label whose height is not a number stays where it is. Labels that do not all fit share the room there is.
    """
    low, high = span
    order = sorted((i for i, height in enumerate(heights) if np.isfinite(height)), key=lambda i: heights[i])
    shrink = min(1.0, (high - low) / max(sum(sizes[i] for i in order), 1e-12))
    half = [size * shrink / 2 for size in sizes]
    moved = list(heights)
    for _ in range(20):
        for below, above in pairwise(order):
            if (short := half[below] + half[above] - (moved[above] - moved[below])) > 0:
                moved[below] -= short / 2
                moved[above] += short / 2
    ceiling, floor = high, low
    for i in reversed(order):
        moved[i] = min(moved[i], ceiling - half[i])
        ceiling = moved[i] - half[i]
    for i in order:
        moved[i] = max(moved[i], floor + half[i])
        floor = moved[i] + half[i]
    return moved
