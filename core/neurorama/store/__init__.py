"""Runs and their frames in a database: SQLite in the user's data folder, or what `NEURORAMA_STORE` names.

    store = Store()
    run = store.add(identify("dagnn", {"depth": 4}))       # neurorama.identity: the same run is found again by it
    store.start(run.id)
    writer = codec.Writer()                                # one for each run
    for frame in frames: store.append(run.id, writer.write([frame]), frame.step, frame.of)
    store.end(run.id, "done")
    reel = store.follow(run.id); reel.more()               # in any other thread, process or server, meanwhile

A `Store` may be shared by all threads of a process.
"""

from .record import ENDED, STATES, Identity, Record, State
from .store import Reel, Store
from .transport import MOST

__all__ = ["ENDED", "STATES", "MOST", "Identity", "Record", "Reel", "State", "Store"]
