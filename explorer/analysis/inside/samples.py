"""A part of a split, drawn once and for all, for what would take too long with all of it."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from explorer.data.splits import Split

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
