"""The command line: `neurorama --help`. Commands import what they need when they run, so that listing stays quick."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from . import catalogue
from .cli_runs import runs_app
from .errors import InputError
from .screen import Json, number, print_json, print_table

if TYPE_CHECKING:
    from .runner import Verdict
    from .tables import Line
    from .trace import Curve, Frame

UsageError = typer.BadParameter.__mro__[1]  # typer brings its own Click or takes the installed one, by version
SIGN = {"supported": "✓", "refuted": "✗", "undecided": "~"}


class _Group(TyperGroup):
    def main(self, *args: Any, **extra: Any) -> Any:
        """Wrong input is one line on stderr and exit code 2; Ctrl-C is one line and 130; never a traceback."""
        try:
            code = super().main(*args, **{**extra, "standalone_mode": False})
        except InputError as error:
            code = _complain(str(error))
        except UsageError as error:  # pyright: ignore[reportGeneralTypeIssues]
            code = _complain(error.format_message())
        except (KeyboardInterrupt, typer.Abort):
            code = 130
        if code == 130:
            typer.echo("neurorama: stopped", err=True)
        sys.exit(code if isinstance(code, int) else 0)


def _complain(message: str) -> int:
    typer.echo(f"neurorama: {' '.join(message.split())}", err=True)
    return 2


app = typer.Typer(
    cls=_Group,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
data_app = typer.Typer(help="Lists the data that exhibits can run on, and adds your own.", rich_markup_mode=None)
kernel_app = typer.Typer(help="Puts the Neurorama kernel where Jupyter finds it.", rich_markup_mode=None)
users_app = typer.Typer(help="Says who may use a dashboard that others reach.", rich_markup_mode=None)
app.add_typer(runs_app, name="runs")
app.add_typer(data_app, name="data")
app.add_typer(users_app, name="users")
app.add_typer(kernel_app, name="kernel")


def main() -> None:
    """The console script."""
    app()


Key = Annotated[str, typer.Argument(metavar="KEY", help="area/slug, or a slug.", show_default=False)]
Keys = Annotated[list[str] | None, typer.Argument(metavar="KEY", help="area/slug, or a slug.", show_default=False)]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="KNOB=VALUE", help="Turn a knob; may be repeated.")]


# Words on the screen


def _print_text(heading: str, text: str) -> None:
    typer.echo()
    typer.secho(heading, bold=True)
    typer.echo(fill(text, 100))


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr, where that is a screen; call what it gives with (done, of)."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    screen = Console(stderr=True)
    times = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), *times)
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as progress:
        task = progress.add_task(escape(what), total=None)
        yield lambda done, of: progress.update(task, completed=done, total=of)


def _final(frames: Iterable[Frame]) -> dict[str, float]:
    """The last number of every curve."""
    return {name: value for frame in frames for name, value in frame.values.items() if isinstance(value, int | float)}


def _print_metrics(metrics: Mapping[str, float]) -> None:
    from .trace import split

    names = [split(name) for name in metrics]
    arms = list(dict.fromkeys(arm for _, arm in names))
    rows: dict[str, dict[str, str]] = {}
    for (series, arm), value in zip(names, metrics.values()):
        rows.setdefault(series, {})[arm] = number(value)
    print_table([("", *arms), *((series, *(cells.get(arm, "") for arm in arms)) for series, cells in rows.items())])


# The catalogue


def _facts(row: catalogue.Row) -> dict[str, Any]:
    return {"key": row.key, "name": row.name, "title": row.title, "built": row.built, "idea": row.idea}


def _print_rows(rows: list[catalogue.Row], as_json: bool) -> None:
    if as_json:
        print_json([_facts(row) for row in rows])
        return
    print_table(("●" if row.built else "○", row.key, row.name, row.title) for row in rows)
    typer.echo(f"{len(rows)} papers, {sum(row.built for row in rows)} built (●), the others planned (○)", err=True)


@app.callback(invoke_without_command=True, no_args_is_help=False)
def _start(
    context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    """Neurorama: a hall of working models of neural network papers."""
    if version:
        from . import __version__

        typer.echo(__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command("list")
def list_(
    area: Annotated[str, typer.Option(help="Only this area.")] = "",
    built: Annotated[bool, typer.Option("--built", help="Only papers that can be run.")] = False,
    as_json: Json = False,
) -> None:
    """Lists the papers of the catalogue."""
    if area and area not in {known.slug for known in catalogue.areas()}:
        from .errors import nearest

        raise InputError(f"no area is called {area!r}; {nearest(area, [known.slug for known in catalogue.areas()])}")
    rows = [row for row in catalogue.papers() if (not area or row.area == area) and (row.built or not built)]
    _print_rows(rows, as_json)


@app.command()
def search(
    words: Annotated[list[str], typer.Argument(help="Words of a name, title, idea, area or kernel.")],
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 20,
    as_json: Json = False,
) -> None:
    """Searches the papers; typing errors are forgiven."""
    _print_rows(catalogue.search(" ".join(words), limit), as_json)


@app.command()
def show(key: Key, as_json: Json = False) -> None:
    """Shows what is known of a paper, its knobs, and its verdict."""
    from .verdicts import read_verdicts

    row, paper = catalogue.row(key), catalogue.paper(key)
    verdict = read_verdicts().get(row.key)
    relations = catalogue.related(key)
    links = {
        "improves on": relations.improves_on,
        "compared with": relations.compared_with,
        "improved by": relations.improved_by,
        "same arena": relations.same_arena,
        "shares a kernel": relations.shares_kernel[:6],
    }
    named = {what: [one if isinstance(one, str) else one.key for one in those] for what, those in links.items()}
    knobs = catalogue.load(key).params.model_json_schema()["properties"] if row.built else {}
    if as_json:
        facts = {
            **_facts(row),
            **paper.model_dump(),
            "mechanism": row.mechanism,
            "claim": row.claim,
            "relations": named,
        }
        print_json({**facts, "knobs": knobs, "verdict": verdict and verdict.model_dump()})
        return
    typer.secho(f"{paper.name}: {paper.title}", bold=True)
    where = ", ".join(str(fact) for fact in (paper.authors, paper.venue, paper.year) if fact)
    for line in (where, paper.url, f"{row.key} ({'built' if row.built else 'planned'}, {row.fidelity})"):
        if line:
            typer.echo(line)
    for heading, text in (("Idea", row.idea), ("Mechanism", row.mechanism), ("Claim", row.claim)):
        _print_text(heading, text)
    if verdict:
        _print_text("Verdict", _told(verdict))
    if knobs:
        _print_text("Knobs", "name, default, what is allowed, what it does")
        print_table((name, str(knob["default"]), _allowed(knob), knob["description"]) for name, knob in knobs.items())
    for what, keys in named.items():
        if keys:
            _print_text(what.capitalize(), ", ".join(keys))


def _allowed(knob: Mapping[str, Any]) -> str:
    if "sources" in knob:
        return ", ".join([*knob["sources"], *(["mine/..."] if knob["own"] else [])])
    if "enum" in knob:
        return ", ".join(map(str, knob["enum"]))
    return f"{knob['minimum']} to {knob['maximum']}" if "minimum" in knob else "true, false"


# Running and judging


def _knobs(settings: Iterable[str] | None, seed: int | None, source: str) -> dict[str, Any]:
    knobs: dict[str, Any] = {}
    for setting in settings or ():
        name, equals, value = setting.partition("=")
        if not equals:
            raise InputError(f"--set {setting!r}: write KNOB=VALUE")
        knobs[name.strip()] = value.strip()
    if seed is not None:
        knobs["seed"] = seed
    if source:
        knobs["source"] = source
    return knobs


Seed = Annotated[int | None, typer.Option(help="Same seed, same trace.", show_default="0")]
Source = Annotated[str, typer.Option(help="The data to run on, by name.", show_default="the first of its arena")]


def _settle(**settings: Any) -> None:
    """Options that are also settings of the environment: what is said here counts."""
    for name, value in settings.items():
        if value:
            os.environ[f"NEURORAMA_{name.upper()}"] = str(value)


Device = Annotated[str, typer.Option(help="cpu, cuda or mps.", show_default="NEURORAMA_DEVICE, or cpu")]
Scheduler = Annotated[
    str, typer.Option(metavar="ADDRESS", help="A Dask scheduler.", show_default="NEURORAMA_SCHEDULER, or our own")
]
Workers = Annotated[
    int | None,
    typer.Option(min=1, help="Side processes to spread the runs over.", show_default="NEURORAMA_WORKERS, or all cores"),
]


@app.command()
def run(
    key: Key,
    settings: Set = None,
    seed: Seed = None,
    source: Source = "",
    device: Device = "",
    as_json: Json = False,
) -> None:
    """Runs an exhibit and prints how it ended."""
    from .runner import run as run_

    _settle(device=device)
    row, knobs = catalogue.row(key), _knobs(settings, seed, source)
    exhibit = catalogue.load(key)
    start = time.perf_counter()
    with _progress(row.name) as progress:
        trace = run_(key, knobs, lambda frame: progress(frame.step, frame.of))
    seconds, margin = time.perf_counter() - start, float(exhibit.claim.margin(trace))
    metrics = _final(trace.frames)
    if as_json:
        facts = {"exhibit": trace.exhibit, "params": dict(trace.params), "frames": len(trace.frames)}
        print_json({**facts, "seconds": round(seconds, 2), "metrics": metrics, "margin": margin})
        return
    _print_metrics(metrics)
    typer.echo(f"margin of the claim: {margin:+.4g} ({exhibit.claim.unit}); one seed, not a verdict")


def _which(keys: list[str] | None, every: bool) -> list[str]:
    if bool(keys) == every:
        raise InputError("name one KEY or more, or say --all")
    chosen = [catalogue.resolve(key) for key in keys or ()] or [row.key for row in catalogue.built()]
    for key in chosen:
        if not catalogue.row(key).built:
            catalogue.load(key)  # says that it is planned
    return list(dict.fromkeys(chosen))


def _told(verdict: Verdict) -> str:
    shown, control = verdict.shown, verdict.control
    return (
        f"{SIGN[shown.outcome]} {shown.outcome}: {shown.mean:+.4g} [{shown.low:+.4g}, {shown.high:+.4g}] over "
        f"{len(shown.margins)} seeds; mechanism off: {SIGN[control.outcome]} {control.outcome}, {control.mean:+.4g}; "
        f"{verdict.seconds:.1f} s a run"
    )


All = Annotated[bool, typer.Option("--all", help="All exhibits.")]


@app.command()
def judge(
    keys: Keys = None,
    every: All = False,
    seeds: Annotated[int | None, typer.Option(min=2, help="How many seeds.", show_default="the claim's own")] = None,
    workers: Workers = None,
    device: Device = "",
    scheduler: Scheduler = "",
    as_json: Json = False,
) -> None:
    """Judges claims over seeds, in side processes, and keeps the verdicts."""
    from .jobs import judge_many
    from .verdicts import read_verdicts, write_verdicts

    _settle(device=device, scheduler=scheduler)
    chosen = _which(keys, every)
    read_verdicts()  # a file that cannot be read is said now, not after the work
    verdicts: dict[str, Verdict] = {}
    with _progress("judging") as progress:
        for key, verdict in judge_many(chosen, seeds, workers, progress):
            if isinstance(verdict, Exception):
                typer.echo(f"! {key} cannot be judged: {type(verdict).__name__}: {verdict}", err=True)
                continue
            verdicts[key] = verdict
            write_verdicts({key: verdict})
            if not as_json:
                typer.echo(f"{key}: {_told(verdict)}")
    if as_json:
        print_json({key: verdict.model_dump() for key, verdict in sorted(verdicts.items())})
    if len(verdicts) < len(chosen):
        raise typer.Exit(1)


@app.command()
def sweep(
    key: Key,
    settings: Set = None,
    seeds: Annotated[int, typer.Option(min=1, help="Repeats, with seeds 0, 1, 2, ...")] = 1,
    source: Source = "",
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the table there.", show_default=False)] = None,
    again: Annotated[bool, typer.Option("--again", help="Also make the runs that the store has.")] = False,
    device: Device = "",
    scheduler: Scheduler = "",
    as_json: Json = False,
) -> None:
    """Runs an exhibit at every combination of knobs: --set depth=2,8,32 --set hidden=8,16 --seeds 3."""
    from .jobs import sweep as sweep_

    _settle(device=device, scheduler=scheduler)
    knobs = _knobs(settings, None, source)
    axes = {name: text.split(",") for name, text in knobs.items() if "," in text}
    if "seed" in knobs and seeds > 1:
        raise InputError("--set seed=... and --seeds: say one of them")
    if csv is not None and not csv.parent.is_dir():
        raise InputError(f"there is no folder {str(csv.parent)!r}")
    fixed = {name: value for name, value in knobs.items() if name not in axes}
    repeats = {} if "seed" in knobs else {"seed": range(seeds)}
    with _progress(catalogue.row(key).name) as progress:
        table = sweep_(key, {**axes, **repeats}, fixed, progress, again)
    if csv is not None:
        table.to_csv(csv, index=False)
        typer.echo(csv)
    elif as_json:
        typer.echo(table.to_json(orient="records", indent=1))
    else:
        shown = [*axes, *repeats, "margin", "state", "run"]
        cells = table[shown].itertuples(index=False)
        print_table([shown, *([number(one) if isinstance(one, float) else str(one) for one in row] for row in cells)])
    lacking = sum(state != "done" for state in table["state"])
    if lacking:
        typer.echo(f"{lacking} of {len(table)} runs were not done; `neurorama runs show RUN` says why", err=True)
        raise typer.Exit(1)


@app.command()
def league(
    arena: Annotated[str, typer.Argument(help="area/arena, e.g. message_passing/nodes.")],
    settings: Set = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="NAME", help="An entry that takes part; may be repeated.", show_default="all"),
    ] = None,
    source: Source = "",
    seed: Seed = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Training budget.", show_default="the arena's own")] = None,
    as_json: Json = False,
) -> None:
    """Trains the systems of an arena side by side; its own knobs are turned for all of them by --set."""
    from .runner import league as league_
    from .runner import standings
    from .trace import Curve

    ring = catalogue.arena(arena)[0]
    budget = {} if steps is None else {"steps": steps}
    knobs = ring.settings().parse({**_knobs(settings, seed, source), **budget}).model_dump()
    frames = []
    with _progress(arena) as progress:
        for frame in league_(arena, knobs=knobs, only=only):
            frames.append(frame)
            progress(frame.step, frame.of)
    table = standings(frames, ring.metric)
    if as_json:
        print_json(
            {
                "arena": arena,
                "metric": ring.metric,
                "meaning": ring.meaning(knobs["source"]),
                **knobs,
                "scores": {name: row[ring.metric] for name, row in table.items()},
                "systems": {name: {series: _plain(row[series]) for series in row} for name, row in table.items()},
            }
        )
        return
    rows = list(table.items())
    numbers = dict.fromkeys(name for _, row in rows for name, value in row.items() if not isinstance(value, Curve))
    cells = [(name, *(number(row[one]) if one in row else "" for one in numbers)) for name, row in rows]  # type: ignore[arg-type]
    print_table([("system", *numbers), *cells])
    for series in dict.fromkeys(name for _, row in rows for name in row if name not in numbers):
        typer.echo()
        print_table(_curves(series, {name: row[series] for name, row in rows if series in row}))  # type: ignore[misc]


@app.command()
def table(
    arena: Annotated[str, typer.Argument(help="An arena whose papers have tables, e.g. nodes.")],
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="KEY", help="A system; may be repeated.", show_default="all")
    ] = None,
    source: Annotated[str, typer.Option(help="The data, by name.", show_default="all")] = "",
    runs: Annotated[
        int | None,
        typer.Option(
            "--seeds",
            "--splits",
            min=0,
            help="Runs of each figure: seeds, or the given splits. 0 prints what there is.",
            show_default="as many as its paper",
        ),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Also make the runs that are there.")] = False,
    workers: Workers = None,
    device: Device = "",
    scheduler: Scheduler = "",
    as_json: Json = False,
) -> None:
    """Runs the systems of an arena as in their papers' tables, and prints ours beside theirs; what is done is kept."""
    from .tables import fill, second_hand

    _settle(device=device, scheduler=scheduler)
    lines, faults = [], 0
    with _progress(arena) as progress:
        for line, fault in fill(arena, only, source, runs, again, workers, progress):
            lines.append(line)
            if fault:
                faults += 1
                typer.echo(f"! {line.key} on {line.result.source}, a run has failed: {fault}", err=True)
    if as_json:
        print_json([_row_of_table(line) for line in lines])
    elif not lines:
        typer.echo("no paper of this arena has a figure there", err=True)
    else:
        heads = ("system", "data", "paper", "ours", "difference", "runs", "on")
        print_table([heads, *map(_told_of_table, lines)])
        for line in lines:
            if line.runs and not line.close:
                name = catalogue.row(line.key).name
                typer.echo(f"{name} on {line.result.source}: {line.result.note or 'nobody knows yet why'}")
        for (name, where), them in second_hand(lines).items():
            typer.echo(f"{name} on {', '.join(them)}: the figure is not in its own paper, but in {where}")
    if faults:
        raise typer.Exit(1)


