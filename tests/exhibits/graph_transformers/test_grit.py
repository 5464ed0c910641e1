"""GRIT against its equations in a double loop, what its walks can tell, and what follows from its symmetries."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import neurorama
from neurorama.exhibits.graph_transformers.grit import EXHIBIT, GRIT, Knobs
from neurorama.exhibits.message_passing.arena import GIN, GRAPHS, Batch, Wiring, atlas


def batch_of(graphs: list[nx.Graph], seed: int = 0, features: int = 2) -> Batch:
    pieces = []
    for graph in graphs:
        edges = torch.tensor(list(graph.to_directed().edges), dtype=torch.long).reshape(-1, 2).T.contiguous()
        pieces.append((edges, len(graph)))
    wiring = Wiring.of(pieces)
    x = torch.randn(wiring.num_nodes, features, generator=torch.Generator().manual_seed(seed))
    return Batch(wiring, x, torch.zeros(len(graphs)))


def grit(seed: int = 0, features: int = 2, **knobs: object) -> GRIT:
    torch.manual_seed(seed)
    net = GRIT(features, Knobs(**{"hidden": 8, "heads": 2, "length": 4, **knobs})).eval()  # type: ignore[arg-type]
    for norm in net.modules():
        if isinstance(norm, nn.BatchNorm1d):
            nn.init.normal_(norm.running_mean)
            nn.init.uniform_(norm.running_var, 0.5, 2)
    return net


def by_hand(net: GRIT, x: Tensor, a: np.ndarray) -> Tensor:
    """One graph, node by node and pair by pair, as in the paper's equations."""
    n, knobs = len(x), net.knobs
    m = torch.from_numpy(a / np.maximum(a.sum(1, keepdims=True), 1)).float()
    powers = [torch.linalg.matrix_power(m, k) for k in range(knobs.length)]
    h = [net.enter(x[i]) + net.enter_p(torch.stack([p[i, i] for p in powers])) for i in range(n)]
    e = {}
    for i in range(n):
        for j in range(n):
            walks = torch.stack([p[i, j] for p in powers])
            e[i, j] = net.enter_e(walks if knobs.relative or i == j else walks * 0)
    size = knobs.hidden // knobs.heads
    for layer in net.layers:
        new = []
        for i in range(n):
            pairs, heard = {}, []
            for j in range(n):
                weight, bias = layer.e.weight.split(knobs.hidden), layer.e.bias.split(knobs.hidden)
                z = (layer.q(h[i]) + layer.k.weight @ h[j]) * (weight[0] @ e[i, j] + bias[0])
                pairs[j] = torch.relu(z.sign() * z.abs().sqrt() + weight[1] @ e[i, j] + bias[1])
            for head in range(knobs.heads):
                part = slice(head * size, (head + 1) * size)
                scores = torch.stack([(layer.w[head] @ pairs[j][part]).clamp(-5, 5) for j in range(n)])
                alpha = scores.exp() / scores.exp().sum()
                values = [layer.v.weight[part] @ h[j] + pairs[j][part] @ layer.v_e[head] for j in range(n)]
                heard.append(sum(alpha[j] * values[j] for j in range(n)))
            own = torch.cat(heard)
            if knobs.scaler:
                own = own * layer.theta[0] + float(np.log(1 + a[i].sum())) * own * layer.theta[1]
            mid = layer.norm((h[i] + layer.out(own))[None])
            new.append(layer.norm_out(mid + layer.mlp(mid))[0])
            if knobs.update:
                for j in range(n):
                    e[i, j] = layer.norm_e((e[i, j] + layer.out_e(pairs[j]))[None])[0]
        h = new
    return torch.stack(h)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000), st.booleans(), st.booleans(), st.booleans())
