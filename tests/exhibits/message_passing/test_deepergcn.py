"""DeeperGCN against PyG's GENConv and DeepGCNLayer, with the weights carried over."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch_geometric.nn import DeepGCNLayer
from torch_geometric.nn import GENConv as PyGConv

import neurorama
from neurorama.data import GraphData
from neurorama.exhibits.message_passing.arena import NODES, NodeTask
from neurorama.exhibits.message_passing.deepergcn import DeeperGCN, GENConv, Knobs, look
from neurorama.kernels.propagation import normalised


def task_of(seed: int, num_nodes: int = 14) -> NodeTask:
    """A random graph; node 3 has no neighbours."""
    draw = torch.Generator().manual_seed(seed)
    upper = torch.triu(torch.rand(num_nodes, num_nodes, generator=draw) < 0.3, diagonal=1)
    upper[:, 3] = upper[3] = False
    edges = (upper | upper.T).nonzero().T.contiguous()
    graph = GraphData(edges, torch.randn(num_nodes, 5, generator=draw), torch.arange(num_nodes) % 3)
    return NodeTask(graph, normalised(edges, num_nodes), graph.y == 0, graph.y == 1, graph.y == 2)


def lively(**knobs) -> DeeperGCN:
    """Its betas, scales and norms are all different."""
    torch.manual_seed(1)
    net = DeeperGCN(Knobs(hidden=6, **{"depth": 3, **knobs}), task_of(0)).eval()
    for layer, (norm, conv) in enumerate(zip(net.norms, net.convs)):
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
        nn.init.constant_(conv.s, 0.7 + 0.2 * layer)
        nn.init.constant_(conv.sharpness, 1.2 - 0.3 * layer)
    return net


def of_pyg(conv: GENConv, scaled: bool = True, power: bool = False) -> PyGConv:
    kind = (
        {"aggr": "powermean", "p": float(conv.sharpness)} if power else {"aggr": "softmax", "t": float(conv.sharpness)}
    )
    learned = {"learn_p": True} if power else {"learn_t": True}
    made = PyGConv(6, 6, num_layers=1, bias=True, msg_norm=scaled, learn_msg_scale=True, **kind, **learned)
    made.mlp[0].load_state_dict(conv.linear.state_dict())
    if scaled:
        nn.init.constant_(made.msg_norm.scale, float(conv.s))
    return made


@pytest.mark.parametrize("mean", ["softmax", "power"])
@pytest.mark.parametrize("scaled", [True, False])
def test_a_convolution_is_that_of_pyg(mean: str, scaled: bool) -> None:
    task, conv = task_of(0), lively(mean=mean, scaled=scaled).convs[0]
    h = torch.randn(14, 6, generator=torch.Generator().manual_seed(2)).abs() + 0.1  # where PyG clamps nothing
    expected = of_pyg(conv, scaled, mean == "power")(h, task.edge_index)
    some = torch.arange(14) != 3  # PyG's power mean of nobody is not 0
    torch.testing.assert_close(conv(h, task)[some], expected[some], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("block", ["res+", "res", "plain"])
def test_blocks_are_those_of_pyg(block: str) -> None:
    task, net = task_of(1), lively(block=block, depth=4)
    convs = [of_pyg(conv) for conv in net.convs]
    h = net.encoder(task.x)
    if block == "res+":  # the first layer reads the encoder as it is, the last norm and ReLU come after all layers
        h = convs[0](h, task.edge_index)
        for norm, conv in zip(net.norms, convs[1:]):
            h = DeepGCNLayer(conv, norm, nn.ReLU(), block="res+")(h, task.edge_index)
        h = net.norms[-1](h).relu()
    else:
        for norm, conv in zip(net.norms, convs):
            h = DeepGCNLayer(conv, norm, nn.ReLU(), block=block)(h, task.edge_index)
    torch.testing.assert_close(net(task), net.classifier(h), rtol=1e-3, atol=1e-4)


def test_a_plain_mean_is_a_beta_of_0() -> None:
    task, plain, soft = task_of(2), lively(mean="plain"), lively()
    assert not torch.allclose(plain(task), soft(task), atol=1e-3)
    for conv in soft.convs:
        nn.init.zeros_(conv.sharpness)
    torch.testing.assert_close(plain(task), soft(task))


def test_nothing_changes_the_stream_but_what_is_added() -> None:
    """Res+ with silent layers hands on its first state; its gradient arrives whole."""
    task, net = task_of(3), lively(depth=30)
    for conv in net.convs[1:]:
        nn.init.zeros_(conv.linear.weight)
        nn.init.zeros_(conv.linear.bias)
    first, *_, last, _ = net.hidden(task)
    assert torch.equal(first, last)
    assert [len(lively(block=block, depth=9).hidden(task)) for block in ("res", "plain", "res+")] == [9, 9, 10]


@settings(max_examples=10, deadline=None)
@given(
    st.integers(0, 10_000), st.sampled_from(["softmax", "power", "plain"]), st.sampled_from(["res+", "res", "plain"])
)
def test_renumbered_nodes_get_the_same_logits(seed: int, mean: str, block: str) -> None:
    task, net = task_of(seed), lively(mean=mean, block=block)
    order = torch.randperm(14, generator=torch.Generator().manual_seed(seed))
    edges = order.argsort()[task.edge_index]
    masks = (mask[order] for mask in (task.train, task.val, task.test))
    turned = NodeTask(GraphData(edges, task.x[order], task.y[order]), normalised(edges, 14), *masks)
    torch.testing.assert_close(net(turned), net(task)[order], rtol=1e-3, atol=1e-4)


def test_plain_blocks_tell_their_first_layers_less() -> None:
    task = NODES.data("karate", 0)
    said = {}
    for block in ("res+", "plain"):
        torch.manual_seed(0)
        net = DeeperGCN(Knobs(depth=20, block=block), task)
        assert "gradient by layer/x" not in look("x", net)
        list(NODES.train(net, task, 3))
        said[block] = look("x", net)["gradient by layer/x"].y[1:5].mean()
    assert said["plain"] < said["res+"] - 1


def test_a_short_run_shows_what_is_promised() -> None:
    trace = neurorama.run("deepergcn", {"steps": 10, "depth": 2, "source": "karate"})
    exhibit = neurorama.catalogue.load("deepergcn")
    assert {name.split("/")[0] for name in trace.names()} == set(exhibit.views)
    assert math.isfinite(exhibit.claim.margin(trace))
