"""Colour refinement, the 1-dimensional Weisfeiler-Leman test, on any number of graphs at once.

In each round a node's new colour names its old colour together with the multiset of its neighbours'
colours, until no class splits any more. Nodes are sorted into classes by a hash, a sum of random numbers,
and every class is then checked entry by entry: two nodes share a colour exactly where the test cannot
tell them apart.
"""

import torch
from jaxtyping import Int
from torch import Generator, Tensor


def refine(
    edge_index: Int[Tensor, "2 m"],
    num_nodes: int,
    colours: Int[Tensor, " n"] | None = None,
    rounds: int | None = None,
) -> Int[Tensor, " n"]:
    """The colours 0, 1, ... of all nodes, comparable between all graphs that `edge_index` holds.

    Args:
        edge_index: long; a node sees the senders of its incoming edges (undirected: each edge in both directions).
        num_nodes: n, of all graphs together.
        colours: at the start, 0 or more, all equal by default.
        rounds: stop after so many; by default, once the partition is stable.
    """
    sender, receiver = edge_index
    start = torch.zeros(num_nodes, dtype=torch.long) if colours is None else colours
    count, now = _ranks(start)
    for _ in range(num_nodes if rounds is None else rounds):
        now = _classes(now, receiver, now.index_select(0, sender))
        finer = int(now.max()) + 1 if num_nodes else 0
        if finer == count:
            break  # no class was split, so none ever will be
        count = finer
    return now


def alike(colours: Int[Tensor, " n"], batch: Int[Tensor, " n"]) -> Int[Tensor, " g"]:
    """For each graph the number of its class; graphs in one class have the same colours equally often.

    Args:
        colours: from `refine`, on all graphs together.
        batch: the graph of each node, 0 to g - 1.
    """
    graphs = int(batch.max()) + 1 if batch.numel() else 0
    return _classes(torch.zeros(graphs, dtype=torch.long), batch, colours)


def _ranks(keys: Tensor) -> tuple[int, Tensor]:
    """How many distinct keys there are, and the rank of each key among them."""
    distinct, rank = torch.unique(keys, return_inverse=True)
    return len(distinct), rank


def _classes(own: Tensor, owner: Tensor, token: Tensor) -> Tensor:
    """Classes of owners by their `own` (k,) colour and the multiset of their tokens, the pairs `owner`, `token` (m,)."""
    draw = Generator().manual_seed(0)
    most = int(max(own.max() if own.numel() else 0, token.max() if token.numel() else 0)) + 1
    while True:
        hashes = torch.randint(-(2**63), 2**63 - 1, (2, most), generator=draw)
        _, found = _ranks(hashes[0].index_select(0, own).index_add(0, owner, hashes[1].index_select(0, token)))
        if _same_within(found, own, owner, token):
            return found


def _same_within(found: Tensor, own: Tensor, owner: Tensor, token: Tensor) -> bool:
    """Whether all owners of one class of `found` have the same own colour and the same multiset of tokens."""
    k = len(own)
    size, length = found.bincount(), owner.bincount(minlength=k)
    like = torch.zeros_like(size).scatter(0, found, torch.arange(k))[found]  # one owner of each class, to compare with
    if not (torch.equal(own, own[like]) and torch.equal(length, length[like])):
        return False
    several = (size[found] > 1).index_select(0, owner).nonzero()[:, 0]  # an owner alone in its class is like itself
    owner, token = owner.index_select(0, several), token.index_select(0, several)
    tokens = int(token.max()) + 1 if token.numel() else 0
    if tokens <= 1:  # words of one letter: their lengths say it all
        return True
    words = (owner * tokens + token).sort().values % tokens  # each owner's tokens, sorted
    length = owner.bincount(minlength=k)
    start = length.cumsum(0) - length
    to_other = torch.repeat_interleave(start[like] - start, length)
    return torch.equal(words, words.index_select(0, torch.arange(len(words)) + to_other))