def _row_of_table(line: Line) -> dict[str, Any]:
    found = line.found
    ours = {} if found is None else {"ours": line.mean, "difference": line.difference, "close": line.close}
    spread = {"ours_spread": line.spread} if line.runs > 1 else {}
    paper = {"paper": line.result.says, "paper_spread": line.result.spread, "paper_runs": line.result.runs}
    paper |= {"seen_in": line.result.seen_in} if line.result.seen_in else {}
    told = {"exhibit": line.key, "source": line.result.source, **paper, **ours, **spread, "note": line.result.note}
    return {**told, **({} if found is None else found.model_dump())}


def _told_of_table(line: Line) -> tuple[str, ...]:
    def with_spread(mean: float, spread: float) -> str:
        return f"{mean:.1f} ± {spread:.1f}" if spread > 0 else f"{mean:.1f}"

    said = (catalogue.row(line.key).name, line.result.source, with_spread(line.result.says, line.result.spread))
    if line.found is None:
        return (*said, "-", "", f"0 of {line.result.runs}", "")
    ours = (with_spread(line.mean, line.spread), f"{line.difference:+.1f}{'' if line.close else ' !'}")
    return (*said, *ours, f"{line.runs} of {line.result.runs}", line.found.date[:10])


def _plain(value: float | Curve) -> Any:
    """A number or a curve as JSON has it."""
    if isinstance(value, int | float):
        return value
    return {"x": value.x.tolist(), "y": value.y.tolist()}  # type: ignore[union-attr]


