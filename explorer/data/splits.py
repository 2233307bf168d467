"""The three splits of a data set: 54,000 training, 6,000 validation and 10,000 test images."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from explorer.data import catalog, idx
from explorer.errors import DataError

SplitName = Literal["train", "validation", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "validation", "test")
SPLIT_SEED = 2017


@dataclass(frozen=True)
class Split:
    """Images and labels of one split.

    Attributes
    ----------
    images : ndarray of uint8, shape (N, 28, 28)
        Grey levels, 0 black to 255 white; read-only.
    labels : ndarray of int64, shape (N,)
    indices : ndarray of int64, shape (N,)
        Each image's position in its file: the 60,000 for `train` and `validation`, the 10,000 for `test`.
    """

    dataset: str
    name: str
    images: np.ndarray
    labels: np.ndarray
    indices: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


@lru_cache(maxsize=6)
def load_split(dataset: str, split: str) -> Split:
    """Return one split of a data set.

    Raises
    ------
    DataError
        The data set or the split is unknown, or a file is missing or damaged.
    """
    spec = catalog.get(dataset)
    if split not in SPLITS:
        raise DataError(f"There is no split called {split!r}. Choose one of: {', '.join(SPLITS)}.")
    part = "test" if split == "test" else "train"
    images = _read(spec, f"{part}_images")
    labels = _read(spec, f"{part}_labels").astype(np.int64)
    if split == "test":
        indices = np.arange(len(labels))
    else:
        train, validation = stratify(labels, spec.validation)
        indices = train if split == "train" else validation
        images, labels = images[indices], labels[indices]
    for array in (images, labels, indices):
        array.setflags(write=False)
    return Split(dataset, split, images, labels, indices)


def stratify(labels: np.ndarray, held_out: int) -> tuple[np.ndarray, np.ndarray]:
    """Divide positions into two sorted parts, every class in the same proportion.

    Parameters
    ----------
    labels : ndarray of int, shape (N,)
    held_out : int
        Size of the second part.

    Returns
    -------
    kept, held_out : ndarrays of int64
        Seeded by `SPLIT_SEED` through NumPy's frozen `RandomState` stream, so the same on every machine.
    """
    random = np.random.RandomState(SPLIT_SEED)
    quotas = _quotas(np.bincount(labels), held_out)
    chosen = [random.permutation(np.flatnonzero(labels == label))[:quota] for label, quota in enumerate(quotas)]
    mask = np.zeros(len(labels), dtype=bool)
    mask[np.concatenate(chosen)] = True
    return np.flatnonzero(~mask), np.flatnonzero(mask)


def _quotas(counts: np.ndarray, total: int) -> np.ndarray:
    """Share `total` out in proportion to `counts`, whole numbers, largest remainders first."""
    exact = counts * total / counts.sum()
    quotas: np.ndarray = np.floor(exact).astype(np.int64)
    short = total - int(quotas.sum())
    quotas[np.argsort(quotas - exact, kind="stable")[:short]] += 1
    return quotas


def _read(spec: catalog.DatasetSpec, which: str) -> np.ndarray:
    file: catalog.IdxFile = getattr(spec.files, which)
    array: np.ndarray = idx.load(spec.folder / file.name, file.md5)
    return array
