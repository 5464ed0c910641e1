"""Thumbnails and the still pictures of a notebook: small, safe, and of the same figures."""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from values import MAKE, card, run_of, staged

import neurorama
from neurorama import Frame, Graph, Grid, Points, Trace
from neurorama.stage import Stage, still

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("kind", MAKE)
def test_a_thumbnail_is_small_well_formed_and_not_empty(kind: str) -> None:
    small = run_of(kind).thumbnail()
    root = ET.fromstring(small)
    assert root.attrib["viewBox"] == "0 0 320 160"
    assert root.attrib["aria-label"]
    assert {element.tag for element in root} <= {f"{SVG}{tag}" for tag in ("path", "circle", "rect")}
    assert len(root) >= 2
    assert len(small) < 60_000


def test_a_thumbnail_of_a_great_graph_stays_small() -> None:
    rng = np.random.default_rng(0)
    still = staged({"g": Graph(rng.integers(0, 3000, (2, 9000)), 3000, classes=rng.integers(0, 5, 3000))}).thumbnail()
    assert len(still) < 100_000


def test_a_thumbnail_has_the_colours_of_the_cells_in_their_places() -> None:
    still = ET.fromstring(staged({"z": Grid([[0.0, 1.0]])}).thumbnail())
    dark, light = (element.attrib for element in still)
    assert (dark["fill"], light["fill"]) == ("#00224E", "#FEE838")
    assert dark["d"].startswith("M12.0 ")
    assert light["d"].startswith("M160.0 ")


def test_names_cannot_break_out_of_a_thumbnail() -> None:
    name = '"><script>alert(1)</script>'
    still = Stage.of_frames([Frame(0, 1, {f"{name}x": 1.0})], card(f"{name}x".partition("/")[0])).thumbnail()
    ET.fromstring(still)
    assert "<script" not in still


def test_still_pictures_hold_all_panes_in_order_and_no_script() -> None:
    rng = np.random.default_rng(0)
    moment = {f"{kind}/{arm}": make(rng) for kind, make in MAKE.items() for arm in ("Ours", "<b>Plain")}
    stage = Stage.of_frames([Frame(0, 1, moment)], card(*MAKE, arms=("Ours", "<b>Plain")))
    root = ET.fromstring(still(stage.rows()).replace("<br>", "<br/>"))
    assert ["".join(figure.find("b").itertext()) for figure in root.iter("figure")] == [  # type: ignore[union-attr]
        pane.title for pane in stage.panes()
    ]
    assert len(list(root.iter(f"{SVG}svg"))) == len(stage.panes())
    assert not list(root.iter("script"))


def test_a_saved_notebook_stays_small() -> None:
    rng = np.random.default_rng(0)
    n, edges = 300, rng.integers(0, 300, (2, 900))
    frames = []
    for step in range(40):
        values: dict[str, Any] = {"loss": 1.0 / (step + 1), "grid": Grid(rng.normal(size=(32, 32)))}
        for arm in ("Ours", "Plain"):
            values[f"graph/{arm}"] = Graph(edges, n, classes=rng.integers(0, 5, n))
            values[f"points/{arm}"] = Points(rng.normal(size=(n, 6)), items="nodes")
        frames.append(Frame(step, 40, values))
    shown = neurorama.show(Trace("", {}, tuple(frames)), exhibit=card("graph", "points", "loss", "grid"))
    bundle, _ = shown._repr_mimebundle_()
    assert set(bundle) == {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"}
    assert "<script" not in bundle["text/html"]
    state = sum(len(value) for value in shown.get_state().values() if isinstance(value, str | bytes))
    assert len(json.dumps(bundle)) + state * 4 / 3 < 1_500_000  # bytes are written as letters
    assert bundle["text/plain"].count("\n") == bundle["text/html"].count("<figure") - 1
