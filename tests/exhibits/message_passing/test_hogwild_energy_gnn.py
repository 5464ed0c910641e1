"""The energy GNN against a double loop, scipy's minimiser and PyG's GCN; what out of step may change, and what not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from torch_geometric.nn import GCNConv

import neurorama
from neurorama.exhibits.message_passing.arena.crowd import IGNN, Crowd, LayeredGCN, wander
from neurorama.exhibits.message_passing.hogwild_energy_gnn import EnergyGNN, Knobs

CROWD = Crowd.of("random", 3, 6, seed=1)


def energy_gnn(seed: int = 0, **knobs: object) -> EnergyGNN:
    torch.manual_seed(seed)
    return EnergyGNN(Knobs(**knobs)).eval()  # type: ignore[arg-type]


def last(system: object, ticks: int, awake: float, bound: int, crowd: Crowd = CROWD) -> torch.Tensor:
    *_, (said, _) = wander(system, crowd, ticks, awake, bound, seed=3)  # type: ignore[arg-type]
    return said


def test_the_crowd_says_sums() -> None:
    assert torch.equal(CROWD.edge_index[:, CROWD.back], CROWD.edge_index.flip(0))
    for first in (0, 6, 12):
        total = CROWD.x[first : first + 6].sum() * (3 / 6) ** 0.5
        torch.testing.assert_close(CROWD.y[first : first + 6], total.expand(6, 1))
    assert CROWD.error(CROWD.y) == 0
    assert CROWD.error(CROWD.y.mean().expand_as(CROWD.y)) == pytest.approx(1, abs=1e-5)


def test_the_energy_is_the_sum_over_nodes_and_neighbours() -> None:
    system, h = energy_gnn(), torch.randn(18, 4)
    total = 0.0
    for i in range(18):
        m = torch.zeros(1, 8)
        for j in CROWD.src[CROWD.dst == i].tolist():
            pair = system.m.about(torch.cat([CROWD.x[i], CROWD.x[j]])[None])
            m = m + system.m(torch.cat([h[i], h[j]])[None], pair)
        own = system.f(torch.cat([m, h[i : i + 1]], dim=1), system.f.about(CROWD.x[i : i + 1]))
        total += float(own.detach()) + 0.15 * float(h[i] @ h[i])
    ours = system.energy(CROWD, h, h[CROWD.src], system.about(CROWD))
    assert float(ours) == pytest.approx(total, rel=1e-5)


def test_the_lowest_point_is_the_one_that_scipy_finds() -> None:
    system = energy_gnn().double()
    crowd = Crowd(CROWD.edge_index, CROWD.x.double(), CROWD.y.double(), 6)
    system(crowd)
    about = system.about(crowd)

    def energy(flat: np.ndarray) -> tuple[float, np.ndarray]:
        h = torch.tensor(flat.reshape(18, 4), requires_grad=True)
        return float(system.energy(crowd, h, h[crowd.src], about)), system.slope(
            crowd, h, about
        ).detach().numpy().ravel()

    found = minimize(energy, np.random.default_rng(0).normal(size=72), jac=True, method="BFGS", options={"gtol": 1e-7})
    np.testing.assert_allclose(system.lowest[crowd].point.numpy().ravel(), found.x, atol=1e-4)


def test_training_gradients_are_differences_of_the_loss() -> None:
    system = energy_gnn(1).double().train()
    crowd = Crowd(CROWD.edge_index, CROWD.x.double(), CROWD.y.double(), 6)

    def loss() -> torch.Tensor:
        for _ in range(6):  # one step of Newton's method each
            said = system(crowd)
        return (said - crowd.y).square().mean()

    for name in ("m.y0.weight", "m.u.weight", "f.z.weight", "f.u.bias"):
        parameter = system.get_parameter(name)
        system.zero_grad()
        loss().backward()
        assert parameter.grad is not None
        place = int(parameter.grad.abs().argmax())
        found, values = float(parameter.grad.ravel()[place]), []
        for shift in (0.01, -0.02):
            with torch.no_grad():
                parameter.ravel()[place] += shift
            values.append(float(loss().detach()))
        with torch.no_grad():
            parameter.ravel()[place] += 0.01
        assert found == pytest.approx((values[0] - values[1]) / 0.02, rel=0.05), name


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 1000), st.floats(0.3, 1.0), st.integers(1, 6))
def test_out_of_step_the_energy_gnn_ends_at_its_lowest_point(seed: int, awake: float, bound: int) -> None:
    system = energy_gnn(seed)
    in_step = system(CROWD).detach()
    system.learned(CROWD)
    torch.testing.assert_close(last(system, 400, awake, bound), in_step, atol=2e-3, rtol=1e-2)


def test_renumbered_nodes_say_the_same() -> None:
    order = torch.randperm(18, generator=torch.Generator().manual_seed(0))
    place = torch.empty_like(order).index_put((order,), torch.arange(18))
    turned = Crowd(place[CROWD.edge_index], CROWD.x[order], CROWD.y[order], 6)
    for system in (energy_gnn(), LayeredGCN(8, 3).eval(), IGNN(8).eval()):
        torch.testing.assert_close(system(turned), system(CROWD)[order], atol=1e-4, rtol=1e-3)


def test_the_layers_of_the_gcn_are_those_of_pyg_and_in_step_it_does_not_matter_how_it_runs() -> None:
    torch.manual_seed(0)
    system = LayeredGCN(8, 3).eval()
    h = system.enter(CROWD.x)
    for layer in system.layers:
        conv = GCNConv(8, 8, bias=False)
        conv.lin.weight = layer.weight
        h = (conv(h, CROWD.edge_index) + layer.bias).relu()
    torch.testing.assert_close(system(CROWD), system.read(h), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(last(system, 3, 1.0, 1), system(CROWD), atol=1e-5, rtol=1e-4)
    assert (last(system, 60, 0.5, 4) - system(CROWD)).abs().max() > 1e-3


def test_the_ignn_stands_still_at_its_answer_whoever_wakes() -> None:
    torch.manual_seed(0)
    system = IGNN(8).eval()
    with torch.no_grad():
        system.inner.weight *= 5  # beyond the bound, so that it has to be held back
    assert (system.weight().abs().sum(1) <= 0.9 + 1e-6).all()
    torch.testing.assert_close(last(system, 300, 0.5, 4), system(CROWD), atol=1e-3, rtol=1e-3)


def test_a_few_steps_downhill_are_not_safe() -> None:
    system = energy_gnn(settle=False, layers=3)
    assert (last(system, 60, 0.5, 4) - system(CROWD).detach()).abs().max() > 1e-3


def test_a_short_run_shows_what_is_promised() -> None:
    trace = neurorama.run("hogwild_energy_gnn", {"steps": 10, "ticks": 50, "nodes": 5})
    exhibit = neurorama.catalogue.load("hogwild_energy_gnn")
    assert {name.split("/")[0] for name in trace.names()} == set(exhibit.views)
    ignn, ours = (trace.last(f"error out of step/{arm}") for arm in ("IGNN", "energy GNN"))
    assert exhibit.claim.margin(trace) <= ignn - ours
