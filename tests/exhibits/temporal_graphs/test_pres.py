"""PRES: switched off it is the plain network, that one is PyG's TGN; its formulas by hand, and no look ahead."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score
from torch_geometric.nn import TGNMemory
from torch_geometric.nn.models.tgn import IdentityMessage, LastAggregator

import neurorama
from neurorama.exhibits.temporal_graphs.arena import (
    LINKS,
    LinkTask,
    MemoryNet,
    at_best_validation,
    average_precision,
    replay,
)
from neurorama.exhibits.temporal_graphs.pres import PRES, Knobs, build, triangles


@pytest.fixture(scope="module")
def task() -> LinkTask:
    return LINKS.data("events", 0)


def batch_of(task: LinkTask, start: int, stop: int) -> tuple[torch.Tensor, ...]:
    stream = task.stream
    assert stream.message is not None
    return stream.src[start:stop], stream.dst[start:stop], stream.t[start:stop], stream.message[start:stop]


def test_memory_is_that_of_pyg(task: LinkTask) -> None:
    """Two batches that touch every node, since PyG waits with a node's update until the node is asked for."""
    torch.manual_seed(0)
    net = MemoryNet(task, width=6)
    net.num_nodes = 10
    net.reset()
    net.memory = torch.randn(10, 6)
    net.seen = torch.randint(0, 5, (10,)).float()
    tgn = TGNMemory(10, 2, 6, 8, IdentityMessage(2, 6, 8), LastAggregator())
    tgn.gru, tgn.time_enc.lin = net.gru, net.clock
    order = [torch.randperm(5) for _ in range(4)]
    batches = [
        (
            torch.cat([order[2 * k], torch.randint(5, (7,))]),
            5 + torch.cat([order[2 * k + 1], torch.randint(5, (7,))]),
            10 * (k + 1) + torch.arange(12),
            torch.randn(12, 2),
        )
        for k in range(2)
    ]
    everyone = torch.arange(10)
    for k, (src, dst, t, message) in enumerate(batches):
        tgn.update_state(src, dst, t, message)
        if k == 0:  # what PyG does with nodes that have no message yet is its own affair
            tgn.memory.copy_(net.memory)
            tgn.last_update.copy_(net.seen.long())
        net.absorb(src, dst, t.float(), message)
        memory, last = tgn(everyone)
        torch.testing.assert_close(net.memory, memory)
        torch.testing.assert_close(net.seen, last.float())


def test_switched_off_it_trains_exactly_as_the_plain_network(task: LinkTask) -> None:
    torch.manual_seed(0)
    plain = MemoryNet(task)
    torch.manual_seed(0)
    off = build(Knobs(correct=False, coherent=False), task)
    losses = []
    for system in (plain, off):
        torch.manual_seed(1)
        losses.append(list(LINKS.train(system, task, 2)))
    assert losses[0] == losses[1]
    assert torch.equal(plain.memory, off.memory)
    assert LINKS.score(plain, task) == LINKS.score(off, task)


def test_prediction_and_correction_by_hand(task: LinkTask) -> None:
    torch.manual_seed(0)
    net = build(Knobs(drawn=False), task)
    with torch.no_grad():
        for start in (0, 200, 400):
            net.absorb(*batch_of(task, start, start + 200))
        before, seen, rates = net.memory, net.seen, net.rates.mean(torch.arange(net.num_nodes))
        moments = net.rates.count.clone(), net.rates.total.clone()
        node, measured, now = net.measure(*batch_of(task, 600, 800))
        penalty = net.absorb(*batch_of(task, 600, 800))
    gamma = float(net.gamma.detach())
    predicted = (before[node] + (now - seen[node])[:, None] * rates[node]).clamp(-1, 1)
    corrected = (1 - gamma) * predicted + gamma * measured
    torch.testing.assert_close(net.memory[node], corrected)
    untouched = torch.ones(net.num_nodes, dtype=torch.bool)
    untouched[node] = False
    assert torch.equal(net.memory[untouched], before[untouched])
    rate = (corrected - before[node]) / (now - seen[node])[:, None]
    torch.testing.assert_close(net.rates.total[node], moments[1][node] + rate)
    torch.testing.assert_close(net.rates.count[node], moments[0][node] + 1)
    known = before[node].norm(dim=1) > 0
    a, b = before[node][known].flatten().numpy(), corrected[known].flatten().numpy()
    cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    assert float(penalty) == pytest.approx(Knobs().beta * (1 - cosine), rel=1e-3)
    assert net.last["corrected"].shape == (len(node), 32)


