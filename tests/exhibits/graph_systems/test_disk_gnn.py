"""DiskGNN's store against plain indexing, hand counts and the cache simulators; GraphSAGE against PyG."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch_geometric.nn import SAGEConv

import neurorama
from neurorama.exhibits.graph_systems.arena import (
    SAGE,
    epoch,
    feature_cache,
    hubs_and_communities,
    page_cache,
    partition_buffer,
)
from neurorama.exhibits.graph_systems.disk_gnn import ARMS, BATCHES, NODES, Knobs, Store
from neurorama.kernels.cache import PAGE, PagedFile

WIDTH = 32


@dataclass
class Scene:
    """A graph with its features on disk and the mini-batches of one epoch."""

    x: np.ndarray
    whole: PagedFile
    samples: list
    graph: object
    train: torch.Tensor
    folder: object

    def store(self, **knobs) -> tuple[Store, PagedFile]:
        packed = PagedFile(self.folder / "packed", WIDTH)
        return Store(packed, self.whole, self.x, self.samples, Knobs(**knobs)), packed


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    torch.manual_seed(0)
    graph = hubs_and_communities(NODES, WIDTH)
    train = torch.randperm(NODES)[: BATCHES * 48]
    folder = tmp_path_factory.mktemp("disk")
    whole = PagedFile(folder / "features", WIDTH)
    whole.append(graph.x.numpy())
    return Scene(graph.x.numpy(), whole, epoch(graph, train, 48, [8, 8]), graph, train, folder)


SWITCHES = [{}, {"pack": False}, {"disk_cache": False}, {"min_hash": False}, {"segment": 24}, {"segment": 5}]


@pytest.mark.parametrize("knobs", SWITCHES)
def test_features_read_back_are_those_of_the_graph(scene, knobs):
    """Bit for bit what indexing by the sampled nodes gives, in every epoch, wherever they were kept."""
    store, _ = scene.store(**knobs)
    served = list(store.serve(2))
    assert len(served) == 2 * BATCHES
    for batch in served:
        assert np.array_equal(batch.x, scene.x[batch.sample.nodes])
    for half in (served[:BATCHES], served[BATCHES:]):
        assert {id(batch.sample) for batch in half} == {id(sample) for sample in scene.samples}


@pytest.mark.parametrize("knobs", SWITCHES)
def test_levels_hold_who_they_should(scene, knobs):
    store, packed = scene.store(**knobs)
    counts = np.bincount(np.concatenate([s.nodes.numpy() for s in scene.samples]), minlength=NODES)
    held = int(0.1 * NODES)
    in_memory = set()
    segment = knobs.get("segment", 8)
    for number, (sample, level) in enumerate(zip(scene.samples, store.levels)):
        nodes = sample.nodes.numpy()
        in_memory |= set(nodes[level < 2].tolist())
        assert counts[nodes[level == 0]].min() >= counts[nodes[level == 1]].max()
        assert counts[nodes[level == 1]].min() >= counts[nodes[level > 1]].max()
        first = number // segment * segment
        others = [s.nodes.numpy() for i, s in enumerate(scene.samples[first : first + segment], first) if i != number]
        shared = np.isin(nodes, np.concatenate([np.empty(0, int), *others])) & (level > 1)
        caching = knobs.get("pack", True) and knobs.get("disk_cache", True)
        assert np.array_equal(level == 2, shared & caching)
    assert len(in_memory) <= held
    assert packed.pages > 0 or not knobs.get("pack", True)


def test_packed_alone_reads_no_page_in_vain(scene):
    """Without a disk cache a mini-batch's features fill their pages up, but for the last one."""
    store, packed = scene.store(disk_cache=False)
    total = 0
    for batch in store.serve(1):
        needed = int((batch.level == 3).sum())
        assert len(batch.touched) == -(-needed * 4 * WIDTH // PAGE)
        assert np.array_equal(batch.touched, np.arange(batch.touched.min(), batch.touched.max() + 1))
        total += len(batch.touched)
    assert packed.pages == total


def test_disk_cache_saves_space_and_min_hash_saves_reads(scene):
    pages, space = {}, {}
    for name, knobs in {"full": {}, "unsorted": {"min_hash": False}, "own": {"disk_cache": False}}.items():
        store, packed = scene.store(**knobs)
        pages[name], space[name] = sum(len(b.touched) for b in store.serve(1)), packed.pages
    assert space["full"] < space["own"]
    assert pages["own"] < pages["full"] < pages["unsorted"]


def test_unpacked_touches_the_pages_of_the_cold_nodes(scene):
    store, packed = scene.store(pack=False)
    for batch in store.serve(1):
        cold = batch.sample.nodes.numpy()[batch.level == 3]
        assert set(batch.touched.tolist()) == set((cold * 4 * WIDTH // PAGE).tolist())
    assert packed.pages == 0


@pytest.mark.parametrize("cache", [feature_cache, page_cache])
def test_caches_serve_exact_features_and_count_each_missing_page_once(scene, cache):
    none = list(cache(scene.whole, scene.samples, 0))
    some = list(cache(scene.whole, scene.samples, NODES // 10))
    everything = list(cache(scene.whole, scene.samples, NODES))
    for batch, cold in zip(some, none):
        nodes = batch.sample.nodes.numpy()
        assert np.array_equal(batch.x, scene.x[nodes])
        assert set(batch.touched.tolist()) <= set(cold.touched.tolist())
        assert set(cold.touched.tolist()) == set((nodes // scene.whole.per_page).tolist())
        missed = nodes[batch.level > 1]
        assert set(batch.touched.tolist()) == set((missed // scene.whole.per_page).tolist())
    if cache is page_cache:  # with room for all, every page is read once
        assert sum(len(b.touched) for b in everything) == len(np.unique(np.concatenate([b.touched for b in none])))
    assert sum(len(b.touched) for b in everything) <= sum(len(b.touched) for b in some)


def test_partitions_hold_their_share_and_sample_inside(scene):
    groups = 10
    batches = partition_buffer(scene.whole, scene.graph, scene.train, BATCHES, [6, 6], groups)
    loaded, all_loaded, seeds = set(), [], []
    for batch in (next(batches) for _ in range(BATCHES)):
        if len(batch.touched):
            loaded = set(batch.touched.tolist())
            all_loaded += batch.touched.tolist()
        nodes = batch.sample.nodes.numpy()
        assert set((nodes // scene.whole.per_page).tolist()) <= loaded
        assert len(loaded) <= 7 / 64 * scene.whole.pages
        assert np.array_equal(batch.x, scene.x[nodes])
        seeds += nodes[: batch.sample.seeds].tolist()
    assert sorted(all_loaded) == list(range(scene.whole.pages))
    assert sorted(seeds) == sorted(scene.train.tolist())


def test_sage_is_sage_of_pyg(scene):
    torch.manual_seed(0)
    model, sample = SAGE(WIDTH, 16, 8), scene.samples[0]
    convs = [SAGEConv(WIDTH, 16), SAGEConv(16, 8)]
    for layer, conv in zip(model.layers, convs):
        own, near = layer.weight.detach().chunk(2, dim=1)
        conv.lin_r.weight.data, conv.lin_l.weight.data, conv.lin_l.bias.data = own, near, layer.bias.detach()
    x = torch.from_numpy(scene.x[sample.nodes])
    expected = convs[1](convs[0](x, sample.edge_index).relu(), sample.edge_index)
    assert torch.allclose(model(sample.edge_index, x), expected, atol=1e-4)


def test_degrees_have_a_heavy_tail_and_links_stay_home(scene):
    degree = scene.graph.pattern.crow.diff().float()
    assert degree.max() > 50 * degree.median()
    src, dst = scene.graph.edge_index
    assert 0.65 < float((scene.graph.y[src] == scene.graph.y[dst]).float().mean()) < 0.8
    pairs = set(map(tuple, scene.graph.edge_index.T.tolist()))
    assert len(pairs) == scene.graph.edge_index.shape[1]
    assert all((b, a) in pairs and a != b for a, b in pairs)


def test_a_run_counts_what_the_arms_read(tmp_path, monkeypatch):
    """The curve of each arm is the sum of its lit pages, DiskGNN's on top of what packing cost; no file stays."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    trace = neurorama.run("graph_systems/disk_gnn", {"epochs": 1, "seeds": 16, "fanout": 3})
    features, packed = trace.last("disk space/DiskGNN").values
    assert features == NODES * 128 // PAGE
    for arm in ARMS:
        lit = [np.asarray(grid.z) for _, grid in trace.series(f"disk/{arm}")]
        before = features + packed if arm == "DiskGNN" else 0
        pages = packed if arm == "DiskGNN" else features
        assert pages <= 1024, "one cell for each page"
        assert trace.last(f"pages/{arm}") == before + sum(grid.sum() for grid in lit)
    assert trace.last(f"pages/{ARMS[3]}") == features
    both = [trace.numbers(f"test accuracy/{arm}") for arm in ARMS[1:3]]
    assert both[0] == both[1], "the same mini-batches, exactly, whatever the cache"
    assert not list(tmp_path.iterdir())
