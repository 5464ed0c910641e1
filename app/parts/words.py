"""Texts as Streamlit's Markdown wants them: whatever comes from data or from the address is escaped."""

from __future__ import annotations

import re


def plain(text: str) -> str:
    """`text` shown letter by letter: no markup, no links, no icons, no formulas."""
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|~$<>:&^=])", r"\\\1", text).replace("\n", " ")


def count(number: int, noun: str) -> str:
    """`1 exhibit`, `12 exhibits`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def seconds(duration: float) -> str:
    """`2 s`, `3 min`; what takes less counts as `1 s`."""
    return f"{duration / 60:.0f} min" if duration >= 90 else f"{max(1, round(duration))} s"


def label(name: str) -> str:
    """The name of a knob in words: `weight_decay` -> `weight decay`."""
    return name.replace("_", " ")
