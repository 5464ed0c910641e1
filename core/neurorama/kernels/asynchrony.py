r"""Nodes of a graph that compute out of step: they wake at random and hear messages that are out of date.

Partial asynchrony (Bertsekas and Tsitsiklis, 1989, Parallel and Distributed Computation): there is a bound $B$ such
that every node wakes at least once in $B$ ticks, and what it hears from a neighbour was sent at most $B$ ticks ago.
"""

from collections import deque
from collections.abc import Callable, Iterator

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

Wake = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


def out_of_step(
    wake: Wake,
    h: Float[Tensor, "n d"],
    sent: Float[Tensor, "m w"],
    src: Int[Tensor, " m"],
    ticks: int,
    awake: float = 1.0,
    bound: int = 1,
    generator: Generator | None = None,
) -> Iterator[tuple[Float[Tensor, "n d"], Bool[Tensor, " n"]]]:
    """The nodes' values after each tick, and who was awake in it.

    Args:
        wake: (values (n, d), what each edge's receiver hears over it (m, w), how often each node has woken so far (n,))
            -> what would become of all nodes if they all woke: their new values, and what each sends over each edge.
        h, sent: values and messages at the beginning.
        src: the sender of each edge.
        awake: chance of a node to wake in a tick; 1 with `bound` 1 is the synchronous network.
        bound: B. A message heard is 0 to B - 1 ticks old, whatever came before it: messages may overtake each other.
    """
    turn, slept = torch.zeros(len(h), dtype=torch.long), torch.zeros(len(h), dtype=torch.long)
    edges = torch.arange(len(src))
    log = deque([sent], maxlen=bound)
    for _ in range(ticks):
        age = torch.randint(len(log), (len(src),), generator=generator)
        heard = torch.stack(tuple(log))[age, edges]
        up = (torch.rand(len(h), generator=generator) < awake) | (slept >= bound - 1)
        new, said = wake(h, heard, turn)
        h, sent = torch.where(up[:, None], new, h), torch.where(up[src, None], said, sent)
        log.append(sent)
        turn, slept = turn + up, torch.where(up, 0, slept + 1)
        yield h, up
