"""The player in a real browser: a page from disk without a network, and a notebook in JupyterLab."""

from __future__ import annotations

import base64
import gzip
import os
import re
import secrets
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import nbformat
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from values import MAKE, card

import neurorama
from neurorama import Frame, Graph, Points
from neurorama.stage import Stage
from neurorama.stage.describe import pack

pytestmark = pytest.mark.browser
HOSTILE = '<img src=x onerror="document.title=1"><b>bold</b>'


@pytest.fixture(scope="module")
def exported() -> str:
    return neurorama.export_html(neurorama.run("dagnn", {"steps": 12, "depth": 4}))


def holding(page: str, stage: Stage) -> str:
    """The exported page with another run in it."""
    run = base64.b64encode(gzip.compress(pack(stage))).decode()
    return re.sub(r'(id="run">)[^<]*', rf"\g<1>{run}", page)


class Opened:
    """A page from disk, without a network; `faults` collects what a console would complain of."""

    def __init__(self, chromium: Any, file: Path, text: str, **context: Any) -> None:
        file.write_text(text, encoding="utf-8")
        self.context = chromium.new_context(offline=True, **context)
        self.page = self.context.new_page()
        self.faults: list[str] = []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on(
            "console", lambda said: self.faults.append(said.text) if said.type in ("error", "warning") else None
        )
        self.page.goto(file.as_uri())
        self.page.wait_for_selector(".nr-stage[data-ready]")

    def ask(self, words: str) -> Any:
        """Something of the stage, in JavaScript."""
        return self.page.evaluate(
            f"(() => {{ const stage = document.querySelector('.nr-stage').stage; return {words}; }})()"
        )

    def step(self) -> str:
        self.settle()
        return self.page.locator(".nr-step").inner_text()

    def settle(self) -> None:
        self.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def pictures(self) -> list[str]:
        self.settle()
        return self.page.evaluate("[...document.querySelectorAll('.nr-marks')].map((canvas) => canvas.toDataURL())")


