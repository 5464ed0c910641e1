"""The colours and fonts of every picture, once for light and once for dark.

Colour means something: the method is blue, its baseline grey, vermilion is time and nothing else.
Classes and further arms use the set of Okabe and Ito, which colour-blind eyes can tell apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from ..errors import InputError, nearest

BLUE, GREY, ORANGE, GREEN, PINK, SKY, YELLOW = (
    "#0072B2", "#8A8F98", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#F0E442",
)  # fmt: skip
TIME = "#D55E00"
ARMS = (BLUE, GREY, ORANGE, GREEN, PINK, SKY)
CLASSES = (BLUE, ORANGE, GREEN, PINK, SKY, YELLOW, GREY)
DASHES = ("solid", "dash", "dot", "dashdot")
CIVIDIS = (
    "#00224E", "#083370", "#35456C", "#4F576C", "#666970", "#7D7C78",
    "#948E77", "#AEA371", "#C8B866", "#E5CF52", "#FEE838",
)  # fmt: skip

FONT = "Inter, 'Helvetica Neue', Arial, sans-serif"
MONO = "'JetBrains Mono', Menlo, Consolas, monospace"
MARGIN = {"l": 48, "r": 12, "t": 8, "b": 40}  # pixels around a picture with axes

Scale = list[list[Any]]  # a colour scale of plotly: [[0.0, "#..."], ..., [1.0, "#..."]]


def rgb(colour: str) -> tuple[int, int, int]:
    """`"#0072B2"` -> (0, 114, 178)"""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def mix(colour: str, other: str, share: float) -> str:
    """`share` of `other` in `colour`, in sRGB."""
    return "#" + "".join(f"{round(a + (b - a) * share):02X}" for a, b in zip(rgb(colour), rgb(other)))


def contrast(a: str, b: str) -> float:
    """The contrast ratio of WCAG 2: 1 for equal colours, 21 for black on white; text needs 4.5."""

    def luminance(colour: str) -> float:
        linear = [c / 3294.6 if c <= 10.31 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in rgb(colour)]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def on(colour: str) -> str:
    """Black or white, whichever reads better on `colour`; one of them always has a contrast of 4.5."""
    return max("#000000", "#FFFFFF", key=lambda text: contrast(text, colour))


def arm_style(place: int) -> tuple[str, str]:
    """(colour, dash) of the arm at `place`: 0 is the method, 1 its baseline; colours come again with another dash."""
    return ARMS[place % len(ARMS)], DASHES[place // len(ARMS) % len(DASHES)]


def class_colour(label: int) -> str:
    """The colour of a class; below zero is "no class". After seven the colours come again, darker, then lighter."""
    if label < 0:
        return "#B9BEC5"
    again = label // len(CLASSES) % 3
    colour = CLASSES[label % len(CLASSES)]
    return colour if again == 0 else mix(colour, "#000000", 0.45) if again == 1 else mix(colour, "#FFFFFF", 0.5)


def sample(scale: Scale, share: float) -> str:
    """The colour of `scale` at `share` in [0, 1]."""
    share = min(max(share, 0.0), 1.0)
    for (low, a), (high, b) in pairwise(scale):
        if share <= high:
            return mix(a, b, (share - low) / (high - low)) if high > low else b
    return scale[-1][1]


SHADES = 3 * len(CLASSES)  # so many classes have a colour of their own


def class_scale(shown: int) -> Scale:
    """A stepped scale for the classes -1, 0, ..., shown - 1; its limits are -1.5 and shown - 0.5."""
    steps = shown + 1
    return [[edge / steps, class_colour(i - 1)] for i in range(steps) for edge in (i, i + 1)]


@dataclass(frozen=True)
class Theme:
    """Tones of the page. `ink` and `soft` are for text, `edge` for links between nodes, `rule` for grid lines."""

    name: Literal["light", "dark"]
    paper: str
    panel: str
    ink: str
    soft: str
    edge: str
    rule: str

    def text(self, colour: str) -> str:
        """`colour`, moved towards the ink until it reads as text on both `paper` and `panel`."""
        for share in range(0, 101, 5):
            tone = mix(colour, self.ink, share / 100)
            if min(contrast(tone, self.paper), contrast(tone, self.panel)) >= 4.5:
                return tone
        return self.ink

    def template(self) -> dict[str, Any]:
        """What every figure has in common, as a template of plotly."""
        axis = {
            "gridcolor": self.rule,
            "linecolor": self.rule,
            "zeroline": False,
            "showline": False,
            "ticks": "",
            "automargin": True,
            "nticks": 6,
            "tickfont": {"size": 11, "color": self.soft},
            "title": {"font": {"size": 12, "color": self.soft}, "standoff": 8},
        }
        return {
            "layout": {
                "font": {"family": FONT, "size": 12, "color": self.ink},
                "paper_bgcolor": "rgba(0,0,0,0)",
                "plot_bgcolor": "rgba(0,0,0,0)",
                "margin": MARGIN,
                "xaxis": axis,
                "yaxis": axis,
                "showlegend": False,
                "hoverlabel": {
                    "bgcolor": self.panel,
                    "bordercolor": self.soft,
                    "font": {"family": FONT, "size": 12, "color": self.ink},
                },
                "hovermode": "closest",
                "dragmode": False,
                "bargap": 0.25,
            }
        }


def _even(colours: Sequence[str]) -> Scale:
    return [[i / (len(colours) - 1), colour] for i, colour in enumerate(colours)]


QUANTITY = _even(CIVIDIS)  # dark is little, light is much
SIGNED = _even((mix(BLUE, "#000000", 0.35), BLUE, mix(BLUE, "#FFFFFF", 0.55), "#FFFFFF",
                mix(TIME, "#FFFFFF", 0.55), TIME, mix(TIME, "#000000", 0.35)))  # fmt: skip
PICTURE = _even(("#FFFFFF", "#11151A"))  # ink on paper

LIGHT = Theme("light", "#FBFAF7", "#FFFFFF", "#1A1D21", "#5B6168", "#C3C8CE", "#E9E6DF")
DARK = Theme("dark", "#0F141A", "#161C24", "#E8EAED", "#A9B1BB", "#4B5664", "#29313B")
THEMES = {"light": LIGHT, "dark": DARK}


def theme(name: str) -> Theme:
    """The theme called "light" or "dark".

    Raises:
        InputError: another name.
    """
    if name not in THEMES:
        raise InputError(f"theme={name!r} is not a theme; {nearest(name, THEMES)}")
    return THEMES[name]