def test_states_are_those_of_the_equations(seed: int, relative: bool, update: bool, scaler: bool) -> None:
    net = grit(seed, relative=relative, update=update, scaler=scaler)
    graphs = [nx.gnp_random_graph(n, 0.5, seed=seed + n) for n in (4, 1, 3)]
    batch = batch_of(graphs, seed)
    expected = [by_hand(net, x, nx.to_numpy_array(g)) for x, g in zip(batch.x.split([4, 1, 3]), graphs)]
    torch.testing.assert_close(net(batch), torch.cat(expected), rtol=1e-3, atol=1e-4)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000))
def test_renumbered_nodes_say_the_same(seed: int) -> None:
    net, graph = grit(seed), nx.gnp_random_graph(7, 0.4, seed=seed)
    batch = batch_of([graph], seed)
    order = torch.randperm(7)
    place = torch.empty_like(order).index_put((order,), torch.arange(7))
    turned = Batch(Wiring(place[batch.edge_index], batch.batch, 1), batch.x[order], batch.y)
    torch.testing.assert_close(net(turned), net(batch)[order], rtol=1e-3, atol=1e-4)


def test_attention_adds_up_to_one_for_who_asks() -> None:
    net, batch = grit(), batch_of([nx.path_graph(4), nx.star_graph(5)])
    weights = net.attend(batch)[1]
    i, _, _ = net.known[batch.wiring]
    total = torch.zeros(10, 2).index_add(0, i, weights)
    torch.testing.assert_close(total, torch.ones(10, 2))


def test_walks_tell_apart_what_neighbours_and_distances_cannot() -> None:
    """Paper, proposition 3.2: the dodecahedron and the Desargues graph have the same distances, and all degrees 3."""
    one, other = nx.dodecahedral_graph(), nx.desargues_graph()
    profile = [sorted(dict(nx.single_source_shortest_path_length(graph, 0)).values()) for graph in (one, other)]
    assert profile[0] == profile[1]
    batch = batch_of([one, other])
    batch = Batch(batch.wiring, torch.ones(40, 1), batch.y)
    torch.manual_seed(0)
    blind = GIN(1, 8, 8, 4).eval()(batch)
    torch.testing.assert_close(blind[:20], blind[20:])
    seeing = grit(features=1, length=8)(batch)
    assert (seeing[:20] - seeing[20:]).abs().max() > 1e-3


def test_a_linear_map_of_walks_is_personalised_pagerank() -> None:
    net, graph, restart = grit(length=32), nx.karate_club_graph(), 0.3
    batch = batch_of([graph])
    net.attend(batch)
    i, j, walks = net.known[batch.wiring]
    a = nx.to_numpy_array(graph, weight=None)
    exact = restart * np.linalg.inv(np.eye(34) - (1 - restart) * a / a.sum(1, keepdims=True))
    found = walks @ (restart * (1 - restart) ** torch.arange(32.0))
    np.testing.assert_allclose(found, exact[i, j], atol=(1 - restart) ** 32)


def test_slopes_are_finite_where_the_root_is_taken_of_zero() -> None:
    net, batch = grit(), batch_of([nx.path_graph(6)])
    for layer in net.layers:
        nn.init.zeros_(layer.e.bias)  # beyond K hops all walks are 0, and so is what the root is taken of
    net(batch).square().sum().backward()
    assert all(p.grad.isfinite().all() for p in net.parameters() if p.grad is not None)


def test_it_enters_the_arena_of_graphs_with_classes_too() -> None:
    assert EXHIBIT.entry is not None
    task = GRAPHS.data("cycles", 0)
    torch.manual_seed(0)
    system = EXHIBIT.entry.build(Knobs(hidden=8, heads=1, layers=1, length=4), task)
    losses = list(GRAPHS.train(system, task, 2))
    assert np.isfinite(losses).all()


def test_a_short_run_shows_what_is_promised() -> None:
    trace = neurorama.run("grit", {"steps": 24, "hidden": 8, "length": 4, "layers": 1})
    assert {name.split("/")[0] for name in trace.names()} == set(EXHIBIT.views)
    ours, *others = (atlas.at_best_validation(trace, arm) for arm in EXHIBIT.arms)
    assert EXHIBIT.claim.margin(trace) == pytest.approx(ours - max(others))
