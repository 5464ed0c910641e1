"""The arenas of message passing, so that one league holds both areas."""

from ..message_passing.arena import DISTANCE as DISTANCE
from ..message_passing.arena import GCN as GCN
from ..message_passing.arena import GIN as GIN
from ..message_passing.arena import GRAPHS as GRAPHS
from ..message_passing.arena import MLP as MLP
from ..message_passing.arena import NODES as NODES
from ..message_passing.arena import REWIRING as REWIRING
from ..message_passing.arena import VIEWS as VIEWS
from ..message_passing.arena import AtTarget as AtTarget
from ..message_passing.arena import AttendingGIN as AttendingGIN
from ..message_passing.arena import Batch as Batch
from ..message_passing.arena import DistanceTask as DistanceTask
from ..message_passing.arena import GraphTask as GraphTask
from ..message_passing.arena import NodeTask as NodeTask
from ..message_passing.arena import Pooled as Pooled
from ..message_passing.arena import Wired as Wired
from ..message_passing.arena import Wiring as Wiring
from ..message_passing.arena import at_best_validation as at_best_validation
from ..message_passing.arena import atlas as atlas
from ..message_passing.arena import energy as energy
from ..message_passing.arena import measured as measured
from ..message_passing.arena import one_by_one as one_by_one
from ..message_passing.arena import products as products
from ..message_passing.arena import rewired as rewired
from ..message_passing.arena import spread as spread
from ..message_passing.arena.questions import questions as questions
