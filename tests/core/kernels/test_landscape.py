"""Barriers, curvature and the integral between them, against dense Hessians and closed forms."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from neurorama.kernels.landscape import (
    barrier,
    barrier_from_curvature,
    curvatures,
    hvp,
    layer_moves,
    middle_from_ends,
    plane,
    random_start,
    segment,
    sizes_of,
    tanh_losses,
    tanh_network,
    train_networks,
)

WIDTHS = [4, 3, 3, 2]


def problem(seed: int) -> tuple[Tensor, Tensor]:
    torch.manual_seed(seed)
    return torch.randn(20, 4, dtype=torch.float64), torch.randint(2, (20,))


def losses_on(x: Tensor, y: Tensor):
    return lambda theta: tanh_losses(theta, WIDTHS, x, y)


def torch_network(theta: Tensor) -> nn.Sequential:
    """The network of these flat weights, built of torch's layers."""
    net = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 2)).to(theta.dtype)
    for layer, part in zip(net[::2], theta.split(sizes_of(WIDTHS))):
        weight, bias = part.split([layer.weight.numel(), layer.bias.numel()])
        layer.weight.data, layer.bias.data = weight.view(layer.in_features, -1).T.contiguous(), bias
    return net


def test_network_and_losses_are_those_of_torch() -> None:
    torch.manual_seed(0)
    theta, x, y = random_start(3, WIDTHS), torch.randn(3, 5, 4), torch.randint(2, (3, 5))
    theta += 0.1 * torch.randn_like(theta)  # biases too
    out = tanh_network(theta, x, WIDTHS)
    own, same = tanh_losses(theta, WIDTHS, x, y), tanh_losses(theta, WIDTHS, x[0], y[0])
    for k in range(3):
        net = torch_network(theta[k])
        torch.testing.assert_close(out[k], net(x[k]))
        torch.testing.assert_close(own[k], nn.functional.cross_entropy(net(x[k]), y[k]))
        torch.testing.assert_close(same[k], nn.functional.cross_entropy(net(x[0]), y[0]))


def test_hessian_vector_products_against_the_dense_hessian() -> None:
    losses = losses_on(*problem(0))
    points, directions = torch.randn(2, 3, sum(sizes_of(WIDTHS)), dtype=torch.float64)
    slopes, products = hvp(losses, points, directions)
    bends = curvatures(losses, points, directions)[1]

    def loss(theta: Tensor) -> Tensor:
        return losses(theta[None])[0]

    for k in range(3):
        dense = torch.autograd.functional.hessian(loss, points[k])
        torch.testing.assert_close(products[k], dense @ directions[k])
        torch.testing.assert_close(bends[k], directions[k] @ dense @ directions[k])
        slope, product = torch.func.jvp(torch.func.grad(loss), (points[k],), (directions[k],))  # forward over reverse
        torch.testing.assert_close(products[k], product)
        torch.testing.assert_close(slopes[k], slope @ directions[k])


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_integral_of_curvature_is_the_barrier_up_to_quadrature(seed: int) -> None:
    """Second order: four times the nodes, a sixteenth of the error."""
    losses = losses_on(*problem(seed))
    p, q = 2 * torch.randn(2, sum(sizes_of(WIDTHS)), dtype=torch.float64)
    errors = []
    for n in (33, 129):
        s = torch.linspace(0, 1, n, dtype=torch.float64)
        path = segment(p, q, s)
        want = barrier(losses(path), s)
        bend = curvatures(losses, path, (q - p).expand_as(path))[1]
        errors.append(float((barrier_from_curvature(bend, s) - want).abs().max() / want.abs().max()))
    assert errors[1] < 2e-3
    assert errors[1] < errors[0] / 10


@settings(max_examples=30, deadline=None)
@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(-3, 3))
def test_of_a_parabola_in_closed_form(a: float, b: float, c: float) -> None:
    """L(s) = a s^2 + b s + c has curvature 2a and the barrier -a s (1 - s)."""
    s = torch.linspace(0, 1, 9, dtype=torch.float64)
    want = -a * s * (1 - s)
    torch.testing.assert_close(barrier(a * s**2 + b * s + c, s), want, atol=1e-12, rtol=0)
    torch.testing.assert_close(
        barrier_from_curvature(torch.full_like(s, 2 * a), s), want, atol=a**2 / 64 + 1e-12, rtol=0
    )


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-3, 3), min_size=4, max_size=4), st.floats(-2, 2), st.floats(-2, 2))
def test_view_from_the_ends_is_exact_for_a_cubic(c: list[float], p: float, q: float) -> None:
    def losses(theta: Tensor) -> Tensor:
        return sum(a * theta[:, 0] ** k for k, a in enumerate(c))

    ends = torch.tensor([[p], [q]], dtype=torch.float64)
    want = losses(ends.mean(0, keepdim=True)) - losses(ends).mean()
    torch.testing.assert_close(middle_from_ends(losses, ends[:1], ends[1:]), want, atol=1e-10, rtol=0)


def test_moves_of_single_layers_add_up() -> None:
    d = torch.randn(sum(sizes_of(WIDTHS)))
    moves = layer_moves(d, WIDTHS)
    assert moves.count_nonzero(dim=1).tolist() == sizes_of(WIDTHS)
    torch.testing.assert_close(moves.sum(0), d)


def test_side_by_side_training_is_plain_sgd() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(30, 4), torch.randint(2, (30,))
    theta, rows, rates = random_start(3, WIDTHS), torch.randint(30, (5, 3, 8)), torch.linspace(1, 0.2, 5)
    together = train_networks(theta, WIDTHS, x, y, rows, rates)
    for run in range(3):
        net = torch_network(theta[run].clone())
        optimiser = torch.optim.SGD(net.parameters(), lr=1.0)
        for batch, rate in zip(rows[:, run], rates):
            optimiser.param_groups[0]["lr"] = float(rate)
            optimiser.zero_grad()
            nn.functional.cross_entropy(net(x[batch]), y[batch]).backward()
            optimiser.step()
        torch.testing.assert_close(tanh_network(together[run][None], x, WIDTHS)[0], net(x))


def test_plane_goes_through_its_three_points() -> None:
    torch.manual_seed(0)
    a, b, c = torch.randn(3, 50, dtype=torch.float64)
    x = torch.tensor([-1.0, 0, 1], dtype=torch.float64)
    places = plane(a, b, c, x, torch.tensor([0.0, 1], dtype=torch.float64))
    torch.testing.assert_close(places[0, 0], a)
    torch.testing.assert_close(places[0, 2], b)
    right, up = places[0, 2] - places[0, 1], places[1, 1] - places[0, 1]
    assert float(right @ up) == pytest.approx(0, abs=1e-12)
    assert float(up.norm()) == pytest.approx(float(right.norm()))
    rest = c - (a + b) / 2
    rest = rest - (rest @ right) / (right @ right) * right
    torch.testing.assert_close(rest / rest.norm(), up / up.norm())
