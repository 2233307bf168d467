"""A run as TensorBoard events, in `events/` of its directory.

Per epoch, with the number of the epoch as the step: scalars, histograms of weights and gradients, the first layer's
filters and a few validation images with their predictions. Per reported step, with the number of the step counted
over the whole run: `loss/step`. The test set does not appear.
"""

import io
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from explorer.analysis.inside.filters import colour, first_layer_filters, grid
from explorer.data import catalog
from explorer.data.splits import Split, load_split
from explorer.errors import CheckpointError
from explorer.store.runs import Run
from explorer.training.config import TrainConfig
from explorer.training.plan import make_plan
from explorer.training.records import Epoch, Step
from explorer.training.tracking import events
from explorer.training.tracking.figures import epoch_scalars
from explorer.training.tracking.reading import folder
from explorer.training.tracking.tracker import TrackedState

if TYPE_CHECKING:
    from PIL import Image


SHARE = 0.01


class Pace:
    """Says in which epochs something is written: every one of a short run, evenly fewer of a long one.

    Besides `free` seconds, at most `SHARE` of the time since the start goes into it. The first and the last epoch of
    the configuration are always written.

    Parameters
    ----------
    epochs : int
        Epochs of the whole run.
    most : int
        Write in about so many of them at most.
    free : float
        Seconds that may be spent however short the run is.
    clock : callable, optional
        Returns seconds.
    """

    def __init__(
        self, epochs: int, most: int, free: float = 0.0, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.epochs, self.stride, self.free = epochs, max(1, -(-epochs // most)), free
        self.clock, self.start, self.spent = clock, clock(), 0.0

    def due(self, epoch: int) -> bool:
        """Whether to write in this epoch."""
        if epoch in (1, self.epochs):
            return True
        allowed = self.free + SHARE * (self.clock() - self.start)
        return epoch % self.stride == 0 and self.spent < allowed

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Add the time of a block to what has been spent."""
        begun = self.clock()
        try:
            yield
        finally:
            self.spent += self.clock() - begun


BINS = 64


@dataclass(frozen=True)
class Histogram:
    """How the values of a tensor are spread.

    Attributes
    ----------
    low, high : float
        The smallest and the greatest value.
    counts : list of float
        Values in each of `BINS` equal parts of [low, high]; one part where all values are the same.
    total, squares : float
        Sum of the values and of their squares.
    """

    low: float
    high: float
    counts: list[float]
    total: float
    squares: float

    @property
    def n(self) -> float:
        """Number of values."""
        return sum(self.counts)

    @property
    def limits(self) -> list[float]:
        """The upper end of each part."""
        width = (self.high - self.low) / len(self.counts)
        return [self.low + width * number for number in range(1, len(self.counts))] + [self.high]


def histogram(values: Tensor) -> Histogram | None:
    """Count values in equal bins, infinite and undefined ones aside; `None` where nothing is left.

    Parameters
    ----------
    values : Tensor
        Of any shape, type and device.
    """
    flat = values.detach().to("cpu", torch.float32).reshape(-1)
    if not flat.numel():
        return None
    low, high = (bound.item() for bound in flat.aminmax())
    if not (abs(low) < float("inf") and abs(high) < float("inf")):
        finite = flat[flat.isfinite()]
        return histogram(finite) if finite.numel() else None
    counts = torch.histc(flat, BINS, low, high).tolist() if low < high else [float(flat.numel())]
    return Histogram(low, high, counts, flat.sum(dtype=torch.float64).item(), torch.dot(flat, flat).item())


def histograms(network: nn.Module, gradients: nn.Module) -> dict[str, Histogram]:
    """Return the histogram of every weight, bias and gradient.

    Parameters
    ----------
    network : nn.Module
        Its parameters, biases among them, are `weights/<name>`.
    gradients : nn.Module
        The network that is trained, of the same architecture: what stands in `parameter.grad`, the gradient of the
        last step, is `gradients/<name>`.
    """
    tensors: dict[str, Tensor] = {f"weights/{name}": parameter for name, parameter in network.named_parameters()}
    tensors |= {
        f"gradients/{name}": parameter.grad
        for name, parameter in gradients.named_parameters()
        if parameter.grad is not None
    }
    found = {name: histogram(tensor) for name, tensor in tensors.items()}
    return {name: value for name, value in found.items() if value is not None}


COLUMNS = 8
LEVELS = 31
"""Shades of a filter; more are hardly seen and make the file three times as large."""

SAMPLES, SAMPLE_COLUMNS = 12, 4
SCALE, LINE = 3, 13
TILE = 84, 28 * SCALE + 2 * LINE + 4
RIGHT, WRONG, INK, PAPER = "#2e6b34", "#b3261e", "#333333", "#ffffff"

Picture = tuple[int, int, bytes]
"""Width, height and the content of a PNG file."""


def filters_picture(weights: Mapping[str, object]) -> Picture | None:
    """Draw the filters of a network's first layer, blue below zero and red above.

    Parameters
    ----------
    weights : mapping of str to Tensor
        A state dict.

    Returns
    -------
    tuple of int, int, bytes, or None
        None where the first layer does not see the image itself.
    """
    from PIL import Image

    try:
        filters = first_layer_filters(weights)
    except CheckpointError:
        return None
    scale = max(1, 28 // filters.images.shape[1]) if filters.kind == "kernels" else 1
    darkest = (1 / 255,) * 3  # 0 is left to the gaps
    shades = ((LEVELS + 1) / 255,) * 3
    levels = grid(filters, COLUMNS, scale=scale, colours=(darkest, shades), gap=(0, 0, 0))[..., 0]
    picture = Image.fromarray(np.ascontiguousarray(levels))
    ramp = colour(np.linspace(-1, 1, LEVELS + 1), 1.0)
    picture.putpalette([128, 128, 128, *ramp.reshape(-1).tolist()])
    return _png(picture)


def sample_rows(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Choose the images that are shown in every epoch: the first of each class, then the first of the others."""
    first = np.unique(labels, return_index=True)[1]
    others = np.setdiff1d(np.arange(min(len(labels), 10 * SAMPLES)), first)
    return np.concatenate([first, others])[:SAMPLES]


def samples_picture(split: Split, classes: tuple[str, ...], logits: NDArray[np.float32]) -> Picture:
    """Draw sample images, under each the predicted class, and the true one where that is another.

    Parameters
    ----------
    split : Split
    classes : tuple of str
    logits : ndarray of float32, shape (N, C)
        For the images of the split, from the first on.
    """
    from PIL import Image, ImageDraw, ImageFont

    rows = sample_rows(split.labels[: len(logits)])
    width, height = TILE
    lines = -(-len(rows) // SAMPLE_COLUMNS)
    picture = Image.new("RGB", (SAMPLE_COLUMNS * (width + 4), lines * (height + 4)), PAPER)
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(11)
    for number, row in enumerate(rows):
        left, top = (number % SAMPLE_COLUMNS) * (width + 4) + 2, (number // SAMPLE_COLUMNS) * (height + 4) + 2
        image = Image.fromarray(split.images[row].repeat(SCALE, axis=0).repeat(SCALE, axis=1))
        picture.paste(image, (left, top))
        label, predicted = int(split.labels[row]), int(logits[row].argmax())
        below = top + 28 * SCALE
        good = label == predicted
        pen.text((left, below), classes[predicted] + ("" if good else "?"), RIGHT if good else WRONG, font)
        pen.text((left, below + LINE), "" if good else f"it is {classes[label]}", INK, font)
    return _png(picture.quantize(64, Image.Quantize.FASTOCTREE))


def _png(picture: "Image.Image") -> Picture:
    content = io.BytesIO()
    picture.save(content, "PNG")
    return picture.width, picture.height, content.getvalue()


STEPS = 200
"""Reported steps that are written of one epoch, at most."""

STEP_TAG = "loss/step"
PATIENCE_SECONDS = 2.0
"""TensorBoard's modules are loaded at the end of the first epoch, or after so long."""

MAX_WAITING = 10 * STEPS
"""Steps that are kept for later while they cannot be written; the oldest are given up first."""

HISTOGRAM_EPOCHS, PICTURE_EPOCHS = 100, 20


class TensorBoardTracker:
    """Writes one event file for the process that computes a run.

    Parameters
    ----------
    run : Run
    config : TrainConfig
    state : Position
        Where the run begins or goes on: later events of an earlier process are removed before the first is written.
    """

    def __init__(self, run: Run, config: TrainConfig, state: TrackedState) -> None:
        self.run, self.config = run, config
        self.begin = self.last = (state.epoch, state.step)
        self.waiting: list[tuple[int, float, float]] = []
        self.file: events.EventFile | None = None
        self.started = time.monotonic()
        self.histogram_pace = Pace(config.epochs, HISTOGRAM_EPOCHS, free=0.1)
        self.picture_pace = Pace(config.epochs, PICTURE_EPOCHS)

    def on_step(self, step: Step, loss: float) -> None:
        """Note the loss of a step, unless one nearby has been noted."""
        if _slot(step.epoch - 1, step.step, step.steps) == _slot(*self.last, step.steps):
            return
        self.last = (step.epoch - 1, step.step)
        self.waiting.append(((step.epoch - 1) * step.steps + step.step, loss, time.time()))
        del self.waiting[:-MAX_WAITING]
        if self.file or time.monotonic() - self.started > PATIENCE_SECONDS:
            self._write([])

    def on_epoch(self, epoch: Epoch, state: TrackedState) -> None:
        """Write everything about an epoch. To be called before the state is saved from which the run would go on."""
        self._write([events.scalars(epoch_scalars(self.run, self.config, epoch), epoch.epoch)])
        if self.histogram_pace.due(epoch.epoch):
            with self.histogram_pace.counting():
                self._write([_histograms(epoch.epoch, histograms(state.evaluated, state.network))])
        if self.picture_pace.due(epoch.epoch):
            with self.picture_pace.counting():
                self._write([_pictures(epoch, self.config, state)])

    def close(self) -> None:
        """Write what is still waiting."""
        if self.waiting:
            self._write([])

    def _write(self, content: list[events.Event]) -> None:
        steps = [events.scalars({STEP_TAG: loss}, step, wall_time) for step, loss, wall_time in self.waiting]
        if self.file is None:
            if not self._cut():
                content = [_text("hyperparameters", hyperparameters(self.config)), *content]
            self.file = events.EventFile(folder(self.run))
        self.file.append([*steps, *content])
        self.waiting.clear()

    def _cut(self) -> bool:
        """Remove what earlier processes wrote after the position at which this one began."""
        if not folder(self.run).is_dir():
            return False
        epoch, step = self.begin
        steps = epoch * make_plan(self.config).steps + step

        def is_later(event: events.Event) -> bool:
            tags = {value.tag for value in event.summary.value}
            return bool(event.step > (steps if STEP_TAG in tags else epoch))

        return events.cut(folder(self.run), is_later)


def hyperparameters(config: TrainConfig) -> str:
    """Write a configuration as a table in Markdown."""
    values = config.model_dump(mode="json")
    options = values.pop("options")
    values |= {f"model.{name}": value for name, value in options.items()}
    rows = [f"| {name} | `{_code(value)}` |" for name, value in values.items()]
    return "\n".join(["| setting | value |", "|---|---|", *rows])


def _code(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False).replace("`", "'").replace("|", "\\|")


def _slot(epoch: int, step: int, steps: int) -> tuple[int, int]:
    """Return which of the `STEPS` parts of an epoch a step lies in."""
    return epoch, math.ceil(step * STEPS / steps)


def _histograms(epoch: int, found: dict[str, Histogram]) -> events.Event:
    from tensorboard.compat.proto.histogram_pb2 import HistogramProto
    from tensorboard.compat.proto.summary_pb2 import Summary

    values = []
    for tag, one in found.items():
        proto = HistogramProto(
            min=one.low,
            max=one.high,
            num=one.n,
            sum=one.total,
            sum_squares=one.squares,
            bucket_limit=one.limits,
            bucket=one.counts,
        )
        values.append(Summary.Value(tag=tag, histo=proto))
    return events.event(values, epoch)


def _pictures(epoch: Epoch, config: TrainConfig, state: TrackedState) -> events.Event:
    spec, split = catalog.get(config.dataset), load_split(config.dataset, "validation")
    found = {
        "filters/first_layer": filters_picture(state.evaluated.state_dict()),
        "samples/validation": samples_picture(split, spec.classes, epoch.logits["validation"]),
    }
    return events.event([_image(tag, picture) for tag, picture in found.items() if picture], epoch.epoch)


def _image(tag: str, picture: Picture) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary

    width, height, content = picture
    return Summary.Value(
        tag=tag, image=Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=content)
    )


def _text(tag: str, markdown: str) -> events.Event:
    from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
    from tensorboard.compat.proto.types_pb2 import DT_STRING

    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)])
    tensor = TensorProto(dtype=DT_STRING, string_val=[markdown.encode()], tensor_shape=shape)
    metadata = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
    return events.event([Summary.Value(tag=tag, tensor=tensor, metadata=metadata)], 0)
