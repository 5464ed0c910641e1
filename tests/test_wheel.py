"""The built wheel carries app, notebooks and assets, and works outside the checkout."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


def pip(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", "--quiet", *words], check=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), str(ROOT))
    return next(folder.glob("neurorama-*.whl"))


@pytest.fixture(scope="module")
def home(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel; the dependencies are borrowed from the one that runs the tests."""
    folder = tmp_path_factory.mktemp("elsewhere")
    venv.create(folder / "venv", with_pip=False)
    site = next((folder / "venv").glob("lib/python*/site-packages"))
    (site / "borrowed.pth").write_text(sysconfig.get_paths()["purelib"])
    python = folder / "venv" / "bin" / "python"
    pip("--python", str(python), "install", "--no-deps", str(wheel))
    return folder


def call(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NEURORAMA_DATA": str(home / "data")}
    command = [str(home / "venv" / "bin" / "neurorama"), *words]
    return subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, timeout=240)


def test_the_wheel_carries_everything(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = {"papers.jsonl", "py.typed", "_app/main.py", "_notebooks/00_tour.ipynb", "_assets/verdicts.json"}
    assert {f"neurorama/{name}" for name in wanted} <= names
    assert not [name for name in names if "__pycache__" in name or name.startswith("tests/")]


def test_it_lists_and_runs_outside_the_checkout(home: Path) -> None:
    place = subprocess.run(
        [str(home / "venv/bin/python"), "-c", "import neurorama; print(neurorama.__file__)"],
        cwd=home, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert str(home) in place.stdout
    rows = json.loads(call(home, "list", "--built", "--json").stdout)
    assert len(rows) >= 12
    done = call(home, "run", "dagnn", "--set", "steps=10", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)


def test_the_dashboard_starts_from_the_wheel(home: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "NEURORAMA_DATA": str(home / "data")}
    server = subprocess.Popen(
        [str(home / "venv/bin/neurorama"), "app", "--port", str(port)],
        cwd=home, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(120):
            try:
                with urllib.request.urlopen(f"http://localhost:{port}/_stcore/health", timeout=2) as answer:
                    assert answer.read() == b"ok"
                break
            except OSError:
                time.sleep(0.5)
        else:
            pytest.fail("the dashboard did not answer within a minute")
    finally:
        server.terminate()
        server.wait(20)
