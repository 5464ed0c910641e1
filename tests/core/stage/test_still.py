"""Thumbnails and the sheet of a notebook: small, safe, and of the same figures."""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from values import MAKE, card, run_of, staged

from neurorama import Frame, Graph, Grid
from neurorama.stage import Stage
from neurorama.stage.notebook import Shown

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("kind", MAKE)
def test_a_thumbnail_is_small_well_formed_and_not_empty(kind: str) -> None:
    still = run_of(kind).thumbnail()
    root = ET.fromstring(still)
    assert root.attrib["viewBox"] == "0 0 320 160"
    assert root.attrib["aria-label"]
    assert {element.tag for element in root} <= {f"{SVG}{tag}" for tag in ("path", "circle", "rect")}
    assert len(root) >= 2
    assert len(still) < 60_000


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


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_sheet_holds_all_panes_in_order(theme: str) -> None:
    rng = np.random.default_rng(0)
    moment = {f"{kind}/{arm}": make(rng) for kind, make in MAKE.items() for arm in ("Ours", "Plain")}
    stage = Stage.of_frames([Frame(0, 1, moment)], card(*MAKE))
    shown = Shown(stage, None, theme)
    figure = go.Figure(shown.figure)  # plotly's own validation
    titles = [note.text.split("</b>")[0] for note in figure.layout.annotations if note.text.startswith("<b>")]
    assert titles == [f"<b>{pane.title}" for pane in stage.panes()]
    axes = [name for name in shown.figure["layout"] if name.startswith("xaxis")]
    assert len(axes) == len(stage.panes())
    corners = [(*shown.figure["layout"][x]["domain"], *shown.figure["layout"]["y" + x[1:]]["domain"]) for x in axes]
    for i, (left, right, bottom, top) in enumerate(corners):
        assert 0 <= left < right <= 1
        assert 0 <= bottom < top <= 1
        for a, b, c, d in corners[i + 1 :]:
            assert right <= a or b <= left or top <= c or d <= bottom  # no two overlap


def test_a_saved_notebook_stays_small() -> None:
    rng = np.random.default_rng(0)
    n, edges = 300, rng.integers(0, 300, (2, 900))
    moment = {
        f"{name}/{arm}": value
        for arm in ("Ours", "Plain")
        for name, value in {
            "graph": Graph(edges, n, classes=rng.integers(0, 5, n)),
            "points": MAKE["Points"](rng),
            "loss": 1.0,
            "grid": Grid(rng.normal(size=(64, 64))),
        }.items()
    }
    stage = Stage.of_frames([Frame(0, 1, moment)], card("graph", "points", "loss", "grid"))
    bundle = Shown(stage, None, "light")._repr_mimebundle_()
    assert set(bundle) == {"application/vnd.plotly.v1+json", "text/html", "text/plain"}
    assert "<script" not in bundle["text/html"]
    assert len(json.dumps(bundle)) < 1_000_000
    assert bundle["text/plain"].count("\n") == len(stage.panes()) - 1
