"""An arena: data, training and score of a task, on which systems are interchangeable."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar, final

from pydantic import Field, create_model

from .device import random_state, set_random_state
from .errors import InputError
from .paper import Params
from .trace import Frame, Run, Value

if TYPE_CHECKING:
    from torch import Tensor

S = TypeVar("S")  # a system, mostly an nn.Module
D = TypeVar("D")  # the data it is trained and scored on


class Arena(ABC, Generic[S, D]):
    """The only class of the core that anyone subclasses; its leaves are final.

    Class variables:
        title: what is fought over, in a few words.
        metric: the name of the score; higher is better, always.
        sources: names of the data it can be fought on, the first one embedded in the package.
        own: whether a user's own graph (`mine/...`) is accepted.
        steps: the training budget of a league.
        knobs: what all systems of a league have in common beside data and budget, such as their depth. A league
            hands each of its fields to `data` and `baselines`, where they have a parameter of that name, and to each
            entry whose own knobs have one of that name (or of the name that its `Entry.takes` gives).
        views: series -> caption of what `look` shows, in reading order.
    """

    title: ClassVar[str]
    metric: ClassVar[str]
    sources: ClassVar[tuple[str, ...]]
    own: ClassVar[bool] = False
    steps: ClassVar[int] = 100
    knobs: ClassVar[type[Params]] = Params
    views: ClassVar[Mapping[str, str]] = {}

    @abstractmethod
    def data(self, source: str, seed: int) -> D:
        """The task made from `source`; `seed` draws the split and whatever is synthetic."""

    @abstractmethod
    def baselines(self, data: D) -> Mapping[str, S]:
        """The plain systems that every league of this arena includes, freshly initialised."""

    @abstractmethod
    def train(self, system: S, data: D, steps: int) -> Iterator[float]:
        """Trains `system` in place and yields the loss after each of `steps` steps."""

    @abstractmethod
    def score(self, system: S, data: D) -> float:
        """The `metric` of `system` on the held-out part; higher is better."""

    def scores(self, system: S, data: D) -> tuple[float, float]:
        """The `metric` where a step of training is chosen, and on the held-out part, both at this moment.

        Raises:
            InputError: this arena sets nothing apart to choose by.
        """
        raise InputError(f"the arena {self.title!r} sets no data apart by which a step of training could be chosen")

    def look(self, arm: str, system: S, data: D) -> Mapping[str, Value]:
        """What every system of this arena shows at a moment of its training, as `SERIES/ARM`; nothing by default."""
        return {}

    def meaning(self, source: str) -> str:
        """What the score is on `source`, in words that go on from "the score is"."""
        return self.metric

    @final
    def settings(self) -> type[Params]:
        """What a league can be run with: the arena's own knobs, the data, the budget, and what the time slider is."""
        steps = Field(self.steps, ge=1, le=2000, description="the training budget of every system")
        numbers = [
            name for name, field in self.knobs.model_fields.items() if field.annotation is int and name != "seed"
        ]
        slides = Field("training", description="what the slider moves along; a knob's values are trained in turn")
        fields: dict[str, Any] = {
            "source": (str, self.choose()),
            "steps": (int, steps),
            "along": (Literal[("training", *numbers)], slides),
        }
        return create_model("League", __base__=self.knobs, **fields)

    @final
    def choose(self, default: str = "") -> Any:
        """The `source` knob of an exhibit of this arena, for a `Params` class."""
        return Field(
            default or self.sources[0],
            description="the data it runs on",
            json_schema_extra={"sources": list(self.sources), "own": self.own},
        )

    @final
    def meet(
        self, systems: Mapping[str, S], data: D, steps: int, every: int = 1, spent: Mapping[str, float] | None = None
    ) -> Run:
        """Trains all systems in lockstep: same data, same budget, one frame every `every` steps.

        Each system draws its random numbers from its own stream, so that it learns the same
        whoever else is in the field. Frames hold `loss/NAME` (from the first step on) and
        `METRIC/NAME`; the first frame, step 0, is before training.

        Args:
            spent: CPU seconds that the making of each system took. Then frames also hold `seconds/NAME`, those and the
                ones of its training so far; they are never twice the same, so that a run whose trace is to be
                repeated leaves them out.
        """
        import torch

        clock = dict(spent or {})

        def scores() -> dict[str, float]:
            found = {f"{self.metric}/{name}": float(self.score(system, data)) for name, system in systems.items()}
            return {**found, **{f"seconds/{name}": seconds for name, seconds in clock.items()}}

        where = torch.get_default_device().type
        streams = dict.fromkeys(systems, random_state(where))
        training = {name: self.train(system, data, steps) for name, system in systems.items()}
        yield Frame(0, steps, scores())
        for step in range(1, steps + 1):
            losses: dict[str, float] = {}
            for name, losses_of in training.items():
                set_random_state(where, streams[name])
                begin = time.thread_time()
                losses[f"loss/{name}"] = float(next(losses_of))
                if name in clock:
                    clock[name] += time.thread_time() - begin
                streams[name] = random_state(where)
            if step % every == 0 or step == steps:
                yield Frame(step, steps, {**losses, **scores()})


def descend(
    loss: Callable[[], Tensor],
    parameters: Iterable[Tensor],
    steps: int,
    lr: float = 0.01,
    weight_decay: float = 0.0,
    optimiser: str = "Adam",
) -> Iterator[float]:
    """The one gradient loop: Adam on `loss()`, which is yielded after each of `steps` steps.

    Args:
        loss: evaluates the objective afresh and returns a scalar; called once a step.
        parameters: the tensors to move, or Adam's parameter groups.
        optimiser: another one of `torch.optim`, by name.
    """
    import torch

    moves = getattr(torch.optim, optimiser)(parameters, lr=lr, weight_decay=weight_decay)
    for _ in range(steps):
        moves.zero_grad()
        value = loss()
        value.backward()
        moves.step()
        yield float(value.detach())
