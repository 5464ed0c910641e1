"""GIN with a virtual node against PyG's layers and pooling, attention by rounds against torch's attention."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_geometric.nn import GINConv, global_add_pool

import neurorama
from neurorama.exhibits.graph_transformers.mpnn_virtual_node import Knobs, VirtualGIN, build, rebuilt
from neurorama.exhibits.message_passing.arena import DISTANCE, Batch, Wiring, at_best_validation

TASK = DISTANCE.data("ring", 1, distance=6, depth=3)


def net(seed: int = 0) -> VirtualGIN:
    torch.manual_seed(seed)
    system = VirtualGIN(*(5, 8, 5), depth=3).eval()
    torch.nn.init.normal_(system.vn.first)
    return system


def test_between_layers_of_pyg_all_hear_the_virtual_node_and_it_hears_all() -> None:
    system, batch = net(), TASK.example
    h, state = system.enter(batch.x), system.vn.first.expand(5, 8)
    for number, (layer, eps) in enumerate(zip(system.layers, system.eps)):
        conv = GINConv(layer, eps=float(eps.detach()))
        h = conv(h + state[batch.batch], batch.edge_index)
        h = h.relu() if number < 2 else h
        state = system.vn.update(state + global_add_pool(h, batch.batch)) if number < 2 else state
    torch.testing.assert_close(system(batch), h, rtol=1e-4, atol=1e-5)


def test_three_layers_hear_no_further_than_three_hops_but_through_the_virtual_node() -> None:
    for virtual in (True, False):
        torch.manual_seed(1)
        system = build(Knobs(hidden=8, virtual=virtual), TASK)
        reach = DISTANCE.jacobian(system, TASK) > 0
        target = int(TASK.test.target[0])  # type: ignore[index]
        away = torch.arange(12).sub(target).abs()
        near = torch.minimum(away, 12 - away) <= 3
        assert torch.equal(reach, torch.ones_like(near) if virtual else near)


def test_renumbered_nodes_say_the_same_and_graphs_do_not_hear_each_other() -> None:
    system, batch = net(2), TASK.example
    n, draw = len(batch.x), torch.Generator().manual_seed(0)
    order = torch.cat([12 * g + torch.randperm(12, generator=draw) for g in range(5)])
    place = torch.empty_like(order).index_put((order,), torch.arange(n))
    turned = Batch(Wiring(place[batch.edge_index], batch.batch, 5), batch.x[order], batch.y)
    torch.testing.assert_close(system(turned), system(batch)[order], rtol=1e-4, atol=1e-5)
    other = batch.x.clone()
    other[12:] = torch.randn(n - 12, 5, generator=draw)
    torch.testing.assert_close(system(Batch(batch.wiring, other, batch.y))[:12], system(batch)[:12])


@pytest.mark.parametrize(("sharpness", "exact"), [(1000.0, True), (2.0, False)])
def test_the_last_round_is_attention_if_the_pick_is_sharp(sharpness: float, exact: bool) -> None:
    torch.manual_seed(3)
    frames = list(rebuilt(Knobs(sharpness=sharpness)))
    weights, true = (frames[-1].values[f"attention/{arm}"].z for arm in ("GIN + VN", "GIN + attention"))  # type: ignore[union-attr]
    assert frames[-1].step == 77
    np.testing.assert_allclose(true.sum(1), 1, atol=1e-5)  # type: ignore[union-attr]
    assert np.allclose(weights, true, atol=1e-4) == exact
    errors = [frame.values["error of softmax/GIN + VN"] for frame in frames]
    assert (errors[-1] < 1e-3) == exact  # type: ignore[operator]
    assert errors[0] > 0.1  # type: ignore[operator]
    assert (np.count_nonzero(np.asarray(weights) > 1e-6, axis=1) > 77 / 2).any()  # true attention is not one-hot
    assert all(frame.values["error of linear attention/GIN + VN"] < 1e-5 for frame in frames)  # type: ignore[operator]


def test_a_short_run_shows_what_is_promised() -> None:
    trace = neurorama.run("mpnn_virtual_node", {"steps": 20, "hidden": 8, "distance": 4})
    exhibit = neurorama.catalogue.load("mpnn_virtual_node")
    assert {name.split("/")[0] for name in trace.names()} == set(exhibit.views)
    ours, plain, attending = (at_best_validation(trace, arm) for arm in exhibit.arms)
    assert exhibit.claim.margin(trace) <= ours - (plain + attending) / 2 + 1e-9
