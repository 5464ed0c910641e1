"""What commands print, and the option that all of them share."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=1, ensure_ascii=False))


def print_table(rows: Iterable[Sequence[str]]) -> None:
    """Columns one under the other, never cut, so that they can be read, searched and piped."""
    cells = [tuple(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells)]
    for row in cells:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def number(value: float) -> str:
    return f"{value:.4g}"
