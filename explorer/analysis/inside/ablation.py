"""Units switched off: what the network still knows without them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from explorer.analysis.evaluation.confusion import ConfusionMatrix
from explorer.analysis.evaluation.predictions import BATCH_SIZE, IntArray, Predictions, predict, scale
from explorer.analysis.frozen import frozen_copy, placement
from explorer.analysis.inside.steps import LayerCall, Look, chosen, observe, steps
from explorer.data.splits import Split
from explorer.errors import ConfigError
from explorer.store.checkpoints import Classifier

FloatArray = NDArray[np.float64]

MOST_UNITS = 128
"""Of a layer whose units are switched off one after the other."""


@dataclass(frozen=True)
class Broken:
    """A pair of classes that is confused more, or less, than before.

    Attributes
    ----------
    true, predicted : int
    before, after : int
        Images of the one class that were, and are now, taken for the other.
    """

    true: int
    predicted: int
    before: int
    after: int

    @property
    def more(self) -> int:
        """How many more there are now."""
        return self.after - self.before


@dataclass(frozen=True, eq=False)
class Ablation:
    """A network with and without some units, on the same images.

    Attributes
    ----------
    step : Step
        The units' layer.
    units : tuple of int
        Which were switched off.
    before, after : Predictions
    """

    step: LayerCall
    units: tuple[int, ...]
    before: Predictions
    after: Predictions

    @property
    def recall(self) -> tuple[FloatArray, FloatArray]:
        """Share of each class that is right, before and after, float64, shape (C,) each; NaN for absent classes."""
        return tuple(ConfusionMatrix.from_predictions(one).recall for one in (self.before, self.after))  # type: ignore[return-value]

    @property
    def difference(self) -> IntArray:
        """Confusion matrix after less that before, int64, shape (C, C)."""
        before, after = (ConfusionMatrix.from_predictions(one).counts for one in (self.before, self.after))
        return after - before

    def broken(self, count: int) -> list[Broken]:
        """Return the pairs of classes that are confused more often now, those with the greatest rise first."""
        before, after = (ConfusionMatrix.from_predictions(one).off_diagonal for one in (self.before, self.after))
        rise = after - before
        order = np.argsort(-rise, axis=None, kind="stable")[:count]
        places = [divmod(int(place), len(rise)) for place in order]
        return [
            Broken(row, col, int(before[row, col]), int(after[row, col])) for row, col in places if rise[row, col] > 0
        ]

    @property
    def changed(self) -> IntArray:
        """Rows of the images that were right and are wrong now, int64."""
        return np.flatnonzero(self.before.correct & ~self.after.correct)


def without(classifier: nn.Module, key: str, units: Sequence[int]) -> nn.Module:
    """Return a copy of a network in which some units of a step answer zero, at every place and to every image.

    Parameters
    ----------
    classifier : nn.Module
        It is only read; the hook is on the copy.
    key : str
        Of a step, see `steps.hidden`.
    units : sequence of int
        Maps or units of that step.

    Raises
    ------
    ConfigError
        There is no such step or unit.
    """
    step = chosen(steps(classifier), key)
    if wrong := [unit for unit in units if not 0 <= unit < step.units]:
        raise ConfigError(f"The layer {key} has {step.units} units, numbered from 0; there is no {wrong[0]}.")
    return observe(classifier, {key: _zeroing(list(units))})


def ablate(classifier: nn.Module, split: Split, before: Predictions, key: str, units: Sequence[int]) -> Ablation:
    """Switch units off and predict all images again.

    Parameters
    ----------
    classifier, key, units
        As for `without`.
    split : Split
        The images.
    before : Predictions
        Of the whole network for the same images.

    Raises
    ------
    ConfigError
        There is no such step or unit.
    """
    logits = predict(without(classifier, key, units), split.images)
    after = Predictions(
        logits, before.labels, before.indices, before.classes, before.checkpoint, before.dataset, before.split
    )
    return Ablation(chosen(steps(classifier), key), tuple(units), before, after)


def one_by_one(
    classifier: nn.Module, split: Split, key: str, batch_size: int = BATCH_SIZE
) -> Iterator[tuple[int, IntArray]]:
    """Switch the units of a step off, each alone.

    Parameters
    ----------
    classifier, split, key
        As for `ablate`.
    batch_size : int
        Images per forward pass.

    Yields
    ------
    unit : int
    predicted : ndarray
        int64, shape (N,): the class of each image without this unit. Closing the generator ends the work.

    Raises
    ------
    ConfigError
        There is no such step, or it has more than `MOST_UNITS` units.
    """
    step = chosen(steps(classifier), key)
    if step.units > MOST_UNITS:
        raise ConfigError(
            f"The layer {key} has {step.units} units; one after the other is for layers of at most {MOST_UNITS}."
        )
    rest, given = _rest(classifier, split, step, batch_size)
    off = [0]
    model = observe(rest, {_inside(key, rest): _zeroing(off)})
    for unit in range(step.units):
        off[0] = unit
        with torch.inference_mode():
            predicted = torch.cat([model(part).argmax(dim=1).cpu() for part in given])
        yield unit, predicted.numpy().astype(np.int64)


class _Rest(nn.Module):
    """The layers of a network from the one on that is asked for."""

    def __init__(self, layers: Sequence[tuple[str, nn.Module]]) -> None:
        super().__init__()
        self.layers = nn.ModuleDict(dict(layers))

    def forward(self, values: Tensor) -> Tensor:
        for layer in self.layers.values():
            values = layer(values)
        return values


def _rest(classifier: nn.Module, split: Split, step: LayerCall, batch_size: int) -> tuple[nn.Module, list[Tensor]]:
    """Return the part of a network that a step can change, and what the part before it gives it, in batches.

    What stands before the step is computed once, where the network is a plain row of layers.
    """
    model = frozen_copy(classifier)
    device, dtype = placement(model)
    starts = range(0, len(split.images), batch_size)
    parts = [scale(torch.tensor(split.images[start : start + batch_size], device=device), dtype) for start in starts]
    if not (isinstance(model, Classifier) and isinstance(model.network, nn.Sequential)):
        return model, parts
    layers = list(model.network.named_children())
    first = next(place for place, (name, _) in enumerate(layers) if step.name.split(".")[0] == name)
    front = nn.Sequential(*(layer for _, layer in layers[:first]))
    with torch.inference_mode():
        given = [front((part - model.mean) / model.std) for part in parts]
    return _Rest(layers[first:]), given


def _inside(key: str, rest: nn.Module) -> str:
    return f"layers.{key}" if isinstance(rest, _Rest) else key


def _zeroing(units: list[int]) -> Look:
    def look(module: nn.Module, given: Tensor, output: Tensor) -> Tensor:
        changed = output.clone()
        changed[:, units] = 0
        return changed

    return look
