"""What is asked of whole graphs, against networkx and a count."""

from __future__ import annotations

import networkx as nx
import pytest
import torch

from neurorama.exhibits.message_passing.arena.questions import questions


@pytest.mark.parametrize("kind", ["colours", "pieces"])
def test_answers_are_true_and_neither_size_nor_edges_tell_them(kind: str) -> None:
    task = questions(kind, 3)  # type: ignore[arg-type]
    batch = task.test
    surplus = set()
    for number, (edges, n) in enumerate(batch.wiring.pieces):
        graph = nx.Graph(edges.T.tolist())
        assert 12 <= n <= 16
        assert len(graph) == n
        assert edges.shape[1] == 2 * graph.number_of_edges()
        surplus.add(graph.number_of_edges() - n)
        first = int(batch.wiring.starts[number])
        count, pieces = int(batch.x[first : first + n, 0].sum()), nx.number_connected_components(graph)
        assert int(batch.y[number]) == (count if kind == "colours" else int(pieces == 1))
        assert pieces in (1, 2)
    assert len(surplus) == 1
    assert len(batch.y.bincount()) == task.outputs == (8 if kind == "colours" else 2)
    assert (batch.x[:, :4].sum(1) == 1).all()
    assert (batch.x[:, 4] == 0).all()  # nobody is back after a single step
    assert not torch.equal(task.val.x, task.test.x)
