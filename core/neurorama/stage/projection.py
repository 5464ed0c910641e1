"""Representations wider than two: one projection for the whole run, so that dots move but never jump."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, nearest

Array = NDArray[Any]

ROWS = 20_000  # a fit looks at no more rows than this, evenly taken
QUERIES = 400  # neighbours are counted for no more items than this, evenly taken
METHODS = {"pca": "PCA", "umap": "UMAP"}
UNFOLDED = 3_000  # rows that UMAP places itself; more are placed among their nearest ones
AROUND = 15  # neighbours that UMAP looks at


def project(steps: Sequence[Array], method: str = "pca") -> tuple[list[Array], str]:
    """All steps of a run, each (n, d) with d > 2, as (n, 2) in one projection; and the name of what was done.

    UMAP needs some rows to work on: of fewer, or of rows that are all alike, it is PCA.

    Raises:
        InputError: no such method, or UMAP is not installed.
    """
    if method not in METHODS:
        raise InputError(f"projection={method!r} is not a projection; {nearest(method, METHODS)}")
    if method == "umap":
        unfold = _umap()
        rows = np.concatenate([np.asarray(step, np.float32) for step in steps])
        good = np.isfinite(rows).all(1)
        known = np.unique(rows[good], axis=0)
        if len(known) > AROUND:
            flat = np.full((len(rows), 2), np.nan)
            flat[good] = _placed(rows[good], known, unfold)
            return np.split(flat, np.cumsum([len(step) for step in steps])[:-1]), METHODS[method]
    made = fit(steps)
    return [made(np.asarray(step)) for step in steps], METHODS["pca"]


def _umap() -> Any:
    try:
        import umap
    except ImportError:
        raise InputError("UMAP is not installed: pip install 'neurorama[umap]'; PCA needs nothing more") from None
    return umap.UMAP(n_neighbors=AROUND, n_epochs=200, init="pca", random_state=0, n_jobs=1)


def _placed(rows: Array, known: Array, unfold: Any) -> Array:
    """(n, d) -> (n, 2): some of the `known` rows by UMAP, and each row at the middle of its nearest ones of these.

    What UMAP itself does with new rows takes a minute for a whole run, and lets dots that hardly moved jump.
    """
    from scipy.spatial import KDTree

    if len(known) > UNFOLDED:
        known = known[np.sort(np.random.default_rng(0).choice(len(known), UNFOLDED, replace=False))]
    flat = unfold.fit_transform(known).astype(np.float64)
    far, near = KDTree(known).query(rows, 5)
    weight = 1 / np.maximum(far, 1e-9 * max(float(far.max()), 1e-300)) ** 2
    return (flat[near] * (weight / weight.sum(1, keepdims=True))[:, :, None]).sum(1)


@dataclass(frozen=True)
class Projection:
    """`x @ axes.T` after `mean` is taken away; `axes` (2, d) are the first two principal components."""

    mean: Array
    axes: Array

    def __call__(self, x: Array) -> Array:
        """(n, d) -> (n, 2)"""
        with np.errstate(invalid="ignore"):  # a diverging run has infinite places, which are not drawn
            return (x - self.mean) @ self.axes.T


def fit(steps: Sequence[Array]) -> Projection:
    """Principal components of all steps together. Each of `steps` is (n, d) with d > 2.

    Rows that hold a number that is not finite are passed over. The sign of a component is chosen so
    that its largest loading is positive: the same data give the same picture.
    """
    rows = np.concatenate([np.asarray(step, np.float64) for step in steps])
    rows = rows[np.isfinite(rows).all(1)]
    rows = rows[:: max(1, -(-len(rows) // ROWS))]
    width = np.shape(steps[0])[1]
    if len(rows) < 2:
        return Projection(np.zeros(width), np.eye(2, width))
    mean = rows.mean(0)
    centred = rows - mean
    if width <= len(rows):
        _, vectors = np.linalg.eigh(centred.T @ centred)
        axes = vectors[:, ::-1].T[:2]
    else:
        axes = np.linalg.svd(centred, full_matrices=False)[2][:2]
    signs = np.sign(np.take_along_axis(axes, np.abs(axes).argmax(1)[:, None], 1))
    return Projection(mean, axes * np.where(signs == 0, 1, signs))


def kept(x: Array, flat: Array, k: int = 10) -> float | None:
    """The share of each item's `k` nearest neighbours in `x` (n, d) that are among its `k` nearest in `flat` (n, 2).

    1 means that the projection hides nothing of who is near whom; None where there are too few items to ask.
    """
    good = np.isfinite(x).all(1)
    x, flat = np.asarray(x, np.float64)[good], np.asarray(flat, np.float64)[good]
    n = len(x)
    k = min(k, n // 2)
    if k < 1:
        return None
    asked = np.arange(n)[:: max(1, -(-n // QUERIES))]
    wide, narrow = _nearest(x, asked, k), _nearest(flat, asked, k)
    return float((wide[:, :, None] == narrow[:, None, :]).any(2).mean())


def _nearest(x: Array, asked: Array, k: int) -> Array:
    square = (x * x).sum(1)
    distance = square[asked][:, None] + square[None, :] - 2 * x[asked] @ x.T
    distance[np.arange(len(asked)), asked] = np.inf
    return np.argpartition(distance, k - 1, axis=1)[:, :k]
