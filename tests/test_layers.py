"""Who must never import what: read from the source, so that a forbidden import is found wherever it hides."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from neurorama.check import imports as exhibit_faults

ROOT = Path(__file__).parents[1]
CORE = ROOT / "core" / "neurorama"
SCREENS = {"streamlit", "IPython", "ipykernel", "ipywidgets", "jupyter_client", "jupyterlab", "jupyter_core"}


def imported(tree: ast.AST, package: str = "") -> Iterator[str]:
    """Absolute names of the modules that `tree` imports; relative ones are resolved against `package`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            stem = ".".join([*above, *([node.module] if node.module else [])])
            yield stem
            yield from (f"{stem}.{alias.name}" for alias in node.names)


def of(file: Path) -> set[str]:
    inside = file.is_relative_to(CORE)
    package = ".".join(["neurorama", *file.relative_to(CORE).parent.parts]) if inside else ""
    return set(imported(ast.parse(file.read_text(encoding="utf-8")), package))


def at_top(file: Path) -> set[str]:
    """What is imported as soon as the file is: not inside a function, not under TYPE_CHECKING."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or (
            isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        ):
            node.body = []
    return set(imported(tree))


def name(file: Path) -> str:
    return str(file.relative_to(ROOT))


def inside(names: set[str], *tops: str) -> set[str]:
    return {found for found in names for top in tops if found == top or found.startswith(f"{top}.")}


@pytest.mark.parametrize("file", sorted((CORE / "kernels").rglob("*.py")), ids=name)
def test_a_kernel_imports_nothing_of_neurorama_but_kernels(file: Path) -> None:
    assert inside(of(file), "neurorama") <= inside(of(file), "neurorama.kernels")


EXHIBITS = sorted(file for file in (CORE / "exhibits").glob("*/*.py") if file.stem not in ("__init__", "arena"))
ARENAS = sorted([*(CORE / "exhibits").glob("*/arena.py"), *(CORE / "exhibits").glob("*/arena/*.py")])


@pytest.mark.parametrize("file", EXHIBITS, ids=name)
def test_an_exhibit_takes_public_names_kernels_data_and_its_arena(file: Path) -> None:
    assert list(exhibit_faults(ast.parse(file.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize("file", ARENAS, ids=name)
def test_an_arena_takes_the_same_and_other_arenas_but_no_exhibit(file: Path) -> None:
    of = "part" if file.parent.name == "arena" else "arena"
    assert list(exhibit_faults(ast.parse(file.read_text(encoding="utf-8")), of)) == []


@pytest.mark.parametrize("file", sorted((CORE / "stage").rglob("*.py")), ids=name)
def test_the_stage_sees_the_trace_only(file: Path) -> None:
    allowed = {"neurorama.trace", "neurorama.errors", "neurorama.codec", "neurorama.stage"}
    if file.name == "notebook.py":  # `show(trace)` looks up the captions of the trace's exhibit
        allowed.add("neurorama.catalogue")
    assert inside(of(file), "neurorama") - {"neurorama"} <= inside(of(file), *allowed)


@pytest.mark.parametrize("file", sorted(CORE.rglob("*.py")), ids=name)
def test_the_core_needs_no_screen(file: Path) -> None:
    assert not inside(at_top(file), *SCREENS)
    assert not inside(of(file), "streamlit")


@pytest.mark.parametrize("file", sorted((ROOT / "app").rglob("*.py")), ids=name)
def test_the_app_names_no_exhibit(file: Path) -> None:
    assert not inside(of(file), "neurorama.exhibits", "neurorama.kernels")


@pytest.mark.parametrize("file", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=name)
def test_a_notebook_uses_the_public_names(file: Path) -> None:
    cells = nbformat.read(file, as_version=4).cells
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    names = set(imported(ast.parse("\n".join(line for line in code.splitlines() if not line.lstrip().startswith("%")))))
    assert not inside(names, "neurorama.exhibits")


@pytest.mark.parametrize(
    "module", ["neurorama", "neurorama.catalogue", "neurorama.stage", "neurorama.cli", "neurorama.data"]
)
def test_torch_waits_until_something_runs(module: str) -> None:
    look = (
        f"import sys, {module}; from neurorama import catalogue; catalogue.search('lotery'); catalogue.related('dagnn')"
    )
    asked = "print([name for name in sys.modules if name == 'torch' or name.startswith('neurorama.exhibits')])"
    seen = subprocess.run([sys.executable, "-c", f"{look}; {asked}"], capture_output=True, text=True, check=True)
    assert seen.stdout.strip() == "[]"
