"""Classification and regression of whole graphs.

A system is an `nn.Module` that maps a `Batch` to (g, outputs): logits of the classes, or one number, the quantity in
units of its own spread over the training graphs. A network that gives `hidden` numbers for each node becomes one by
`Pooled(net, hidden, outputs, "sum")`. In evaluation mode the graphs of a batch must not hear each other. It may bring
its own `lr` and `weight_decay`, and `hidden(batch)` as in the arena of nodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import cycle
from typing import Literal, final

import numpy as np
import torch
from pydantic import Field
from torch import Generator, Tensor, nn

from neurorama import Arena, Curve, Graph, InputError, Params, Points, Value, data, descend

from .batches import Batch, Wiring
from .nets import GCN, GIN, Pooled
from .nodes import energy

SIZE = 64  # graphs in a step of training
SHOWN = 4  # test graphs that are drawn

VIEWS = {
    "what counts": "Four test graphs: how much the answer changes with what each node holds.",
    "outputs": "One dot for each test graph: its outputs by true class, or what was said over what is true.",
    "energy by layer": "How rough the node states are after each layer, 0 being blurred: does depth smooth them away?",
    "test score": "Accuracy of a class, or R^2 of a quantity, on the test graphs.",
    "validation score": "The same on graphs set aside to choose the step at which an arm is judged.",
    "loss": "Cross-entropy, or squared error, on the graphs of the step.",
}


@dataclass(frozen=True, eq=False)
class GraphTask:
    """Graphs to be told apart, or measured.

    Args:
        train: batches, each a step of training, in turn.
        val, test: graphs that are not trained on.
        outputs: numbers that a system gives for each graph: as many as there are classes, or 1.
        measure: what the score is.
        mean, spread: of the quantity over the training graphs; 0 and 1 for classes.
    """

    train: tuple[Batch, ...]
    val: Batch
    test: Batch
    outputs: int
    measure: Literal["accuracy", "R^2"]
    mean: float = 0.0
    spread: float = 1.0

    @property
    def sizes(self) -> tuple[int, int]:
        """(features, outputs)."""
        return self.test.x.shape[1], self.outputs

    @cached_property
    def example(self) -> Batch:
        """The first few test graphs."""
        wiring = self.test.wiring
        count = min(SHOWN, wiring.num_graphs)
        some = Wiring.of(wiring.pieces[:count])
        return Batch(some, self.test.x[: some.num_nodes], self.test.y[:count])

    @cached_property
    def edges(self) -> np.ndarray:
        """Edges of the example as frames share them: read-only."""
        edges = self.example.edge_index.numpy().copy()
        edges.setflags(write=False)
        return edges

    @cached_property
    def energy(self) -> float:
        """The Dirichlet energy of the features of the test graphs."""
        return energy(self.test.x, self.test.near)


class Depth(Params):
    """The common knob of this arena."""

    depth: int = Field(4, ge=1, le=16, description="layers of every system that can be deep")


@final
class WholeGraphs(Arena[nn.Module, GraphTask]):
    """Systems map a Batch to (g, outputs); three fifths of the graphs, drawn by `seed`, are trained on, a fifth each
    validates and tests. The score is the accuracy of classes (cycles, MUTAG, PROTEINS) or R^2 of a quantity (motifs).
    """

    title = "Whole graphs"
    metric = "test score"
    sources = ("motifs", "cycles", "mutag", "proteins")
    steps = 160
    knobs = Depth
    views = VIEWS

    def meaning(self, source: str) -> str:
        return f"{_measure(source)} on the test graphs"

    def data(self, source: str, seed: int) -> GraphTask:
        """
        Raises:
            InputError: fewer than ten graphs, no labels, or all of them alike.
        """
        found = data.graphs(source, seed)
        if found.y is None or len(found.y) < 10 or len(found.y.unique()) < 2:
            raise InputError(f"source={source!r} needs ten graphs or more with two labels or more to tell apart")
        graphs = [data.usable(graph, source, identity=0) for graph in found.graphs]
        y, measure = found.y, _measure(source)
        order = torch.randperm(len(y), generator=Generator().manual_seed(seed))
        a, b = round(0.6 * len(y)), round(0.8 * len(y))

        def batch(some: Tensor) -> Batch:
            chosen = [graphs[k] for k in some.tolist()]
            wiring = Wiring.of([(graph.edge_index, graph.num_nodes) for graph in chosen])
            labels = y[some] if measure == "accuracy" else y[some].float()
            return Batch(wiring, torch.cat([graph.x for graph in chosen]), labels)

        task = GraphTask(
            tuple(batch(some) for some in order[:a].split(SIZE)),
            batch(order[a:b]),
            batch(order[b:]),
            int(y.max()) + 1,
            measure,
        )
        if measure == "accuracy":
            return task
        seen = y[order[:a]].float()
        return replace(task, outputs=1, mean=float(seen.mean()), spread=float(seen.std()) or 1.0)

    def baselines(self, data: GraphTask, depth: int = 4) -> Mapping[str, nn.Module]:
        features, outputs = data.sizes
        return {
            "GIN, sum": Pooled(GIN(features, 32, 32, depth), 32, outputs, "sum"),
            "GCN, mean": Pooled(GCN(features, 32, 32, depth, norm=True), 32, outputs, "mean"),
        }

    def train(self, system: nn.Module, data: GraphTask, steps: int) -> Iterator[float]:
        batches = cycle(data.train)

        def loss() -> Tensor:
            system.train()
            batch = next(batches)
            if data.measure == "accuracy":
                return nn.functional.cross_entropy(system(batch), batch.y)
            return nn.functional.mse_loss(system(batch)[:, 0], (batch.y - data.mean) / data.spread)

        lr, decay = getattr(system, "lr", 0.005), getattr(system, "weight_decay", 0.0)
        return descend(loss, system.parameters(), steps, lr=lr, weight_decay=decay)

    @torch.no_grad()
    def outputs(self, system: nn.Module, batch: Batch) -> Tensor:
        """(g, outputs) in evaluation mode."""
        system.eval()
        return system(batch)

    def score(self, system: nn.Module, data: GraphTask) -> float:
        return self._measured(self.outputs(system, data.test), data.test.y, data)

    @staticmethod
    def _measured(out: Tensor, y: Tensor, data: GraphTask) -> float:
        if data.measure == "accuracy":
            return float((out.argmax(1) == y).float().mean())
        from sklearn.metrics import r2_score  # slow to load, and seldom needed

        return float(r2_score(y, out[:, 0] * data.spread + data.mean))

    def look(self, arm: str, system: nn.Module, data: GraphTask) -> dict[str, Value]:
        """What every system shows: which nodes of a few test graphs its answer hangs on, its outputs, its energies."""
        out, y = self.outputs(system, data.test), data.test.y
        if data.measure == "accuracy":
            dots = Points(out, y, wrong=out.argmax(1) != y, items="graphs")
        else:
            said = out[:, 0] * data.spread + data.mean
            dots = Points(torch.stack([y, said], dim=1), values=(said - y).abs(), items="graphs", axes=("true", "said"))
        x = data.example.x.clone().requires_grad_()
        with torch.enable_grad():
            (grad,) = torch.autograd.grad(system(replace(data.example, x=x)).amax(1).sum(), x)
        values: dict[str, Value] = {
            f"what counts/{arm}": Graph(data.edges, len(x), values=grad.norm(dim=1), unit="gradient of the answer"),
            f"outputs/{arm}": dots,
            f"validation score/{arm}": self._measured(self.outputs(system, data.val), data.val.y, data),
        }
        if hasattr(system, "hidden"):
            with torch.no_grad():
                states = system.hidden(data.test)  # type: ignore[operator]
                energies = [data.energy, *(energy(h, data.test.near) for h in states)]
            values[f"energy by layer/{arm}"] = Curve(range(len(energies)), energies, "layer", "Dirichlet energy")
        return values


def _measure(source: str) -> Literal["accuracy", "R^2"]:
    return "R^2" if source == "motifs" else "accuracy"


GRAPHS = WholeGraphs()
