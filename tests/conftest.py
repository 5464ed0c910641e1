"""Set-up of the whole suite: the kernels' shapes are checked, torch keeps to one thread, data folders are scratch."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

os.environ.setdefault("OMP_NUM_THREADS", "1")
install_import_hook("neurorama.kernels", "beartype.beartype")
settings.register_profile("neurorama", deadline=None)  # a busy machine is not a fault
settings.load_profile("neurorama")

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real benchmark files beside the checkout; tests that need it are skipped where it is not."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the benchmark files in ../shared/data")
    return folder


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A Chromium, the system's or Playwright's, driven by Playwright."""
    tools = pytest.importorskip("playwright.sync_api", reason="needs Playwright")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    flags += ["--disable-background-networking", "--disable-component-update"]
    with tools.sync_playwright() as tool:
        path = shutil.which("chromium") or shutil.which("chromium-browser") or tool.chromium.executable_path
        if not Path(path).is_file():
            pytest.skip("needs a Chromium: none is installed on the system or by Playwright")
        browser = tool.chromium.launch(executable_path=path, args=flags)
        yield browser
        browser.close()


@pytest.fixture(autouse=True)
def own_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or writes the user's own data folder."""
    monkeypatch.setenv("NEURORAMA_DATA", str(tmp_path / "data"))
    return tmp_path / "data"
