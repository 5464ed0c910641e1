"""Graphs changed by hand, against networkx doing the same; what makes no sense is refused in one line."""

from __future__ import annotations

from typing import Any

import networkx as nx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neurorama import InputError, data
from neurorama.data.edits import edited


def as_networkx(graph: data.GraphData) -> nx.Graph:
    made = nx.DiGraph() if graph.directed else nx.Graph()
    made.add_nodes_from(graph.names or map(str, range(graph.num_nodes)))
    names = graph.names or tuple(map(str, range(graph.num_nodes)))
    made.add_edges_from((names[a], names[b]) for a, b in graph.edge_index.T.tolist())
    return made


@st.composite
def edits(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    present, gone, made = 34, set(), []
    for _ in range(draw(st.integers(1, 8))):
        alive = [node for node in range(present) if node not in gone]
        what = draw(st.sampled_from(["link", "part", "add", "remove"]))
        if what == "add":
            made.append((what,))
            present += 1
        elif what == "remove":
            made.append((what, draw(st.sampled_from(alive))))
            gone.add(made[-1][1])
        else:
            a, b = draw(st.lists(st.sampled_from(alive), min_size=2, max_size=2, unique=True))
            made.append((what, a, b))
    return made


@settings(max_examples=40)
@given(edits())
def test_the_outcome_is_that_of_networkx(steps: list[tuple[Any, ...]]) -> None:
    before = data.graph("karate")
    after = edited(before, steps)
    wanted, fresh = as_networkx(before), 34
    for what, *which in steps:
        if what == "add":
            wanted.add_node(str(fresh))
            fresh += 1
        elif what == "remove":
            wanted.remove_node(str(which[0]))
        elif what == "link":
            wanted.add_edge(*map(str, which))
        elif wanted.has_edge(*map(str, which)):
            wanted.remove_edge(*map(str, which))
    mine = as_networkx(after)
    assert set(mine.nodes) == set(wanted.nodes)
    assert {frozenset(edge) for edge in mine.edges} == {frozenset(edge) for edge in wanted.edges}
    assert before.y is not None
    assert after.y is not None
    for name, label in zip(after.names, after.y.tolist(), strict=True):
        if int(name) < 34:
            assert label == int(before.y[int(name)])  # whoever stays keeps the label
    assert "changed by hand" in after.notes[0]


def test_a_new_node_is_like_its_neighbours() -> None:
    before = data.graph("karate")
    assert before.y is not None
    side = int(before.y[33])
    friends = [node for node in range(34) if int(before.y[node]) == side][:3]
    after = edited(before, [("add",), *(("link", 34, friend) for friend in friends)])
    assert after.y is not None
    assert int(after.y[34]) == side
    assert after.names[34] == "34"


def test_a_feature_is_moved_and_the_others_stay() -> None:
    before = data.graph("blocks")
    after = edited(before, [("feature", 5, 2, 9.5)])
    assert after.columns
    x = before.x.clone()
    x[5, 2] = 9.5
    assert torch.equal(after.x, x)
    assert torch.equal(after.edge_index, before.edge_index)


def test_it_is_kept_as_a_graph_of_ones_own() -> None:
    name = data.edit("karate", [("link", 9, 16)])
    assert name.startswith("mine/karate-edited-")
    assert data.own() == [name]
    assert data.edit("karate", [["link", 9, 16]]) == name
    kept = data.graph(name)
    assert [9, 16] in kept.edge_index.T.tolist()
    again = data.edit(name, [("part", 9, 16), ("remove", 0)])
    assert again.startswith("mine/karate-edited-")
    assert again.count("edited") == 1
    assert data.graph(again).num_nodes == 33


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [("link", 0, 0)],
        [("link", 0, 99)],
        [("link", -1, 2)],
        [("remove", 3), ("link", 3, 4)],
        [("link", 34, 1), ("add",)],  # not there yet
        [("feature", 0, 0, 1.0)],  # the karate club has no features of its own
        [("feature", 0, 0, float("nan"))],
        [("explode", 1)],
        ["link"],
        [("remove", node) for node in range(33)],
        [("add",)] * 1001,
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(steps: Any) -> None:
    with pytest.raises(InputError) as refused:
        data.edit("karate", steps)
    assert "\n" not in str(refused.value)
    assert data.own() == []
