"""Filling a memory and asking for what is in it, from half of it: the arena of recall."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, final

import torch
from torch import Tensor

from neurorama import Arena, data


@dataclass(frozen=True)
class RecallTask:
    """What is stored, in this order: `patterns` (n, d) of length sqrt(d); a cue has only the part `shown` (d,).

    `shift` (d,) is what was taken off the pixels; with it a pattern looks like a digit again.
    """

    patterns: Tensor
    shown: Tensor
    shift: Tensor


class Memory(Protocol):
    """A memory holds `patterns` (N, d) and completes cues (c, d), whose hidden coordinates are 0. -> (c, d)"""

    patterns: Tensor

    def recall(self, cues: Tensor) -> Tensor: ...


@dataclass
class Classic:
    """Hopfield's binary network of 1982: Hebb's weights, one unit after the other until nothing changes."""

    patterns: Tensor

    def recall(self, cues: Tensor) -> Tensor:
        bits = self.patterns.sign()
        weights = (bits.T @ bits).fill_diagonal_(0)
        state = cues.sign()
        for _ in range(10):
            before = state.clone()
            for unit, weight in enumerate(weights):
                field = state @ weight
                state[:, unit] = torch.where(field == 0, state[:, unit], field.sign())
            if torch.equal(before, state):
                break
        return state


@dataclass
class Dense:
    """The dense memory of Krotov and Hopfield, energy - sum_i max(0, x_i . state)^degree; five steps of all units."""

    patterns: Tensor
    degree: int = 3

    def recall(self, cues: Tensor) -> Tensor:
        bits, state = self.patterns.sign(), cues.sign()
        for _ in range(5):
            state = ((state @ bits.T).relu() ** (self.degree - 1) @ bits).sign()
        return state


@dataclass
class Nearest:
    """No network at all: the stored pattern that has the largest product with the cue."""

    patterns: Tensor

    def recall(self, cues: Tensor) -> Tensor:
        return self.patterns[(cues @ self.patterns.T).argmax(1)]


def wrong_signs(memory: Memory, task: RecallTask, most: int = 100) -> Tensor:
    """(c,) the share of wrong signs in each recall of at most `most` stored patterns, spread evenly over the memory."""
    stored = len(memory.patterns)
    wanted = memory.patterns[torch.linspace(0, stored - 1, min(stored, most)).long()]
    return (memory.recall(wanted * task.shown).sign() != wanted.sign()).float().mean(1)


@final
class Recall(Arena[Memory, RecallTask]):
    """Systems are memories that start with the first two patterns; each step of `train` stores more, nothing is learnt.

    The loss is the share of coordinates recalled with the wrong sign; a pattern counts as recalled below 5 %.
    """

    title = "Recall from half a pattern"
    metric = "recall accuracy"
    sources = ("digits", "random")
    steps = 40

    def data(self, source: str, seed: int) -> RecallTask:
        if source == "random":
            return random_patterns(1797, 64, seed)
        x = data.table("digits", seed).x
        mean, order = x.mean(0), torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
        length = (x - mean).norm(dim=1, keepdim=True) / 8
        return RecallTask(((x - mean) / length)[order], torch.arange(64) < 32, mean / length.mean())

    def baselines(self, data: RecallTask) -> Mapping[str, Memory]:
        first = data.patterns[:2]
        return {"classic Hopfield": Classic(first), "dense, cubic": Dense(first), "nearest neighbour": Nearest(first)}

    def train(self, system: Memory, data: RecallTask, steps: int) -> Iterator[float]:
        for stored in schedule(len(data.patterns), steps):
            system.patterns = data.patterns[:stored]
            yield float(wrong_signs(system, data).mean())

    def score(self, system: Memory, data: RecallTask) -> float:
        return float((wrong_signs(system, data) < 0.05).float().mean())


def schedule(most: int, steps: int) -> list[int]:
    """How many patterns are stored after each step: from 2 to `most`, each time the same factor more."""
    return [round(2 * (most / 2) ** (step / max(1, steps - 1))) for step in range(steps)]


def random_patterns(count: int, d: int, seed: int) -> RecallTask:
    """`count` random vectors of +1 and -1, of which half the coordinates are shown."""
    draw = torch.Generator().manual_seed(seed)
    return RecallTask(torch.randint(2, (count, d), generator=draw) * 2.0 - 1, torch.arange(d) < d // 2, torch.zeros(d))


RECALL = Recall()
