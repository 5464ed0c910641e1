"""Cache simulators against functools and exhaustive search; paged files against plain indexing."""

from functools import cache, lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from neurorama.kernels.cache import PAGE, PagedFile, belady, lru, min_hash_order, next_use

keys = hnp.arrays(np.int64, st.integers(0, 40), elements=st.integers(0, 8))


@given(keys, st.integers(1, 10))
def test_lru_hits_are_those_of_functools(accesses, capacity):
    look_up = lru_cache(maxsize=capacity)(lambda key: key)
    expected = []
    for key in accesses.tolist():
        before = look_up.cache_info().hits
        look_up(key)
        expected.append(look_up.cache_info().hits > before)
    assert lru(accesses, capacity).tolist() == expected


@given(keys)
def test_next_use_is_what_a_loop_finds(accesses):
    found = next_use(accesses).tolist()
    for i, key in enumerate(accesses):
        later = [j for j in range(i + 1, len(accesses)) if accesses[j] == key]
        assert found[i] == (later[0] if later else len(accesses))


@settings(deadline=None)
@given(hnp.arrays(np.int64, st.integers(0, 11), elements=st.integers(0, 4)), st.integers(0, 4))
def test_belady_is_the_best_of_all_policies(accesses, capacity):
    sequence = accesses.tolist()

    @cache
    def best(i: int, held: frozenset) -> int:
        """Most hits from access i on, by trying every set that can be kept."""
        if i == len(sequence):
            return 0
        known = held | {sequence[i]}
        kept = [known] if len(known) <= capacity else [known - {victim} for victim in known]
        return (sequence[i] in held) + max(best(i + 1, frozenset(k)) for k in kept)

    assert belady(accesses, capacity).sum() == best(0, frozenset())


@given(keys, st.integers(0, 10))
def test_no_policy_beats_belady_and_memory_never_hurts_it(accesses, capacity):
    hits = belady(accesses, capacity).sum()
    assert hits >= lru(accesses, capacity).sum()
    assert belady(accesses, capacity + 1).sum() >= hits


@given(keys)
def test_with_room_for_all_only_first_accesses_miss(accesses):
    first = np.zeros(len(accesses), dtype=bool)
    first[np.unique(accesses, return_index=True)[1]] = True
    assert np.array_equal(lru(accesses, 100), ~first)
    assert np.array_equal(belady(accesses, 100), ~first)


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 300), max_size=4),
    st.sampled_from([16, 32, 256, 1024]),
    st.lists(st.integers(0, 10**6), max_size=50),
)
def test_rows_read_back_are_the_rows_written(tmp_path_factory, lengths, width, wanted):
    file = PagedFile(tmp_path_factory.mktemp("pages") / "rows", width)
    draw = np.random.default_rng(sum(lengths))
    written, numbers = np.empty((0, width), np.float32), np.empty(0, np.int64)
    for n in lengths:
        rows = draw.standard_normal((n, width)).astype(np.float32)
        before = file.pages
        own = file.append(rows)
        assert n == 0 or own[0] * 4 * width == before * PAGE, "a new page"
        assert file.pages - before == -(-n * 4 * width // PAGE)
        written, numbers = np.concatenate([written, rows]), np.concatenate([numbers, own])
    index = np.array(wanted, dtype=np.int64) % max(1, len(written)) if len(written) else np.empty(0, np.int64)
    values, touched = file.read(numbers[index])
    assert np.array_equal(values, written[index])
    assert set(touched.tolist()) == {int(i) * 4 * width // PAGE for i in numbers[index]}
    assert file.path.stat().st_size == file.pages * PAGE


def test_rows_must_fill_pages(tmp_path):
    with pytest.raises(ValueError, match="12 bytes"):
        PagedFile(tmp_path / "rows", 3)


@given(st.lists(st.sets(st.integers(0, 9), max_size=8), min_size=1, max_size=6), st.integers(0, 100))
def test_min_hash_order_brings_equal_users_together(users, seed):
    draw = np.random.default_rng(seed)
    arrays = [np.array(sorted(used), dtype=np.int64) for used in users]
    items = draw.permutation(sorted(set().union(*users))).astype(np.int64)
    orders = np.stack([draw.permutation(len(users)) for _ in range(2)])
    found = min_hash_order(items, arrays, orders)
    assert sorted(found.tolist()) == sorted(items.tolist())

    def hashes(item: int) -> tuple[int, ...]:
        return tuple(min(int(rank) for rank, used in zip(order, users) if item in used) for order in orders)

    assert [hashes(item) for item in found.tolist()] == sorted(hashes(item) for item in items.tolist())
