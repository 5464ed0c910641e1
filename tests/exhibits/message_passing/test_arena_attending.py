"""GIN beside attention, graph by graph against torch's attention and the arena's GIN."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import scaled_dot_product_attention

from neurorama.exhibits.message_passing.arena import GIN, AttendingGIN, Batch, Wiring


def batch_of(seed: int, sizes: tuple[int, ...] = (5, 1, 8)) -> Batch:
    draw = torch.Generator().manual_seed(seed)
    pieces = []
    for n in sizes:
        upper = torch.triu(torch.rand(n, n, generator=draw) < 0.4, diagonal=1)
        pieces.append(((upper | upper.T).nonzero().T.contiguous(), n))
    return Batch(Wiring.of(pieces), torch.randn(sum(sizes), 4, generator=draw), torch.zeros(len(sizes)))


def attending(seed: int, depth: int = 3) -> AttendingGIN:
    torch.manual_seed(seed)
    return AttendingGIN(4, 8, 3, depth).eval()


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_each_layer_adds_what_is_heard_and_what_is_attended_to(seed: int, depth: int) -> None:
    batch, net = batch_of(seed), attending(seed, depth)
    near = torch.zeros(len(batch.x), len(batch.x)).index_put(tuple(batch.edge_index.flip(0)), torch.tensor(1.0))
    h = net.enter(batch.x)
    for number in range(depth):
        heard = net.layers[number]((1 + net.eps[number]) * h + near @ h)
        whole = net.qkv[number](h)
        attended = torch.cat(
            [scaled_dot_product_attention(*part.chunk(3, dim=1)) for part in whole.split(batch.wiring.sizes.tolist())]
        )
        h = heard + net.out[number](attended)
        h = h.relu() if number < depth - 1 else h
    torch.testing.assert_close(net(batch), h, rtol=1e-4, atol=1e-5)


def test_without_attention_it_is_gin_after_a_linear_layer() -> None:
    batch, net = batch_of(1), attending(1)
    for out in net.out:
        torch.nn.init.zeros_(out.weight), torch.nn.init.zeros_(out.bias)  # type: ignore[arg-type]
    plain = GIN(8, 8, 3, 3).eval()
    plain.load_state_dict({name: x for name, x in net.state_dict().items() if name.startswith(("layers", "eps"))})
    entered = Batch(batch.wiring, net.enter(batch.x), batch.y)
    torch.testing.assert_close(net(batch), plain(entered))


def test_a_graph_does_not_hear_the_others() -> None:
    batch, net = batch_of(2), attending(2)
    alone = batch.copies(2, 1)
    torch.testing.assert_close(net(alone), net(batch)[-8:], rtol=1e-4, atol=1e-5)
