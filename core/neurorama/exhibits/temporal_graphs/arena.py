"""Who meets whom next, in a stream of events read in batches: the arena of node memories."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from neurorama import Arena, Events, Trace, Value, data
from neurorama.kernels.temporal_memory import newest


@dataclass(frozen=True)
class LinkTask:
    """A stream whose first `train` events are learnt from, those up to `val` validate, the rest tests.

    `decoys` (m,) is for each event a random destination that it is to be told from; scoring reads batches of `batch`.
    """

    stream: data.Stream
    train: int
    val: int
    decoys: Tensor
    batch: int

    @property
    def first_item(self) -> int:
        """Destinations are the nodes from here on; any node where the stream is not bipartite."""
        return self.stream.num_sources


class MemoryNet(nn.Module):
    """A temporal graph network with a memory of each node: GRU, newest message, time encoding (Rossi et al., 2020).

    `scored` are the logits of all events and of their decoys, (m,) each, as the arena last scored it.

    Args:
        task: gives the number of nodes and the width of messages.
        width: w, of a memory.
        batch: events in a batch while training; within it nobody sees what the others do.
    """

    scored: tuple[Tensor, Tensor]

    def __init__(self, task: LinkTask, width: int = 32, batch: int = 200) -> None:
        super().__init__()
        assert task.stream.message is not None
        self.num_nodes, self.width, self.batch = task.stream.num_nodes, width, batch
        self.clock = nn.Linear(1, 8)
        self.gru = nn.GRUCell(2 * width + task.stream.message.shape[1] + 8, width)
        self.read = nn.Sequential(nn.Linear(2 * width + 8, width), nn.ReLU(), nn.Linear(width, 1))
        self.reset()

    def reset(self) -> None:
        """Forgets all events; the weights stay."""
        self.memory, self.seen = torch.zeros(self.num_nodes, self.width), torch.zeros(self.num_nodes)

    def detach(self) -> None:
        """Cuts the gradient to earlier batches."""
        self.memory = self.memory.detach()

    def since(self, passed: Tensor) -> Tensor:  # (k,) -> (k, 8)
        return self.clock(passed[:, None]).cos()

    def measure(self, src: Tensor, dst: Tensor, t: Tensor, message: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the GRU makes of a batch: touched nodes (k,), their new memories (k, w), and when it was (k,)."""
        node, other, event = newest(src, dst, self.num_nodes)
        passed = self.since(t[event] - self.seen[node])
        heard = torch.cat([self.memory[node], self.memory[other], message[event], passed], dim=1)
        return node, self.gru(heard, self.memory[node]), t[event]

    def write(self, node: Tensor, memory: Tensor, t: Tensor) -> None:
        self.memory = self.memory.index_put((node,), memory)
        self.seen = self.seen.index_put((node,), t)

    def absorb(self, src: Tensor, dst: Tensor, t: Tensor, message: Tensor) -> Tensor:
        """Takes a batch of events into the memory; returns what is added to the loss, here nothing."""
        self.write(*self.measure(src, dst, t, message))
        return torch.zeros(())

    def logits(self, src: Tensor, dst: Tensor, t: Tensor) -> Tensor:
        """(k,) how likely each pair meets at its time, by the memory as it is now."""
        passed = self.since(t - self.seen[src])
        return self.read(torch.cat([self.memory[src], self.memory[dst], passed], dim=1))[:, 0]


def replay(
    system: MemoryNet, task: LinkTask, batch: int, until: int, decoys: Tensor
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Reads the first `until` events in batches: (logits of the events, logits of their decoys, penalty).

    A batch is scored before it is absorbed: no score knows its own batch or anything later.
    """
    stream, penalty = task.stream, torch.zeros(())
    assert stream.message is not None
    system.reset()
    for start in range(0, until, batch):
        here = slice(start, min(start + batch, until))
        src, dst, t = stream.src[here], stream.dst[here], stream.t[here]
        hit, miss = system.logits(src.repeat(2), torch.cat([dst, decoys[here]]), t.repeat(2)).chunk(2)
        yield hit, miss, penalty
        system.detach()
        penalty = system.absorb(src, dst, t, stream.message[here])


@final
class LinkPrediction(Arena[MemoryNet, LinkTask]):
    """Systems are memory networks; a step is one pass over the training events, in batches of the system's own size.

    The score is the average precision on the last events against one random decoy each. For everyone it is measured
    by reading the whole stream anew in batches of the same size.
    """

    title = "Links in a stream of events"
    metric = "average precision"
    sources = ("events", "events-calm")
    steps = 30

    def data(self, source: str, seed: int, batch: int = 50) -> LinkTask:
        calm = source == "events-calm"
        stream = data.synthetic.events(seed, drift=0.2, pull=0.2) if calm else data.stream(source, seed)
        count, draw = len(stream.src), torch.Generator().manual_seed(seed)
        decoys = torch.randint(stream.num_sources, stream.num_nodes, (count,), generator=draw)
        return LinkTask(stream, int(0.7 * count), int(0.85 * count), decoys, batch)

    def baselines(self, data: LinkTask) -> Mapping[str, MemoryNet]:
        return {
            "plain": MemoryNet(data, batch=4 * data.batch),
            "plain, small batches": MemoryNet(data, batch=data.batch),
        }

    def train(self, system: MemoryNet, data: LinkTask, steps: int) -> Iterator[float]:
        optimiser = torch.optim.Adam(system.parameters(), lr=0.003)
        softplus = nn.functional.softplus
        for decoys in torch.randint(data.first_item, data.stream.num_nodes, (steps, data.train)):  # the same for all
            system.train()
            total = 0.0
            for hit, miss, penalty in replay(system, data, system.batch, data.train, decoys):
                loss = softplus(-hit).mean() + softplus(miss).mean()
                optimiser.zero_grad()
                (loss + penalty).backward()
                optimiser.step()
                total += float(loss.detach()) * len(hit)
            yield total / data.train

    @torch.no_grad()
    def score(self, system: MemoryNet, data: LinkTask) -> float:
        system.eval()
        hits, misses, _ = zip(*replay(system, data, data.batch, len(data.decoys), data.decoys))
        system.scored = torch.cat(hits), torch.cat(misses)
        return average_precision(system.scored, slice(data.val, None))

    def look(self, arm: str, system: MemoryNet, data: LinkTask) -> dict[str, Value]:
        """What every memory network shows: which test events beat their decoy, and the validation precision."""
        hit, miss = system.scored
        test, stream = slice(data.val, None), data.stream
        beaten = (hit > miss)[test]
        return {
            f"events/{arm}": Events(stream.t[test], stream.src[test], data.first_item, items="users", classes=beaten),
            f"validation precision/{arm}": average_precision(system.scored, slice(data.train, data.val)),
        }


def average_precision(scored: tuple[Tensor, Tensor], part: slice) -> float:
    """Of telling the events of `part` from their decoys, given the logits of both."""
    from sklearn.metrics import average_precision_score

    hit, miss = (logits[part] for logits in scored)
    return float(average_precision_score([1] * len(hit) + [0] * len(miss), torch.cat([hit, miss]).numpy()))


def at_best_validation(trace: Trace, arm: str) -> float:
    """Average precision on the test events after the epoch that did best on the validation events."""
    val, test = trace.numbers(f"validation precision/{arm}"), trace.numbers(f"average precision/{arm}")
    return test[val.index(max(val))]


LINKS = LinkPrediction()
