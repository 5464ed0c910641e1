"""A recorded run as one HTML file that needs nothing else: it opens from disk, without a network, and moves."""

from __future__ import annotations

import ast
import base64
import gzip
import re
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from . import catalogue, places
from .stage import Stage, still
from .stage.describe import pack
from .trace import Trace
from .verdicts import read_verdicts

PLAYER = Path(__file__).parent / "stage" / "player"
FORMULA = re.compile(r"\$\$(.+?)\$\$", re.DOTALL)

# Nothing may be fetched and nobody may be told: whatever else a browser would allow, this page forbids.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:"
)


def export_html(trace: Trace) -> str:
    """The page of a run: its text with equations, the stage with slider and selection, knobs and claim.

    The same trace gives the same page, byte for byte.

    Raises:
        InputError: the trace has no frames, or its exhibit is not known.
    """
    row, exhibit = catalogue.row(trace.exhibit), catalogue.load(trace.exhibit)
    paper, claim = exhibit.paper, exhibit.claim
    stage = Stage(trace, exhibit)
    told = ast.get_docstring(ast.parse(row.path.read_text(encoding="utf-8"))) or ""
    idea, dollars, rest = told.partition("$$")
    title = f'<a href="{escape(paper.url)}">{escape(paper.title)}</a>' if paper.url else escape(paper.title)
    where = " · ".join(escape(str(fact)) for fact in (paper.authors, paper.venue, paper.year) if fact)
    about = {"exhibit": trace.exhibit, "name": paper.name, "params": dict(trace.params), "claim": claim.statement}
    knobs = "".join(f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>" for name, value in trace.params.items())
    font = base64.b64encode((places.assets() / "fonts" / "inter-latin-wght-normal.woff2").read_bytes()).decode()
    plotly = files("plotly").joinpath("package_data/plotly.min.js").read_bytes()
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(paper.name)} · Neurorama</title>
<style>
@font-face {{ font-family: Inter; font-weight: 100 900; src: url(data:font/woff2;base64,{font}) format("woff2"); }}
{_inside("style", "page.css", "stage.css")}</style>
</head>
<body>
<header>
<button id="theme" type="button">light / dark</button>
<h1>{escape(paper.name)}</h1>
<p>{title}<br><small>{where}</small></p>
</header>
<div class="idea">{markdown(idea)}</div>
<main class="box" id="stage">{still(stage.rows())}</main>
<div class="columns">
<section class="box"><h2>The claim</h2><p>{escape(claim.statement)}</p>{_judged(trace, exhibit)}</section>
<section class="box"><h2>The mechanism</h2>{markdown(dollars + rest)}</section>
<section class="box"><h2>This run</h2><dl>{knobs}</dl>
<p class="soft">Run it yourself: <code>neurorama run {escape(trace.exhibit)}</code></p></section>
</div>
<script type="text/plain" id="run">{_packed(pack(stage, about))}</script>
<script type="text/plain" id="plotly">{_packed(plotly)}</script>
<script type="module">
{_inside("script", "stage.js", "page.js")}</script>
</body>
</html>
"""


def _judged(trace: Trace, exhibit: Any) -> str:
    """The margin of this run, and the verdict over seeds where there is one."""
    claim = exhibit.claim
    said = f"<p>Margin of this run: <b>{float(claim.margin(trace)):+.4g}</b> ({escape(claim.unit)}). "
    said += "Above zero it supports the claim, below it refutes it; one run is not a verdict.</p>"
    if verdict := read_verdicts().get(trace.exhibit):
        shown, control = verdict.shown, verdict.control
        said += (
            f"<p><b>{verdict.outcome.capitalize()}</b> at the usual knobs over {len(shown.margins)} seeds: "
            f"{shown.mean:+.3g} ({shown.low:+.3g} to {shown.high:+.3g}); mechanism off: "
            f"{control.mean:+.3g} ({control.low:+.3g} to {control.high:+.3g}).</p>"
        )
    if claim.paper_says:
        said += f"<p><small>The paper: {escape(claim.paper_says)}</small></p>"
    return said


def markdown(text: str) -> str:
    """Markdown with LaTeX as HTML with MathML; markup in the text itself is shown, not obeyed."""
    import mistune

    plain = mistune.create_markdown(escape=True, plugins=["math"])
    plain.renderer.register("inline_math", lambda _, formula: _formula(formula, "inline"))  # type: ignore[union-attr]
    parts = FORMULA.split(text)  # words and formulas by turns
    return "".join(_formula(part, "block") if i % 2 else str(plain(part)) for i, part in enumerate(parts))


def _formula(latex: str, display: str) -> str:
    from latex2mathml.converter import convert

    return convert(latex.strip(), display=display)


def _packed(data: bytes) -> str:
    """Gzip in letters, which a browser unpacks by itself."""
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode()


def _inside(tag: str, *names: str) -> str:
    """Files of the player as the content of an element, which only its own end tag could close.

    Raises:
        ValueError: a file holds that tag.
    """
    source = "\n".join((PLAYER / name).read_text(encoding="utf-8") for name in names)
    if f"</{tag}" in source.lower():
        raise ValueError(f"a file of the player holds </{tag}>, which would end it too early")
    return source
