"""The arenas of message passing: depth (NODES), distance (DISTANCE) and whole graphs (GRAPHS)."""

from .attending import AttendingGIN as AttendingGIN
from .batches import Batch as Batch
from .batches import Wiring as Wiring
from .depths import DepthMap as DepthMap
from .distance import DISTANCE as DISTANCE
from .distance import DistanceTask as DistanceTask
from .graphs import GRAPHS as GRAPHS
from .graphs import GraphTask as GraphTask
from .nets import APPNP as APPNP
from .nets import GCN as GCN
from .nets import GIN as GIN
from .nets import MLP as MLP
from .nets import AtTarget as AtTarget
from .nets import Pooled as Pooled
from .nets import Wired as Wired
from .nodes import NODES as NODES
from .nodes import VIEWS as VIEWS
from .nodes import NodeTask as NodeTask
from .nodes import at_best_validation as at_best_validation
from .nodes import energy as energy
from .nodes import measured as measured
from .nodes import spread as spread
from .rewiring import REWIRING as REWIRING
from .rewiring import one_by_one as one_by_one
from .rewiring import rewired as rewired
