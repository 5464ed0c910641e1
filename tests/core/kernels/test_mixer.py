"""Layers over tokens against einsum and torch's own attention; patches of several graphs against those of one alone."""

from __future__ import annotations

import networkx as nx
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import gelu, layer_norm

from neurorama.kernels.mixer import Cut, HadamardLayer, MixerLayer


def test_a_mixer_layer_is_its_formula_index_by_index() -> None:
    torch.manual_seed(0)
    layer, x = MixerLayer(8, 5), torch.randn(3, 5, 8)
    w1, w2 = layer.over_tokens[0], layer.over_tokens[2]
    w3, w4 = layer.over_channels[0], layer.over_channels[2]
    inner = gelu(torch.einsum("hp,gpd->ghd", w1.weight, layer_norm(x, (8,))) + w1.bias[None, :, None])
    y = x + torch.einsum("ph,ghd->gpd", w2.weight, inner) + w2.bias[None, :, None]
    inner = gelu(torch.einsum("hd,gpd->gph", w3.weight, layer_norm(y, (8,))) + w3.bias)
    torch.testing.assert_close(layer(x), y + torch.einsum("dh,gph->gpd", w4.weight, inner) + w4.bias)


def test_where_all_share_alike_attention_is_that_of_torch() -> None:
    torch.manual_seed(0)
    layer, x = HadamardLayer(8), torch.randn(3, 5, 8)
    torchs = torch.nn.MultiheadAttention(8, 4, batch_first=True)
    torchs.in_proj_weight, torchs.in_proj_bias = layer.qkv.weight, layer.qkv.bias
    torchs.out_proj = layer.out  # type: ignore[assignment]
    h = layer_norm(x, (8,))
    y = x + torchs(h, h, h, need_weights=False)[0]
    torch.testing.assert_close(layer(x, torch.ones(3, 5, 5)), y + layer.over_channels(layer_norm(y, (8,))))


def test_what_two_patches_share_weighs_their_attention_and_an_empty_one_is_not_heard() -> None:
    torch.manual_seed(0)
    layer, x = HadamardLayer(4, heads=1), torch.randn(1, 3, 4)
    near = torch.tensor([[[3.0, 2.0, 0.0], [2.0, 2.0, 0.0], [0.0, 0.0, 0.0]]])
    q, k, v = layer.qkv(layer_norm(x, (4,)))[0].chunk(3, dim=1)
    e = (q @ k.T / 2).exp()
    heard = torch.stack([sum(near[0, i, j] * e[i, j] / e[i, :2].sum() * v[j] for j in range(2)) for i in range(3)])
    y = x + layer.out(heard)
    torch.testing.assert_close(layer(x, near), y + layer.over_channels(layer_norm(y, (4,))))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_attention_does_not_care_which_patch_is_which_but_the_mixer_does(seed: int) -> None:
    torch.manual_seed(seed)
    x, near, order = torch.randn(1, 5, 8), torch.rand(1, 5, 5), torch.tensor([1, 2, 3, 4, 0])
    vit, mixer = HadamardLayer(8), MixerLayer(8, 5)
    turned = near[:, order][:, :, order]
    torch.testing.assert_close(vit(x[:, order], turned), vit(x, near)[:, order], atol=1e-5, rtol=1e-4)
    assert (mixer(x[:, order]) - mixer(x)[:, order]).abs().max() > 1e-3


def test_graphs_are_cut_each_on_its_own() -> None:
    pieces = [torch.tensor(list(g.to_directed().edges)).T for g in (nx.cycle_graph(12), nx.barbell_graph(4, 2))]
    edges = torch.cat([pieces[0], pieces[1] + 12], dim=1)
    batch = torch.tensor([0] * 12 + [1] * 10)
    cut = Cut(edges, batch, 3, 1, torch.Generator().manual_seed(0))
    whole = cut.patches.shared()
    torch.testing.assert_close(cut.shared, torch.stack([whole[:3, :3], whole[3:, 3:]]))
    assert whole[:3, 3:].sum() == 0
    h = torch.randn(len(cut.node), 2)
    for number in range(6):
        torch.testing.assert_close(cut.tokens(h).flatten(0, 1)[number], h[cut.patch == number].mean(0))
    for node in range(22):
        torch.testing.assert_close(cut.met(h)[node], h[cut.node == node].mean(0))
    assert torch.equal(cut.told(cut.tokens(h))[4], cut.tokens(h)[cut.patch[4] // 3, cut.patch[4] % 3])
