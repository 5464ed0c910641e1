r"""Where a node stands in its graph, and where two stand to each other: encodings by random walks and by eigenvectors.

$$P_{ij} = [I, M, M^2, \dots, M^{K-1}]_{ij}, \qquad M = D^{-1} A$$

$(M^k)_{ij}$ is the chance that a walk from i is at j after k steps. GRIT reads all pairs (Ma et al., 2023,
https://arxiv.org/abs/2305.17589); the diagonal, the chance to be back, is the encoding of Dwivedi et al. (2022,
https://arxiv.org/abs/2110.07875). The first k with an entry above zero is the distance.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from .propagation import normalised


def relative_walks(adjacency: Float[Tensor, "*b n n"], length: int) -> Float[Tensor, "*b n n {length}"]:
    """$P$: at (..., i, j, k) the chance that a walk from i is at j after k = 0, ..., `length` - 1 steps.

    Time O(n^3 length), memory O(n^2 length). A node without edges is at itself for k = 0, and nowhere after.

    Args:
        adjacency: at (..., sender, receiver) a weight, not negative; graphs that are padded have zeros there.
        length: K, 1 or more.
    """
    degree = adjacency.sum(-1, keepdim=True)
    step = adjacency / degree.where(degree > 0, 1.0)
    reached = [torch.eye(adjacency.shape[-1], dtype=step.dtype, device=step.device).expand_as(step)]
    while len(reached) < length:
        reached.append(reached[-1] @ step)
    return torch.stack(reached, dim=-1)


def walk_returns(
    edge_index: Int[Tensor, "2 m"],
    num_nodes: int,
    length: int,
    weight: Float[Tensor, " m"] | None = None,
    block: int = 512,
) -> Float[Tensor, "n {length}"]:
    """The chance that a walk is back at each node after 1, ..., `length` steps, on one large graph.

    Time O(n m length), memory O(n block): powers of the matrix, which would be dense, are never held.

    Args:
        edge_index: long; a walk follows edges from sender to receiver.
        num_nodes: n.
        length: 1 or more.
        weight: of the edges, not negative, ones by default.
        block: nodes that are looked at together.
    """
    step = normalised(edge_index.flip(0), num_nodes, weight, self_loops=False, how="row")  # entry [sender, receiver]
    back = step.weight.new_zeros(num_nodes, length)
    for first in range(0, num_nodes, block):
        ends = torch.arange(first, min(first + block, num_nodes), device=edge_index.device)
        there = back.new_zeros(num_nodes, len(ends))  # the chance to be at each end, by where the walk began
        there[ends, ends - first] = 1
        for k in range(length):
            there = step @ there
            back[ends, k] = there[ends, ends - first]
    return back


def laplacian_eigenvectors(
    adjacency: Float[Tensor, "*b n n"], count: int, mask: Bool[Tensor, "*b n"] | None = None
) -> tuple[Float[Tensor, "*b {count}"], Float[Tensor, "*b n {count}"]]:
    r"""(eigenvalues, eigenvectors) of $I - D^{-1/2} A D^{-1/2}$, smoothest first, without the first of all; O(n^3).

    An eigenvector is as good as its negative: here the largest entry is positive, and where several are equally large
    the first of them. For training, draw the signs anew with `random_signs`. Where eigenvalues coincide, any basis of
    their space may come. A graph with too few nodes has zeros at the end.

    Args:
        adjacency: symmetric, weights not negative; what is padded has zeros.
        count: how many, 1 or more.
        mask: which nodes there are, all by default.
    """
    n = adjacency.shape[-1]
    mask = torch.ones(adjacency.shape[:-1], dtype=torch.bool, device=adjacency.device) if mask is None else mask
    degree = adjacency.sum(-1)
    scale = degree.where(degree > 0, torch.inf).rsqrt()
    own = torch.where(mask, torch.where(degree > 0, 1.0, 0.0), 3.0)  # spectrum in [0, 2], so padding comes last
    laplacian = torch.diag_embed(own.to(adjacency.dtype)) - scale[..., None] * adjacency * scale[..., None, :]
    values, vectors = torch.linalg.eigh(laplacian)
    there = torch.arange(n, device=mask.device) < mask.sum(-1, keepdim=True)
    values, vectors = values.where(there, 0.0), vectors.where(there[..., None, :], 0.0)
    size = vectors.abs()
    large = size >= (1 - 1e-4) * size.amax(-2, keepdim=True)
    first = large.to(torch.uint8).argmax(-2, keepdim=True)
    vectors = vectors * torch.where(vectors.gather(-2, first) < 0, -1.0, 1.0).to(vectors.dtype)
    missing = max(count + 1 - n, 0)
    padded = [torch.nn.functional.pad(x[..., 1 : count + 1], (0, missing)) for x in (values, vectors)]
    return padded[0][..., :count], padded[1][..., :count]


def random_signs(vectors: Float[Tensor, "*b n k"], generator: Generator | None = None) -> Float[Tensor, "*b n k"]:
    """Each eigenvector of each graph, turned over with chance one half."""
    shape = (*vectors.shape[:-2], 1, vectors.shape[-1])
    turn = torch.randint(2, shape, generator=generator, device=vectors.device)
    return vectors * (1 - 2 * turn).to(vectors.dtype)
