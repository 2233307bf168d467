"""The device to compute on: CUDA, Apple's MPS, or the CPU."""

import os
import platform
from typing import TYPE_CHECKING

from explorer.errors import DeviceError

if TYPE_CHECKING:
    import torch

NAMES = ("auto", "cpu", "cuda", "mps")


def available() -> tuple[str, ...]:
    """Return the names of the devices of this machine, fastest first."""
    import torch

    found = [
        name
        for name, there in (("cuda", torch.cuda.is_available()), ("mps", torch.backends.mps.is_available()))
        if there
    ]
    return (*found, "cpu")


def resolve(name: str) -> "torch.device":
    """Return the device called `name`; `auto` takes the fastest there is.

    Raises
    ------
    DeviceError
        The name is unknown or this machine has no such device.
    """
    import torch

    there = available()
    if name == "auto":
        return torch.device(there[0])
    if name not in NAMES:
        raise DeviceError(f"There is no device called {name!r}. Choose one of: {', '.join(NAMES)}.")
    if name not in there:
        raise DeviceError(f"This machine has no {name!r} device. Choose 'auto' or one of: {', '.join(there)}.")
    return torch.device(name)


def title(device: "torch.device") -> str:
    """Return the device's name as its maker gives it, for people."""
    if device.type == "cuda":
        import torch

        return torch.cuda.get_device_name(device)
    if device.type == "mps":
        return "Apple GPU (MPS)"
    return f"CPU, {cores()} core{'s' if cores() != 1 else ''} ({platform.machine()})"


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
