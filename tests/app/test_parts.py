"""The small parts of the pages: escaped words, the drawn interval, an exhibit's text, recorded pictures."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurorama import catalogue, places
from neurorama.runner import Interval, Verdict
from parts import marks, source
from parts.words import count, plain, seconds

BUILT = [row.key for row in catalogue.built()]


@given(st.text())
def test_no_markup_survives_and_every_letter_does(text: str) -> None:
    escaped = plain(text)
    assert re.sub(r"\\(.)", r"\1", escaped, flags=re.DOTALL) == text.replace("\n", " ")
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*_\[\]()<>$:#]", escaped)


def test_words() -> None:
    assert [count(1, "run"), count(2708, "node")] == ["1 run", "2,708 nodes"]
    assert [seconds(0.02), seconds(0.42), seconds(2.4), seconds(200)] == ["1 s", "1 s", "2 s", "3 min"]
    assert [marks.signed(0.3124), marks.signed(-0.5), marks.signed(0.0)] == ["+0.312", "−0.5", "0"]


@given(
    st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=6),
    st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=6),
)
def test_the_interval_is_drawn_to_scale(shown: list[float], control: list[float]) -> None:
    verdict = Verdict(
        exhibit="a/b",
        params={},
        shown=Interval.of(shown),
        control=Interval.of(control),
        seconds=1.0,
        version="1",
        date="2026-01-02T03:04:05+00:00",
    )
    svg = marks.interval(verdict)
    zero = float(re.search(r"M([\d.]+) 2V46", svg)[1])  # type: ignore[index]
    means = [float(x) for x in re.findall(r'd="M([\d.]+) [\d.]+V[\d.]+" stroke-width', svg)]
    bars = [(float(left), float(right)) for left, right in re.findall(r'd="M([\d.]+) \d+H([\d.]+)" stroke="#', svg)]
    for span, mean, (left, right) in zip((verdict.shown, verdict.control), means, bars, strict=True):
        assert left <= mean <= right
        assert 84 <= left < right <= 302
        assert (mean >= zero) if span.mean >= 0 else (mean <= zero)


@pytest.mark.parametrize("key", BUILT)
def test_the_text_of_an_exhibit_is_taken_apart(key: str) -> None:
    text = source.text(key)
    exhibit = catalogue.load(key)
    assert text.idea
    assert "$$" not in text.idea
    assert text.equations.count("$$") % 2 == 0
    assert text.left_out
    assert (text.statement, text.unit) == (exhibit.claim.statement, exhibit.claim.unit)
    assert "def margin(" in text.code
    assert "EXHIBIT = " not in text.code
    assert "(Params)" not in text.code


def test_long_formulas_are_parted_but_never_inside_braces() -> None:
    assert source._blocks(r"$$a, \qquad b$$ then") == "\n$$\na,\n$$\n\n$$\nb\n$$\n then"
    assert source._blocks(r"$$\frac{a \qquad b}{c}$$").count("$$") == 2


def test_recorded_pictures_are_of_papers_and_hold_no_script() -> None:
    folder = places.assets() / "pictures"
    keys = {row.key for row in catalogue.papers()}
    for file in folder.glob("*/*.svg"):
        assert f"{file.parent.name}/{file.stem[:-2]}" in keys
        svg = file.read_text(encoding="utf-8")
        assert svg.startswith("<svg")
        assert not re.search(r"<script|<foreignObject|href|on\w+=", svg)
