"""Tuning a copy of a model on a user's own drawings, and what it forgets of the set that it had learnt.

That a network trained on new examples alone loses what it knew is called catastrophic forgetting (McCloskey & Cohen,
"Catastrophic interference in connectionist networks", 1989); that it loses less where old examples are mixed in, is
rehearsal (Robins, "Catastrophic forgetting, rehearsal and pseudorehearsal", 1995).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.data import catalog
from explorer.data.own.export import publish
from explorer.data.splits import Split, load_split
from explorer.errors import ConfigError, DataError
from explorer.store import runs, summaries
from explorer.store.checkpoints import Checkpoint, load_checkpoint
from explorer.store.runs import Run
from explorer.store.summaries import Summary
from explorer.training.config import TrainConfig
from explorer.training.initial import initial_checkpoint

if TYPE_CHECKING:
    from torch import nn

    from explorer.data.own.sets import OwnSet

EPOCHS = 20
REHEARSED = 1_000
"""Old images among the drawings, where the user wants to keep what the model knew."""
LEARNING_RATE = 0.0005
BATCH_SIZE = 16
GROUP = "drawings"
"""Under this name the run's group holds the id of the set."""
MIXED_IN = "rehearsed"
"""And under this one how many old images were mixed in."""
PART = 50

Gate = Callable[[], AbstractContextManager[None]]


def create(own: OwnSet, reference: str, checkpoint: Checkpoint, epochs: int = EPOCHS, rehearsed: int = 0) -> Run:
    """Freeze the drawings as a data set and make a run that goes on from a checkpoint on them; it is not queued.

    Parameters
    ----------
    own : OwnSet
    reference : str
        Name of the checkpoint, a run id or `RUN@k`, as in a configuration's `initial`.
    checkpoint : Checkpoint
        The same, read.
    epochs : int
    rehearsed : int
        So many images of the original training set are mixed in.

    Raises
    ------
    DataError
        There are too few drawings, the set is damaged, or the disk is full.
    ConfigError
        The checkpoint cannot be gone on from.
    RunError
        The disk is full.
    """
    name = publish(own, rehearsed)
    config = TrainConfig.parse(
        {
            "dataset": name,
            "model": checkpoint.model,
            "options": checkpoint.options,
            "initial": reference,
            "learning_rate": LEARNING_RATE,
            "batch_size": BATCH_SIZE,
            "epochs": epochs,
            "subset": catalog.get(name).train,
        }
    )
    if initial_checkpoint(config) is None:
        raise ConfigError("The model to go on from is not kept under a name. Choose another checkpoint.")
    title = f"{reference[: runs.MAX_NAME // 2]} tuned on {own.name}"
    if rehearsed:
        title = f"{title[: runs.MAX_NAME - 24]}, {rehearsed:,} old images"
    return runs.create(config.model_dump(mode="json"), title, group={GROUP: own.id, MIXED_IN: rehearsed})


def tuned_on(own: OwnSet) -> tuple[Summary, ...]:
    """Return the runs that were made from a set of drawings, the newest first."""
    found = [run for run in summaries.listing() if run.description.get("group", {}).get(GROUP) == own.id]
    return tuple(sorted(found, key=lambda run: run.id, reverse=True))


@dataclass(frozen=True)
class CorrectBeforeAfter:
    """How many of some images were classified correctly before and after."""

    before: int
    after: int
    n: int


@dataclass(frozen=True)
class Forgetting:
    """What a run has changed.

    Attributes
    ----------
    original : Change
        On the test images of the set whose classes the drawings have.
    drawings : Change
        On the drawings that were held out for testing.
    rehearsed : int
        So many original training images were mixed in.
    """

    original: CorrectBeforeAfter
    drawings: CorrectBeforeAfter
    rehearsed: int = 0


def forgetting(run: Run, gate: Gate = nullcontext) -> Forgetting:
    """Compare the last epoch of a run with the checkpoint that it went on from.

    Parameters
    ----------
    run : Run
        Finished, on a published set of drawings.
    gate : callable
        Returns a context manager that every small part of the computation passes.

    Raises
    ------
    ExplorerError
        A checkpoint or a data set is not there any more.
    """
    config = TrainConfig.parse(run.config)
    before, epochs = initial_checkpoint(config), run.kept_epochs()
    if before is None or not epochs:
        raise DataError("The weights before or after are not kept, so they cannot be compared.")
    networks = [before.classifier(), load_checkpoint(run.weights(epochs[-1])).classifier()]
    original, drawings = (
        _change(networks, load_split(name, "test"), gate) for name in (catalog.base(config.dataset), config.dataset)
    )
    return Forgetting(original, drawings, int(run.description["group"].get(MIXED_IN, 0)))


def _change(networks: Sequence[nn.Module], split: Split, gate: Gate) -> CorrectBeforeAfter:
    before, after = (_right(network, split, gate) for network in networks)
    return CorrectBeforeAfter(before, after, len(split))


def _right(network: nn.Module, split: Split, gate: Gate) -> int:
    from explorer.analysis.evaluation.predictions import predict

    count = 0
    for start in range(0, len(split), PART):
        rows = slice(start, start + PART)
        with gate():
            count += int(np.count_nonzero(predict(network, split.images[rows]).argmax(1) == split.labels[rows]))
    return count
