"""Solvers of diffusion against scipy's, the matrix exponential, dense solves and finite differences."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.linalg import expm
from torch import Tensor

from neurorama.kernels.diffusion import diffusion, dopri5, euler, implicit, last, resolvent, rk4, solve
from neurorama.kernels.propagation import Adjacency, adjacency, normalised
from neurorama.kernels.segment import segment_softmax


def random_graph(n: int, seed: int, share: float = 0.2) -> Tensor:
    """In both directions, with a path through all nodes."""
    draw = torch.Generator().manual_seed(seed)
    upper = torch.triu(torch.rand(n, n, generator=draw) < share, diagonal=1)
    upper[torch.arange(n - 1), torch.arange(1, n)] = True
    return (upper | upper.T).nonzero().T.contiguous()


def averaging(n: int, seed: int, how: str) -> Adjacency:
    """Symmetric, by rows, or a random attention (rows sum to 1, not symmetric, eigenvalues complex)."""
    edges = random_graph(n, seed)
    if how == "attention":
        draw = torch.Generator().manual_seed(seed)
        logits = torch.randn(edges.shape[1], 1, generator=draw, dtype=torch.float64)
        return adjacency(edges, n, segment_softmax(logits, edges[1], n)[:, 0])
    return normalised(edges, n, torch.ones(edges.shape[1], dtype=torch.float64), self_loops=False, how=how)


def start(n: int = 12, d: int = 3, seed: int = 0) -> Tensor:
    return torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def exact(near: Adjacency, x: Tensor, time: float) -> Tensor:
    n = near.num_nodes
    return torch.from_numpy(expm(time * (near.dense().detach().numpy() - np.eye(n)))) @ x


KINDS = ["sym", "row", "attention"]
SOLVERS = {
    "euler": lambda near, x, time, steps: euler(diffusion(near), x, time, steps),
    "rk4": lambda near, x, time, steps: rk4(diffusion(near), x, time, steps),
    "implicit Euler": lambda near, x, time, steps: implicit(near, x, time, steps, order=1),
    "trapezoidal": lambda near, x, time, steps: implicit(near, x, time, steps, order=2),
}
ORDERS = {"euler": 1, "rk4": 4, "implicit Euler": 1, "trapezoidal": 2}


@pytest.mark.parametrize("how", KINDS)
@pytest.mark.parametrize("name", SOLVERS)
def test_error_falls_with_the_order_of_the_method(name: str, how: str) -> None:
    near, x = averaging(12, 0, how), start()
    errors = []
    for steps in (40, 80):
        end = last(SOLVERS[name](near, x, 2.0, steps))
        assert end.time == pytest.approx(2.0)
        errors.append(float((end.state - exact(near, x, 2.0)).norm()))
    assert math.log2(errors[0] / errors[1]) == pytest.approx(ORDERS[name], abs=0.15)
    assert errors[1] < 0.05


def test_a_step_of_explicit_euler_of_one_is_propagation() -> None:
    near, x = averaging(12, 1, "row"), start()
    steps = list(euler(diffusion(near), x, 3.0, 3))
    assert [step.time for step in steps] == [0, 1, 2, 3]
    assert [step.evaluations for step in steps] == [0, 1, 2, 3]
    torch.testing.assert_close(steps[-1].state, near @ (near @ (near @ x)))


@pytest.mark.parametrize("how", ["sym", "row"])
def test_too_long_steps_blow_up_explicitly_and_never_implicitly(how: str) -> None:
    ring = torch.stack([torch.arange(8), (torch.arange(8) + 1) % 8])  # bipartite: -2 is an eigenvalue of A - I
    near = normalised(torch.cat([ring, ring.flip(0)], 1), 8, self_loops=False, how=how)
    x = start(8).float()
    most = float(x.norm())
    assert last(euler(diffusion(near), x, 100.0, 100)).state.norm() <= most * 1.001
    assert last(euler(diffusion(near), x, 110.0, 100)).state.norm() > 1e6
    assert last(rk4(diffusion(near), x, 138.0, 100)).state.norm() <= most
    assert last(rk4(diffusion(near), x, 145.0, 100)).state.norm() > 1e6
    for order in (1, 2):
        for step in implicit(near, x, 100.0, 4, order=order):
            assert step.state.norm() <= most * 1.001


@pytest.mark.parametrize(("rtol", "atol"), [(1e-3, 1e-6), (1e-8, 1e-10)])
def test_adaptive_steps_are_those_of_scipy(rtol: float, atol: float) -> None:
    """scipy's RK45 is the same pair with the same step control: same times, same states, as many evaluations."""
    near, x = averaging(12, 2, "attention"), start()
    matrix = near.dense().numpy()

    def stiffened(t: float, y):  # depends on the time, not linear
        product = matrix @ y.reshape(12, 3) if isinstance(y, np.ndarray) else near @ y
        shape = product.reshape(y.shape)
        return (shape - y) * (1 + 5 * math.sin(3 * t) ** 2) - y**3

    theirs = solve_ivp(stiffened, (0, 4.0), x.numpy().ravel(), rtol=rtol, atol=atol)
    ours = list(dopri5(stiffened, x, 4.0, rtol, atol))
    np.testing.assert_allclose([step.time for step in ours], theirs.t, rtol=1e-7)
    np.testing.assert_allclose(
        np.stack([step.state.numpy().ravel() for step in ours]).T, theirs.y, rtol=1e-7, atol=1e-12
    )
    assert ours[-1].evaluations == theirs.nfev
    assert ours[-1].evaluations == 2 + 6 * (len(ours) - 1 + ours[-1].rejected)
    assert all(a.time < b.time for a, b in pairwise(ours))


