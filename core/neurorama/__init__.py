"""Neurorama: a hall of working models of neural network papers.

Names are imported when they are first used, so that listing papers takes no torch and no time.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import catalogue as catalogue
    from . import codec as codec
    from . import data as data
    from .arena import Arena as Arena
    from .arena import descend as descend
    from .check import faults as faults
    from .compare import Comparison as Comparison
    from .compare import compare as compare
    from .errors import InputError as InputError
    from .exhibit import Claim as Claim
    from .exhibit import Entry as Entry
    from .exhibit import Exhibit as Exhibit
    from .exhibit import Preset as Preset
    from .exhibit import Result as Result
    from .jobs import Job as Job
    from .jobs import submit as submit
    from .jobs import sweep as sweep
    from .page import export_html as export_html
    from .paper import Paper as Paper
    from .paper import Params as Params
    from .runner import Verdict as Verdict
    from .runner import frames as frames
    from .runner import judge as judge
    from .runner import league as league
    from .runner import run as run
    from .stage import show as show
    from .trace import Bars as Bars
    from .trace import Curve as Curve
    from .trace import Events as Events
    from .trace import Flow as Flow
    from .trace import Frame as Frame
    from .trace import Graph as Graph
    from .trace import Grid as Grid
    from .trace import Hist as Hist
    from .trace import Mask as Mask
    from .trace import Points as Points
    from .trace import Run as Run
    from .trace import Trace as Trace
    from .trace import Value as Value

_NAMES = {
    "arena": "Arena descend",
    "check": "faults",
    "compare": "Comparison compare",
    "errors": "InputError",
    "exhibit": "Claim Entry Exhibit Preset Result",
    "jobs": "Job submit sweep",
    "page": "export_html",
    "paper": "Paper Params",
    "runner": "Verdict frames judge league run",
    "stage": "show",
    "trace": "Bars Curve Events Flow Frame Graph Grid Hist Mask Points Run Trace Value",
}
_HOME = {name: module for module, names in _NAMES.items() for name in names.split()}
_MODULES = ("catalogue", "codec", "data")

__all__ = [*_HOME, *_MODULES]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f".{name}", __name__)
    if name in _HOME:
        found = getattr(import_module(f".{_HOME[name]}", __name__), name)
        globals()[name] = found
        return found
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("neurorama")
        except PackageNotFoundError:  # a source tree that was not installed
            return "0"
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
