"""The images most like a given one: by their pixels, or by what a network makes of them before its last layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from explorer.analysis.evaluation.predictions import BATCH_SIZE, FloatArray, IntArray, scale
from explorer.analysis.frozen import frozen_copy, placement
from explorer.errors import CheckpointError

CHUNK_BYTES = 4 * 2**20
"""Most memory for the part of the candidates that is being compared; what fits into a cache is also quickest."""


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest candidates, nearest first; those at the same distance in their own order.

    Attributes
    ----------
    rows : ndarray
        int64, shape (k,): places among the candidates.
    distances : ndarray
        float64, shape (k,): Euclidean, in the units of the candidates.
    """

    rows: IntArray
    distances: FloatArray


def nearest(query: NDArray[Any], candidates: NDArray[Any], k: int, exclude: int | None = None) -> Neighbours:
    """Find the candidates at the smallest Euclidean distance, by comparing with every one of them.

    Parameters
    ----------
    query : ndarray
        Shape (...): uint8 or float.
    candidates : ndarray
        Shape (N, ...): as the query, whatever shape one of them has.
    k : int
        How many are wanted; fewer come back where there are not so many.
    exclude : int, optional
        A candidate that does not count, such as the query itself.

    Returns
    -------
    Neighbours
        Exact for uint8: all sums are whole numbers far below 2**53.

    Raises
    ------
    ValueError
        The query is not shaped like a candidate.
    """
    if candidates.shape[1:] != query.shape:
        raise ValueError(f"the query has shape {query.shape}, the candidates {candidates.shape[1:]}")
    point = query.reshape(-1).astype(np.float64)
    points = candidates.reshape(len(candidates), point.size)
    squares = _squared_distances(point, points)
    if exclude is not None:
        squares[exclude] = np.inf
    count = max(0, min(k, len(points) - (exclude is not None)))
    rows = np.argsort(squares, kind="stable")[:count]
    distances = np.linalg.norm(points[rows] - point, axis=1)
    order = np.argsort(distances, kind="stable")
    return Neighbours(rows[order], distances[order])


def _squared_distances(point: FloatArray, points: NDArray[Any]) -> FloatArray:
    """Return |x|^2 - 2 x.q + |q|^2 of every point, float64, shape (N,)."""
    squares = np.empty(len(points))
    step = max(1, CHUNK_BYTES // (8 * max(1, point.size)))
    for start in range(0, len(points), step):
        part = points[start : start + step].astype(np.float64)
        # not by BLAS, whose threads take ten times as long on a busy machine
        squares[start : start + step] = np.einsum("ij,ij->i", part, part) - 2 * np.einsum("ij,j->i", part, point)
    return squares + point @ point


def features(
    classifier: nn.Module,
    images: NDArray[np.uint8],
    batch_size: int = BATCH_SIZE,
    device: torch.device | str | None = None,
    progress: Callable[[float], None] | None = None,
) -> NDArray[np.float32]:
    """Compute what a network hands to its last fully connected layer (penultimate features).

    Parameters
    ----------
    classifier : nn.Module
        Maps pixels in [0, 1] of shape (N, 1, height, width) to logits. It is only read: the hook is on a copy.
    images : ndarray
        uint8, shape (N, height, width).
    batch_size : int
        Images per forward pass. It changes time and memory only.
    device : torch.device or str, optional
        Where to compute; by default where the classifier is.
    progress : callable, optional
        Called after each batch with the share that is done, in (0, 1].

    Returns
    -------
    ndarray
        float32, shape (N, D): the input of the fully connected layer that is applied last. Of a network with that
        layer alone these are the normalised pixels.

    Raises
    ------
    CheckpointError
        The network has no fully connected layer.
    """
    model = frozen_copy(classifier, device)
    seen: list[Tensor] = []

    def look(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen[:] = inputs[:1]

    for module in model.modules():
        if isinstance(module, nn.Linear):
            module.register_forward_pre_hook(look)
    where, dtype = placement(model)
    found = []
    with torch.inference_mode():
        for start in range(0, max(len(images), 1), batch_size):
            batch = torch.tensor(images[start : start + batch_size], device=where)
            model(scale(batch, dtype))
            if not seen:
                raise CheckpointError("This network has no fully connected layer, so no features in front of one.")
            found.append(seen.pop().flatten(1).float().cpu())
            if progress is not None:
                progress(min(1.0, (start + batch_size) / max(len(images), 1)))
        result: NDArray[np.float32] = torch.cat(found).numpy()
    return result
