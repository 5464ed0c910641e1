"""The stage: a trace becomes panes, each a picture of one series at one step.

The type of a value decides how it is drawn; `RENDERERS` has one renderer per type. Ranges, layouts
and projections are made once for the whole run, so that nothing jumps when time moves.
"""

from .notebook import PLAYER as PLAYER
from .notebook import show as show
from .notebook import still as still
from .panes import RENDERERS as RENDERERS
from .panes import Card as Card
from .panes import Pane as Pane
from .panes import Poster as Poster
from .panes import Stage as Stage
from .panes import thumbnail as thumbnail
