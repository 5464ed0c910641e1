"""Neurorama: a hall of working models of neural network papers."""

from importlib.metadata import PackageNotFoundError, version

from . import catalogue as catalogue
from .arena import Arena as Arena
from .arena import descend as descend
from . import data as data
from .errors import InputError as InputError
from .exhibit import Claim as Claim
from .exhibit import Entry as Entry
from .exhibit import Exhibit as Exhibit
from .exhibit import Preset as Preset
from .paper import Paper as Paper
from .paper import Params as Params
from .runner import Verdict as Verdict
from .runner import frames as frames
from .runner import judge as judge
from .runner import league as league
from .runner import run as run
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

try:
    __version__ = version("neurorama")
except PackageNotFoundError:  # a source tree that was not installed
    __version__ = "0"
