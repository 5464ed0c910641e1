"""A run as files that other programs read."""

from __future__ import annotations

import json
from dataclasses import asdict, is_dataclass
from typing import Any

import numpy as np

from neurorama import Trace
from neurorama.store import Record


def curves(trace: Trace) -> str:
    """The numbers of a run as CSV: a row for each step, a column for each curve."""
    import pandas

    names = [name for name in trace.names() if any(isinstance(value, int | float) for _, value in trace.series(name))]
    rows = {frame.step: {name: frame.values.get(name) for name in names} for frame in trace.frames}
    return pandas.DataFrame.from_dict(rows, orient="index", columns=names).to_csv(index_label="step")


def everything(record: Record, trace: Trace) -> str:
    """A run with all its values as JSON."""

    def plainly(value: Any) -> Any:
        if isinstance(value, np.ndarray | np.generic):
            return value.tolist()
        return asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)

    known = {"id": record.id, "state": record.state, "device": record.device, "made": record.created}
    facts = {**known, "exhibit": trace.exhibit, "params": dict(trace.params), "numbers": dict(record.numbers)}
    frames = [{"step": frame.step, "of": frame.of, "values": dict(frame.values)} for frame in trace.frames]
    return json.dumps({**facts, "frames": frames}, default=plainly, ensure_ascii=False)
