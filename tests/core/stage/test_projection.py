"""One projection for the whole run, held against scikit-learn; and how far it can be trusted."""

from __future__ import annotations

import builtins
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

sys.path.insert(0, str(Path(__file__).parent))
from values import card

from neurorama import Frame, InputError, Points, Trace, show
from neurorama.stage import Stage
from neurorama.stage import projection as projections
from neurorama.stage.projection import fit, kept, project


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 30), st.integers(10, 40))
def test_it_is_pca_of_all_steps(seed: int, width: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    mould = rng.normal(size=(width, width)) * (1 + np.arange(width))
    steps = [rng.normal(size=(n, width)) @ mould for _ in range(3)]
    ours = fit(steps)
    theirs = PCA(2, svd_solver="full").fit(np.concatenate(steps))
    assert np.abs((ours.axes * theirs.components_).sum(1)) == pytest.approx(1, abs=1e-6)
    assert ours.mean == pytest.approx(theirs.mean_)
    assert ours(ours.mean[None]) == pytest.approx(0, abs=1e-9)


def test_more_dimensions_than_rows() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, 300))
    ours, theirs = fit([x]), PCA(2, svd_solver="full").fit(x)
    assert np.abs((ours.axes * theirs.components_).sum(1)) == pytest.approx(1)


def test_signs_do_not_depend_on_the_order_of_rows() -> None:
    x = np.random.default_rng(0).normal(size=(50, 5))
    assert fit([x]).axes == pytest.approx(fit([x[::-1]]).axes)


def test_rows_that_are_no_numbers_are_passed_over() -> None:
    x = np.random.default_rng(0).normal(size=(50, 5))
    assert fit([np.vstack([x, np.full((1, 5), np.nan)])]).axes == pytest.approx(fit([x]).axes)
    assert np.isfinite(fit([np.full((3, 5), np.inf)]).axes).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(25, 80))
def test_kept_counts_neighbours_as_scikit_learn_finds_them(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 6))
    flat = x[:, :2]
    sets = [NearestNeighbors(n_neighbors=10).fit(y).kneighbors(return_distance=False) for y in (x, flat)]
    expected = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(*sets)])
    assert kept(x, flat) == pytest.approx(expected)


def test_a_plane_in_space_keeps_all_neighbours_and_noise_does_not() -> None:
    rng = np.random.default_rng(0)
    plane = rng.normal(size=(200, 2)) @ rng.normal(size=(2, 16))
    assert kept(plane, fit([plane])(plane)) == 1
    noise = rng.normal(size=(200, 64))
    share = kept(noise, fit([noise])(noise))
    assert share is not None
    assert share < 0.5
    assert kept(noise[:1], noise[:1, :2]) is None


# UMAP


def rolls() -> list[np.ndarray]:
    """Three steps of two clusters in six dimensions that move apart."""
    rng = np.random.default_rng(0)
    side = np.repeat([0.0, 1.0], 30)[:, None]
    noise = rng.normal(size=(60, 6))
    return [noise + np.eye(6)[0] * side * far + 0.05 * rng.normal(size=(60, 6)) for far in (3, 6, 9)]


def stage_of(steps: list[np.ndarray], method: str) -> Stage:
    frames = [Frame(i, len(steps) - 1, {"r/Ours": Points(x)}) for i, x in enumerate(steps)]
    return Stage(trace_of(frames), card("r"), method)


def trace_of(frames: list[Frame]) -> Trace:
    return Trace("", {}, tuple(frames))


def test_umap_lays_all_steps_flat_together_and_always_the_same() -> None:
    pytest.importorskip("umap")
    steps = rolls()
    steps[1][5] = np.inf
    flats, name = project(steps, "umap")
    assert name == "UMAP"
    assert [flat.shape for flat in flats] == [(60, 2)] * 3
    assert np.isnan(flats[1][5]).all()
    assert np.isfinite(np.delete(np.concatenate(flats), 65, 0)).all()
    assert (flats[2] == project(steps, "umap")[0][2]).all()
    move = np.linalg.norm(flats[2] - flats[1], axis=1)  # a dot that hardly moved stays near
    extent = np.ptp(np.concatenate([flats[0], flats[2]]), axis=0).max()
    assert np.nanmedian(move) < 0.25 * extent
    ends = NearestNeighbors(n_neighbors=1).fit(flats[2][:30]).kneighbors(flats[2][30:])[0]
    assert ends.min() > 0.02 * extent  # the clusters do not touch
    (pane,) = stage_of(rolls(), "umap").panes()
    assert "(UMAP)" in pane.note
    assert "of neighbours kept" in pane.note
    assert pane.figure["layout"]["xaxis"]["title"]["text"] == "UMAP 1"


class Shear:
    """A stand-in for UMAP that shows what is done around it."""

    def fit_transform(self, rows: np.ndarray) -> np.ndarray:
        return rows @ np.eye(rows.shape[1], 2)


def test_of_very_many_rows_the_others_lie_among_their_nearest_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projections, "_umap", Shear)
    rng = np.random.default_rng(0)
    steps = [rng.normal(size=(2000, 3)) * [1, 1, 0.01] for _ in range(4)]
    flats, _ = project(steps, "umap")
    off = np.linalg.norm(np.concatenate(flats) - np.concatenate(steps)[:, :2], axis=1)
    assert np.median(off) < 0.1
    assert (off < 1e-6).sum() >= projections.UNFOLDED  # those that were placed are where they were placed


def test_of_few_rows_it_is_pca_and_says_so() -> None:
    pytest.importorskip("umap")
    flats, name = project([np.random.default_rng(0).normal(size=(4, 5))] * 2, "umap")
    assert (name, len(flats)) == ("PCA", 2)
    assert project([np.ones((40, 5))], "umap")[1] == "PCA"


def test_without_umap_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *more: Any) -> Any:
        if name == "umap":
            raise ImportError(name)
        return real(name, *more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"pip install 'neurorama\[umap\]'"):
        stage_of(rolls(), "umap")


def test_an_unknown_projection_is_refused() -> None:
    with pytest.raises(InputError, match="allowed: pca, umap"):
        stage_of(rolls(), "tsne")
    with pytest.raises(InputError, match="projection"):
        show(trace_of([Frame(0, 0, {"r/Ours": Points(rolls()[0])})]), exhibit=card("r"), projection="tsne")


def test_one_value_in_two_arms_is_laid_flat_in_each() -> None:
    rng = np.random.default_rng(0)
    same = Points(rng.normal(size=(20, 4)))
    frames = [Frame(0, 1, {"r/Ours": same, "r/Plain": same}),
              Frame(1, 1, {"r/Ours": Points(rng.normal(size=(20, 4)) * [9, 1, 1, 1]), "r/Plain": same})]  # fmt: skip
    ours, plain = Stage(trace_of(frames), card("r")).panes(0)
    assert plain.figure["data"][0]["x"] == pytest.approx(fit([same.x])(same.x)[:, 0], abs=1e-5)
    assert ours.figure["data"][0]["x"] != pytest.approx(plain.figure["data"][0]["x"], abs=1e-2)
