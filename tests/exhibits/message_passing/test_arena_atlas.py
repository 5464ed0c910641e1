"""The atlas of small graphs, measured again by matrices."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse.csgraph import shortest_path

from neurorama.exhibits.message_passing.arena import GRAPHS, atlas
from neurorama.kernels.pairs import pair_walks


def test_all_connected_graphs_of_six_and_seven_nodes_are_there_once() -> None:
    task = atlas.atlas(0)
    parts = [*task.train, task.val, task.test]
    sizes = torch.cat([part.wiring.sizes for part in parts]).bincount()
    assert sizes[6:].tolist() == [112, 853]  # as counted by others: https://oeis.org/A001349
    assert sum(len(part.y) for part in task.train) == round(0.6 * 965)
    again = atlas.atlas(1)
    assert not torch.equal(again.test.y, task.test.y)


def test_the_quantity_is_mean_distance_and_triangles_in_units_of_their_spread() -> None:
    task = atlas.atlas(3)
    measures, y = [], []
    for part in (*task.train, task.val, task.test):
        for (edges, n), value in zip(part.wiring.pieces, part.y.tolist()):
            a = np.zeros((n, n))
            a[tuple(edges.numpy())] = 1
            assert (a == a.T).all()
            measures.append([shortest_path(a).sum() / (n * (n - 1)), np.trace(a @ a @ a) / 6])
            y.append(value)
    found = np.array(measures)
    expected = ((found - found.mean(0)) / found.std(0, ddof=1)).sum(1)
    np.testing.assert_allclose(y, expected, atol=1e-4)
    seen = torch.cat([part.y for part in task.train])
    assert (task.mean, task.spread) == pytest.approx((float(seen.mean()), float(seen.std())))
    assert GRAPHS._measured((task.test.y[:, None] - task.mean) / task.spread, task.test.y, task) == pytest.approx(1)


def test_what_is_shown_of_attention_is_a_mean_over_heads_and_nodes() -> None:
    batch = atlas.atlas(0).test
    i, j, walks = pair_walks(batch.edge_index, batch.batch, 7)
    even = (1 / batch.wiring.sizes[batch.batch].float())[i]
    weights = torch.stack([even, (i == j).float()], dim=1)  # one head hears all alike, one itself
    shown = atlas.heard("A", i, j, walks, weights)
    n = int(batch.wiring.sizes[0])
    first, far = np.asarray(shown["attention/A"].z), np.asarray(shown["how far/A"].z)  # type: ignore[union-attr]
    np.testing.assert_allclose(first, np.eye(n) / 2 + 1 / (2 * n), atol=1e-6)
    np.testing.assert_allclose(far.sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(far[1], np.eye(far.shape[1])[0], atol=1e-6)
    distance = np.concatenate([shortest_path(_matrix(*piece)).flatten() for piece in batch.wiring.pieces])
    expected = np.bincount(distance.astype(int), weights=even.numpy()) / len(batch.x)
    np.testing.assert_allclose(far[0], expected, atol=1e-5)


def _matrix(edges: torch.Tensor, n: int) -> np.ndarray:
    a = np.zeros((n, n))
    a[tuple(edges.numpy())] = 1
    return a
