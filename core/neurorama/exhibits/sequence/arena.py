"""Classifying sequences by what was in them long ago: the arena of memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from neurorama import Arena, Curve, Value, data, descend


@dataclass(frozen=True)
class SequenceTask:
    """Sequences `x` (s, L, d), their classes `y` (s,) long, and which of them train and test (masks, s)."""

    x: Tensor
    y: Tensor
    train: Tensor
    test: Tensor

    @property
    def sizes(self) -> tuple[int, int]:
        """(input width, classes)."""
        return self.x.shape[2], int(self.y.max()) + 1


class Tanh(nn.Module):
    """The classic recurrence, x' = tanh(A x + B u) and y = C x', with Glorot's weights. (b, L, h) -> (b, L, h)"""

    def __init__(self, width: int, states: int) -> None:
        super().__init__()
        self.rnn = nn.RNN(width, states, batch_first=True)
        self.read = nn.Linear(states, width)
        for name, weight in self.rnn.named_parameters():
            nn.init.xavier_normal_(weight) if name.startswith("weight") else nn.init.zeros_(weight)

    def eigenvalues(self) -> Tensor:  # -> (n,) complex
        return torch.linalg.eigvals(self.rnn.weight_hh_l0)

    def forward(self, u: Tensor) -> Tensor:
        return self.read(self.rnn(u)[0])


class Block(nn.Module):
    """Norm, recurrence, GLU, skip: the block that every recurrence sits in. (b, L, h) -> (b, L, h)"""

    def __init__(self, recurrence: nn.Module, width: int) -> None:
        super().__init__()
        self.norm, self.recurrence = nn.LayerNorm(width), recurrence
        self.mix = nn.Linear(width, 2 * width)

    def forward(self, u: Tensor) -> Tensor:
        y = nn.functional.gelu(self.recurrence(self.norm(u)))
        return u + nn.functional.glu(self.mix(y), dim=-1)


class Classifier(nn.Module):
    """Encoder, blocks, and a readout of the last step; `lr` is its learning rate. (b, L, d) -> logits (b, c)"""

    def __init__(self, sizes: tuple[int, int], width: int, recurrences: list[nn.Module]) -> None:
        super().__init__()
        self.encode, self.read = nn.Linear(sizes[0], width), nn.Linear(width, sizes[1])
        self.blocks = nn.Sequential(*(Block(recurrence, width) for recurrence in recurrences))
        self.lr = 0.003

    @property
    def first(self) -> nn.Module:
        """The recurrence of the first block."""
        block = self.blocks[0]
        assert isinstance(block, Block)
        return block.recurrence

    def forward(self, x: Tensor) -> Tensor:
        return self.read(self.blocks(self.encode(x))[:, -1])


def recall(seed: int, lag: int, count: int = 800, symbols: int = 8, noise: float = 0.1) -> tuple[Tensor, Tensor]:
    """Sequences that open with the symbol to be remembered, then `lag` steps into which another alphabet talks.

    Args:
        noise: chance of a symbol of that other alphabet at each step; the other steps are blank.

    Returns:
        x (count, lag + 1, 2 symbols) one-hot or blank, and y (count,): the opening symbol.
    """
    draw = torch.Generator().manual_seed(seed)
    shown = symbols + torch.randint(symbols, (count, lag + 1), generator=draw)
    shown[:, 0] -= symbols
    heard = torch.rand(count, lag + 1, generator=draw) < noise
    heard[:, 0] = True
    return nn.functional.one_hot(shown, 2 * symbols) * heard[:, :, None].float(), shown[:, 0]


def digits(seed: int) -> tuple[Tensor, Tensor]:
    """Handwritten digits, one pixel after the other, row by row: x (1797, 64, 1)."""
    table = data.table("digits", seed)
    return table.x[:, :, None] / 16, table.y


@final
class SequenceClassification(Arena[Classifier, SequenceTask]):
    """Systems map sequences (b, L, d) to logits (b, c) at the last step; trained with Adam on batches of 32."""

    title = "Sequences with long memory"
    metric = "test accuracy"
    sources = ("recall-100", "recall-50", "recall-200", "digits")
    steps = 150

    def data(self, source: str, seed: int) -> SequenceTask:
        x, y = digits(seed) if source == "digits" else recall(seed, int(source.removeprefix("recall-")))
        order = torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))
        test = torch.zeros(len(y), dtype=torch.bool)
        test[order[: len(y) // 4]] = True
        return SequenceTask(x, y, ~test, test)

    def baselines(self, data: SequenceTask) -> Mapping[str, Classifier]:
        return {"tanh RNN": Classifier(data.sizes, 32, [Tanh(32, 64)])}

    def train(self, system: Classifier, data: SequenceTask, steps: int) -> Iterator[float]:
        x, y = data.x[data.train], data.y[data.train]

        def loss() -> Tensor:
            batch = torch.randint(len(y), (32,))
            return nn.functional.cross_entropy(system(x[batch]), y[batch])

        return descend(loss, system.parameters(), steps, lr=system.lr)

    @torch.no_grad()
    def score(self, system: Classifier, data: SequenceTask) -> float:
        return float((system(data.x[data.test]).argmax(1) == data.y[data.test]).float().mean())

    def look(self, arm: str, system: Classifier, task: SequenceTask) -> dict[str, Value]:
        """What every classifier of blocks shows: how far a push and the gradient reach through time."""
        age = torch.arange(task.x.shape[1])
        answer = push(system.first, system.encode.out_features, len(age)).clamp(min=1e-20).log10()
        reach = gradient_by_age(system, task).clamp(min=1e-20).log10()
        return {
            f"answer to one push/{arm}": Curve(age, answer, "steps since the push", "log10 of the answer"),
            f"gradient by age/{arm}": Curve(age, reach, "steps back in time", "log10 of the gradient"),
        }


def push(layer: nn.Module, width: int, length: int) -> Tensor:
    """How a layer answers a push of size one at step 0: the size of the change of its output, (length,)."""
    u = torch.zeros(2, length, width)
    u[0, 0] = 1 / width**0.5
    with torch.no_grad():
        pushed, quiet = layer(u)
    return (pushed - quiet).norm(dim=1)


def gradient_by_age(system: Classifier, task: SequenceTask, count: int = 8) -> Tensor:
    """Root mean square gradient of the loss with respect to the encoded input, (L,), the latest step first."""
    x, y = task.x[task.train][:count], task.y[task.train][:count]
    u = system.encode(x).detach().requires_grad_()
    nn.functional.cross_entropy(system.read(system.blocks(u)[:, -1]), y).backward(inputs=[u])
    assert u.grad is not None
    return u.grad.square().mean((0, 2)).sqrt().flip(0)


SEQUENCES = SequenceClassification()
