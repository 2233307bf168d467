"""Input gradients in bulk: how the loss, or a logit, of each image changes with each of its pixels.

The map is that of Simonyan, Vedaldi and Zisserman, "Deep inside convolutional networks" (2013), section 3,
with its sign kept. Images of a batch do not see each other in evaluation mode, so the gradient of the sum
over a batch holds each image's own gradient, and one backward pass yields them all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from explorer.analysis._frozen import frozen_copy, placement
from explorer.analysis._output import atomic_output
from explorer.analysis.predictions import scale

if TYPE_CHECKING:
    import pyarrow

    from explorer.data.splits import Split

Target = Literal["loss", "true", "predicted"] | int
"""What to differentiate: the cross entropy, or the logit of the true, the predicted or the k-th class."""

BATCH_SIZE = 256
_KEYS = ("index", "label", "predicted")


def input_gradients(
    classifier: nn.Module,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    target: Target = "loss",
    batch_size: int = BATCH_SIZE,
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Differentiate each image's own loss, or one of its logits, with respect to its pixels.

    Parameters
    ----------
    classifier : nn.Module
        Maps pixels in [0, 1] of shape (N, 1, height, width) to logits (N, C). It is only read and may be
        shared.
    images : ndarray
        uint8, shape (N, height, width).
    labels : ndarray
        int64, shape (N,): the true classes.
    target : 'loss', 'true', 'predicted' or int
        What to differentiate.
    batch_size : int
        Images per pass, and the bound of the memory.

    Yields
    ------
    start : int
        Row of the first image of the batch.
    gradient : ndarray
        float32, shape (B, height, width): the change per unit of a pixel in [0, 1].
    """
    if len(images) != len(labels):
        raise ValueError(f"{len(images)} images but {len(labels)} labels")
    batches = _batches(frozen_copy(classifier), images, labels, target, batch_size)
    return ((start, gradient) for start, gradient, _ in batches)


def write_gradients_csv(
    path: str | os.PathLike[str],
    classifier: nn.Module,
    split: Split,
    progress: Callable[[int, int], None] | None = None,
    target: Target = "loss",
    batch_size: int = BATCH_SIZE,
) -> None:
    """Write the input gradient of every image of a split, one row for each, completely or not at all.

    Parameters
    ----------
    path : path-like
        The file; an existing one is replaced.
    classifier, target, batch_size
        As for `input_gradients`.
    split : Split
        The images and their labels.
    progress : callable, optional
        Called after every batch with the numbers of images done and in all.

    Raises
    ------
    OutputError
        The file cannot be written; nothing is left under its name, or what was there before.

    Notes
    -----
    Columns `index` (position in the file of the data set), `label`, `predicted` and `g_0`, `g_1`, ...: the
    pixels row by row, in the shortest decimals that give the float32 back.
    """
    from pyarrow import csv

    schema = _schema(int(np.prod(split.images.shape[1:])))
    batches = _batches(frozen_copy(classifier), split.images, split.labels, target, batch_size)
    options = csv.WriteOptions(include_header=False, batch_size=batch_size)
    with atomic_output(path) as stream:
        stream.write((",".join(schema.names) + "\n").encode())
        with csv.CSVWriter(stream, schema, write_options=options) as writer:
            for start, gradient, predicted in batches:
                rows = slice(start, start + len(gradient))
                keys = (split.indices[rows], split.labels[rows], predicted)
                writer.write_batch(_record_batch(schema, keys, gradient))
                if progress is not None:
                    progress(rows.stop, len(split.labels))


def _batches(
    frozen: nn.Module,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    target: Target,
    batch_size: int,
) -> Iterator[tuple[int, NDArray[np.float32], NDArray[np.int64]]]:
    device, _ = placement(frozen)
    resident = torch.tensor(images, device=device)
    truth = torch.tensor(labels, device=device)
    for start in range(0, len(images), batch_size):
        rows = slice(start, start + batch_size)
        gradient, logits = _differentiate(frozen, resident[rows], truth[rows], target)
        yield start, gradient.squeeze(1).float().cpu().numpy(), logits.argmax(dim=1).cpu().numpy()


def _differentiate(frozen: nn.Module, images: Tensor, labels: Tensor, target: Target) -> tuple[Tensor, Tensor]:
    """Return gradients (B, 1, height, width) and logits (B, C), whatever gradient mode the caller is in."""
    _, dtype = placement(frozen)
    with torch.inference_mode(False), torch.enable_grad():
        pixels = scale(images.clone(), dtype).requires_grad_()
        logits = frozen(pixels)
        (gradient,) = torch.autograd.grad(_objective(logits, labels.clone(), target), pixels)
    return gradient, logits.detach()


def _objective(logits: Tensor, labels: Tensor, target: Target) -> Tensor:
    if target == "loss":
        return functional.cross_entropy(logits, labels, reduction="sum")
    if target == "true":
        chosen = labels
    elif target == "predicted":
        chosen = logits.argmax(dim=1)
    else:
        chosen = torch.full_like(labels, int(target))
    return logits.gather(1, chosen[:, None]).sum()


def _schema(pixels: int) -> pyarrow.Schema:
    import pyarrow

    keys = [(name, pyarrow.int64()) for name in _KEYS]
    return pyarrow.schema(keys + [(f"g_{k}", pyarrow.float32()) for k in range(pixels)])


def _record_batch(
    schema: pyarrow.Schema, keys: tuple[NDArray[np.int64], ...], gradient: NDArray[np.float32]
) -> pyarrow.RecordBatch:
    import pyarrow

    columns = np.ascontiguousarray(gradient.reshape(len(gradient), -1).T)
    arrays = [pyarrow.array(values) for values in (*keys, *columns)]
    return pyarrow.RecordBatch.from_arrays(arrays, schema=schema)