def _curves(title: str, curves: Mapping[str, Curve]) -> Iterator[tuple[str, ...]]:
    """A table of curves: a row each, with its values at places 0, 1, 2, 4, 8, ... of the longest one, and its last."""
    read = {name: _plain(curve) for name, curve in curves.items()}
    points = {name: dict(zip(map(number, curve["x"]), map(number, curve["y"]))) for name, curve in read.items()}
    longest = list(max(points.values(), key=len))
    places = [longest[i] for i in (0, *(2**k for k in range(len(longest).bit_length()))) if i < len(longest)]
    yield f"{title}, at", *places, "last"
    for name, row in points.items():
        yield name, *(row.get(at, "") for at in places), [*row.values()][-1]


@app.command()
def check(
    keys: Keys = None,
    every: All = False,
    whole: Annotated[bool, typer.Option("--whole", help="Run all frames, not three, and measure the claim.")] = False,
) -> None:
    """Prints what an exhibit still lacks (then exit code 1)."""
    from .check import faults

    faulty = 0
    for key in _which(keys, every):
        found = faults(key, whole)
        faulty += bool(found)
        for fault in found or ["keeps the contract"]:
            typer.echo(f"{key}: {fault}")
    if faulty:
        raise typer.Exit(1)


@app.command()
def traces(keys: Keys = None, every: All = False) -> None:
    """Records the default run of exhibits, which their pages open on."""
    from .traces import record

    chosen, failed = _which(keys, every), 0
    with _progress("recording") as progress:
        for done, key in enumerate(chosen):
            progress(done, len(chosen))
            try:
                files = record(key)
            except InputError:
                raise
            except Exception as error:  # a broken exhibit breaks only itself
                failed += 1
                typer.echo(f"! {key} cannot be recorded: {type(error).__name__}: {error}", err=True)
                continue
            typer.echo(f"{key}: {files[0].stat().st_size / 1000:.0f} kB, {len(files) - 1} stills")
    if failed:
        raise typer.Exit(1)


