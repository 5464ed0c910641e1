"""Badges and small marks: verdicts, fidelity, and the interval of a margin."""

from __future__ import annotations

import re
from html import escape, unescape

import streamlit as st

from neurorama import InputError, Verdict, catalogue
from neurorama.catalogue import Row
from neurorama.stage.theme import theme as themed
from neurorama.verdicts import read_verdicts

from .words import plain, seconds

# a word and a shape beside the colour
VERDICTS = {
    "supported": ("✓", "green"),
    "refuted": ("✗", "violet"),
    "undecided": ("~", "gray"),
}
BARS = {"supported": "#009E73", "refuted": "#CC79A7", "undecided": "#8A8F98"}
FIDELITY = {"full": "full method", "simulated": "simulated", "concept": "concept"}


@st.cache_data(ttl=5, show_spinner=False)
def verdicts() -> dict[str, Verdict]:
    """The last verdict on every judged claim of an exhibit that is here; re-read every few seconds."""
    built = {row.key for row in catalogue.built()}
    try:
        return {key: verdict for key, verdict in read_verdicts().items() if key in built}
    except InputError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return {}


def outcome(word: str, more: str = "") -> str:
    """A verdict as a Markdown badge."""
    shape, colour = VERDICTS[word]
    return f":{colour}-badge[{shape} {word}{more}]"


def claim(found: Verdict | None) -> str:
    """The badge of a claim, judged or not."""
    if found is None:
        return ":gray-badge[○ not judged yet]"
    return outcome(found.outcome, f", {len(found.shown.margins)} seeds")


def duration(found: Verdict | None) -> str:
    """The badge of how long a run takes; nothing where it was never measured."""
    return "" if found is None else f":gray-badge[{seconds(found.seconds)} on one core]"


def numbers(found: Verdict, unit: str) -> str:
    """Margin and control in words."""
    shown, control = found.shown, found.control
    return (
        f":small[{plain(unit or 'margin')}: **{signed(shown.mean)}** ({signed(shown.low)} to {signed(shown.high)})  \n"
        f"mechanism off: {signed(control.mean)} ({signed(control.low)} to {signed(control.high)}), "
        f"{control.outcome}  \n"
        f":gray[95 % intervals over {len(shown.margins)} seeds · judged {found.date[:10]}]]"
    )


def theme() -> str:
    """The theme that the visitor sees: `light` or `dark`."""
    return st.context.theme.type or "light"


def drawing(svg: str) -> str:
    """Shows a small SVG of ours, its `currentColor` in the ink of the theme; gives back what it says it shows."""
    label = re.search(r'aria-label="([^"]*)"', svg)
    says = unescape(label[1]) if label else ""
    ink = themed(theme()).ink
    st.image(svg.replace("currentColor", ink), width="stretch", alt=says)
    return says


def group(title: str) -> None:
    """A small heading over a group of widgets."""
    st.html(f'<h2 class="group">{escape(title)}</h2>')


def area_title(slug: str) -> str:
    """The name of an area."""
    return next((area.title for area in catalogue.areas() if area.slug == slug), slug)


def link(row: Row) -> None:
    """A link to a paper's page."""
    st.page_link(
        "views/exhibit.py", label=f"**{plain(row.name)}** · {plain(row.title)}", query_params={"exhibit": row.key}
    )


def signed(number: float) -> str:
    """`+0.31`, three digits that count."""
    return f"{number:+.3g}".replace("-", "−") if number else "0"


def interval(shown: Verdict) -> str:
    """Margin and control, a line each, as SVG: a bar for the 95 % interval, a tick for the mean, zero dashed."""
    spans = (
        ("mechanism on", shown.shown, BARS[shown.outcome], 7),
        ("mechanism off", shown.control, BARS["undecided"], 4),
    )
    ends = [0.0, *(end for _, span, _, _ in spans for end in (span.low, span.high))]
    room = (max(ends) - min(ends)) * 0.06 or 1.0
    low, high = min(ends) - room, max(ends) + room

    def at(value: float) -> float:
        return round(84 + 216 * (value - low) / (high - low), 1)

    rows = []
    for number, (name, span, colour, thick) in enumerate(spans):
        y = 14 + 22 * number
        left, right, mean = at(span.low), max(at(span.high), at(span.low) + 2), at(span.mean)
        rows.append(
            f'<text x="74" y="{y + 4}" text-anchor="end">{name}</text>'
            f'<path d="M84 {y}H300" stroke-opacity="0.2"/>'
            f'<path d="M{left} {y}H{right}" stroke="{colour}" stroke-width="{thick}"/>'
            f'<path d="M{mean} {y - 7}V{y + 7}" stroke-width="2.5"/>'
        )
    told = f"mechanism on {signed(shown.shown.mean)}, off {signed(shown.control.mean)}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 310 60" role="img" aria-label="{escape(told)}" '
        'stroke="currentColor" stroke-linecap="round" font-family="Inter, sans-serif" font-size="10">'
        f'<path d="M{at(0)} 2V46" stroke-dasharray="3 3" stroke-opacity="0.7"/>{"".join(rows)}'
        f'<text x="{at(0)}" y="58" text-anchor="middle">0</text></svg>'
    ).replace("<text ", '<text stroke="none" fill="currentColor" fill-opacity="0.8" ')
