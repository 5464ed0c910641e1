"""GNNExplainer's frozen network against PyG's layers, its gradient against differences, and what its switches do."""

from __future__ import annotations

import pytest
import torch
from torch_geometric.nn import GCNConv

import neurorama
from neurorama import data
from neurorama.exhibits.explain.arena import EXPLANATION, Case, Gradient, Nearness, Net
from neurorama.exhibits.explain.gnnexplainer import GNNExplainer, Knobs
from neurorama.kernels.propagation import normalised


@pytest.fixture(scope="module")
def case() -> Case:
    torch.manual_seed(0)
    graph = data.synthetic.houses(0, num_nodes=30, num_houses=4)
    net = Net(graph.x.shape[1], graph.num_classes)
    for _ in EXPLANATION.fit(net, graph, 300):
        pass
    return EXPLANATION.case(net, graph)


def test_the_network_is_three_gcn_layers_of_pyg(case: Case) -> None:
    h, read = case.graph.x, []
    for layer in case.net.convolutions:
        conv = GCNConv(layer.in_features, layer.out_features)
        conv.lin.weight, conv.bias = layer.weight, layer.bias
        h = conv(h, case.graph.edge_index).relu()
        read.append(h)
    near = normalised(case.graph.edge_index, case.graph.num_nodes)
    expected = case.net.out(torch.cat(read, 1))
    torch.testing.assert_close(case.net(near, case.graph.x), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(case.logits(*case.whole()), expected[case.nodes], rtol=1e-4, atol=1e-5)


def test_each_house_has_its_six_edges(case: Case) -> None:
    assert len(case.nodes) == 20
    assert torch.bincount(case.owner[case.truth], minlength=20).tolist() == [6] * 20


def test_a_closed_mask_leaves_each_node_to_itself(case: Case) -> None:
    edges, features = case.whole()
    none = case.logits(torch.zeros_like(edges), features)
    loops = normalised(case.graph.edge_index, case.graph.num_nodes)
    own = loops.reweighted(torch.where(loops.row == loops.col, loops.weight, 0.0))
    torch.testing.assert_close(none, case.net(own, case.graph.x)[case.nodes], rtol=1e-4, atol=1e-5)


def test_gradient_is_the_slope_of_the_loss(case: Case) -> None:
    slope = Gradient().scores(case)
    edges, features = case.whole()
    edge = int(slope.argmax())
    step = torch.zeros_like(edges).index_put((torch.tensor([edge]),), torch.tensor(1e-2))
    change = (case.nll(edges + step, features) - case.nll(edges - step, features)).sum() / 2e-2
    assert float(slope[edge]) == pytest.approx(abs(float(change)), rel=0.05)


def test_nearness_falls_with_the_distance(case: Case) -> None:
    score = Nearness().scores(case)
    at_target = torch.isin(case.blocks.near.row, case.blocks.target)
    assert (score[at_target] == 3).all()
    assert score.min() >= 1


def test_learning_lowers_the_objective_and_the_switch_stops_it(case: Case) -> None:
    torch.manual_seed(0)
    system = GNNExplainer(Knobs())
    losses = list(system.learn(case, 60))
    assert losses[-1] < losses[0] / 2
    torch.manual_seed(0)
    still = GNNExplainer(Knobs(learn=False))
    losses = list(still.learn(case, 5))
    assert losses[0] == losses[-1]


def test_self_loops_are_neither_masked_nor_paid_for(case: Case) -> None:
    system = GNNExplainer(Knobs())
    next(system.learn(case, 1))
    assert system.masks is not None
    assert len(system.masks.edges) == int((case.blocks.near.row != case.blocks.near.col).sum())


def test_a_short_run_shows_what_is_promised() -> None:
    trace = neurorama.run("gnnexplainer", {"training": 100, "epochs": 10})
    exhibit = neurorama.catalogue.load("gnnexplainer")
    assert {name.split("/")[0] for name in trace.names()} == set(exhibit.views)
    ahead = trace.last("edge AUC/GNNExplainer") - trace.last("edge AUC/gradient")
    assert exhibit.claim.margin(trace) == pytest.approx(ahead)