@app.command()
def bench(as_json: Json = False) -> None:
    """Measures the kernels beside what else one would use."""
    from . import bench as bench_

    bench_.main(json=as_json)


# Data


@data_app.command("list")
def data_list(as_json: Json = False) -> None:
    """Lists the data by name, and says what is missing."""
    from . import data

    sources = data.sources()
    if as_json:
        names = ("name", "kind", "title", "available", "note")
        print_json([{name: getattr(source, name) for name in names} for source in sources])
        return
    print_table(("●" if one.available else "○", one.name, one.kind, one.title, one.note) for one in sources)


@data_app.command("add")
def data_add(
    file: Annotated[Path, typer.Argument(help="An edge list, CSV, GraphML, GML or JSON node-link file.")],
    name: Annotated[str, typer.Option(help="What to call it.", show_default="the file's name")] = "",
) -> None:
    """Adds a graph of your own; it stays on this machine."""
    from . import data

    typer.echo(data.add(file, f"{name}{file.suffix}" if name else ""))


# Making and taking away


@app.command()
def new(key: Annotated[str, typer.Argument(metavar="AREA/SLUG", help="A paper that is planned.")]) -> None:
    """Writes the skeleton of an exhibit and of its test."""
    from .skeleton import write

    for file in write(key):
        typer.echo(file)


