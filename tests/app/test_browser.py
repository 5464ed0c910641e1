"""The dashboard in a real browser: open an exhibit, turn a knob, run it, see the picture."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from neurorama import places

pytestmark = pytest.mark.browser
ARGUMENTS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]

PICTURES = (
    "[...document.querySelectorAll('.st-key-stage .js-plotly-plot .main-svg:first-of-type')]"
    ".map(svg => svg.getBoundingClientRect()).filter(box => box.height > 100)"
)


def chromium() -> str:
    """The path of a Chromium, the system's or Playwright's."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found:
        return found
    playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright")
    with playwright.sync_playwright() as tool:
        path = tool.chromium.executable_path
    if not Path(path).is_file():
        pytest.skip("needs a Chromium: none is installed on the system or by Playwright")
    return path


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
            end = time.monotonic() + 60
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


def test_an_exhibit_runs_and_shows_its_picture(server: str) -> None:
    path = chromium()
    playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright")
    faults: list[str] = []
    elsewhere: list[str] = []
    with playwright.sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=path, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.on("request", lambda sent: elsewhere.append(sent.url) if not _ours(sent.url, server) else None)

        page.goto(f"{server}/?exhibit=message_passing/dagnn&steps=20&depth=4")
        page.wait_for_selector(".st-key-time")
        page.wait_for_function(f"{PICTURES}.some(box => box.top < innerHeight)")  # above the fold, nothing clicked
        assert page.locator("h1").inner_text() == "DAGNN"
        assert "depth=4" in page.url

        seed = page.locator(".st-key-message_passing-dagnn-seed input")
        seed.fill("3")
        seed.press("Enter")
        page.wait_for_selector("text=The knobs have moved")
        assert "seed=3" in page.url
        page.get_by_role("button", name="Run it yourself").click()
        page.wait_for_selector("text=The knobs have moved", state="detached")
        page.wait_for_selector(".st-key-time")
        page.wait_for_function(f"{PICTURES}.length >= 4")
        assert page.evaluate("document.fonts.check('16px Inter')")
        browser.close()
    assert faults == []
    assert elsewhere == []


def _ours(url: str, server: str) -> bool:
    return url.startswith((server, "data:", "blob:"))
