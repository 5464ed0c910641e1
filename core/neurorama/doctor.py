"""What is installed on this machine, what is missing, and how to get it."""

from __future__ import annotations

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, requires, version
from typing import NamedTuple

from packaging.requirements import Requirement

from . import __version__, catalogue, data, hosts, places


class Fact(NamedTuple):
    """One line of the report: `remedy` says how to mend what is not `fine`."""

    what: str
    found: str
    fine: bool = True
    remedy: str = ""


def report() -> list[Fact]:
    """Versions, device, folders and data of this machine."""
    built = len(catalogue.built())
    return [
        Fact("neurorama", f"{__version__}, {built} of {len(catalogue.papers())} papers built"),
        Fact("python", f"{platform.python_version()} on {platform.platform()}"),
        *_packages(),
        _device(),
        _folder(),
        _data(),
        _place("dashboard", places.app() / "main.py"),
        _place("notebooks", places.notebooks()),
        _kernel(),
        _browser(),
    ]


def _packages() -> list[Fact]:
    facts = []
    for line in requires("neurorama") or ():
        wanted = Requirement(line)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            found = version(wanted.name)
        except PackageNotFoundError:
            facts.append(Fact(wanted.name, "missing", False, f"pip install '{wanted}'"))
            continue
        fine = wanted.specifier.contains(found, prereleases=True)
        facts.append(Fact(wanted.name, found, fine, "" if fine else f"pip install '{wanted}'"))
    return facts


def _device() -> Fact:
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    graphics = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no GPU (none is needed)"
    return Fact("device", f"{cores} cores, {graphics}")


def _folder() -> Fact:
    folder = data.folder.root()
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    fine = there.is_dir() and os.access(there, os.W_OK)
    note = "" if folder.is_dir() else " (made when first needed)"
    return Fact("data folder", f"{folder}{note}", fine, "" if fine else "set NEURORAMA_DATA to a folder you can write")


def _data() -> Fact:
    sources = data.sources()
    missing = [source.name for source in sources if not source.available]
    found = f"{len(sources) - len(missing)} of {len(sources)} sources are here"
    remedy = f"optional: {', '.join(missing)}; `neurorama data list` says how to get them"
    return Fact("data", found, not missing, remedy if missing else "")


def _place(what: str, path: os.PathLike[str]) -> Fact:
    fine = os.path.exists(path)
    return Fact(what, os.fspath(path), fine, "" if fine else "install neurorama anew")


def _kernel() -> Fact:
    found = hosts.kernel()
    return Fact("notebook kernel", found or "not installed", bool(found), "" if found else "neurorama kernel install")


def _browser() -> Fact:
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next((path for path in map(shutil.which, names) if path), None)
    return Fact("chromium", found or "not found", bool(found), "" if found else "only the browser tests need it")
