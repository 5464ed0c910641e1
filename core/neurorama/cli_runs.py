"""`neurorama runs`: what the store holds, on the command line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import catalogue
from .errors import InputError, nearest, shorten
from .screen import Json, number, print_json, print_table

if TYPE_CHECKING:
    from datetime import datetime

    from .store import Record, Store

runs_app = typer.Typer(help="Lists, shows, moves and deletes runs that are kept.", rich_markup_mode=None)

Run = Annotated[str, typer.Argument(metavar="RUN", help="Its id, or how it begins.", show_default=False)]
SHORTEST = 4  # letters of an id that may stand for it


@contextmanager
def _store() -> Iterator[Store]:
    from .store import Store

    with Store() as store:
        yield store


def _find(store: Store, word: str) -> Record:
    """The run of that id, or the only one whose id begins so."""
    known = store.runs(limit=10_000)
    found = [record for record in known if record.id == word] or [
        record for record in known if len(word) >= SHORTEST and record.id.startswith(word)
    ]
    if len(found) > 1:
        raise InputError(f"{len(found)} runs begin with {word!r}; write more of it")
    if not found:
        hint = nearest(word, [record.id for record in known]) if known else "there are none yet"
        hint = hint if not hint.startswith("allowed") else "try `neurorama runs list`"
        raise InputError(f"no run is called {shorten(word)}; {hint}")
    return found[0]


def _facts(record: Record) -> dict[str, Any]:
    def told(moment: datetime | None) -> str | None:
        return moment and moment.isoformat(timespec="seconds")

    return {
        "id": record.id,
        "key": record.key,
        "knobs": record.params,
        "state": record.state,
        "error": record.error,
        "name": record.name,
        "owner": record.owner,
        "device": record.device,
        "created": told(record.created),
        "started": told(record.started),
        "ended": told(record.ended),
        "step": record.step,
        "of": record.of,
        "frames": record.frames,
        "bytes": record.size,
        "numbers": {name: value if abs(value) < float("inf") else str(value) for name, value in record.numbers.items()},
        "source": record.identity.source,
        "code": record.identity.code,
    }


@runs_app.command("list")
def runs_list(
    words: Annotated[list[str] | None, typer.Argument(help="Words of a name or key.", show_default=False)] = None,
    key: Annotated[str, typer.Option(help="Only this exhibit: area/slug, or a slug.")] = "",
    state: Annotated[str, typer.Option(help="Only in this state: done, running ...")] = "",
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 20,
    page: Annotated[int, typer.Option(min=1, help="Which so many.")] = 1,
    as_json: Json = False,
) -> None:
    """Lists runs, the newest first."""
    from .store import STATES

    if state and state not in STATES:
        raise InputError(f"no run is {state!r}; {nearest(state, STATES)}")
    chosen: dict[str, Any] = {
        "key": catalogue.resolve(key) if key else "",
        "states": [state] if state else (),
        "words": " ".join(words or ()),
    }
    with _store() as store:
        records, count = store.runs(**chosen, limit=limit, offset=(page - 1) * limit), store.count(**chosen)
    if as_json:
        print_json([_facts(record) for record in records])
        return
    print_table(
        (
            record.id,
            record.state,
            f"{record.created.astimezone():%Y-%m-%d %H:%M}",
            record.key,
            f"seed {record.identity.seed}",
            f"{record.step}/{record.of}",
            f"margin {number(record.numbers['margin'])}" if "margin" in record.numbers else "",
            record.name,
        )
        for record in records
    )
    typer.echo(f"{len(records)} of {count} runs", err=True)


@runs_app.command("show")
def runs_show(run: Run, as_json: Json = False) -> None:
    """Shows what is known of a run: its knobs, how it went, and how it ended."""
    with _store() as store:
        record = _find(store, run)
    facts = _facts(record)
    if as_json:
        print_json(facts)
        return
    knobs, numbers = facts.pop("knobs"), facts.pop("numbers")
    print_table((name, str(value)) for name, value in facts.items() if value not in ("", None))
    for heading, table in (("Knobs", knobs), ("How it ended", numbers)):
        if table:
            typer.secho(f"\n{heading}", bold=True)
            print_table(
                (name, number(value) if isinstance(value, float) else str(value)) for name, value in table.items()
            )


@runs_app.command("rm")
def runs_rm(runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Ids, or how they begin.")]) -> None:
    """Deletes runs and their frames; one that goes on is to be stopped first."""
    with _store() as store:
        for record in [_find(store, run) for run in runs]:  # all are found before the first one goes
            store.delete(record.id)
            typer.echo(record.id)


@runs_app.command("prune")
def runs_prune(
    keep_days: Annotated[
        float, typer.Option(min=0, help="Keep what ended in the last so many days.", show_default=False)
    ],
) -> None:
    """Deletes old runs, never one that goes on."""
    with _store() as store:
        for run in store.prune(keep_days):
            typer.echo(run)


@runs_app.command("export")
def runs_export(run: Run, file: Annotated[Path, typer.Argument(help="Where to write it.")]) -> None:
    """Writes a run as one file, with all that it shows."""
    with _store() as store:
        content = store.export(_find(store, run).id)
    try:
        file.write_bytes(content)
    except OSError as error:
        raise InputError(f"{str(file)!r} cannot be written: {error.strerror}") from None
    typer.echo(file)


@runs_app.command("import")
def runs_import(file: Annotated[Path, typer.Argument(help="What `neurorama runs export` wrote.")]) -> None:
    """Adds a run from a file; its id is printed. It is shown, and never taken for a run of this machine's."""
    from .store import MOST

    try:
        with file.open("rb") as opened:
            content = opened.read(MOST + 1)
    except OSError as error:
        raise InputError(f"{str(file)!r} cannot be read: {error.strerror}") from None
    with _store() as store:
        typer.echo(store.take(content).id)
