"""Nodes in lines against sorting by hand and PyG's dense batches."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.utils import to_dense_adj, to_dense_batch

from neurorama.kernels.lines import in_lines
from neurorama.kernels.selective_scan import BidirectionalMamba


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), max_size=20))
def test_lines_hold_each_graph_in_order(nodes: list[tuple[int, int]]) -> None:
    batch, score = torch.tensor(nodes, dtype=torch.long).reshape(-1, 2).T
    x = torch.arange(1.0, len(nodes) + 1)[:, None]
    lines = in_lines(batch, score)
    assert len(lines.mask) == (int(batch.max()) + 1 if nodes else 0)
    for g, (line, mask) in enumerate(zip(lines.line_up(x)[..., 0], lines.mask)):
        expected = sorted((v for v in range(len(nodes)) if batch[v] == g), key=lambda v: int(score[v]))
        assert line[mask].tolist() == [v + 1 for v in expected]
        assert not line[~mask].any()
    assert torch.equal(lines.disperse(lines.line_up(x)), x)


def test_lines_by_number_are_pygs_dense_batch() -> None:
    batch, x = torch.tensor([0, 0, 0, 1, 2, 2]), torch.randn(6, 4)
    edge_index = torch.tensor([[0, 1, 2, 2, 3, 4, 4], [1, 0, 0, 0, 3, 5, 4]])
    lines, weight = in_lines(batch), torch.rand(7)
    theirs, mask = to_dense_batch(x, batch)
    assert torch.equal(lines.line_up(x), theirs)
    assert torch.equal(lines.mask, mask)
    torch.testing.assert_close(lines.adjacency(edge_index), to_dense_adj(edge_index, batch))
    torch.testing.assert_close(lines.adjacency(edge_index, weight), to_dense_adj(edge_index, batch, weight))


def test_a_reader_of_lines_does_not_depend_on_the_numbers_of_the_nodes() -> None:
    torch.manual_seed(0)
    both, x = BidirectionalMamba(4, states=3), torch.randn(9, 4)
    batch, score, turn = torch.tensor([0, 0, 1, 1, 1, 1, 2, 2, 2]), torch.randperm(9), torch.randperm(9)

    def read(x: torch.Tensor, batch: torch.Tensor, score: torch.Tensor) -> torch.Tensor:
        lines = in_lines(batch, score)
        return lines.disperse(both(lines.line_up(x), lines.mask))

    torch.testing.assert_close(read(x[turn], batch[turn], score[turn]), read(x, batch, score)[turn])


def test_gradients_reach_rows_and_weights() -> None:
    batch, edge_index = torch.tensor([1, 0, 1, 0]), torch.tensor([[0, 2, 1, 2], [2, 0, 3, 0]])
    lines = in_lines(batch)
    x = torch.randn(4, 2, dtype=torch.float64, requires_grad=True)
    weight = torch.rand(4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda x, w: lines.disperse(lines.adjacency(edge_index, w) @ lines.line_up(x)), (x, weight)
    )
