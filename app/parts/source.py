"""The text of an exhibit's file: the idea, the equations, what is left out, and the code of the mechanism."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

import streamlit as st

from neurorama import catalogue

_LEFT_OUT = "Left out:"


@dataclass(frozen=True)
class Text:
    """An exhibit's file, taken apart: `idea`, `equations` and `left_out` are Markdown, `code` is Python."""

    idea: str
    equations: str
    left_out: str
    code: str
    statement: str  # what it claims
    unit: str  # what its margin is measured in


@st.cache_data(show_spinner=False)
def text(key: str) -> Text:
    """Reads the file of a built exhibit; nothing is imported."""
    path = catalogue.row(key).path
    source, tree = path.read_text(encoding="utf-8"), catalogue.syntax(path)
    told, _, left_out = (ast.get_docstring(tree) or "").partition(_LEFT_OUT)
    idea, dollars, equations = told.partition("$$")
    mechanism = _blocks(f"{dollars}{equations}".strip())
    return Text(idea.strip(), mechanism, left_out.strip(), _mechanism(source, tree), *_claim(tree))


def _blocks(markdown: str) -> str:
    """Each formula between `$$` on lines of its own, as Markdown wants the long ones; `\\qquad` parts two formulas."""

    def block(found: re.Match[str]) -> str:
        parts = found[1].split(r"\qquad")
        if r"\begin" in found[1] or any(part.count("{") != part.count("}") for part in parts):
            parts = [found[1]]
        return "".join(f"\n$$\n{part.strip()}\n$$\n" for part in parts)

    return re.sub(r"\$\$(.+?)\$\$", block, markdown, flags=re.DOTALL)


def _mechanism(source: str, tree: ast.Module) -> str:
    """What stands between the knobs and the index card: the mechanism, how it is built, run and judged."""
    lines = source.splitlines()
    first, last = 0, len(lines)
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and "Params" in {ast.unparse(base) for base in node.bases}:
            first = node.end_lineno or 0
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "EXHIBIT":
            last = node.lineno - 1
    return "\n".join(lines[first:last]).strip()


def _claim(tree: ast.Module) -> tuple[str, str]:
    """(statement, unit) of the claim."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Claim":
            told = {keyword.arg: keyword.value for keyword in node.keywords}
            return ast.literal_eval(told["statement"]), ast.literal_eval(told["unit"]) if "unit" in told else ""
    return "", ""
