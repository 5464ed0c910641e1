"""One projection for the whole run, held against scikit-learn; and how far it can be trusted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from neurorama.stage.projection import fit, kept


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
