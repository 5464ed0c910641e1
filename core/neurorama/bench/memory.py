"""Peak memory, from the kernel's account of a process (Linux only)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_HERE = Path("/proc/self")


def known() -> bool:
    """Whether this system tells peaks."""
    return (_HERE / "clear_refs").exists()


def in_new_process(*words: str) -> float | None:
    """What `python -m neurorama.bench *words` prints, where nothing has run before; None where peaks are unknown."""
    if not known():
        return None
    command = [sys.executable, "-m", "neurorama.bench", *words]
    found = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    return float(found.stdout)


def peak(call: Callable[[], Any]) -> float:
    """MiB that `call` takes at its worst, beyond what this process holds before."""
    (_HERE / "clear_refs").write_text("5")  # forget the peak so far
    before = _status("VmRSS")
    result = call()
    most = _status("VmHWM") - before
    del result
    return max(0.0, most / 1024)


def most() -> float:
    """MiB that this process has held at most since it began."""
    return _status("VmHWM") / 1024


def _status(field: str) -> int:
    """KiB, from the kernel's account of this process."""
    lines = (_HERE / "status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))
