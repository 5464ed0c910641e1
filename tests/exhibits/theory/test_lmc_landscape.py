"""The barrier in the trace against the integral of curvature, the view of one layer in closed form, and parting."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch
from torch import Tensor

import neurorama
from neurorama.exhibits.theory.lmc_landscape import one_layer, rank_correlation
from neurorama.kernels.landscape import sizes_of

KEY = "theory/lmc_landscape"
SMALL = {"pairs": 4, "width": 6}


def test_curvature_on_the_way_gives_the_barrier_that_is_measured() -> None:
    for frame in islice(neurorama.frames(KEY, SMALL), 4):
        measured, rebuilt = (frame.values[f"height over the chord/{arm}"].y for arm in ("measured", "curvature"))
        assert np.abs(measured - rebuilt).max() < 0.03 * np.abs(measured).max() + 1e-5  # 17 nodes
        assert measured[0] == pytest.approx(0, abs=1e-6)
        assert measured[-1] == pytest.approx(0, abs=1e-6)


def test_the_same_batches_lead_to_the_same_place() -> None:
    for frame in islice(neurorama.frames(KEY, {**SMALL, "part": False}), 3):
        assert not frame.values["height over the chord/curvature"].y.any()
        assert frame.values["barrier/measured"] < 1e-6
        assert not np.any(frame.values["all pairs"].x[:, 0])


def test_the_first_pair_lies_in_the_surface_where_it_is_said_to() -> None:
    """Row 0.0 of the surface, from -1 to 1, is the line itself: its middle stands over its ends as measured."""
    frame = next(neurorama.frames(KEY, SMALL))
    surface, line = frame.values["loss surface"], frame.values["height over the chord/measured"]
    level = int(np.abs(surface.y).argmin())
    assert surface.y[level] == pytest.approx(0, abs=1e-6)
    along = 10 ** np.array([np.interp(a, surface.x, surface.z[level]) for a in (-1, 0, 1)])
    assert along[1] - (along[0] + along[2]) / 2 == pytest.approx(float(line.y[8]), abs=0.1 * along.max())


def test_one_layer_is_exact_on_a_quadratic() -> None:
    torch.manual_seed(0)
    widths = [3, 2, 2]
    n = sum(sizes_of(widths))
    root, tilt = torch.randn(n, n), torch.randn(n)

    def losses(theta: Tensor) -> Tensor:
        return (theta @ root).square().sum(-1) / 2 + theta @ tilt

    p, d = torch.randn(2, n)
    bars = one_layer(losses, p, d, widths)
    measured, foretold = (bars[f"one layer half way/{arm}"].values for arm in ("measured", "from the ends"))
    np.testing.assert_allclose(measured, foretold, rtol=1e-3, atol=1e-4)
    first = torch.where(torch.arange(n) < sizes_of(widths)[0], d, 0)
    assert measured[0] == pytest.approx(float(losses((p + first / 2)[None]) - losses(p[None])), rel=1e-3)


def test_rank_correlation() -> None:
    assert rank_correlation([1, 2, 3], [10, 200, 3000]) == pytest.approx(1)
    assert rank_correlation([1, 2, 3], [5, 4, -9]) == pytest.approx(-1)
    assert rank_correlation([1, 2, 3], [7, 7, 7]) == 0
