"""PR-MPNN against PyG's GIN on the joined graph, all subsets enumerated, and a count of leaves by NetworkX."""

from __future__ import annotations

from itertools import combinations

import networkx as nx
import pytest
import torch
from torch_geometric.nn import GINConv

import neurorama
from neurorama.exhibits.message_passing.arena import Batch, DistanceTask, at_best_validation
from neurorama.exhibits.message_passing.arena.leaves import Join, leaf_count
from neurorama.exhibits.message_passing.pr_mpnn import PRMPNN, Knobs, build


@pytest.fixture(scope="module")
def task() -> DistanceTask:
    return leaf_count(seed=0, depth=2, layers=1)


def net_of(task: DistanceTask, **knobs: object) -> PRMPNN:
    torch.manual_seed(0)
    return build(Knobs.parse({"k": 2, "hidden": 8, **knobs}), task).net  # type: ignore[return-value]


def test_the_root_is_asked_how_many_leaves_hold_a_one(task: DistanceTask) -> None:
    for number, (edges, n) in enumerate(task.val.wiring.pieces[:20]):
        tree = nx.Graph(edges.T.tolist())
        assert nx.is_tree(tree)
        x = task.val.x.view(-1, n, n + 1)[number]
        leaves = [v for v in tree if tree.degree[v] == 1]
        assert x[leaves, -1].sum() == x[:, -1].sum() == task.val.y[number]
        assert nx.shortest_path_length(tree, 0, leaves[0]) == task.distance
    counts = task.val.y.bincount(minlength=5) / len(task.val.y)
    assert counts.min() > 0.1  # five answers, all as likely


def test_joined_pairs_are_edges_of_pyg_s_gin(task: DistanceTask) -> None:
    net = net_of(task).eval()
    pairs, batch = torch.tensor([[0, 3], [5, 4]]), task.test.copies(2, 2)
    z = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    joined = Join()(batch, pairs, z)
    more = torch.tensor([[0, 5, 7, 12, 10, 11], [5, 0, 12, 7, 11, 10]])  # the second tree starts at node 7
    edges = torch.cat([batch.edge_index, more], dim=1)
    h = batch.x
    for number, (layer, eps) in enumerate(zip(net.down.layers, net.down.eps), 1):
        h = GINConv(layer, eps=eps.item())(h, edges)
        h = h if number == len(net.down.layers) else h.relu()
    torch.testing.assert_close(net.down(joined), h, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("exact", [True, False])
def test_the_slope_of_a_draw_is_that_of_its_chances(task: DistanceTask, exact: bool) -> None:
    """Chances by all subsets of two: exact ones have their slope, the rough ones have not."""
    net = net_of(task, exact=exact).train()
    theta = torch.randn(1, 5, dtype=torch.double, requires_grad=True)
    weight = torch.randn(5, dtype=torch.double)
    z = net.choose(theta)
    assert torch.allclose(z.detach(), z.detach().round(), atol=1e-9)
    assert z.sum().item() == pytest.approx(2)
    (found,) = torch.autograd.grad((z * weight).sum(), theta)
    subsets = list(combinations(range(5), 2))
    p = torch.stack([theta[0, list(m)].sum() for m in subsets]).softmax(0)
    mu = torch.stack([sum(q for q, m in zip(p, subsets) if i in m) for i in range(5)])  # type: ignore[arg-type]
    (expected,) = torch.autograd.grad((mu * weight).sum(), theta)
    assert torch.allclose(found, expected) == exact


def test_scores_are_symmetric_and_follow_the_nodes(task: DistanceTask) -> None:
    net = net_of(task).eval()
    pairs = net.candidates(task.test.wiring)
    one = task.test.copies(0, 1)
    theta = net.scores(one)
    order = torch.tensor([0, 2, 1, 5, 6, 3, 4])  # the tree, mirrored, is the same tree
    turned = Batch(one.wiring, one.x[order], one.y, one.source, one.target)
    place = {frozenset(pair): number for number, pair in enumerate(pairs.T.tolist())}
    mirrored = [place[frozenset(order[pair].tolist())] for pair in pairs.T]
    torch.testing.assert_close(net.scores(turned)[0], theta[0, mirrored], atol=1e-5, rtol=1e-4)


def test_after_training_the_best_are_taken_and_the_loss_reaches_the_scores(task: DistanceTask) -> None:
    net = net_of(task)
    theta = net.eval().scores(task.val)
    z = net.choose(theta)
    assert (z.sum(1) == 2).all()
    assert (theta.masked_fill(z == 0, torch.inf).amin(1) >= theta.masked_fill(z == 1, -torch.inf).amax(1)).all()
    net.train()(task.val).square().sum().backward()
    assert net.phi[0].weight.grad.abs().max() > 0  # type: ignore[union-attr]
    blind = net_of(task, learned=False).train()
    blind(task.val).square().sum().backward()
    assert blind.phi[0].weight.grad is None  # type: ignore[union-attr]


def test_a_short_run_shows_what_is_promised() -> None:
    trace = neurorama.run("pr_mpnn", {"steps": 10, "tree": 2, "layers": 1, "k": 3, "hidden": 8})
    exhibit = neurorama.catalogue.load("pr_mpnn")
    assert {name.split("/")[0] for name in trace.names()} == set(exhibit.views)
    assert trace.last("candidates/PR-MPNN").num_nodes == 7
    ours, *others = (at_best_validation(trace, arm) for arm in ("PR-MPNN", "random edges", "GIN"))
    assert exhibit.claim.margin(trace) == pytest.approx(ours - max(others))