@app.command()
def export(
    key: Key,
    book: Annotated[Path | None, typer.Option("--notebook", metavar="FILE", help="Write a notebook.")] = None,
    page: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Run it; write one HTML file.")] = None,
    settings: Set = None,
    seed: Seed = None,
    source: Source = "",
) -> None:
    """Writes exactly these knobs as a notebook, and their run as a page that needs nothing else."""
    wanted = [file for file in (book, page) if file is not None]
    if not wanted:
        raise InputError("say what to write: --notebook FILE, --html FILE, or both")
    for file in wanted:
        if not file.parent.is_dir():
            raise InputError(f"there is no folder {str(file.parent)!r}")
    knobs = _knobs(settings, seed, source)
    if book is not None:
        from .notebook import notebook, text

        book.write_text(text(notebook(key, knobs)), encoding="utf-8")
    if page is not None:
        from .page import export_html
        from .runner import run as run_

        with _progress(catalogue.row(key).name) as progress:
            trace = run_(key, knobs, lambda frame: progress(frame.step, frame.of))
        page.write_text(export_html(trace), encoding="utf-8")
    for file in wanted:
        typer.echo(file)


@app.command("app")
def app_(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where to serve it.")] = 8501,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "localhost",
    device: Device = "",
    scheduler: Scheduler = "",
    workers: Workers = None,
) -> None:
    """Starts the dashboard and says where it is; for others than this machine it wants a login."""
    from .hosts import dashboard

    _settle(device=device, scheduler=scheduler, workers=workers)
    raise typer.Exit(dashboard(host, port))


