"""Networks side by side against the same networks one by one, of torch's own layers."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from neurorama.kernels.stacks import Stacks


@given(st.integers(1, 4), st.integers(1, 5), st.booleans(), st.booleans(), st.integers(0, 2**16))
def test_each_is_a_network_of_linear_layers(cells: int, layers: int, residual: bool, large: bool, seed: int) -> None:
    torch.manual_seed(seed)
    widths = [3, *[5] * (layers - 1), 2]
    stacks, x = Stacks(cells, widths, residual, large), torch.randn(cells, 7, 3)
    states = list(stacks.states(x))
    for cell in range(cells):
        h = x[cell]
        for number, (weight, bias) in enumerate(zip(stacks.weights, stacks.biases), start=1):
            layer = nn.Linear(*weight.shape[1:])
            layer.weight.data, layer.bias.data = weight[cell].T, bias[cell, 0]
            out = layer(h) if number == layers else layer(h).relu()
            h = h + out if residual and 1 < number < layers else out
            torch.testing.assert_close(states[number - 1][cell], h)
    assert torch.equal(stacks(x), states[-1])


@pytest.mark.parametrize(("large", "variance"), [(True, 2 / 400), (False, 1 / 1200)])
def test_the_first_weights_have_the_variance_they_should(large: bool, variance: float) -> None:
    torch.manual_seed(0)
    (weight,) = Stacks(2, [400, 300], large=large).weights
    assert float(weight.var()) == pytest.approx(variance, rel=0.02)
