"""The contract as a program: each way to break it is told in words."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from pydantic import Field

from neurorama import Exhibit, Frame, Graph, InputError, Mask, Params, Points, Preset, catalogue, check, faults, places
from neurorama.check import alike, finite


def told(exhibit: Exhibit, whole: bool = False) -> str:
    return "\n".join(faults(exhibit, whole))


def test_a_good_exhibit_has_no_fault(tiny: Exhibit) -> None:
    assert faults(tiny) == []
    assert faults(tiny, whole=True) == []


def frames(*values: Mapping, steps=None, of=None) -> Callable:
    return lambda knobs: iter(
        Frame((steps or range(9))[i], (of or [9] * 9)[i], given) for i, given in enumerate(values)
    )


GOOD = {"score/method": 1.0, "score/plain": 0.0, "parts": 0.0}


class Loose(Params):
    width: int = Field(3, description="no bounds")
    name: str = Field("a", description="free text")
    rate: float = Field(0.1, ge=0, le=1)


class Wrong(Params):
    width: int = Field(99, ge=1, le=9, description="its default is out of bounds")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"arms": ("method",)}, "arms need a method and a baseline"),
        ({"arms": ("method", "other")}, "'score/plain' names an arm that is not in arms: method, other"),
        ({"views": {}}, "there are no views"),
        ({"views": {"score": "Look.", "parts": " "}}, "the view 'parts' has no caption"),
        ({"views": {"score": "Look."}}, "'parts' has no caption in views"),
        ({"presets": {}}, 'no preset is called "where it breaks"'),
        ({"presets": {"where it breaks": Preset("", {})}}, "no sentence"),
        ({"presets": {"where it breaks": Preset("x", {"efect": 1})}}, "did you mean 'effect'"),
        ({"presets": {"where it breaks": Preset("x", {"effect": 99})}}, "effect=99"),
        ({"departs": ""}, "departs does not say"),
        ({"params": Loose}, "'width' has no ge=... bound"),
        ({"params": Loose}, "'width' has no le=... bound"),
        ({"params": Loose}, "'name' is a <class 'str'>"),
        ({"params": Loose}, "'rate' has no description"),
        ({"params": Wrong}, "the default knobs: width=99"),
        ({"run": frames()}, "the run has no frames"),
        ({"run": frames(GOOD, GOOD, steps=[1, 1])}, "steps must rise"),
        ({"run": frames(GOOD, GOOD, of=[9, 8])}, "changes within the run"),
        ({"run": frames(GOOD, of=[-1])}, "a step lies outside 0..of"),
        ({"run": frames({**GOOD, "parts": "word"})}, "'parts' is a str, which is no value type"),
        ({"run": frames({**GOOD, "parts": True})}, "'parts' is a bool, which is no value type"),
        ({"run": frames({**GOOD, "parts": math.nan})}, "'parts' holds a number that is not finite"),
        ({"run": frames({**GOOD, "parts": Points([[0.0, math.inf]])})}, "'parts' holds a number that is not finite"),
        ({"run": frames(GOOD, {**GOOD, "parts": Points([[0.0]])})}, "'parts' is a float here and a Points there"),
        ({"run": lambda knobs: 1 / 0}, "the run fails after 0 frames: ZeroDivisionError: division by zero"),
    ],
)
def test_a_fault_is_told(tiny: Exhibit, change: dict, words: str) -> None:
    assert words in told(replace(tiny, **change))


def test_faults_of_the_claim(tiny: Exhibit) -> None:
    for change, words in (
        ({"control": {}}, "control is the default run"),
        ({"control": {"onn": False}}, "did you mean 'on'"),
        ({"statement": ""}, "no statement"),
        ({"unit": ""}, "no unit"),
        ({"seeds": 2}, "5 is the least"),
    ):
        assert words in told(replace(tiny, claim=replace(tiny.claim, **change)))


def test_a_run_that_does_not_repeat_is_told(tiny: Exhibit) -> None:
    draw = np.random.default_rng()
    run = frames_of(lambda: {**GOOD, "parts": float(draw.normal())})
    assert "the same seed gives another trace" in told(replace(tiny, run=run))


def frames_of(make: Callable[[], Mapping]) -> Callable:
    return lambda knobs: (Frame(step, 3, make()) for step in range(4))


def test_a_run_that_takes_more_threads_is_told(tiny: Exhibit) -> None:
    def run(knobs: Params):
        torch.set_num_threads(2)
        yield Frame(0, 1, GOOD)

    try:
        assert "number of torch threads" in told(replace(tiny, run=run))
    finally:
        torch.set_num_threads(1)


def test_what_only_the_whole_run_shows(tiny: Exhibit) -> None:
    unseen = replace(tiny, views={**tiny.views, "ghost": "Never."}, arms=(*tiny.arms, "third"))
    assert faults(unseen) == []
    assert faults(unseen, whole=True) == ["the view 'ghost' is never seen", "the arm 'third' is never seen"]
    lost = replace(tiny, claim=replace(tiny.claim, margin=lambda trace: trace.last("nothing")))
    assert "the claim's margin cannot be measured: KeyError" in told(lost, whole=True)
    empty = replace(tiny, claim=replace(tiny.claim, margin=lambda trace: math.inf))
    assert "the claim's margin is inf" in told(empty, whole=True)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("import plotly.graph_objects as go", "no exhibit draws"),
        ("from streamlit import write", "no exhibit draws"),
        ("import neurorama", "public names, kernels and data only"),
        ("from neurorama import catalogue", "public names, kernels and data only"),
        ("from neurorama.stage import Stage", "public names, kernels and data only"),
        ("from neurorama.exhibits.message_passing.dagnn import DAGNN", "public names, kernels and data only"),
        ("from .dagnn import DAGNN", "only `.arena`"),
        ("from . import dagnn", "only `.arena`"),
        ("from ..message_passing.arena import GCN", "only `.arena`"),
        ("import dask", "not an exhibit's business"),
    ],
)
def test_an_import_that_reaches_too_far_is_told(line: str, words: str) -> None:
    (fault,) = check.imports(ast.parse(f"def late():\n    {line}\n"))
    assert words in fault
    assert "line 2" in fault


def test_imports_that_are_fine() -> None:
    lines = """
