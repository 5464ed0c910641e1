"""Digits in spikes: the arena of spiking classifiers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from neurorama import Arena, Curve, Events, Hist, Value, data
from neurorama.kernels.spiking import lif, spike


@dataclass(frozen=True)
class ImageTask:
    """Grey images `x` (n, 1, h, w) in [0, 1] with labels `y` (n,); `train` and `test` are row numbers."""

    x: Tensor
    y: Tensor
    train: Tensor
    test: Tensor

    @property
    def ten(self) -> Tensor:
        """(10, 1, h, w) the first test image of each class."""
        return torch.stack([self.x[self.test][self.y[self.test] == k][0] for k in range(10)])


class Threshold(nn.Module):
    """The plain firing rule: a spike where the membrane is above `level`. (n, c, h, w) -> spikes of the same shape"""

    def __init__(self, level: float, width: float) -> None:
        super().__init__()
        self.level, self.width = level, width

    def forward(self, u: Tensor) -> Tensor:
        return spike(u - self.level, width=self.width)

    def view(self, u: Tensor) -> tuple[Tensor, float]:
        """What is compared with what: the membrane as the rule sees it, and the level."""
        return u, self.level


class SpikingResNet(nn.Module):
    """A residual network of leaky integrate-and-fire neurons. Images (n, 1, h, w) -> logits (n, 10)

    Each layer is convolution, batch norm over batch and time, neurons; every second layer adds the spikes of the
    layer before its block to its current. The image is shown as a constant current in each of `time` steps, and a
    linear readout averages over them.

    Args:
        channels: of every layer, on maps half as high and wide as the image.
        blocks: of two layers each, after the first layer.
        time: steps.
        tau: the share of the membrane that is kept from one step to the next.
        rule: layer's (channels, height, width) -> its firing rule, a module from membrane to spikes.
        size: height and width of the image.
    """

    def __init__(
        self,
        channels: int,
        blocks: int,
        time: int,
        tau: float,
        rule: Callable[[tuple[int, int, int]], nn.Module],
        size: int = 8,
    ) -> None:
        super().__init__()
        half, depth = size // 2, 1 + 2 * blocks
        self.convs = nn.ModuleList(
            nn.Conv2d(channels if i else 1, channels, 3, stride=1 if i else 2, padding=1, bias=False)
            for i in range(depth)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(depth))
        self.rules = nn.ModuleList(rule((channels, half, half)) for _ in range(depth))
        self.readout = nn.Linear(channels * half**2, 10)
        self.time, self.tau = time, tau

    def layers(self, x: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Spikes and membranes, (t, n, c, h, w) each, layer by layer."""
        signal, block_input = x.expand(self.time, *x.shape), None
        for i, (conv, norm, rule) in enumerate(zip(self.convs, self.norms, self.rules)):
            current = norm(conv(signal.flatten(0, 1))).unflatten(0, signal.shape[:2])
            if block_input is not None and i % 2 == 0:
                current = current + block_input
            signal, membrane = lif(current, rule, self.tau)
            if i % 2 == 0:
                block_input = signal
            yield signal, membrane

    def forward(self, x: Tensor) -> Tensor:
        *_, (spikes, _) = self.layers(x)
        return self.readout(spikes.mean(0).flatten(1))


@final
class SpikingDigits(Arena[nn.Module, ImageTask]):
    """Systems map images to logits; the score is the accuracy on 400 held-out images.

    Everyone trains with Adam on batches of 64, at a rate that falls from 0.02 to zero as a cosine.
    """

    title = "Digits in spikes"
    metric = "test accuracy"
    sources = ("digits",)
    steps = 100

    def data(self, source: str, seed: int) -> ImageTask:
        table = data.table(source, seed)
        assert table.image is not None
        x = (table.x / table.x.max()).view(-1, 1, *table.image)
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
        return ImageTask(x, table.y, order[:-400], order[-400:])

    def baselines(self, data: ImageTask) -> Mapping[str, nn.Module]:
        return {"LIF": SpikingResNet(8, 1, 4, 0.25, lambda shape: Threshold(0.5, 1.0))}

    def train(self, system: nn.Module, data: ImageTask, steps: int) -> Iterator[float]:
        optimiser = torch.optim.Adam(system.parameters(), lr=0.02)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        for _ in range(steps):
            system.train()
            rows = data.train[torch.randint(len(data.train), (64,))]
            loss = nn.functional.cross_entropy(system(data.x[rows]), data.y[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            yield float(loss.detach())

    @torch.no_grad()
    def score(self, system: nn.Module, data: ImageTask) -> float:
        system.eval()
        return float((system(data.x[data.test]).argmax(1) == data.y[data.test]).float().mean())

    @torch.no_grad()
    def look(self, arm: str, system: SpikingResNet, data: ImageTask) -> dict[str, Value]:
        """What every spiking network shows, on ten held-out digits, one of each kind."""
        system.eval()
        layers = list(system.layers(data.ten))
        values: dict[str, Value] = {}
        for name, rule, (_, u) in (
            ("first", system.rules[0], layers[0]),
            ("last", system.rules[-1], layers[-1]),
        ):
            seen, level = rule.view(u.flatten(0, 1))  # type: ignore[operator]
            values[f"membrane of the {name} layer/{arm}"] = Hist.of(seen, 40, -3, 4, "membrane", level)
        rates = torch.stack([spikes.mean() for spikes, _ in layers])
        number = torch.arange(1, len(layers) + 1)
        values[f"firing rate/{arm}"] = Curve(number, rates, "layer", "spikes per neuron and step", dots=True)
        spikes = layers[-1][0].flatten(2)  # (t, digits, neurons)
        t, digit, neuron = spikes.nonzero(as_tuple=True)
        when = digit * len(spikes) + t
        values[f"spikes/{arm}"] = Events(when, neuron, spikes.shape[2], "step, digit after digit", "neurons", digit)
        return values


SPIKES = SpikingDigits()
