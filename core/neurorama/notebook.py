"""An exhibit as a notebook: the same text, the same knobs, the same run and claim."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from . import catalogue
from .runner import Knobs, knobs_of

if TYPE_CHECKING:
    from nbformat import NotebookNode

KERNELSPEC = {"display_name": "Neurorama", "language": "python", "name": "neurorama"}


def notebook(key: str, params: Knobs = None) -> NotebookNode:
    """A notebook that shows exactly this run; the same knobs give the same file, byte for byte.

    Raises:
        InputError: unknown key, a paper that is only planned, or a bad knob.
    """
    row, exhibit = catalogue.row(key), catalogue.load(key)
    knobs = knobs_of(exhibit, params)
    claim, paper = exhibit.claim, exhibit.paper
    told = ast.get_docstring(ast.parse(row.path.read_text(encoding="utf-8"))) or ""
    where = ", ".join(str(fact) for fact in (paper.authors, paper.venue, paper.year) if fact)
    link = f"[{paper.title}]({paper.url})" if paper.url else paper.title
    spelled = "".join(
        f"    {name!r}: {value!r},  # {exhibit.params.model_fields[name].description}\n"
        for name, value in knobs.model_dump().items()
    )
    views = [f"- **{series}**: {caption}" for series, caption in exhibit.views.items()]
    presets = [f"- **{name}**: {preset.says} `{dict(preset.knobs)}`" for name, preset in exhibit.presets.items()]
    control = ", ".join(f"`{name}={value!r}`" for name, value in claim.control.items())
    says = f"\n\nThe paper's own figure: {claim.paper_says}" if claim.paper_says else ""
    cells = [
        new_markdown_cell(f"# {paper.name}\n\n{link}" + (f"  \n{where}" if where else "")),
        new_markdown_cell(told),
        new_markdown_cell("## The knobs\n\nChange a value, then run the cells below again."),
        new_code_cell(f"knobs = {{\n{spelled}}}"),
        new_code_cell(f'import neurorama\n\ntrace = neurorama.run("{row.key}", knobs)'),
        new_markdown_cell("\n".join(["## The picture", "", *views])),
        new_code_cell("neurorama.show(trace)"),
        new_markdown_cell(
            f"## The claim\n\n{claim.statement}{says}\n\n"
            "The margin is one number per run: above zero it supports the claim, below zero it refutes it. "
            "One run is not a verdict; `neurorama.judge` takes several seeds."
        ),
        new_code_cell(
            f'exhibit = neurorama.catalogue.load("{row.key}")\n'
            'print(f"margin {exhibit.claim.margin(trace):+.4g} ({exhibit.claim.unit})")'
        ),
        new_markdown_cell(
            "\n".join(["## What to try next", "", *presets, "", ""]) + f"To switch the mechanism off, set {control}: "
            "now the margin should no longer support the claim.\n\n"
            f"What this miniature leaves out: {exhibit.departs}"
        ),
    ]
    for number, cell in enumerate(cells):
        cell["id"] = f"{row.slug[:40]}-{number}"
    made = new_notebook(cells=cells, metadata={"kernelspec": KERNELSPEC, "language_info": {"name": "python"}})
    nbformat.validate(made)
    return made


def text(made: NotebookNode) -> str:
    """The notebook as the text of an `.ipynb` file."""
    return nbformat.writes(made) + "\n"