def test_rates_are_drawn_from_the_nodes_gaussian(task: LinkTask) -> None:
    torch.manual_seed(0)
    net = build(Knobs(), task)
    with torch.no_grad():
        for start in (0, 200, 400):
            net.absorb(*batch_of(task, start, start + 200))
        kept = {name: getattr(net, name).clone() for name in ("memory", "seen")}
        node, _, now = net.measure(*batch_of(task, 600, 800))
        passed = (now - net.seen[node])[:, None]
        mean, spread = net.rates.mean(node), net.rates.variance(node).sqrt()
        before = net.memory[node]
        draws = []
        rates = net.rates
        for _ in range(400):
            net.memory, net.seen = kept["memory"], kept["seen"]
            net.rates = deepcopy(rates)
            net.absorb(*batch_of(task, 600, 800))
            draws.append((net.last["predicted"] - before) / passed)
    drawn = torch.stack(draws)
    inside = (before + passed * (mean - 4 * spread) > -1) & (before + passed * (mean + 4 * spread) < 1) & (spread > 0)
    assert inside.sum() > 20
    z = ((drawn.mean(0) - mean) / (spread / 20))[inside]
    assert z.abs().max() < 5
    torch.testing.assert_close((drawn.std(0) / spread)[inside].mean(), torch.tensor(1.0), atol=0.05, rtol=0)


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 1500), st.sampled_from([20, 50, 200]), st.booleans())
def test_scores_know_nothing_of_the_future(cut: int, batch: int, method: bool) -> None:
    task = LINKS.data("events", 0)
    torch.manual_seed(0)
    net = build(Knobs(), task) if method else MemoryNet(task)
    stream = task.stream
    assert stream.message is not None
    later = torch.arange(len(stream.src)) >= cut
    other = replace(
        stream,
        dst=torch.where(later, stream.dst.flip(0), stream.dst),
        message=torch.where(later[:, None], -stream.message, stream.message),
    )
    changed = replace(task, stream=other)
    net.eval()

    def scores(of: LinkTask) -> tuple[torch.Tensor, torch.Tensor]:
        hits, misses, _ = zip(*replay(net, of, batch, 2000, of.decoys))
        return torch.cat(hits), torch.cat(misses)

    with torch.no_grad():
        (first, miss), (second, other_miss) = scores(task), scores(changed)
    assert torch.equal(first[:cut], second[:cut])
    whole = -(-(cut + 1) // batch) * batch  # decoys of the batch in which the change falls know nothing of it either
    assert torch.equal(miss[:whole], other_miss[:whole])
    assert not torch.equal(first, second)


def test_within_a_batch_order_is_lost_but_for_the_newest(task: LinkTask) -> None:
    """What large batches cost: all but a node's last event of the batch are never seen."""
    torch.manual_seed(0)
    net = MemoryNet(task)
    src, dst, t, message = batch_of(task, 0, 200)
    with torch.no_grad():
        net.absorb(src, dst, t, message)
        one_go = net.memory[src[-1]]
        net.reset()
        last = torch.tensor([199])
        net.absorb(src[last], dst[last], t[last], message[last])
    torch.testing.assert_close(net.memory[src[-1]], one_go)


def test_average_precision_and_the_protocol() -> None:
    hit, miss = torch.tensor([2.0, 0.5, 1.0, 9.0]), torch.tensor([0.0, 0.7, -1.0, 8.0])
    ours = average_precision((hit, miss), slice(0, 3))
    assert ours == pytest.approx(average_precision_score([1, 1, 1, 0, 0, 0], [2.0, 0.5, 1.0, 0.0, 0.7, -1.0]))
    frames = tuple(
        neurorama.Frame(k, 2, {"validation precision/A": val, "average precision/A": test})
        for k, (val, test) in enumerate([(0.5, 0.9), (0.8, 0.6), (0.7, 0.7)])
    )
    assert at_best_validation(neurorama.Trace("x", {}, frames), "A") == 0.6


def test_triangles_join_each_corrected_memory_with_its_two_parents(task: LinkTask) -> None:
    net = PRES(task, Knobs())
    net.absorb(*batch_of(task, 0, 50))
    picture = triangles(net, most=3)
    assert np.asarray(picture.links).tolist() == [[0, 6], [1, 7], [2, 8], [3, 6], [4, 7], [5, 8]]
    first = int(net.last["node"][0])
    assert (picture.names[0], picture.names[6]) == (f"node {first}, predicted", f"node {first}, corrected")


def test_a_short_run_shows_what_is_promised() -> None:
    exhibit = neurorama.catalogue.load("pres")
    trace = neurorama.run("pres", {"steps": 2})
    assert {name.split("/")[0] for name in trace.names()} == set(exhibit.views)
