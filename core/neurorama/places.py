"""Where things lie: in a checkout beside the code, in an installed wheel inside the package."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_data_path

PACKAGE = Path(__file__).parent


def root() -> Path | None:
    """The checkout that this package runs from, or None where it was installed from a wheel."""
    top = PACKAGE.parents[1]
    return top if PACKAGE.parent.name == "core" and (top / "pyproject.toml").is_file() else None


def _beside(name: str) -> Path:
    top = root()
    return PACKAGE / f"_{name}" if top is None else top / name


def app() -> Path:
    """The folder of the dashboard; `main.py` starts it."""
    return _beside("app")


def assets() -> Path:
    """The folder of theme, logo, recorded traces and the verdicts that the project publishes."""
    return _beside("assets")


def notebooks() -> Path:
    """The folder of the notebooks as they are shipped."""
    return _beside("notebooks")


def user() -> Path:
    """The folder for what the user makes: `NEURORAMA_DATA`, or where this system keeps such things."""
    named = os.environ.get("NEURORAMA_DATA")
    return Path(named).expanduser() if named else user_data_path("neurorama")


def _kept(name: str) -> Path:
    return (user() if root() is None else assets()) / name


def verdicts() -> Path:
    """The file that `neurorama judge` writes: the checkout's, or the user's own where there is no checkout."""
    return _kept("verdicts.json")


def tables() -> Path:
    """The file that `neurorama table` writes: the checkout's, or the user's own where there is no checkout."""
    return _kept("tables.json")