@pytest.mark.parametrize("how", KINDS)
def test_adaptive_steps_keep_to_the_tolerance(how: str) -> None:
    near, x = averaging(12, 3, how), start()
    evaluations = []
    for rtol in (1e-3, 1e-6, 1e-9):
        end = last(dopri5(diffusion(near), x, 5.0, rtol, rtol))
        assert float((end.state - exact(near, x, 5.0)).abs().max()) < 50 * rtol
        evaluations.append(end.evaluations)
    assert evaluations == sorted(evaluations)
    assert len(set(evaluations)) == 3


def test_adaptive_steps_are_rejected_where_the_rate_jumps_and_give_up_at_a_pole() -> None:
    end = last(dopri5(lambda t, x: -x if t < 1 else 50 * (t - x), torch.ones(2, dtype=torch.float64), 2.0))
    assert end.rejected > 0
    with pytest.raises(RuntimeError, match="shrank"):  # dx/dt = x^2 from 1 is infinite at time 1
        last(dopri5(lambda _, x: x**2, torch.ones(1, dtype=torch.float64), 2.0))
    still = last(dopri5(lambda _, x: 0 * x, torch.zeros(3), 5.0))
    assert (still.time, float(still.state.norm())) == (5.0, 0.0)
    assert len(list(dopri5(lambda _, x: x, torch.ones(1), 0.0))) == 1


@settings(max_examples=25)
@given(st.integers(2, 12), st.integers(0, 50), st.sampled_from(KINDS), st.floats(0, 20))
def test_resolvent_is_the_solution_of_the_dense_system(n: int, seed: int, how: str, c: float) -> None:
    near, b = averaging(n, seed, how), start(n, 2, seed)
    dense = (1 + c) * torch.eye(n, dtype=torch.float64) - c * near.dense()
    torch.testing.assert_close(resolvent(near, b, c), torch.linalg.solve(dense, b), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("how", KINDS)
def test_resolvent_counts_and_refuses_what_does_not_average(how: str) -> None:
    near, b = averaging(12, 4, how), start()
    once, often = (last(implicit(near, b, time, 1)).evaluations for time in (1.0, 10.0))
    assert 0 < once < often < 2 * 36 / math.log1p(1 / 10.0) + 2
    with pytest.raises(RuntimeError, match="does not average"):
        resolvent(near.reweighted(2 * near.weight), b, 10.0)


@pytest.mark.parametrize("how", KINDS)
@pytest.mark.parametrize("name", [*SOLVERS, "dopri5"])
def test_gradients_to_state_and_weights_equal_finite_differences(name: str, how: str) -> None:
    pattern, x = averaging(5, 5, how), start(5, 2).requires_grad_()
    weight = pattern.weight.detach().requires_grad_()

    def end(weight: Tensor, x: Tensor) -> Tensor:
        near = pattern.reweighted(weight)
        if name == "dopri5":
            return last(dopri5(diffusion(near), x, 1.5, 1e-7, 1e-7)).state
        return last(SOLVERS[name](near, x, 1.5, 3)).state

    assert torch.autograd.gradcheck(end, (weight, x), atol=1e-4)


def test_implicit_steps_take_attention_from_the_state() -> None:
    """Each step holds A(x) of its start, so it equals the dense step with that A; gradients run through A too."""
    edges, x = random_graph(7, 6), start(7, 2).requires_grad_()

    def attention(x: Tensor) -> Adjacency:
        logits = (x[edges[0]] * x[edges[1]]).sum(1, keepdim=True)
        return adjacency(edges, 7, segment_softmax(logits, edges[1], 7)[:, 0])

    steps = list(implicit(attention, x, 4.0, 2))
    eye = torch.eye(7, dtype=torch.float64)
    for before, after in pairwise(steps):
        dense = 3 * eye - 2 * attention(before.state).dense()
        torch.testing.assert_close(after.state, torch.linalg.solve(dense, before.state))
    assert torch.autograd.gradcheck(lambda x: last(implicit(attention, x, 4.0, 2)).state, (x,))


@settings(max_examples=25)
@given(st.integers(3, 10), st.integers(0, 50), st.sampled_from(list(SOLVERS)))
def test_averages_and_bounds_are_kept(n: int, seed: int, name: str) -> None:
    """Diffusion by rows keeps constants as they are; with steps up to 1 no value leaves the range of the start."""
    near, x = averaging(n, seed, "attention"), start(n, 2, seed)
    ones = torch.ones(n, 1, dtype=torch.float64)
    torch.testing.assert_close(last(SOLVERS[name](near, ones, 3.0, 6)).state, ones)
    if name != "rk4":
        for step in SOLVERS[name](near, x, 3.0, 6):
            assert (step.state <= x.amax(0) + 1e-12).all()
            assert (step.state >= x.amin(0) - 1e-12).all()


@pytest.mark.parametrize(("solver", "close"), [("euler", 2e-2), ("rk4", 1e-7), ("dopri5", 1e-3), ("implicit", 2e-2)])
def test_solve_takes_a_constant_inflow(solver: str, close: float) -> None:
    """The exponential of the matrix with the inflow as one more column: [[A - I, s], [0, 0]]."""
    near, x, inflow = averaging(12, 5, "attention"), start(), start(seed=1)
    for column in range(x.shape[1]):
        whole = np.zeros((13, 13))
        whole[:12, :12] = near.dense().numpy() - np.eye(12)
        whole[:12, 12] = inflow[:, column].numpy()
        expected = (expm(1.5 * whole) @ np.append(x[:, column].numpy(), 1.0))[:12]
        reached = last(solve(solver, near, x, 1.5, 0.02, inflow)).state[:, column]  # type: ignore[arg-type]
        np.testing.assert_allclose(reached.numpy(), expected, atol=close)
