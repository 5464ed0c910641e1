"""The catalogue: complete, quick, forgiving, and related to itself."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurorama import InputError, catalogue


def test_every_paper_is_there_from_the_first_day() -> None:
    rows = catalogue.papers()
    assert len(rows) == 372
    assert len({row.id for row in rows}) == len({row.slug for row in rows}) == 372
    assert len(catalogue.areas()) == 24
    for row in rows:
        assert row.slug.isidentifier()
        assert row.fidelity in {"full", "simulated", "concept"}
        assert all((row.title, row.name, row.idea, row.mechanism, row.claim, row.picture, row.reference)), row.key
    assert all(area.title and area.blurb.endswith((".", "?")) for area in catalogue.areas())


def test_every_exhibit_file_is_in_the_catalogue() -> None:
    files = {f"{path.parent.name}/{path.stem}" for path in Path(catalogue.__file__).parent.glob("exhibits/*/*.py")}
    papers = {key for key in files if key.split("/")[1] not in {"__init__", "arena"}}
    assert papers == {row.key for row in catalogue.built()}
    assert papers <= {row.key for row in catalogue.papers()}


@pytest.mark.parametrize(
    ("words", "key"),
    [
        ("dagnn", "message_passing/dagnn"),
        ("DAGNN", "message_passing/dagnn"),
        ("towards deeper graph neural networks", "message_passing/dagnn"),
        ("gnn explainer", "explain/gnnexplainer"),
        ("gnnexplaner", "explain/gnnexplainer"),
        ("hopfeild", "memory_assoc/modern_hopfield"),
        ("lotery ticket", "adaptive_compute/lottery_ticket"),
        ("tiket lotery", "adaptive_compute/lottery_ticket"),
        ("forward-forward", "brain/forward_forward"),
        ("membrane potential", "brain/mpbn"),
        ("LRU", "sequence/lru"),
        ("sequence/lru", "sequence/lru"),
    ],
)
def test_the_paper_that_was_meant_comes_first(words: str, key: str) -> None:
    assert catalogue.search(words)[0].key == key


def test_kernels_and_areas_are_searched_too() -> None:
    scans = catalogue.search("parallel scan")
    assert {"sequence/lru", "sequence/gla"} <= {row.key for row in scans}
    graphs = catalogue.search("graph atention", limit=400)
    assert graphs
    assert all("graph" in f"{row.title} {row.idea} {row.area} {row.shares} {row.name}".lower() for row in graphs[:10])
    temporal = catalogue.search("temporal graphs", limit=400)
    assert {row.key for row in catalogue.papers() if row.area == "temporal_graphs"} <= {row.key for row in temporal}


def test_nothing_is_found_for_nothing() -> None:
    assert catalogue.search("") == catalogue.search("  -- ") == catalogue.search("zzzzqqqq") == []
    assert len(catalogue.search("graph", limit=7)) == 7


@given(st.sampled_from(catalogue.papers()))
def test_each_paper_is_found_by_its_title_and_its_slug(row: catalogue.Row) -> None:
    assert row in catalogue.search(row.title)[:2]
    assert catalogue.search(row.slug)[0] in (row, *(other for other in catalogue.papers() if other.name == row.name))


@given(st.text())
def test_any_words_can_be_searched(words: str) -> None:
    assert len(catalogue.search(words)) <= 20


def test_listing_and_searching_import_no_exhibit_and_no_torch() -> None:
    code = (
        "import sys; from neurorama import catalogue as c; [row.built for row in c.papers()]; c.search('hopfeild');"
        "assert not [m for m in sys.modules if m == 'torch' or m.startswith('neurorama.exhibits')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_related_names_are_papers_or_plain_names() -> None:
    rows = {row.key: row for row in catalogue.papers()}
    for row in rows.values():
        named = (*row.improves_on, *row.compared_with)
        assert len(set(named)) == len(named), row.key
        assert row.key not in named
        slugs = {other.slug for other in rows.values()}
        for name in named:
            assert name in rows or ("_" not in name and name.casefold() not in slugs), (row.key, name)


def test_dagnn_stands_where_it_should() -> None:
    found = catalogue.related("dagnn")
    assert {one if isinstance(one, str) else one.key for one in found.improves_on} == {"GCN", "message_passing/sgc"}
    assert found.compared_with == ("APPNP",)
    assert catalogue.row("dagnn") in catalogue.related("sgc").improved_by


def test_built_papers_come_first_and_rare_kernels_count_more() -> None:
    for key in ("dagnn", "lru", "modern_hopfield"):
        this, kin = catalogue.row(key), catalogue.related(key).shares_kernel
        assert this not in kin
        assert [row.built for row in kin] == sorted((row.built for row in kin), reverse=True)
        assert all(set(row.shares) & set(this.shares) for row in kin)
        common = Counter(kernel for row in catalogue.papers() for kernel in row.shares)
        weight = [
            sum(1 / common[kernel] for kernel in set(row.shares) & set(this.shares)) for row in kin if not row.built
        ]
        assert weight == sorted(weight, reverse=True)


def test_those_of_one_arena_are_each_other_s_peers() -> None:
    for arena in catalogue.arenas():
        keys = set(catalogue.arena(arena)[1])
        for key in keys:
            assert {row.key for row in catalogue.related(key).same_arena} == keys - {key}
            assert catalogue.arena_of(key) == arena
            entry = catalogue.load(key).entry
            assert entry is not None
            assert entry.arena is catalogue.arena(arena)[0]


def test_a_wrong_key_is_told_the_nearest() -> None:
    for key, hint in (("dagn", "'dagnn'"), ("DAGNN", "'dagnn'"), ("mesage_passing/dagnn", "'message_passing/dagnn'")):
        with pytest.raises(InputError, match=f"did you mean {hint}"):
            catalogue.row(key)
    with pytest.raises(InputError, match="neurorama search"):
        catalogue.row("zzzz")


def test_facts_of_a_paper_are_read_without_importing_it() -> None:
    built, planned = catalogue.paper("dagnn"), catalogue.paper("neurosat")
    assert (built.year, built.venue) == (2020, "KDD")
    assert (planned.name, planned.year, planned.authors) == ("NeuroSAT", 0, "")
