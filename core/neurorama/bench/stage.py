"""The stage: how large a run is as data, how long it takes to describe and to mount, and how fluently it scrubs.

The run has four panes: a graph of 300 nodes and its representation, in two arms. Frames are counted in a headless
Chromium, which draws in software and at most 60 frames a second; on a busy machine a page that stands still has fewer.
"""

from __future__ import annotations

import base64
import gzip
import shutil
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..stage import PLAYER, Stage
from ..stage.describe import pack
from ..trace import Frame, Graph, Points

NODES, EDGES, WIDTH = 300, 900, 8

_SCRUB = """async () => {
  const frame = () => new Promise(requestAnimationFrame), { stage } = document.querySelector(".nr-stage");
  await stage.laying;
  const steps = stage.description.time.steps.length;
  const rate = async (act) => {
    const rates = [];
    for (let round = 0; round < 5; round++) {
      const start = performance.now();
      for (let place = 0; place < steps; place++) {
        act(place);
        await frame();
      }
      rates.push((1000 * steps) / (performance.now() - start));
    }
    return rates.sort((a, b) => a - b)[2];
  };
  return [await rate((place) => stage.go(place)), await rate(() => {}), globalThis.mounted / 1000];
}"""


class _Card(NamedTuple):
    arms: tuple[str, ...] = ("method", "baseline")
    views: Mapping[str, str] = {"graph": "", "nodes apart": ""}
    time: str = "step"


def run(steps: int) -> Stage:
    """A run that is made up: classes are found one by one while the representation drifts."""
    rng = np.random.default_rng(0)
    edges, labels = rng.integers(0, NODES, (2, EDGES)), rng.integers(0, 4, NODES)
    x = {arm: rng.normal(size=(NODES, WIDTH)) for arm in _Card().arms}
    frames = []
    for step in range(steps):
        values: dict[str, Any] = {}
        for arm in x:
            x[arm] = x[arm] + 0.05 * rng.normal(size=x[arm].shape)
            guess = np.where(rng.random(NODES) < step / steps, labels, rng.integers(0, 4, NODES))
            values[f"graph/{arm}"] = Graph(edges, NODES, guess, wrong=guess != labels, train=np.arange(NODES) < 20)
            values[f"nodes apart/{arm}"] = Points(x[arm], labels, wrong=guess != labels, items="nodes")
        frames.append(Frame(step, steps - 1, values))
    return Stage.of_frames(frames, _Card())


def measure(quick: bool = False) -> dict[str, float | int | None]:
    """Bytes of a run of 100 steps; seconds and frames a second for one of 60, None where there is no browser."""
    size = len(pack(run(10 if quick else 100)))
    start = time.perf_counter()
    blob = pack(run(10 if quick else 60))
    described = time.perf_counter() - start
    with ThreadPoolExecutor(1) as apart:  # Playwright wants a thread without an event loop
        rate, idle, mounted = apart.submit(_scrubbed, blob).result() or (None, None, None)
    return {
        "bytes": size,
        "seconds to describe": described,
        "seconds to mount": mounted,
        "frames a second": rate,
        "frames a second when nothing moves": idle,
    }


def _scrubbed(blob: bytes) -> tuple[float, float, float] | None:
    """(frames a second, the same of a page that stands still, seconds to mount)"""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    with sync_playwright() as tool, tempfile.TemporaryDirectory() as folder:
        found = shutil.which("chromium") or tool.chromium.executable_path
        if not Path(found).is_file():
            return None
        browser = tool.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        (Path(folder) / "page.html").write_text(_page(blob), encoding="utf-8")
        page.goto((Path(folder) / "page.html").as_uri())
        page.wait_for_selector(".nr-stage[data-ready]")
        measured = page.evaluate(_SCRUB)
        browser.close()
        return tuple(measured)


def _page(blob: bytes) -> str:
    plotly = files("plotly").joinpath("package_data/plotly.min.js").read_text(encoding="utf-8")
    player, style = ((PLAYER / f"stage.{kind}").read_text(encoding="utf-8") for kind in ("js", "css"))
    return f"""<!doctype html><meta charset="utf-8"><style>{style}</style><script>{plotly}</script>
<script type="module">{player}
const start = performance.now(), letters = atob("{base64.b64encode(gzip.compress(blob)).decode()}");
const packed = new Blob([Uint8Array.from(letters, (letter) => letter.charCodeAt(0))]).stream();
const bytes = await new Response(packed.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
await mount(document.body, new Uint8Array(bytes), {{ plotly: globalThis.Plotly }}).laying;
globalThis.mounted = performance.now() - start;
</script>"""
