"""Text can be read, colours can be told apart, and both themes say the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurorama.stage.theme import (
    ARMS,
    CIVIDIS,
    CLASSES,
    QUANTITY,
    SHADES,
    SIGNED,
    THEMES,
    TIME,
    arm_style,
    class_colour,
    class_scale,
    contrast,
    mix,
    on,
    sample,
)

colours = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06X}")


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.005)  # the textbook's just-too-pale grey
    assert contrast("#336699", "#336699") == 1


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_text_has_contrast(theme) -> None:
    for ground in (theme.paper, theme.panel):
        for tone in (theme.ink, theme.soft, *map(theme.text, (*ARMS, TIME, *CLASSES))):
            assert contrast(tone, ground) >= 4.5
        assert contrast(theme.edge, ground) > contrast(theme.rule, ground) > 1.1


@given(colours, st.sampled_from(sorted(THEMES)))
def test_any_colour_becomes_readable_text(colour: str, name: str) -> None:
    theme = THEMES[name]
    assert min(contrast(theme.text(colour), ground) for ground in (theme.paper, theme.panel)) >= 4.5


@given(colours)
def test_names_in_dots_are_readable(colour: str) -> None:
    assert contrast(on(colour), colour) >= 4.5


def test_time_has_a_colour_of_its_own() -> None:
    assert TIME not in (*ARMS, *CLASSES)
    assert len({arm_style(i) for i in range(24)}) == 24
    assert arm_style(0) == ("#0072B2", "solid")
    assert arm_style(1) == ("#8A8F98", "solid")


def test_classes_have_colours_of_their_own() -> None:
    assert len({class_colour(i) for i in range(-1, SHADES)}) == SHADES + 1


@given(st.integers(1, SHADES))
def test_a_stepped_scale_gives_each_class_its_colour(shown: int) -> None:
    scale = class_scale(shown)
    assert [scale[0][0], scale[-1][0]] == [0, 1]
    assert [edge for edge, _ in scale] == sorted(edge for edge, _ in scale)
    for label in range(-1, shown):
        share = (label + 1.5) / (shown + 1)  # the limits are -1.5 and shown - 0.5
        assert sample(scale, share) == class_colour(label).upper()


def test_scales_mean_what_they_say() -> None:
    assert sample(SIGNED, 0.5) == "#FFFFFF"
    assert sample(QUANTITY, 0) == CIVIDIS[0]
    light = [contrast(colour, "#000000") for _, colour in QUANTITY]
    assert light == sorted(light)  # more is lighter, also for an eye without colour


@given(colours, colours)
def test_mixing_starts_and_ends_where_it_should(a: str, b: str) -> None:
    assert mix(a, b, 0) == a
    assert mix(a, b, 1) == b
