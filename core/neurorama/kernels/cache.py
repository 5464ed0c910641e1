"""Caches and pages: which accesses are hits, and what a disk must read for the others."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

PAGE = 4096  # bytes that a disk reads at least


def lru(keys: Int[ndarray, " m"], capacity: int) -> Bool[ndarray, " m"]:
    """Which accesses find their key in a cache that drops the least recently used one."""
    held: OrderedDict[int, None] = OrderedDict()
    hits = np.zeros(len(keys), dtype=bool)
    for i, key in enumerate(keys.tolist()):
        if key in held:
            hits[i] = True
            held.move_to_end(key)
        elif capacity > 0:
            if len(held) == capacity:
                held.popitem(last=False)
            held[key] = None
    return hits


def next_use(keys: Int[ndarray, " m"]) -> Int[ndarray, " m"]:
    """When the key of each access is accessed again; m where it never is."""
    m = len(keys)
    order = np.argsort(keys, kind="stable")
    later = np.full(m, m)
    same = keys[order][1:] == keys[order][:-1]
    later[order[:-1][same]] = order[1:][same]
    return later


def belady(keys: Int[ndarray, " m"], capacity: int) -> Bool[ndarray, " m"]:
    """Which accesses are hits under the best possible policy, which knows the future.

    What is used again last is dropped first, and that may be the newcomer (Belady, 1966): no policy has more hits.
    """
    later = next_use(keys).tolist()
    held: dict[int, int] = {}  # key -> its next use
    furthest: list[tuple[int, int]] = []  # heap of (-next use, key), with stale entries
    hits = np.zeros(len(keys), dtype=bool)
    for i, key in enumerate(keys.tolist()):
        hits[i] = key in held
        if later[i] == len(keys):
            held.pop(key, None)
            continue
        held[key] = later[i]
        heapq.heappush(furthest, (-later[i], key))
        if len(held) > capacity:
            while True:
                use, victim = heapq.heappop(furthest)
                if held.get(victim) == -use:
                    del held[victim]
                    break
    return hits


def min_hash_order(
    items: Int[ndarray, " k"], users: Sequence[Int[ndarray, " ..."]], orders: Int[ndarray, "hashes u"]
) -> Int[ndarray, " k"]:
    """`items` sorted so that those with the same users come to lie together.

    Args:
        items: distinct numbers, each used by at least one of `users`.
        users: u arrays, the numbers that each user needs.
        orders: some random orders of the u users; items are sorted by their first user in each (Broder, 1997):
            two items agree in one with the share of their users that they have in common.
    """
    hashes = []
    for order in orders:
        first = np.full(max((int(used.max(initial=-1)) for used in users), default=-1) + 1, len(users))
        for rank, used in zip(order, users):
            first[used] = np.minimum(first[used], rank)
        hashes.append(first[items])
    return items[np.lexsort(hashes[::-1])]


class PagedFile:
    """Rows of float32 in a file that is read page by page.

    Args:
        path: the file, made anew.
        width: numbers in a row.

    Raises:
        ValueError: rows of this width do not fill pages.
    """

    def __init__(self, path: Path, width: int) -> None:
        if PAGE % (4 * width):
            raise ValueError(f"rows of {4 * width} bytes do not fill pages of {PAGE}")
        self.path, self.width, self.per_page, self.pages = path, width, PAGE // (4 * width), 0
        path.write_bytes(b"")

    def append(self, rows: Float[ndarray, "n width"]) -> Int[ndarray, " n"]:
        """Writes `rows` from a new page on; their numbers in the file."""
        data = np.ascontiguousarray(rows, dtype=np.float32).tobytes()
        numbers = self.pages * self.per_page + np.arange(len(rows))
        self.pages += -(-len(data) // PAGE)
        with self.path.open("ab") as file:
            file.write(data + bytes(-len(data) % PAGE))
        return numbers

    def read(self, numbers: Int[ndarray, " r"]) -> tuple[Float[ndarray, "r width"], Int[ndarray, " p"]]:
        """(rows, touched): the rows of these numbers, out of the pages `touched` (p,), each of which is read once."""
        touched, place = np.unique(numbers // self.per_page, return_inverse=True)
        if not len(touched):
            return np.empty((0, self.width), np.float32), touched
        pages = np.memmap(self.path, np.float32, "r").reshape(self.pages, self.per_page, self.width)[touched]
        return pages[place, numbers % self.per_page], touched
