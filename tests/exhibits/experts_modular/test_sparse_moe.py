"""The sparse mixture against its definition, its dense limits, counted operations and scikit-learn's R²."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import r2_score
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import neurorama
from neurorama.exhibits.experts_modular.arena import BUDGET, REGIONS, Dense
from neurorama.exhibits.experts_modular.sparse_moe import Knobs, SparseMoE

SIZES = (8, 8)


def moe(seed: int = 0, **knobs) -> SparseMoE:
    """A mixture whose gate has learned something."""
    torch.manual_seed(seed)
    model = SparseMoE(SIZES, Knobs(**knobs))
    with torch.no_grad():
        model.w_gate.normal_()
        model.w_noise.normal_()
    return model.eval()


def every_expert(model: SparseMoE, x: torch.Tensor) -> torch.Tensor:
    """(b, n, o): what each expert would say to each input, as plain linear layers."""
    w1, b1, w2, b2 = model.experts
    said = []
    for i in range(len(w1)):
        hidden = torch.nn.functional.linear(x, w1[i].T, b1[i]).relu()
        said.append(torch.nn.functional.linear(hidden, w2[i].T, b2[i]))
    return torch.stack(said, dim=1)


def test_all_experts_on_is_the_dense_mixture():
    model, x = moe(experts=6, k=8), torch.randn(50, 8)
    expected = torch.einsum("bn,bno->bo", (x @ model.w_gate).softmax(1), every_expert(model, x))
    assert torch.allclose(model(x)[0], expected, atol=1e-5)


@settings(deadline=None)
@torch.no_grad()
@given(st.integers(1, 12), st.integers(1, 8), st.integers(1, 40), st.integers(0, 1000))
def test_output_is_the_gated_sum_over_the_chosen(experts, k, rows, seed):
    model, x = moe(seed, experts=experts, k=k), torch.randn(rows, 8)
    logits, said = x @ model.w_gate, every_expert(model, x)
    y = model(x)[0]
    for b in range(rows):
        best = sorted(range(experts), key=lambda i: -float(logits[b, i]))[: min(k, experts)]
        gate = logits[b, best].softmax(0)
        assert torch.allclose(y[b], (gate[:, None] * said[b, best]).sum(0), atol=1e-4)


@pytest.mark.parametrize(("experts", "k"), [(1, 1), (4, 4), (16, 2), (32, 8)])
def test_only_routed_inputs_cost_anything(experts, k):
    """The operations that torch counts are those that the budget allows, however many experts there are."""
    model, dense, x = moe(experts=experts, k=k, budget=4096), Dense(SIZES, 4096), torch.randn(64, 8)
    with FlopCounterMode(display=False) as counted, torch.no_grad():
        model(x)
    spent = counted.get_total_flops() / 2 / len(x)
    noise_gate = 8 * experts  # charged, but only used in training
    assert spent == model.cost - noise_gate
    assert model.cost <= 4096
    assert 4096 - model.cost < k * sum(SIZES)
    assert model.cost <= dense.cost


def test_idle_experts_learn_nothing():
    """An expert that got no input has no gradient: the others' examples never passed through it."""
    model = moe(experts=8, k=1, noise=False, importance=False, load=False)
    x = torch.randn(1, 8)
    model(x)[0].sum().backward()
    used = (x @ model.w_gate).argmax(1)
    moved = model.experts[0].grad.abs().sum((1, 2)) > 0
    assert moved.nonzero().flatten().tolist() == used.tolist()


def test_gates_and_penalty_are_the_papers_by_hand():
    """H, KeepTopK, the softmax, kth_excluding and Phi written out input by input, with scipy's normal distribution."""
    k, model, x = 2, moe(experts=5, k=2, balance=0.5), torch.randn(64, 8)
    model.train()
    torch.manual_seed(3)
    penalty = model(x)[1]
    torch.manual_seed(3)
    eps = torch.randn(64, 5)
    clean = (x @ model.w_gate).detach()
    spread = nn.functional.softplus(x @ model.w_noise).detach() + 0.01
    noisy = clean + eps * spread
    gates, chance = torch.zeros(64, 5), torch.zeros(64, 5)
    for b in range(64):
        top = noisy[b].argsort(descending=True)[:k]
        gates[b, top] = noisy[b, top].softmax(0)
        for i in range(5):
            others = torch.cat([noisy[b, :i], noisy[b, i + 1 :]])
            kth = others.sort(descending=True).values[k - 1]
            chance[b, i] = float(norm.cdf(float((clean[b, i] - kth) / spread[b, i])))
    torch.manual_seed(3)
    found, _, likely = model.gates(x)
    torch.testing.assert_close(found.detach(), gates, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(likely.detach(), chance, atol=1e-5, rtol=1e-4)

    def cv2(v: torch.Tensor) -> torch.Tensor:
        return v.var(correction=0) / v.mean() ** 2

    assert torch.allclose(penalty, 0.5 * (cv2(gates.sum(0)) + cv2(chance.sum(0))))


def test_switches_take_their_penalty_away():
    x = torch.randn(64, 8)
    for knobs in ({"importance": False, "load": False}, {"balance": 0.0}):
        model = moe(experts=5, **knobs)
        model.train()
        assert float(model(x)[1].detach()) == 0


def test_the_gate_starts_even():
    """Zero gate matrices: only noise decides, so that all experts get about the same."""
    torch.manual_seed(0)
    model = SparseMoE(SIZES, Knobs(experts=4, k=1)).train()
    _, chosen, _ = model.gates(torch.randn(4000, 8))
    assert chosen.sum(0).float().sub(1000).abs().max() < 5 * (4000 * 0.25 * 0.75) ** 0.5


def test_the_league_is_fought_at_one_budget():
    """Entry and baseline meet under the same cost, and the mixture has the larger number of parameters."""
    frames = list(neurorama.league("experts_modular/regions", steps=3))
    assert {name.partition("/")[2] for name in frames[-1].values} == {"dense", "Sparsely-gated MoE"}
    task = REGIONS.data("32 regions", 0)
    dense, entry = REGIONS.baselines(task)["dense"], SparseMoE(task.sizes, Knobs())
    assert entry.cost <= dense.cost <= BUDGET
    count = [sum(p.numel() for p in system.parameters()) for system in (dense, entry)]
    assert count[1] > 5 * count[0]


def test_score_is_r2_of_scikit_learn():
    task = REGIONS.data("8 regions", 1)
    dense = Dense(task.sizes, BUDGET)
    guess = dense(task.test_x)[0].detach()
    expected = r2_score(task.test_y, guess, multioutput="variance_weighted")
    assert REGIONS.score(dense, task) == pytest.approx(expected, abs=1e-5)


def test_one_rule_is_linear_and_regions_are_not():
    """A least-squares fit explains the data of one region, and little of many."""
    left = {}
    for source in ("one rule", "32 regions"):
        task = REGIONS.data(source, 0)
        design = torch.cat([task.x, torch.ones(len(task.x), 1)], dim=1)
        fit = torch.linalg.lstsq(design, task.y).solution
        left[source] = float((design @ fit - task.y).square().mean() / task.y.square().mean())
    assert left["one rule"] < 0.01
    assert left["32 regions"] > 0.4
