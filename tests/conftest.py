"""Set-up of the whole suite: the kernels' shapes are checked, torch keeps to one thread, data folders are scratch."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

os.environ.setdefault("OMP_NUM_THREADS", "1")
SIDE = Path(__file__).with_name("side_process.py")
os.environ.update(  # of the side processes that tests start, once for each process of the suite
    {"NEURORAMA_WORKERS": "2", "NEURORAMA_MEMORY_LIMIT": "600", "DASK_DISTRIBUTED__WORKER__PRELOAD": str(SIDE)}
)
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


@pytest.fixture
def postgres() -> Iterator[str]:
    """The address of a new, empty database on the PostgreSQL that `.ci/run` starts."""
    server = os.environ.get("NEURORAMA_TEST_POSTGRES", "")
    if not server:
        pytest.skip("needs a PostgreSQL: NEURORAMA_TEST_POSTGRES=postgresql+psycopg://..., as .ci/run sets it")
    from sqlalchemy import create_engine, make_url, text

    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    name = f"neurorama_{secrets.token_hex(6)}"
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield make_url(server).set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Prints what tests of faults found to be lost (their `record_property("lost", ...)`)."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    for report in reports:
        if getattr(report, "when", "") == "call":
            for name, told in report.user_properties:
                if name == "lost":
                    terminalreporter.write_line(f"lost: {told}")


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> None:
    """The made-up exhibits of `side_process.py`, in this process as well."""
    spec = importlib.util.spec_from_file_location("side_process", SIDE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    module.install(monkeypatch.setitem)
