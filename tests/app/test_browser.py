"""The dashboard in a real browser: open an exhibit, see the picture, move time, select, turn a knob, run it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from neurorama import places

pytestmark = pytest.mark.browser


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The dashboard on a free port, started from another folder than its own."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(places.app() / "main.py"), f"--server.port={port}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with (
        open(tmp_path / "log", "wb") as log,
        subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log, env=environment) as app,
    ):
        try:
            end = time.monotonic() + 120
            while True:
                try:
                    with urlopen(f"http://localhost:{port}/_stcore/health", timeout=2):
                        break
                except OSError:
                    assert time.monotonic() < end, (tmp_path / "log").read_text()
                    time.sleep(0.2)
            yield f"http://localhost:{port}"
        finally:
            app.kill()


def test_an_exhibit_runs_shows_its_picture_and_can_be_asked(server: str, chromium: Any) -> None:
    faults: list[str] = []
    elsewhere: list[str] = []
    page = chromium.new_page(viewport={"width": 1440, "height": 900})
    page.set_default_timeout(200_000)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("request", lambda sent: elsewhere.append(sent.url) if not _ours(sent.url, server) else None)

    page.goto(f"{server}/?exhibit=message_passing/dagnn&steps=20&depth=4")
    page.wait_for_selector(".nr-stage[data-ready]")
    seen = "document.querySelector('.nr-marks')?.getBoundingClientRect().top < 900"
    page.wait_for_function(seen)  # above the fold, nothing clicked
    assert page.locator("h1").inner_text() == "DAGNN"
    assert "depth=4" in page.url
    page.wait_for_selector(".st-key-progress-stop", state="detached")
    page.wait_for_selector("text=training step 20 of 20")  # the slider has followed

    page.locator(".nr-pane").first.press("Home")
    page.wait_for_selector("text=training step 0 of 20")
    page.locator(".nr-find").fill("node 3")
    page.locator(".nr-find").press("Enter")
    page.wait_for_function("document.querySelectorAll('.nr-pane[data-lit=\"1\"]').length >= 4")
    assert "node 3" in page.locator(".nr-card").inner_text()

    seed = page.locator(".st-key-message_passing-dagnn-seed input")
    seed.fill("3")
    seed.press("Enter")
    page.wait_for_selector("text=The knobs have moved")
    assert "seed=3" in page.url
    page.wait_for_selector("text=training step 0 of 20")  # a rerun of the page does not move time
    page.get_by_role("button", name="Run it yourself").click()
    page.wait_for_selector("text=The knobs have moved", state="detached")
    page.wait_for_selector("text=training step 20 of 20")
    page.get_by_text("The code of the mechanism").click()
    page.wait_for_selector("text=class DAGNN")
    assert page.evaluate("document.fonts.check('16px Inter')")

    page.goto(f"{server}/?exhibit=sgc")
    page.wait_for_selector(".nr-stage[data-ready]")
    sizes = "(ending) => performance.getEntriesByType('resource').filter((one) => one.name.endsWith(ending))"
    for ending in ("plotly.min.js", "stage.js", "edit.js"):
        assert page.evaluate(f"{sizes}.map((one) => one.transferSize)", ending) == [0]  # the browser has kept it
    page.close()
    assert faults == []
    assert elsewhere == []


def _ours(url: str, server: str) -> bool:
    return url.startswith((server, "data:", "blob:"))
