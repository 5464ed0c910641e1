"""Another rule in each hidden region of the input, and the same compute for everyone: the arena of experts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from neurorama import Arena, descend

BUDGET = 768  # multiply-adds that one input may cost
BATCH = 256


@dataclass(frozen=True)
class RegionTask:
    """Inputs (n, d) from hidden regions, targets (n, o) by the region's linear rule; the region is never an input."""

    x: Tensor
    y: Tensor
    test_x: Tensor
    test_y: Tensor
    test_region: Tensor
    regions: int

    @property
    def sizes(self) -> tuple[int, int]:
        """(d, o)."""
        return self.x.shape[1], self.y.shape[1]


class Dense(nn.Module):
    """One hidden layer of ReLUs, as wide as `budget` allows. (b, d) -> (b, o) and no penalty

    `cost` is what one input takes, in multiply-adds, as is `budget`.
    """

    def __init__(self, sizes: tuple[int, int], budget: int) -> None:
        super().__init__()
        width = budget // sum(sizes)
        self.cost = width * sum(sizes)
        self.net = nn.Sequential(nn.Linear(sizes[0], width), nn.ReLU(), nn.Linear(width, sizes[1]))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.net(x), x.new_zeros(())


@final
class RegionRegression(Arena[nn.Module, RegionTask]):
    """Systems map x (b, d) to a prediction (b, o) and a penalty () that they want added to their loss.

    The score is R² on unseen inputs: 1 is perfect, 0 is as good as the mean. One input may cost `BUDGET`
    multiply-adds in any system; how many parameters it has is its own affair.
    """

    title = "A rule for each hidden region"
    metric = "test R²"
    sources = ("32 regions", "8 regions", "one rule")
    steps = 400

    def data(self, source: str, seed: int) -> RegionTask:
        regions = {"32 regions": 32, "8 regions": 8, "one rule": 1}[source]
        d = o = 8
        train, test = 4096, 1024
        draw = torch.Generator().manual_seed(seed)

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=draw)

        centre = 2 * nn.functional.normalize(normal(regions, d), dim=1)
        slope, level = normal(regions, d, o) / d**0.5, normal(regions, o)
        region = torch.randint(regions, (train + test,), generator=draw)
        inside = normal(train + test, d)
        x = centre[region] + 0.35 * inside
        y = torch.einsum("nd,ndo->no", inside, slope[region]) + level[region] + 0.05 * normal(train + test, o)
        y = (y - y[:train].mean(0)) / y[:train].std()
        return RegionTask(x[:train], y[:train], x[train:], y[train:], region[train:], regions)

    def baselines(self, data: RegionTask) -> Mapping[str, nn.Module]:
        return {"dense": Dense(data.sizes, BUDGET)}

    def train(self, system: nn.Module, data: RegionTask, steps: int) -> Iterator[float]:
        def loss() -> Tensor:
            system.train()
            batch = torch.randint(len(data.x), (BATCH,))
            guess, penalty = system(data.x[batch])
            return nn.functional.mse_loss(guess, data.y[batch]) + penalty

        # of 0.003 to 0.06 the best rate for the mixture, level with the best for dense, by the loss on training inputs
        return descend(loss, system.parameters(), steps, lr=0.03)

    @torch.no_grad()
    def score(self, system: nn.Module, data: RegionTask) -> float:
        system.eval()
        guess, _ = system(data.test_x)
        spread = (data.test_y - data.test_y.mean(0)).square().sum()
        return float(1 - (guess - data.test_y).square().sum() / spread)


REGIONS = RegionRegression()
