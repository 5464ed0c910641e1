"""SGC against PyG's layer, scikit-learn's regression, the spectrum of the graph and torch's count of operations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch.utils.flop_counter import FlopCounterMode
from torch_geometric.nn import SGConv

import neurorama
from neurorama.exhibits.message_passing.arena import GCN, NODES, NodeTask
from neurorama.exhibits.message_passing.sgc import SGC, Knobs, averages, build


@pytest.fixture(scope="module")
def task() -> NodeTask:
    return NODES.data("blocks", 3)


@pytest.mark.parametrize("hops", [0, 1, 5])
@pytest.mark.parametrize("self_loops", [True, False])
def test_logits_are_those_of_pyg(task: NodeTask, hops: int, self_loops: bool) -> None:
    system = build(Knobs(hops=hops, self_loops=self_loops), task).eval()
    conv = SGConv(*task.sizes, K=hops, add_self_loops=self_loops)
    conv.lin.weight, conv.lin.bias = system.theta.weight, system.theta.bias
    torch.testing.assert_close(system(task), conv(task.x, task.graph.edge_index), rtol=1e-4, atol=1e-5)


def test_training_ends_at_the_logistic_regression_of_scikit_learn(task: NodeTask) -> None:
    """The problem is convex: another solver must find the same classifier. The bias is pulled to zero as well."""
    torch.manual_seed(0)
    system = build(Knobs(lr=0.05, weight_decay=0.01), task)
    for _ in NODES.train(system, task, 2000):
        pass
    x = np.hstack([averages(Knobs(), task)[1][-1].numpy(), np.ones((len(task.x), 1))])
    few = task.train.numpy()
    found = LogisticRegression(C=1 / (0.01 * few.sum()), fit_intercept=False, tol=1e-8, max_iter=10_000)
    expected = found.fit(x[few], task.y.numpy()[few]).predict_proba(x)
    np.testing.assert_allclose(NODES.logits(system, task).softmax(1).numpy(), expected, atol=1e-3)


def test_a_step_needs_the_labelled_rows_only(task: NodeTask) -> None:
    system = build(Knobs(), task)
    grads = []
    for system.training in (True, False):
        logits = system(task)[task.train]
        grads.append(
            torch.autograd.grad(torch.nn.functional.cross_entropy(logits, task.y[task.train]), system.theta.weight)
        )
    torch.testing.assert_close(*grads)


@pytest.mark.parametrize("self_loops", [True, False])
def test_averages_scale_each_eigenvector_by_the_filter(task: NodeTask, self_loops: bool) -> None:
    _, smoothed = averages(Knobs(hops=4, self_loops=self_loops), task)
    adjacent = np.eye(len(task.x)) * self_loops
    adjacent[tuple(task.graph.edge_index)] = 1
    scale = np.maximum(adjacent.sum(0), 1) ** -0.5
    laplacian = torch.from_numpy(np.eye(len(task.x)) - scale[:, None] * adjacent * scale)
    waves, vectors = torch.linalg.eigh(laplacian)
    for hop, x in enumerate(smoothed):
        expected = (1 - waves[:, None]) ** hop * (vectors.T @ task.x.double())
        torch.testing.assert_close(vectors.T @ x.double(), expected, rtol=1e-3, atol=1e-4)


def test_self_loops_take_the_largest_eigenvalues_down(task: NodeTask) -> None:
    """Where they are left out, one close to 2 may stay: its pattern flips at every edge and is passed again."""
    largest = [
        1 - torch.linalg.eigvalsh(averages(Knobs(self_loops=loops), task)[0].dense()).min() for loops in (True, False)
    ]
    assert largest[0] < largest[1] <= 2 + 1e-5


class NoEdges:
    """Averages nothing, so that torch counts the dense products alone; it counts sparse ones as if they were dense."""

    col = torch.empty(0)

    def __matmul__(self, x: torch.Tensor) -> torch.Tensor:
        return x


@pytest.mark.parametrize("arm", ["SGC", "GCN"])
def test_work_is_what_torch_counts(task: NodeTask, arm: str) -> None:
    bare = NodeTask(task.graph, NoEdges(), task.train, task.val, task.test)  # type: ignore[arg-type]
    features, classes = task.sizes
    system = build(Knobs(), task) if arm == "SGC" else GCN(features, 16, classes, 4)
    with FlopCounterMode(display=False) as counted:
        next(NODES.train(system, bare, 1))
    assert system.work(bare) == counted.get_total_flops() / 2
    if isinstance(system, GCN):  # each edge adds one row to another, forwards and backwards
        assert system.work(task) - system.work(bare) == 2 * task.near.col.numel() * (16 + 16 + 16 + classes)


def test_switched_off_it_knows_the_features_alone(task: NodeTask) -> None:
    system = build(Knobs(propagate=False), task)
    assert isinstance(system, SGC)
    assert torch.equal(system.smooth, task.x)


def test_a_short_run_shows_what_is_promised() -> None:
    trace = neurorama.run("sgc", {"steps": 10, "hops": 3, "source": "karate"})
    exhibit = neurorama.catalogue.load("sgc")
    assert {name.split("/")[0] for name in trace.names()} == set(exhibit.views)
    task = NODES.data("karate", 0)
    waves = 1 - torch.linalg.eigvalsh(averages(Knobs(), task)[0].dense()).numpy()
    for hop, (_, curve) in enumerate(trace.series("filter/SGC")):
        np.testing.assert_allclose(np.sort(curve.x), np.sort(waves), atol=1e-5)
        np.testing.assert_allclose(curve.y, (1 - curve.x) ** hop, atol=1e-5)
    (first, before), *_, (last, after) = trace.series("work/SGC")
    features, classes = task.sizes
    assert before == pytest.approx(3 * task.near.col.numel() * features / 1e6)
    assert after - before == pytest.approx((last - first) * 2 * int(task.train.sum()) * features * classes / 1e6)
