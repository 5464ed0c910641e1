"""A new exhibit's file and its test, as far as the catalogue can write them."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import fill

from . import catalogue, places
from .errors import InputError

_EXHIBIT = '''r"""{idea}

TODO: two or three plain sentences, and the equations between double dollars.

TODO: what the miniature leaves out, in a paragraph that starts with the two words "Left" and "out" and a colon.
"""

from pydantic import Field

from neurorama import Claim, Exhibit, Frame, Paper, Params, Run, Trace

PAPER = Paper(
    id={id},
    title={title},
    name={name},
)


class Knobs(Params):
    steps: int = Field(100, ge=10, le=1000, description="training steps")


# TODO: the mechanism
{mechanism}


def run(knobs: Knobs) -> Run:
    yield Frame(0, knobs.steps, {{}})  # TODO: the method and its baseline, side by side


def margin(trace: Trace) -> float:
    return float("nan")  # TODO: above zero supports the claim, below refutes it


EXHIBIT = Exhibit(
    paper=PAPER,
    params=Knobs,
    run=run,
    # {claim}
    claim=Claim(statement="", margin=margin, control={{}}),
    arms=(),
    views={{}},
    presets={{}},
    fidelity="{fidelity}",
    departs="",
)
'''

_TEST = '''"""{name} against something independent."""

import neurorama


def test_the_mechanism_agrees_with_a_reference() -> None:
    # {reference}
    neurorama.catalogue.load("{key}")
    raise AssertionError("TODO: compare the mechanism with its reference")
'''


def write(key: str) -> tuple[Path, Path]:
    """Writes exhibit and test of a planned paper.

    Raises:
        InputError: no checkout, no such paper, or a file that is there already; then nothing is written.
    """
    root = places.root()
    if root is None:
        raise InputError("new exhibits are written in a checkout of the project; this is an installed package")
    row = catalogue.row(key)
    files = row.path, root / "tests" / "exhibits" / row.area / f"test_{row.slug}.py"
    for file in files:
        if file.exists():
            raise InputError(f"{file.relative_to(root)} is there already; it is left as it is")
    facts = {"id": row.id, "fidelity": row.fidelity, "key": row.key}
    quoted = {"title": json.dumps(row.title, ensure_ascii=False), "name": json.dumps(row.name, ensure_ascii=False)}
    texts = (
        _EXHIBIT.format(
            **facts,
            **quoted,
            idea=fill(row.idea, 110).replace("\\", "/"),
            mechanism=fill(row.mechanism, 110, initial_indent="# ", subsequent_indent="# "),
            claim=fill(row.claim, 100, subsequent_indent="    # "),
        ),
        _TEST.format(**facts, name=row.name, reference=fill(row.reference, 100, subsequent_indent="    # ")),
    )
    for file, text in zip(files, texts):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return files
