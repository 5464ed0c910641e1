"""`neurorama.show` in a real kernel, without a screen."""

from __future__ import annotations

import html

import nbformat
import pytest
from nbclient import NotebookClient

import neurorama
from neurorama import catalogue


def test_show_runs_headless_in_a_notebook() -> None:
    cells = [
        "import neurorama",
        "trace = neurorama.run('dagnn', {'steps': 10})",
        "neurorama.show(trace, at=5)",
        "neurorama.show(trace, at=99)",
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(book, timeout=120, kernel_name="python3", allow_errors=True).execute()
    (shown,) = book.cells[2].outputs
    assert {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"} <= set(shown.data)
    captions = catalogue.load("dagnn").views
    assert all(html.escape(caption) in shown.data["text/html"] for caption in captions.values())
    assert "at training step 5." in shown.data["text/plain"]
    assert len(nbformat.writes(book)) < 1_000_000
    (refused,) = book.cells[3].outputs
    assert refused.ename == "InputError"
    assert "steps 0 to 10" in refused.evalue


def test_show_of_nothing_says_so() -> None:
    with pytest.raises(neurorama.InputError, match="no frames"):
        neurorama.show(neurorama.Trace("message_passing/dagnn", {}, ()))
