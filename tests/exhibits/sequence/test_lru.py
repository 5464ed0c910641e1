"""LRU: its output against scipy's filters and the closed form, and the properties that keep it stable."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import lfilter

import neurorama
from neurorama.exhibits.sequence.arena import SEQUENCES, Tanh, gradient_by_age, push
from neurorama.exhibits.sequence.lru import LRU, Knobs, build


def layer(width: int = 3, stable: bool = True, scaled: bool = True) -> LRU:
    torch.manual_seed(0)
    return LRU(width, 4, (0.5, 0.95), 6.0, stable, scaled)


def parts(lru: LRU) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lambda (n,), Gamma B (n, h) and C (h, n) as the paper writes them."""
    B = torch.complex(lru.B[:, 0], lru.B[:, 1]) * lru.gamma_log.exp()[:, None]
    C = torch.complex(lru.C[..., 0], -lru.C[..., 1])
    return tuple(t.detach().numpy() for t in (lru.eigenvalues(), B, C))  # type: ignore[return-value]


@pytest.mark.parametrize("stable", [True, False])
@pytest.mark.parametrize("scaled", [True, False])
def test_output_is_a_sum_of_first_order_filters(stable: bool, scaled: bool) -> None:
    lru, u = layer(stable=stable, scaled=scaled), torch.randn(2, 30, 3)
    poles, B, C = parts(lru)
    driven = u.numpy() @ B.T
    x = np.stack([lfilter([1], [1, -p], driven[..., n], axis=1) for n, p in enumerate(poles)], axis=-1)
    expected = (x @ C.T).real + lru.D.detach().numpy() * u.numpy()
    np.testing.assert_allclose(lru(u).detach().numpy(), expected, rtol=1e-4, atol=1e-5)


def test_impulse_response_is_c_lambda_to_the_k_b() -> None:
    lru, u = layer(), torch.zeros(1, 25, 3)
    u[0, 0, 1] = 1
    poles, B, C = parts(lru)
    expected = np.stack([(C @ (poles**k * B[:, 1])).real for k in range(25)])
    expected[0, 1] += lru.D[1].item()
    np.testing.assert_allclose(lru(u)[0].detach().numpy(), expected, rtol=1e-4, atol=1e-5)


@given(st.lists(st.floats(-80, 80), min_size=8, max_size=8))
def test_no_parameters_make_it_unstable(values: list[float]) -> None:
    lru = layer()
    lru.pole.data = torch.tensor(values).reshape(2, 4)
    assert (lru.eigenvalues().abs() <= 1 + 1e-6).all()


def test_eigenvalues_start_evenly_on_the_ring() -> None:
    torch.manual_seed(1)
    lru = LRU(2, 20_000, (0.6, 0.9), 0.5, True, True)
    radius, angle = lru.eigenvalues().abs(), lru.eigenvalues().angle()
    assert radius.min() >= 0.6 - 1e-5
    assert radius.max() <= 0.9 + 1e-5
    assert angle.min() >= 0
    assert angle.max() <= 0.5 + 1e-5
    assert radius.square().mean().item() == pytest.approx((0.6**2 + 0.9**2) / 2, abs=0.005)  # even in area
    assert angle.mean().item() == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("r", [(0.5, 0.6), (0.9, 0.999)])
def test_gamma_keeps_the_states_at_the_size_of_their_input(r: tuple[float, float]) -> None:
    """Without gamma white noise makes the squared state 1 / (1 - r^2) times as large (section 3.4 of the paper)."""
    torch.manual_seed(0)
    u = torch.randn(4, 4000, 8)
    sizes = {}
    for scaled in (True, False):
        torch.manual_seed(3)
        lru = LRU(8, 32, r, 2 * math.pi, True, scaled)
        poles, B, _ = parts(lru)
        driven = u.numpy() @ B.T
        x = np.stack([lfilter([1], [1, -p], driven[..., n], axis=1) for n, p in enumerate(poles)], axis=-1)
        raw = driven / lru.gamma_log.exp().detach().numpy()
        sizes[scaled] = (np.abs(x[:, 2000:]) ** 2).mean() / (np.abs(raw) ** 2).mean()
    assert sizes[True] == pytest.approx(1, abs=0.25)
    assert sizes[False] == pytest.approx((1 / (1 - np.abs(poles) ** 2)).mean(), rel=0.3)


def test_free_and_stable_forms_start_the_same() -> None:
    torch.testing.assert_close(layer().eigenvalues(), layer(stable=False).eigenvalues())


def test_a_sequence_is_answered_step_by_step_without_the_future() -> None:
    lru, u = layer(), torch.randn(1, 20, 3)
    changed = u.clone()
    changed[:, 12:] += 1
    torch.testing.assert_close(lru(u)[:, :12], lru(changed)[:, :12])


def test_recall_asks_for_the_first_symbol() -> None:
    task = SEQUENCES.data("recall-50", 0)
    assert task.x.shape[1:] == (51, 16)
    assert torch.equal(task.x[:, 0].argmax(1), task.y)
    assert not task.x[:, 1:, :8].any()
    assert not (task.train & task.test).any()


def test_push_and_gradient_look_back_in_time() -> None:
    lru = layer(width=4)
    poles, B, C = parts(lru)
    answer = push(lru, 4, 30)
    u = np.full(4, 0.5)
    expected = np.stack([(C @ (poles**k * (B @ u))).real for k in range(30)])
    expected[0] += lru.D.detach().numpy() * u
    np.testing.assert_allclose(answer.numpy(), np.linalg.norm(expected, axis=1), rtol=1e-4, atol=1e-6)
    task = SEQUENCES.data("recall-50", 0)
    torch.manual_seed(0)
    reach = gradient_by_age(build(Knobs(linear=False), task), task)
    assert reach[0] > 100 * reach[-1]


def test_switches_lead_to_the_other_arms() -> None:
    task = SEQUENCES.data("recall-50", 0)
    assert isinstance(build(Knobs(linear=False), task).first, Tanh)
    with pytest.raises(neurorama.InputError, match="source"):
        neurorama.run("lru", {"source": "recall-51"})


def test_a_short_run_shows_what_is_promised() -> None:
    trace = neurorama.run("lru", {"steps": 10, "source": "recall-50"})
    exhibit = neurorama.catalogue.load("lru")
    assert {name.split("/")[0] for name in trace.names()} == set(exhibit.views)
    assert trace.last("largest radius/LRU") <= 1
