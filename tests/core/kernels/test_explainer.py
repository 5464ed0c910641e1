"""The explainer's terms against hand computation and PyG, its graphs against PyG, its AUC against scikit-learn."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from torch_geometric.utils import k_hop_subgraph

from neurorama.kernels.explainer import Prices, aucs, computation_graphs, entropy, learn_masks, objectives
from neurorama.kernels.propagation import normalised


def edges(seed: int, n: int = 12) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    upper = torch.triu(torch.rand(n, n, generator=draw) < 0.2, diagonal=1)
    return (upper | upper.T).nonzero().T.contiguous()


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_blocks_hold_what_a_deep_product_reads(seed: int, layers: int) -> None:
    near, nodes = normalised(edges(seed), 12), torch.tensor([0, 5, 11])
    blocks = computation_graphs(near, nodes, layers)
    x = torch.randn(12, 3)
    whole, part = x, x[blocks.node]
    for _ in range(layers):
        whole, part = near @ whole, blocks.near @ part
    torch.testing.assert_close(part[blocks.target], whole[nodes])
    for e, node in enumerate(nodes.tolist()):
        expected = k_hop_subgraph(node, layers, edges(seed), num_nodes=12)[0]
        assert sorted(blocks.node[blocks.owner == e].tolist()) == sorted(expected.tolist())


def test_objective_is_the_sum_of_its_terms() -> None:
    mask, features = torch.tensor([0.2, 0.7, 0.5]), torch.tensor([[0.3, 0.9], [0.5, 0.5]])

    def h(p: float) -> float:
        return -p * math.log(p) - (1 - p) * math.log(1 - p)

    found = objectives(torch.tensor([1.0, 2.0]), mask, features, torch.tensor([0, 0, 1]), Prices())
    first = 1 + 0.005 * 0.9 + (h(0.2) + h(0.7)) / 2 + 0.6 + 0.1 * (h(0.3) + h(0.9)) / 2
    second = 2 + 0.005 * 0.5 + h(0.5) + 0.5 + 0.1 * h(0.5)
    torch.testing.assert_close(found, torch.tensor([first, second]))
    assert entropy(torch.tensor([0.0, 1.0])).tolist() == [0, 0]


def test_objective_is_pygs() -> None:
    from torch_geometric.explain import Explainer, GNNExplainer

    algorithm = GNNExplainer()
    Explainer(
        torch.nn.Identity(),
        algorithm,
        explanation_type="model",
        node_mask_type="common_attributes",
        edge_mask_type="object",
        model_config={"mode": "multiclass_classification", "task_level": "node", "return_type": "raw"},
    )
    edge, feature, logits = torch.randn(7), torch.randn(1, 4), torch.randn(1, 3)
    algorithm.edge_mask, algorithm.node_mask = edge, feature
    algorithm.hard_edge_mask = torch.ones(7, dtype=torch.bool)
    algorithm.hard_node_mask = torch.ones(1, 4, dtype=torch.bool)
    target = torch.tensor([2])
    nll = torch.nn.functional.cross_entropy(logits, target, reduction="none")
    ours = objectives(nll, edge.sigmoid(), feature.sigmoid(), torch.zeros(7, dtype=torch.long), Prices())
    torch.testing.assert_close(ours[0], algorithm._loss(logits, target), atol=1e-5, rtol=1e-5)


def test_explanations_side_by_side_are_each_their_own() -> None:
    owner, spread, pull = torch.tensor([0, 0, 1]), torch.ones(2), torch.tensor([3.0, -2.0, 1.0])

    def nll(mask: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(features)).index_add(0, owner[: len(mask)], pull[: len(mask)] * mask)

    def last(owner: torch.Tensor, spread: torch.Tensor) -> torch.Tensor:
        *_, masks = learn_masks(nll, owner, spread, 1, 30, 0.1, generator=torch.Generator().manual_seed(0))
        return masks.edges

    # the first draws are the same numbers, so the first explanation must take the same path alone
    start = torch.randn(3, generator=torch.Generator().manual_seed(0))
    alone = torch.randn(2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(start[:2], alone)
    torch.testing.assert_close(last(owner, spread)[:2], last(owner[:2], spread[:1]))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4), st.booleans()), min_size=1, max_size=40))
def test_aucs_are_scikit_learns(rows: list[tuple[int, int, bool]]) -> None:
    owner, score, truth = (torch.tensor(column) for column in zip(*rows))
    found = aucs(score.float(), truth, owner, 3)
    for k in range(3):
        mine = owner == k
        if truth[mine].any() and not truth[mine].all():
            assert float(found[k]) == pytest.approx(roc_auc_score(truth[mine], score[mine]), abs=1e-6)
        else:
            assert found[k].isnan()