import torch
from pydantic import Field
from neurorama import Arena, Claim, data, descend
from neurorama.kernels.propagation import normalised
from neurorama.data import graph
from .arena import NODES
from . import arena
"""
    assert list(check.imports(ast.parse(lines))) == []


@pytest.mark.parametrize(
    ("of", "fine", "wrong"),
    [
        ("arena", "from ..message_passing.arena import NODES", "from .dagnn import DAGNN"),
        ("arena", "from neurorama import Arena", "from ..message_passing.dagnn import DAGNN"),
        ("part", "from .nodes import NODES", "from ..dagnn import DAGNN"),
        ("part", "from ...brain.arena import IMAGES", "from ...brain.mpbn import MPBN"),
    ],
)
def test_an_arena_takes_from_arenas_only(of: Literal["arena", "part"], fine: str, wrong: str) -> None:
    assert list(check.imports(ast.parse(fine), of)) == []
    assert len(list(check.imports(ast.parse(wrong), of))) == 1


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the DAGNN file that stands in for the real one; nothing else is looked at."""
    copy = tmp_path / "dagnn.py"
    copy.write_text(catalogue.row("dagnn").path.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(catalogue.Row, "path", property(lambda row: copy))
    monkeypatch.setattr(check, "_run", lambda *given: iter(()))
    monkeypatch.setattr(places, "root", lambda: None)
    assert faults("dagnn") == []
    return copy


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("Left out:", "Not here:", 'no paragraph that starts with "Left out:"'),
        ("$$", "", "no equation between $$ and $$"),
        ("id=59", "id=60", "PAPER has id=60, the catalogue 59"),
        ("id=59", "id=50 + 9", "not written in literals"),
        ("id=59", "nr=59", "PAPER of message_passing/dagnn: id="),
        ("PAPER = ", "FACTS = ", "no line `PAPER = Paper(...)`"),
        ("EXHIBIT = Exhibit(", "# one more line\n" * 151 + "EXHIBIT = Exhibit(", "150 is the most"),
        ("PAPER = ", "PAPER = = ", "the file is not Python"),
    ],
)
def test_a_fault_of_the_file_is_told(file: Path, old: str, new: str, words: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    assert words in "\n".join(faults("dagnn"))


def test_a_checkout_must_have_a_test_and_a_verdict(file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(places, "root", lambda: tmp_path)
    monkeypatch.setattr(places, "assets", lambda: tmp_path)
    test, verdict = faults("dagnn")
    assert test.startswith("there is no tests/exhibits/message_passing/test_dagnn.py")
    assert verdict == "its claim has not been judged: `neurorama judge message_passing/dagnn`"


def test_a_planned_paper_has_nothing_to_check() -> None:
    with pytest.raises(InputError, match="planned"):
        faults("neurosat")


def test_sameness_goes_into_every_part() -> None:
    graph = Graph([[0], [1]], 2)
    assert alike({"a": [Mask([0.5], graph)]}, {"a": [Mask([0.5], Graph([[0], [1]], 2))]})
    assert not alike(Mask([0.5], graph), Mask([0.5], Graph([[1], [0]], 2)))
    assert not alike(Points([[1.0]]), Points([[1.0]], classes=[0]))
    assert not alike(1, 1.0)
    assert not finite(Mask([0.5], Graph([[0], [1]], 2, weights=[math.nan])))
