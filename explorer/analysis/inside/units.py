"""What single units answer over many images: which never do anything, and what excites each one most."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from explorer.analysis.evaluation.predictions import BATCH_SIZE, scale
from explorer.analysis.frozen import placement
from explorer.analysis.inside.steps import LayerCall, Look, chosen, observe, steps
from explorer.data.splits import Split

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Images = NDArray[np.uint8]
Failing = Literal["dead", "saturated", "constant"]

NEAR = 0.02
"""A value of a bounded function is near its limit from this share of its range on."""
SATURATED = 0.99
"""Share of a unit's values near a limit from which on the unit is called saturated."""


@dataclass(frozen=True, eq=False)
class Activity:
    """How the units of one step behave over a sample.

    Attributes
    ----------
    step : Step
    failing : {'dead', 'saturated', 'constant'}
        How its units can fail: a ReLU by never being above zero (dead), a sigmoid or tanh by staying within 2% of its
        limits for 99% of its values (saturated), any other by giving one and the same value for every image.
    off : ndarray
        float64, shape (units,): the share of the values, over images and places, that are zero (ReLU) or near a limit
        (sigmoid, tanh); NaN for other functions.
    mean, highest : ndarray
        float64, shape (units,): the mean and the greatest value.
    failed : ndarray
        bool, shape (units,): the unit has failed.
    images : int
    """

    step: LayerCall
    failing: Failing
    off: FloatArray
    mean: FloatArray
    highest: FloatArray
    failed: NDArray[np.bool_]
    images: int

    @property
    def share(self) -> float:
        """Share of the units that have failed."""
        return float(self.failed.mean()) if len(self.failed) else 0.0


@dataclass(frozen=True, eq=False)
class Strongest:
    """The images that excite each unit of a step most.

    Attributes
    ----------
    step : Step
    rows : ndarray
        int64, shape (units, k): places among the images, the strongest first.
    values : ndarray
        float64, shape (units, k): the unit's answer, for maps the greatest of all places.
    places : ndarray or None
        int64, shape (units, k, 2): row and column of that place in the map; None without maps.
    """

    step: LayerCall
    rows: IntArray
    values: FloatArray
    places: IntArray | None


def activity(classifier: nn.Module, images: Images, batch_size: int = BATCH_SIZE) -> tuple[Activity, ...]:
    """Say how the units of every activation function behave.

    Parameters
    ----------
    classifier : nn.Module
        Maps pixels in [0, 1] to logits; it is only read.
    images : ndarray
        uint8, shape (N, H, W), at least one.
    batch_size : int
        Images per forward pass.

    Returns
    -------
    tuple of Activity
        For each step with an activation function, in order; empty where there is none.
    """
    known = [one for one in steps(classifier, (1, *images.shape[1:])) if one.role == "activation"]
    counts = {step.key: _Count(step) for step in known}
    looks: dict[str, Look] = {key: count.look for key, count in counts.items()}
    _run(classifier, images, looks, batch_size)
    return tuple(count.result(len(images)) for count in counts.values())


def strongest(classifier: nn.Module, images: Images, key: str, k: int = 12, batch_size: int = BATCH_SIZE) -> Strongest:
    """Find the images for which each unit of a step answers most.

    Parameters
    ----------
    classifier, images, batch_size
        As for `activity`.
    key : str
        Of a step, see `steps.hidden`.
    k : int
        How many for each unit; fewer where there are not so many images.

    Raises
    ------
    ConfigError
        There is no such step.
    """
    step = chosen(steps(classifier, (1, *images.shape[1:])), key)
    values: list[Tensor] = []
    places: list[Tensor] = []

    def look(module: nn.Module, given: Tensor, output: Tensor) -> None:
        best, place = output.flatten(2).max(dim=2) if step.has_maps else (output, output)
        values.append(best.double().cpu())
        places.append(place.cpu())

    _run(classifier, images, {key: look}, batch_size)
    answers, order = torch.cat(values).sort(dim=0, descending=True, stable=True)
    rows = order[:k].T.contiguous()
    found = None
    if step.has_maps:
        flat = torch.cat(places).gather(0, order[:k]).T.numpy()
        found = np.stack(np.divmod(flat, step.shape[2]), axis=-1).astype(np.int64)
    return Strongest(step, rows.numpy(), answers[:k].T.contiguous().numpy(), found)


class _Count:
    """Sums up the values of one step, batch after batch."""

    def __init__(self, step: LayerCall) -> None:
        self.step = step
        self.failing, self.near = _measure(step.function)
        self.total = torch.zeros(step.units, dtype=torch.float64)
        self.near_total = torch.zeros_like(self.total)
        self.high = torch.full_like(self.total, -torch.inf)
        self.low = torch.full_like(self.total, torch.inf)
        self.n = 0

    def look(self, module: nn.Module, given: Tensor, output: Tensor) -> None:
        values = output.flatten(2) if self.step.has_maps else output.unsqueeze(2)
        self.n += values.shape[0] * values.shape[2]
        self.total += values.sum(dim=(0, 2), dtype=torch.float64).cpu()
        self.high = torch.maximum(self.high, values.amax(dim=(0, 2)).double().cpu())
        self.low = torch.minimum(self.low, values.amin(dim=(0, 2)).double().cpu())
        if self.near is not None:
            self.near_total += self.near(values).sum(dim=(0, 2)).double().cpu()

    def result(self, images: int) -> Activity:
        mean, high, low = (self.total / self.n).numpy(), self.high.numpy(), self.low.numpy()
        off = (self.near_total / self.n).numpy() if self.near is not None else np.full(len(mean), np.nan)
        failed = {
            "dead": high <= 0,
            "saturated": off >= SATURATED,
            "constant": high - low <= 1e-6 * np.maximum(1.0, np.abs(high)),
        }[self.failing]
        return Activity(self.step, self.failing, off, mean, high, failed, images)


def _measure(function: str) -> tuple[Failing, Callable[[Tensor], Tensor] | None]:
    """Return how units with a function fail, and what tells for each value whether it is off."""
    if function in ("ReLU", "ReLU6"):
        return "dead", lambda values: values <= 0
    if function in ("Sigmoid", "Hardsigmoid"):
        return "saturated", lambda values: (values <= NEAR) | (values >= 1 - NEAR)
    if function in ("Tanh", "Hardtanh", "Softsign"):
        return "saturated", lambda values: values.abs() >= 1 - 2 * NEAR
    return "constant", None


def _run(classifier: nn.Module, images: Images, looks: dict[str, Look], batch_size: int) -> None:
    model = observe(classifier, looks)
    device, dtype = placement(model)
    with torch.inference_mode():
        for start in range(0, len(images), batch_size):
            model(scale(torch.tensor(images[start : start + batch_size], device=device), dtype))


SEED = 28


def sampled(split: Split, count: int) -> tuple[Split, NDArray[np.int64]]:
    """Draw images of a split without replacement, the same ones every time.

    Parameters
    ----------
    split : Split
    count : int
        How many; all where the split has no more. The images of a smaller sample are part of every larger one.

    Returns
    -------
    Split
        The images in the order of the split.
    rows : ndarray
        int64, shape (count,): their places in the split.
    """
    drawn = np.random.default_rng(SEED).permutation(len(split))[: max(1, count)]
    rows = np.sort(drawn).astype(np.int64)
    part = replace(split, images=split.images[rows], labels=split.labels[rows], indices=split.indices[rows])
    return part, rows
