"""A run as TensorBoard events, in `events/` of its directory.

Per epoch, with the number of the epoch as the step: scalars, histograms of weights and gradients, the first layer's
filters and a few validation images with their predictions. Per reported step, with the number of the step counted
over the whole run: `loss/step`. The test set does not appear.
"""

import json
import math
import time
from typing import Any

from explorer.data import catalog
from explorer.data.splits import load_split
from explorer.store.runs import Run
from explorer.training.config import TrainConfig
from explorer.training.plan import make_plan
from explorer.training.records import Epoch, Step
from explorer.training.tracking import Position, events
from explorer.training.tracking.figures import epoch_scalars
from explorer.training.tracking.histograms import Histogram, histograms
from explorer.training.tracking.pace import Pace
from explorer.training.tracking.pictures import Picture, filters_picture, samples_picture
from explorer.training.tracking.reading import folder

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

    def __init__(self, run: Run, config: TrainConfig, state: Position) -> None:
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

    def on_epoch(self, epoch: Epoch, state: Position) -> None:
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


def _pictures(epoch: Epoch, config: TrainConfig, state: Position) -> events.Event:
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
