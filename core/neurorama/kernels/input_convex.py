r"""A partly input-convex network: convex in `y`, anything in `u`, and non-decreasing in some of `y` where asked.

Amos, Xu, Kolter (2017), https://arxiv.org/abs/1609.07152. With the softplus $\phi$, convex and increasing, weights
$W^{(z)}$ and gates of $z$ that are not negative, and all else free functions of the context $u$:

$$z = \phi\big(W_0^{(y)}(y \odot g_0(u)) + a_0(u)\big), \qquad
f(y, u) = \phi\big(W^{(z)}(z \odot [g_z(u)]_+) + W_1^{(y)}(y \odot g_1(u)) + a_1(u)\big)$$
"""

from jaxtyping import Float
from torch import Tensor, cat, nn, no_grad
from torch.nn.functional import linear, softplus

Context = tuple[Tensor, ...]


class InputConvex(nn.Module):
    """One hidden layer. Each of the `out` outputs is convex in y = [rising, free], non-decreasing in the rising part.

    Args:
        rising: how many of the first entries of `y` the outputs must not fall in: those that are themselves convex
            functions of something, so that the whole stays convex in it.
        free: the other entries of `y`.
        context: the width of `u`.
        hidden, out: widths.
        convex: off lets all weights and gates take any sign: an ordinary gated network, for comparison.
    """

    def __init__(self, rising: int, free: int, context: int, hidden: int, out: int, convex: bool = True) -> None:
        super().__init__()
        width = rising + free
        self.rising, self.convex = rising, convex
        self.y0, self.y1 = nn.Linear(width, hidden, bias=False), nn.Linear(width, out, bias=False)
        self.z = nn.Linear(hidden, out, bias=False)
        self.u = nn.Linear(context, 2 * hidden + out + 2 * width)
        self.parts = (hidden, out, width, width, hidden)  # a0, a1, g0, g1, gz
        with no_grad():
            self.u.weight[hidden + out :], self.u.bias[hidden + out :] = 0, 1  # all gates start open
            self.z.weight.uniform_(0, 2 / hidden)
            for layer in (self.y0, self.y1):
                layer.weight[:, :rising].abs_()

    def about(self, u: Float[Tensor, "n context"]) -> Context:
        """What does not depend on `y`: offsets, gates and admissible weights. Kept while only `y` changes."""
        a0, a1, g0, g1, gz = self.u(u).split(self.parts, dim=1)
        if not self.convex:
            return a0, a1, g0, g1, gz, self.y0.weight, self.y1.weight, self.z.weight
        rising = (self._rising(part) for part in (g0, g1))
        return (
            a0,
            a1,
            *rising,
            gz.relu(),
            self._rising(self.y0.weight),
            self._rising(self.y1.weight),
            self.z.weight.relu(),
        )

    def _rising(self, part: Tensor) -> Tensor:
        return cat([part[:, : self.rising].relu(), part[:, self.rising :]], dim=1)

    def forward(self, y: Float[Tensor, "n width"], about: Context) -> Float[Tensor, "n out"]:
        """`about` is `self.about(u)` for the rows of `y`."""
        a0, a1, g0, g1, gz, w0, w1, wz = about
        z = softplus(linear(y * g0, w0) + a0)
        return softplus(linear(z * gz, wz) + linear(y * g1, w1) + a1)
