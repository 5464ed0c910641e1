"""Descriptions of runs: in the shape of the schema, small, and the same figures as the pictures' own."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from safetensors.numpy import load

sys.path.insert(0, str(Path(__file__).parent))
from values import MAKE, card, run_of, staged

from neurorama import Frame, Graph, Grid, Points
from neurorama import stage as stage_package
from neurorama.stage import Stage
from neurorama.stage.describe import Describer, pack

SCHEMA = json.loads((Path(stage_package.__file__).parent / "schema.json").read_text(encoding="utf-8"))
VALID = jsonschema.Draft202012Validator(SCHEMA)


def unpack(blob: bytes, table: dict[str, Any] | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """(description, arrays): an independent reader of the format."""
    table = {} if table is None else table
    table.update(load(blob))
    words = json.loads(blob[8 : 8 + int.from_bytes(blob[:8], "little")])["__metadata__"]["stage"]
    return json.loads(words), table


def real(part: Any, table: dict[str, Any]) -> Any:
    """A part of a description with its arrays in place."""
    if isinstance(part, list):
        return [real(one, table) for one in part]
    if isinstance(part, dict):
        if "@" in part:
            array = table[part["@"]]
            return [part["words"][place] for place in array] if "words" in part else array
        return {name: real(value, table) for name, value in part.items()}
    return part


def at(track: dict[str, Any], place: int) -> Any:
    return track["states"][track["at"][place] if "at" in track else 0]


def over(base: Any, patch: Any) -> Any:
    if not (isinstance(base, dict) and isinstance(patch, dict)):
        return patch
    return {**base, **{name: over(base.get(name), value) for name, value in patch.items()}}


def close(mine: Any, theirs: Any, path: str = "") -> None:
    """The same figure, but for what half precision may cost."""
    if isinstance(theirs, dict):
        assert set(mine) == set(theirs), path
        for name in theirs:
            close(mine[name], theirs[name], f"{path}.{name}")
    elif isinstance(theirs, str | bool | None):
        assert mine == theirs, path
    elif isinstance(theirs, list | tuple) and any(isinstance(part, str | dict | list | tuple) for part in theirs):
        assert len(mine) == len(theirs), path
        for a, b in zip(mine, theirs):
            close(a, b, path)
    else:
        a, b = (np.array(np.where(np.equal(x, None), np.nan, x), float) for x in (mine, theirs))  # type: ignore[arg-type]
        good = b[np.isfinite(b)]
        room = 1e-3 * np.ptp(good) + 1e-5 * np.abs(good).max() if good.size else 0
        np.testing.assert_allclose(a, np.where(np.isfinite(b), b, np.nan), rtol=0, atol=room + 1e-12, err_msg=path)


@pytest.mark.parametrize("kind", MAKE)
def test_a_description_keeps_to_the_schema(kind: str) -> None:
    description, table = unpack(pack(run_of(kind), {"exhibit": "a/b"}))
    VALID.validate(description)
    assert {pane["kind"] for pane in description["panes"]} == {kind}
    named = set(json.dumps(description).split('"@": "')[1:])
    assert {text.partition('"')[0] for text in named} == set(table)  # nothing is missing, nothing is sent for nothing
    for pane in description["panes"]:
        assert len(pane["traces"]) == len(pane["figure"]["data"])
        for track in [*pane["traces"], pane["notes"], pane["alts"]]:
            assert len(track.get("at", description["time"]["steps"])) == len(description["time"]["steps"])


def test_the_schema_refuses_what_is_no_description() -> None:
    description, _ = unpack(pack(run_of("Graph")))
    for change in ({"version": 2}, {"panes": []}, {"extra": 1}, {"time": {"name": "t", "steps": [], "of": 0}}):
        assert not VALID.is_valid({**description, **change})


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("kind", MAKE)
def test_the_figures_are_those_of_the_panes(kind: str, theme: str) -> None:
    stage = run_of(kind)
    description, table = unpack(pack(stage))
    for place, step in enumerate(stage.steps):
        for told, pane in zip(description["panes"], stage.panes(step, theme), strict=True):
            figure = told["figure"]
            if theme == "dark":
                dark = told["dark"]
                traces = [over(trace, more) for trace, more in zip(figure["data"], dark["data"], strict=True)]
                figure = {"data": traces, "layout": over(figure["layout"], dark.get("layout", {}))}
            data = [over(trace, at(track, place)) for trace, track in zip(figure["data"], told["traces"], strict=True)]
            close(real(data, table), pane.figure["data"])
            layout = {**figure["layout"], "template": description["themes"][theme]["template"]}
            close(
                real(layout, table),
                {k: v for k, v in pane.figure["layout"].items() if k not in ("height", "uirevision")},
            )


def test_what_stays_the_same_is_written_once() -> None:
    rng = np.random.default_rng(0)
    edges = rng.integers(0, 50, (2, 80))
    stage = staged(*({"g": Graph(edges, 50, classes=np.arange(50) % (1 + i))} for i in range(5)))
    description, _ = unpack(pack(stage))
    lines, _, nodes = description["panes"][0]["traces"]
    assert len(lines["states"]) == 1
    assert "at" not in lines
    assert len(nodes["states"]) == 5


def test_a_growing_run_sends_only_what_is_new_and_tells_the_same_story() -> None:
    rng = np.random.default_rng(0)
    edges = rng.integers(0, 300, (2, 900))
    frames = [Frame(i, 30, {"g": Graph(edges, 300, classes=rng.integers(0, 4, 300))}) for i in range(30)]
    describer, table = Describer(), {}
    sizes, last = [], {}
    for n in range(10, 31, 5):
        blob = describer.pack(describer.describe(Stage.of_frames(frames[:n], card("g"))))
        last, table = unpack(blob, table)
        sizes.append(len(blob))
    whole, arrays = unpack(pack(Stage.of_frames(frames, card("g"))))
    assert max(sizes[1:]) < sizes[0]
    for one, other in zip(last["panes"], whole["panes"], strict=True):
        close(real(one["traces"], table), real(other["traces"], arrays))


def test_half_precision_is_taken_only_where_nobody_sees_it() -> None:
    far = 1000 + np.linspace(0, 1, 40, dtype=np.float32)[None, :]
    near = np.linspace(0, 1, 40, dtype=np.float32)[None, :]
    for z, kind in ((far, np.float32), (near, np.float16)):
        description, table = unpack(pack(staged({"z": Grid(z)})))
        kept = table[description["panes"][0]["traces"][0]["states"][0]["z"]["@"]]
        assert kept.dtype == kind
        np.testing.assert_allclose(kept, z, rtol=0, atol=5e-4)


def test_numbers_that_are_none_reach_the_page_as_gaps() -> None:
    x = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
    x[3], x[4] = np.nan, np.inf
    blob = pack(staged({"p": Points(x), "loss": float("nan")}, {"p": Points(x), "loss": 1.0}))
    description, table = unpack(blob)
    VALID.validate(description)
    dots = real(at(description["panes"][0]["traces"][0], 0), table)
    assert not np.isfinite(dots["x"][[3, 4]]).any()


def test_items_have_their_names_and_what_is_known_of_them() -> None:
    names = [f"<b>{i}</b>" for i in range(12)]
    wrong = np.arange(12) == 5
    graph = Graph([[0, 1], [1, 2]], 12, classes=np.arange(12), wrong=wrong, names=names)
    rows = Points(np.eye(12, 2), values=np.arange(12) / 7, items="nodes", names=names)
    description, table = unpack(pack(staged({"g": graph, "p": rows, "z": Grid(np.eye(12), items="nodes")})))
    g, p, z = (pane["items"] for pane in description["panes"])
    assert g["kind"] == p["kind"] == z["kind"] == "nodes"
    assert description["names"][g["names"]] == names
    assert g["names"] == p["names"]  # one list for both
    assert z["names"] is None
    assert real(at(g["facts"]["class"], 0), table).tolist() == list(range(12))
    assert real(at(g["facts"]["a mistake"], 0), table).tolist() == wrong.tolist()


def test_a_long_run_of_a_large_graph_stays_under_a_megabyte() -> None:
    rng = np.random.default_rng(0)
    n, steps = 300, 100
    edges, labels = rng.integers(0, n, (2, 900)), rng.integers(0, 4, n)
    x = rng.normal(size=(n, 8))
    frames = []
    for step in range(steps):
        values: dict[str, Any] = {}
        for arm in ("Ours", "Plain"):
            guess = np.where(rng.random(n) < step / steps, labels, rng.integers(0, 4, n))
            values[f"graph/{arm}"] = Graph(edges, n, guess, wrong=guess != labels, train=np.arange(n) < 20)
            x = x + 0.05 * rng.normal(size=x.shape)
            values[f"representation/{arm}"] = Points(x, labels, wrong=guess != labels, items="nodes")
        frames.append(Frame(step, steps - 1, values))
    assert len(pack(Stage.of_frames(frames, card("graph", "representation")))) < 1_000_000
