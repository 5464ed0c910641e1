"""An exhibit as a notebook: the same state, the same file, and it runs."""

from __future__ import annotations

import nbformat
import pytest
from nbclient import NotebookClient

from neurorama import InputError, catalogue
from neurorama.notebook import notebook, text

KNOBS = {"depth": 4, "steps": 12, "seed": 3, "gates": False}


def code(made: nbformat.NotebookNode) -> list[str]:
    return [cell.source for cell in made.cells if cell.cell_type == "code"]


def test_it_holds_exactly_this_state() -> None:
    made = notebook("dagnn", KNOBS)
    scope: dict = {}
    exec(code(made)[0], scope)
    assert scope["knobs"] == catalogue.load("dagnn").params.parse(KNOBS).model_dump()
    words = "\n".join(cell.source for cell in made.cells)
    assert all(part in words for part in ("# DAGNN", "$$", "Left out:", "where it breaks", "`apart=False`"))
    assert made.metadata.kernelspec == {"display_name": "Neurorama", "language": "python", "name": "neurorama"}


def test_the_same_state_gives_the_same_file() -> None:
    assert text(notebook("dagnn", KNOBS)) == text(notebook("message_passing/dagnn", KNOBS))
    nbformat.validate(nbformat.reads(text(notebook("dagnn")), as_version=4))


@pytest.mark.parametrize("key", [row.key for row in catalogue.built()])
def test_every_exhibit_has_one(key: str) -> None:
    for source in code(notebook(key)):
        compile(source, key, "exec")


def test_bad_input_gives_none() -> None:
    with pytest.raises(InputError, match="depth=99"):
        notebook("dagnn", {"depth": 99})
    with pytest.raises(InputError, match="planned"):
        notebook("neurosat")


@pytest.mark.slow
def test_it_runs() -> None:
    made = notebook("dagnn", KNOBS)
    NotebookClient(made, timeout=120, kernel_name="python3").execute()
    outputs = [output for cell in made.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any(output.get("text", "").startswith("margin ") for output in outputs)
