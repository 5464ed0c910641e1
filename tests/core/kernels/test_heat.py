"""The heat kernel against scipy's matrix exponentials, finite differences, and what must hold of any diffusion."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm
from scipy.sparse.linalg import expm_multiply
from torch import Tensor

from neurorama.kernels.heat import heat
from neurorama.kernels.propagation import Adjacency, normalised


def graph(n: int, seed: int, how: str, self_loops: bool = False, dtype: torch.dtype = torch.float64) -> Adjacency:
    """Often of several components, with isolated nodes; sometimes bipartite, so that -1 is an eigenvalue."""
    draw = torch.Generator().manual_seed(seed)
    upper = torch.triu(torch.rand(n, n, generator=draw) < 0.3, diagonal=1)
    edges = (upper | upper.T).nonzero().T.contiguous()
    return normalised(edges, n, torch.ones(edges.shape[1], dtype=dtype), self_loops, how)


def start(n: int, d: int, seed: int = 0) -> Tensor:
    return torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


times = st.lists(st.floats(0, 40), min_size=3, max_size=3)


@settings(max_examples=40)
@given(st.integers(1, 12), st.integers(0, 50), st.sampled_from(["sym", "row"]), st.booleans(), times)
def test_each_channel_has_its_own_matrix_exponential(
    n: int, seed: int, how: str, self_loops: bool, time: list[float]
) -> None:
    near, x = graph(n, seed, how, self_loops), start(n, 3, seed)
    laplacian = np.eye(n) - near.dense().numpy()
    expected = np.stack([expm(-t * laplacian) @ x[:, c].numpy() for c, t in enumerate(time)], axis=1)
    found = heat(near, x, torch.tensor(time, dtype=torch.float64))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("time", [0.0, 1e-3, 1.0, 30.0, 400.0, 3000.0])
def test_short_and_long_times_against_scipy_on_a_larger_graph(time: float) -> None:
    n = 300
    nodes = torch.arange(n)
    ring = torch.cat([torch.stack([nodes, (nodes + 1) % n]), torch.stack([(nodes + 1) % n, nodes])], dim=1)
    near = normalised(ring, n, torch.ones(2 * n, dtype=torch.float64), self_loops=False)
    x = start(n, 2)
    laplacian = torch.eye(n, dtype=torch.float64) - near.dense()
    expected = expm_multiply(-time * laplacian.numpy(), x.numpy(), traceA=-time * n)
    np.testing.assert_allclose(
        heat(near, x, torch.tensor(time, dtype=torch.float64)).numpy(), expected, rtol=1e-9, atol=1e-12
    )
    single = heat(graph(n, 0, "sym", dtype=torch.float32), x.float(), torch.tensor(time))
    double = heat(graph(n, 0, "sym"), x, torch.tensor(time, dtype=torch.float64))
    torch.testing.assert_close(single, double.float(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("how", ["sym", "row"])
def test_gradients_to_start_and_times_equal_finite_differences(how: str) -> None:
    near, x = graph(7, 3, how), start(7, 3).requires_grad_()
    time = torch.tensor([0.2, 1.5, 9.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, t: heat(near, x, t), (x, time))
    one = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda t: heat(near, x.detach(), t), (one,))


@settings(max_examples=25)
@given(st.integers(2, 10), st.integers(0, 50), st.floats(0, 20), st.floats(0, 20))
def test_flows_add_up_and_forget(n: int, seed: int, s: float, t: float) -> None:
    """First s, then t is s + t; rows that sum to one keep constants; with the symmetric kernel energy only falls."""
    near, x = graph(n, seed, "sym"), start(n, 2, seed)
    first = heat(near, x, torch.tensor(s, dtype=torch.float64))
    both = heat(near, first, torch.tensor(t, dtype=torch.float64))
    torch.testing.assert_close(both, heat(near, x, torch.tensor(s + t, dtype=torch.float64)))
    assert both.norm() <= first.norm() + 1e-12 <= x.norm() + 2e-12
    ones = torch.ones(n, 1, dtype=torch.float64)
    looped = graph(n, seed, "row", self_loops=True)
    torch.testing.assert_close(heat(looped, ones, torch.tensor(t)), ones)


def test_what_it_cannot_do_it_says() -> None:
    near, x = graph(4, 0, "sym"), start(4, 2)
    with pytest.raises(ValueError, match=r"time -0\.5 is negative"):
        heat(near, x, torch.tensor([1.0, -0.5]))
    with pytest.raises(ValueError, match="no gradient"):
        heat(near.reweighted(near.weight.clone().requires_grad_()), x, torch.tensor(1.0))
