"""Where torch computes. An exhibit never names a device: what it makes is made there, and NumPy takes it back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .errors import InputError, nearest

if TYPE_CHECKING:
    from torch import Tensor

DEVICES = ("cpu", "cuda", "mps")


def chosen(name: str = "") -> str:
    """`name`, else `NEURORAMA_DEVICE`, else the CPU.

    Raises:
        InputError: it is no device, or this machine has none.
    """
    name = name or os.environ.get("NEURORAMA_DEVICE") or "cpu"
    if name not in DEVICES:
        raise InputError(f"device={name!r}: {nearest(name, DEVICES)}")
    if name != "cpu":
        import torch

        here = torch.cuda.is_available() if name == "cuda" else torch.backends.mps.is_available()
        if not here:
            raise InputError(f"device={name!r}: torch {torch.__version__} finds none on this machine; take cpu")
    return name


@contextmanager
def on(name: str) -> Iterator[None]:
    """Within it, torch makes its tensors on the device `name`; `torch.as_tensor` brings NumPy's arrays there."""
    if name == "cpu":
        yield
        return
    import torch

    with torch.device(name), _bridge():
        yield


def _bridge() -> Any:
    import torch
    from torch.overrides import TorchFunctionMode

    to_numpy = {torch.Tensor.numpy, torch.Tensor.__array__}

    class Bridge(TorchFunctionMode):
        """NumPy's arrays lie in the CPU's memory: a tensor that becomes one goes there first."""

        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func in to_numpy:
                args = (args[0].cpu(), *args[1:])
            return func(*args, **(kwargs or {}))

    return Bridge()


def random_state(name: str) -> tuple[Tensor, ...]:
    """Where the streams of random numbers stand: the CPU's, and the device's own."""
    import torch

    if name == "cpu":
        return (torch.get_rng_state(),)
    return torch.get_rng_state(), torch.get_device_module(name).get_rng_state()


def set_random_state(name: str, state: tuple[Tensor, ...]) -> None:
    """Puts the streams back to where `random_state` found them."""
    import torch

    torch.set_rng_state(state[0])
    if name != "cpu":
        torch.get_device_module(name).set_rng_state(state[1])