@users_app.command("add")
def users_add(
    name: str,
    password: Annotated[
        str, typer.Option(prompt=True, confirmation_prompt=True, hide_input=True, help="Better typed.")
    ],
) -> None:
    """Lets somebody in, or gives them another password; only its hash is kept."""
    from . import users

    users.add(name, password)
    typer.echo(users.file())


@users_app.command("list")
def users_list() -> None:
    """Lists who may come in."""
    from . import users

    for name in users.names():
        typer.echo(name)


@users_app.command("rm")
def users_rm(name: str) -> None:
    """Shuts somebody out, at once."""
    from . import users

    users.remove(name)


@app.command()
def lab(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where to serve it.")] = 8888,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser.")] = True,
) -> None:
    """Starts JupyterLab on the notebooks, with the Neurorama kernel."""
    from .hosts import jupyter

    raise typer.Exit(jupyter(port, browser))


@kernel_app.command("install")
def kernel_install(
    user: Annotated[bool, typer.Option("--user", help="For this user (the default).")] = False,
    sys_prefix: Annotated[bool, typer.Option("--sys-prefix", help="For this Python environment.")] = False,
    prefix: Annotated[str, typer.Option(help="For this folder.", show_default=False)] = "",
) -> None:
    """Installs the kernel "Neurorama": this Python, for every Jupyter that looks there."""
    from .hosts import install_kernel

    if user + sys_prefix + bool(prefix) > 1:
        raise InputError("--user, --sys-prefix and --prefix: say one of them")
    typer.echo(install_kernel(sys.prefix if sys_prefix else prefix))


@app.command()
def doctor(as_json: Json = False) -> None:
    """Says what is here, what is missing, and how to get it."""
    from .doctor import report

    facts = report()
    if as_json:
        print_json([fact._asdict() for fact in facts])
        return
    print_table(("✓" if fact.fine else "✗", fact.what, fact.found, fact.remedy) for fact in facts)
