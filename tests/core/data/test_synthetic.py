"""Synthetic data: planted truth is where it says, streams can be replayed, the same seed draws the same."""

import math

import networkx as nx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neurorama import data
from neurorama.data.synthetic import block_model, events, few_labels, houses

seeds = st.integers(0, 10_000)


def as_networkx(graph: data.GraphData) -> nx.Graph:
    made = nx.Graph()
    made.add_nodes_from(range(graph.num_nodes))
    made.add_edges_from(graph.edge_index.T.tolist())
    return made


@settings(deadline=None, max_examples=30)
@given(seed=seeds, base=st.integers(10, 60), count=st.integers(1, 10), attach=st.integers(1, 5))
def test_without_noise_each_house_hangs_by_one_edge(seed: int, base: int, count: int, attach: int) -> None:
    graph = houses(seed, base, count, attach, noise=0)
    whole = as_networkx(graph)
    assert nx.is_connected(whole)
    assert whole.number_of_edges() == attach * (base - attach) + count * 7
    hooks = []
    for house in range(count):
        nodes = (graph.truth["house"] == house).nonzero().flatten().tolist()
        inside = whole.subgraph(nodes)
        assert nx.is_isomorphic(inside, nx.house_graph())
        roles = [graph.classes[graph.y[node]] for node in nodes]
        assert sorted(roles) == ["bottom", "bottom", "middle", "middle", "top"]
        top = nodes[roles.index("top")]
        assert {graph.classes[graph.y[node]] for node in inside[top]} == {"middle"}
        leaving = [(u, v) for u in nodes for v in whole[u] if v not in nodes]
        assert len(leaving) == 1
        assert graph.classes[graph.y[leaving[0][0]]] == "middle"
        hooks.append(leaving[0][1])
    assert len(set(hooks)) == count


@settings(deadline=None, max_examples=30)
@given(seed=seeds, noise=st.floats(0, 0.5))
def test_truth_marks_the_edges_of_houses_and_noise_adds_the_share_it_says(seed: int, noise: float) -> None:
    graph = houses(seed, num_nodes=40, num_houses=6, noise=noise)
    assert graph.num_nodes == 70
    assert graph.edge_index.shape[1] == 2 * (5 * 35 + 6 * 7 + round(noise * 70))
    house = graph.truth["house"]
    assert torch.equal(house >= 0, graph.y > 0)
    src, dst = graph.edge_index[:, graph.truth["motif"]]
    assert graph.truth["motif"].sum() == 6 * 12
    assert torch.equal(house[src], house[dst])
    assert (house[src] >= 0).all()


def test_ba_shapes_has_the_papers_size() -> None:
    graph = data.graph("ba-shapes", seed=1)
    assert graph.num_nodes == 300 + 80 * 5
    assert graph.y.bincount().tolist() == [300, 80, 160, 160]
    assert graph.truth["motif"].sum() == 80 * 6 * 2
    with pytest.raises(ValueError, match="num_houses=9"):
        houses(0, num_nodes=8, num_houses=9)


@settings(deadline=None, max_examples=15)
@given(seed=seeds, pull=st.floats(0, 1), drift=st.floats(-1, 1))
def test_the_state_of_a_user_follows_from_his_visits(seed: int, pull: float, drift: float) -> None:
    stream = events(seed, num_users=7, num_items=12, num_events=120, pull=pull, drift=drift)
    assert (stream.t.diff() >= 0).all()
    assert 0 <= int(stream.src.min()) <= int(stream.src.max()) < stream.num_sources
    assert stream.num_sources <= int(stream.dst.min()) <= int(stream.dst.max()) < stream.num_nodes
    state = {}
    for user, item, told in zip(stream.src.tolist(), stream.dst.tolist(), stream.truth["state"].tolist()):
        now = state.get(user, told)
        assert abs(math.remainder(now - told, math.tau)) < 1e-3
        way = math.remainder((item - 7) * math.tau / 12 - now, math.tau)
        state[user] = now + pull * way + drift * stream.truth["direction"][user].item()


def hits(stream: data.Stream, angles: torch.Tensor, tries: int = 5) -> float:
    """Share of events whose item is among the `tries` nearest to the user's supposed angle."""
    items = stream.num_nodes - stream.num_sources
    place = torch.arange(items) * math.tau / items
    near = (place - angles[:, None]).cos().topk(tries).indices
    return float((near == (stream.dst - stream.num_sources)[:, None]).any(1).float().mean())


def one_late(stream: data.Stream) -> torch.Tensor:
    """Each user's angle as it was before his previous event: what is known if that event is still pending."""
    known: dict[int, float] = {}
    angles = []
    for user, now in zip(stream.src.tolist(), stream.truth["state"].tolist()):
        angles.append(known.get(user, now))
        known[user] = now
    return torch.tensor(angles)


@pytest.mark.parametrize("seed", range(3))
def test_missing_one_event_costs_much_unless_users_stand_still(seed: int) -> None:
    stream = data.stream("events", seed)
    assert hits(stream, stream.truth["state"]) > hits(stream, one_late(stream)) + 0.2
    still = events(seed, pull=0, drift=0)
    assert hits(still, still.truth["state"]) == hits(still, one_late(still))


@pytest.mark.parametrize("source", ["blocks", "blocks-opposed", "ba-houses", "events"])
def test_the_same_seed_draws_the_same_and_leaves_the_global_stream_alone(source: str) -> None:
    before = torch.get_rng_state()
    one, two, other = data.load(source, 4), data.load(source, 4), data.load(source, 5)
    assert torch.equal(before, torch.get_rng_state())
    for field in ("edge_index", "x", "src", "dst", "t", "message"):
        if hasattr(one, field):
            assert torch.equal(getattr(one, field), getattr(two, field))
    name = "edge_index" if hasattr(one, "edge_index") else "dst"
    first, second = getattr(one, name), getattr(other, name)
    assert first.shape != second.shape or not torch.equal(first, second)


@pytest.mark.parametrize("homophily", [0.1, 0.5, 0.9])
def test_blocks_have_the_homophily_and_degree_that_was_asked_for(homophily: float) -> None:
    graph = block_model(0, num_nodes=1500, degree=8, homophily=homophily)
    src, dst = graph.edge_index
    edges = len(src) / 2
    same = (graph.y[src] == graph.y[dst]).double().mean().item()
    assert abs(same - homophily) < 5 * math.sqrt(homophily * (1 - homophily) / edges) + 0.002
    assert abs(2 * edges / 1500 - 8) < 5 * math.sqrt(2 * 8 / 1500)


@given(sizes=st.lists(st.integers(1, 30), min_size=1, max_size=5), per_class=st.integers(1, 10), seed=seeds)
def test_few_labels_part_the_nodes(sizes: list[int], per_class: int, seed: int) -> None:
    y = torch.cat([torch.full((size,), k) for k, size in enumerate(sizes)])
    if sum(size - min(per_class, max(1, size // 2)) for size in sizes) < 2:
        with pytest.raises(data.InputError, match="too few"):
            few_labels(y, per_class, seed)
        return
    train, val, test = few_labels(y, per_class, seed)
    assert torch.equal(train.long() + val.long() + test.long(), torch.ones_like(y))
    assert val.any()
    assert test.any()
    for k, size in enumerate(sizes):
        assert int(train[y == k].sum()) == min(per_class, max(1, size // 2))
