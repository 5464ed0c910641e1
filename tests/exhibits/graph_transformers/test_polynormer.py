"""Polynormer against PyG's, its degree against 2^L, and what follows from its symmetries."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor
from torch.nn.functional import log_softmax
from torch_geometric.nn.models import Polynormer as PyGPolynormer
from torch_geometric.utils import add_self_loops

import neurorama
from neurorama.exhibits.graph_transformers.polynormer import EXHIBIT, Knobs, Polynormer
from neurorama.exhibits.message_passing.arena import NODES, Batch, Wiring, products

KARATE = NODES.data("karate", 0)
PIECE = KARATE.edge_index, len(KARATE.x)


def net(features: int = 3, out: int = 1, seed: int = 0, **knobs: object) -> Polynormer:
    torch.manual_seed(seed)
    return Polynormer(features, out, Knobs(**{"local_steps": 0, "hidden": 4, **knobs})).eval()  # type: ignore[arg-type]


@pytest.mark.parametrize("local_steps", [0, 1])
def test_with_relu_and_one_head_it_is_pygs(local_steps: int) -> None:
    ours = net(6, 3, relu=True, heads=1, hidden=6, local_layers=3, global_layers=1, local_steps=local_steps)
    ours.enter = torch.nn.Sequential()  # PyG's has no layer that leads in
    theirs = PyGPolynormer(
        6,
        6,
        3,
        3,
        1,
        in_dropout=0,
        dropout=0,
        global_dropout=0,
        beta=0.5,
        qk_shared=True,
        post_bn=False,
        local_attn=True,
    ).eval()
    theirs._global = local_steps == 0
    pairs = [(ours.say, theirs.pred_global), (ours.say_local, theirs.pred_local), (ours.norm, theirs.ln)]
    for number, layer in enumerate(ours.near):
        conv = theirs.local_convs[number]
        pairs += [(layer.h, theirs.h_lins[number]), (layer.out, theirs.lins[number]), (layer.norm, theirs.lns[number])]
        pairs.append((layer.attention.v, conv.lin))
        conv.att_dst.data, conv.att_src.data = layer.attention.ends.data
    far, other = ours.far[0], theirs.global_attn[0]
    pairs += [(far.h, other.h_lins), (far.out, other.lin_out), (far.norm, other.lns)]
    for one, two in ((far.attention.k, other.k), (far.attention.v, other.v)):
        one.bias.data.zero_()  # PyG's have none
        two.weight.data = one.weight.data
    for one, two in pairs:
        two.load_state_dict(one.state_dict())
    x = torch.randn(34, 6)
    task = replace(KARATE, graph=replace(KARATE.graph, x=x))
    expected = theirs(x, add_self_loops(KARATE.edge_index)[0], torch.zeros(34, dtype=torch.long))
    torch.testing.assert_close(log_softmax(ours(task), 1), expected, rtol=1e-3, atol=1e-4)


def test_each_local_layer_doubles_the_degree_and_sums_do_not() -> None:
    for products_on, expected in ((True, [2, 4, 8, 16]), (False, [1, 1, 1, 1])):
        for relu in (True, False):
            curve = products.degree(net(local_layers=4, products=products_on, relu=relu), PIECE)
            np.testing.assert_allclose(curve.y, expected, atol=0.05)


def test_without_attention_scores_it_is_a_polynomial() -> None:
    """Along a line through the features, two layers with even attention and no norm are of degree four: the fifth
    difference is nothing, the fourth is not."""
    system = net(local_layers=2, hidden=4).double()
    for layer in system.near:
        layer.norm = torch.nn.Identity()
        layer.attention.ends.data.zero_()
    near = KARATE.near.reweighted(KARATE.near.weight.double())
    a, b = torch.randn(2, 34, 3, dtype=torch.double)
    states = []
    for t in range(6):
        task = replace(KARATE, near=near, graph=replace(KARATE.graph, x=a + t * b))
        states.append(system.hidden(task)[1].detach())
    values = torch.stack(states)
    for _ in range(4):
        values = values.diff(dim=0)
    assert values.abs().max() > 1e-6
    assert values.diff(dim=0).abs().max() < 1e-9


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000), st.booleans())
def test_renumbered_nodes_say_the_same_and_graphs_do_not_hear_each_other(seed: int, relu: bool) -> None:
    system = net(seed=seed, relu=relu)
    batch = products.draw(PIECE, 100, Generator().manual_seed(seed))
    order = torch.cat([34 * g + torch.randperm(34) for g in range(3)])
    place = torch.empty_like(order).index_put((order,), torch.arange(102))
    turned = Batch(Wiring(place[batch.edge_index], batch.batch, 3), batch.x[order], batch.y)
    torch.testing.assert_close(system(turned), system(batch)[order], rtol=1e-3, atol=1e-4)
    alone = Batch(Wiring.of([PIECE]), batch.x[:34], batch.y[:34])
    torch.testing.assert_close(system(alone), system(batch)[:34], rtol=1e-3, atol=1e-4)


def test_global_layers_hear_all_and_set_in_after_the_local_ones() -> None:
    system = net(local_steps=2, local_layers=1)
    batch = products.draw(PIECE, 34, Generator().manual_seed(0))

    def reach() -> Tensor:
        x = batch.x.clone().requires_grad_()
        system.eval()(replace(batch, x=x))[0].sum().backward()
        return x.grad.abs().sum(1) > 0  # type: ignore[union-attr]

    near = torch.zeros(34, dtype=torch.bool)
    near[0] = near[KARATE.edge_index[0, KARATE.edge_index[1] == 0]] = True
    for _ in range(2):
        assert torch.equal(reach(), near)
        system.objective(batch).backward()
    assert reach().all()
    assert all(layer.out is system.far[0].out for layer in system.far)


def test_it_enters_the_arena_of_nodes() -> None:
    torch.manual_seed(0)
    assert EXHIBIT.entry is not None
    system = EXHIBIT.entry.build(Knobs(local_steps=10), KARATE)
    losses = list(NODES.train(system, KARATE, 60))
    assert max(losses[8:12]) > 0.1  # the global layers begin anew
    assert losses[-1] < 0.05


def test_a_short_run_shows_what_is_promised() -> None:
    trace = neurorama.run("polynormer", {"steps": 20, "hidden": 4, "local_steps": 5})
    assert {name.split("/")[0] for name in trace.names()} == set(EXHIBIT.views)
    ours, *others = (products.at_best_validation(trace, arm) for arm in EXHIBIT.arms)
    assert EXHIBIT.claim.margin(trace) == pytest.approx(ours - max(others))
