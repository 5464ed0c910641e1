"""Graph MLP-Mixer against PyG's GIN inside patches cut by hand, and what overlaps and mixing let through."""

from __future__ import annotations

import math

import networkx as nx
import pytest
import torch
from torch_geometric.nn import GINConv
from torch_geometric.utils import subgraph

import neurorama
from neurorama.exhibits.graph_transformers.arena import DISTANCE, AtTarget
from neurorama.exhibits.graph_transformers.graph_mlp_mixer import Knobs, Patched

TASK = DISTANCE.data("ring", 0, distance=6)


def patched(attend: bool = False, **knobs: object) -> Patched:
    torch.manual_seed(0)
    return Patched(*TASK.sizes, Knobs(hidden=8, patches=4, **knobs), attend).eval()  # type: ignore[arg-type]


@pytest.mark.parametrize("attend", [False, True])
def test_one_graph_patch_by_patch(attend: bool) -> None:
    system, one = patched(attend), TASK.test.copies(0, 1)
    cut = system.cut(one.wiring)
    graph = nx.Graph(one.edge_index.T.tolist())
    grown = []  # patches by networkx: a part and who is next to it
    for number in range(4):
        part = set((cut.part == number).nonzero().flatten().tolist())
        grown.append(sorted(part | {u for v in part for u in graph[v]}))
    states = [system.enter(one.x)[patch] for patch in grown]
    for number, (layer, eps) in enumerate(zip(system.gin.layers, system.gin.eps)):
        if number:
            states = [h + system.U[number - 1](h.mean(0)) for h in states]
            copies = [[h[p.index(v)] for p, h in zip(grown, states) if v in p] for v in range(len(one.x))]
            met = torch.stack([torch.stack(some).mean(0) for some in copies])
            states = [met[patch] for patch in grown]
        conv = GINConv(layer, eps=eps.item())
        inside = [subgraph(patch, one.edge_index, relabel_nodes=True)[0] for patch in grown]
        states = [h + conv(h, edges).relu() for h, edges in zip(states, inside)]
    tokens = torch.stack([h.mean(0) for h in states])[None]
    shared = torch.tensor([[float(len(set(a) & set(b))) for b in grown] for a in grown])[None]
    for mixer in system.mixers:
        tokens = mixer(tokens, shared)
    tokens = torch.nn.functional.layer_norm(tokens, (8,))[0]
    known = [torch.cat([h, token.expand(len(h), -1)], dim=1) for h, token in zip(states, tokens)]
    for v in range(len(one.x)):
        copies = [h[p.index(v)] for p, h in zip(grown, known) if v in p]
        said = system.leave(torch.stack(copies).mean(0))
        torch.testing.assert_close(system(one)[v], said, atol=1e-5, rtol=1e-4)


def reach(**knobs: object) -> float:
    """How much the target's answer hangs on the source."""
    norms = DISTANCE.jacobian(AtTarget(patched(layers=1, **knobs)), TASK)
    return float(norms[int(TASK.test.source[0])])


def test_what_is_far_comes_through_mixing_and_through_nothing_else() -> None:
    assert reach() > 0
    assert reach(mixing=False) == 0


def test_graphs_of_a_batch_do_not_hear_each_other() -> None:
    system = patched()
    both = TASK.test.copies(0, 2)
    both.x[12:] += 1.0
    torch.testing.assert_close(system(both)[:12], system(TASK.test.copies(0, 1)), atol=1e-5, rtol=1e-4)


def test_it_is_cut_anew_in_training_only_and_only_if_asked() -> None:
    wiring = TASK.train[0].wiring
    steady, anew = patched().train(), patched(redraw=True).train()
    assert steady.cut(wiring) is steady.cut(wiring)
    assert anew.cut(wiring) is not anew.cut(wiring)
    assert anew.eval().cut(wiring) is anew.cut(wiring)


def test_a_short_run_shows_what_is_promised() -> None:
    trace = neurorama.run("graph_mlp_mixer", {"steps": 10, "distance": 3, "hidden": 8, "patches": 3})
    exhibit = neurorama.catalogue.load("graph_mlp_mixer")
    assert {name.split("/")[0] for name in trace.names()} == set(exhibit.views)
    assert math.isfinite(exhibit.claim.margin(trace))