def test_a_page_from_disk_moves_and_answers_without_a_network(chromium: Any, exported: str, tmp_path: Path) -> None:
    opened = Opened(chromium, tmp_path / "page.html", exported)
    page = opened.page
    assert page.locator("h1").inner_text() == "DAGNN"
    assert page.locator("math").count() >= 3
    assert opened.step() == "training step 12 of 12"
    last = opened.pictures()

    page.locator(".nr-pane").first.press("Home")  # by keyboard alone
    assert opened.step() == "training step 0 of 12"
    first = opened.pictures()
    assert sum(a != b for a, b in zip(first, last, strict=True)) >= 4
    page.keyboard.press("ArrowRight")
    assert opened.step() == "training step 1 of 12"
    page.keyboard.press(" ")
    page.wait_for_selector("text=training step 12 of 12")
    page.wait_for_selector(".nr-play[aria-label='Play']")  # it stops at the end
    page.keyboard.press("ArrowLeft")
    assert opened.step() == "training step 11 of 12"
    page.locator(".nr-time").fill("12")
    assert opened.step() == "training step 12 of 12"
    assert opened.pictures() == last

    node = "stage.panes[0].now(stage.panes[0].marks[0])"
    where = opened.ask(f"['x', 'y'].map((axis) => stage.panes[0].frame[axis]({node}[axis][3]))")
    page.locator(".nr-marks").first.click(position={"x": where[0], "y": where[1]})
    page.mouse.move(2, 2)
    opened.settle()
    lit = opened.pictures()
    changed = [a != b for a, b in zip(lit, last, strict=True)]
    assert changed == [pane == "nodes" for pane in opened.ask("stage.panes.map((pane) => pane.told.items?.kind ?? '')")]
    assert sum(changed) >= 4  # node, dot and column, in both arms
    told = page.locator(".nr-card").inner_text()
    assert "node 3" in told
    assert "DAGNN" in told
    page.locator(".nr-pane").first.press("Home")
    opened.settle()
    assert opened.ask("stage.selected.length") == 1  # it survives time
    assert page.locator(".nr-card").inner_text() != told
    page.keyboard.press("Escape")
    opened.settle()
    assert opened.pictures() == first

    assert page.locator("[role=img][aria-label]").count() == opened.ask("stage.panes.length")
    page.locator("#theme").click()
    page.wait_for_selector(".nr-stage[data-theme=dark]")
    with page.expect_download() as saved:
        page.locator(".nr-pane").first.hover()
        page.locator(".nr-tools button", has_text="svg").first.click()
    assert saved.value.suggested_filename.endswith(".svg")
    assert opened.faults == []
    opened.context.close()


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_every_type_of_value_is_drawn_at_every_step(
    width: int, scheme: str, chromium: Any, exported: str, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    frames = [
        Frame(i, 3, {f"{kind}/{arm}": make(rng) for kind, make in MAKE.items() for arm in ("Ours", "Plain")})
        for i in range(4)
    ]
    page = holding(exported, Stage.of_frames(frames, card(*MAKE)))
    opened = Opened(
        chromium, tmp_path / "all.html", page, viewport={"width": width, "height": 900}, color_scheme=scheme
    )
    seen = []
    for place in range(4):
        opened.ask(f"stage.go({place})")
        seen.append(opened.pictures())
    opened.page.evaluate("document.querySelectorAll('.nr-marks').forEach((canvas) => { canvas.width = canvas.width; })")
    blank = opened.pictures()
    for moments in zip(*seen, blank, strict=True):
        assert len(set(moments)) == 5  # each step has its picture, and none is empty
    assert opened.page.evaluate("document.documentElement.scrollWidth <= innerWidth")  # nothing hangs over the edge
    assert opened.faults == []
    opened.context.close()


def test_markup_in_names_is_text(chromium: Any, exported: str, tmp_path: Path) -> None:
    names = [HOSTILE, "<i>one</i>", "</script><script>document.title=2</script>"]
    values = {
        "graph": Graph([[0, 1], [1, 2]], 3, names=names, values=[1, 2, 3], unit=HOSTILE),
        f"points/{HOSTILE.replace('/', '')}": Points(np.eye(3, 2), names=names, items="nodes"),
    }
    stage = Stage.of_frames([Frame(0, 0, values)], card("graph", "points", arms=()))
    opened = Opened(chromium, tmp_path / "hostile.html", holding(exported, stage))
    opened.ask("stage.select(stage.panes[0].item(0))")
    opened.settle()
    assert opened.page.locator(".nr-card strong").inner_text() == HOSTILE
    assert opened.page.locator(".nr-stage :is(img, b, i, script)").count() == 0
    assert "DAGNN" in opened.page.title()
    assert opened.faults == []
    opened.context.close()


@pytest.mark.slow
def test_a_notebook_in_jupyterlab_shows_the_player(chromium: Any, tmp_path: Path) -> None:
    code = "import neurorama\nshown = neurorama.show(neurorama.run('dagnn', {'steps': 12, 'depth': 4}))\nshown"
    cells = [nbformat.v4.new_code_cell(code), nbformat.v4.new_code_cell("print('at', shown.step, shown.selected)")]
    book = nbformat.v4.new_notebook(
        cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    )
    nbformat.write(book, tmp_path / "look.ipynb")
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(8)
    flags = ["--no-browser", "--ip=localhost", f"--port={port}", f"--ServerApp.root_dir={tmp_path}", "--allow-root"]
    command = [sys.executable, "-m", "jupyterlab", *flags, f"--IdentityProvider.token={token}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with (
        open(tmp_path / "log", "wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log, env=environment) as server,
    ):
        try:
            end = time.monotonic() + 200
            while True:
                try:
                    urlopen(f"http://localhost:{port}/api?token={token}", timeout=2).close()
                    break
                except OSError:
                    assert time.monotonic() < end, (tmp_path / "log").read_text()
                    time.sleep(0.3)
            page = chromium.new_page(viewport={"width": 1300, "height": 1000})
            page.set_default_timeout(60_000)
            faults: list[str] = []
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.goto(f"http://localhost:{port}/doc/tree/look.ipynb?token={token}")
            page.wait_for_selector("text=| Idle")  # what is run before the kernel is there is forgotten
            page.locator(".jp-Notebook .jp-Cell").first.click()
            page.keyboard.press("Shift+Enter")
            page.wait_for_selector(".nr-stage[data-ready]")
            page.locator(".nr-pane").first.press("Home")
            page.wait_for_selector("text=training step 0 of 12")
            page.locator(".nr-find").fill("node 3")
            page.locator(".nr-find").press("Enter")
            page.wait_for_function("document.querySelectorAll('.nr-pane[data-lit=\"1\"]').length >= 4")
            if place := os.environ.get("NEURORAMA_SCREENSHOTS"):
                page.screenshot(path=Path(place) / "jupyterlab.png")
            page.locator(".jp-Notebook .jp-Cell").nth(1).click()
            page.keyboard.press("Shift+Enter")
            page.wait_for_selector("text=at 0 [{'kind': 'nodes', 'place': 3")  # the kernel knows
            page.close()
            assert faults == []
        finally:
            server.terminate()
