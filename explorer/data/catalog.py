"""The data sets: what each is, where it comes from, and the checksums of its content."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from explorer.errors import DataError
from explorer.paths import DATA_FILES


@dataclass(frozen=True)
class IdxFile:
    """One gzip-compressed IDX file and the MD5 of its uncompressed content (the value public loaders check)."""

    name: str
    md5: str


class IdxFiles(NamedTuple):
    """The four files of a set."""

    train_images: IdxFile
    train_labels: IdxFile
    test_images: IdxFile
    test_labels: IdxFile


@dataclass(frozen=True)
class DatasetSpec:
    """What there is to know of a data set before it is read.

    `mean` and `std` are those of all pixels of the 54,000 training images, scaled to [0, 1].
    """

    name: str
    title: str
    classes: tuple[str, ...]
    mean: float
    std: float
    source: str
    licence: str
    files: IdxFiles
    channels: int = 1
    size: int = 28
    train: int = 54_000
    validation: int = 6_000
    test: int = 10_000

    @property
    def folder(self) -> Path:
        """The folder with the four compressed files."""
        return DATA_FILES / self.name

    @property
    def checksum(self) -> str:
        """One MD5 for the whole set: that of its files' MD5 digests, in order."""
        return hashlib.md5("".join(file.md5 for file in self.files).encode(), usedforsecurity=False).hexdigest()


def _idx_files(train_images: str, train_labels: str, test_images: str, test_labels: str) -> IdxFiles:
    return IdxFiles(
        IdxFile("train-images-idx3-ubyte.gz", train_images),
        IdxFile("train-labels-idx1-ubyte.gz", train_labels),
        IdxFile("t10k-images-idx3-ubyte.gz", test_images),
        IdxFile("t10k-labels-idx1-ubyte.gz", test_labels),
    )


_SETS = (
    DatasetSpec(
        name="fashion-mnist",
        title="Fashion-MNIST",
        classes=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        mean=0.28622,
        std=0.35309,
        source="Xiao, Rasul and Vollgraf (2017), github.com/zalandoresearch/fashion-mnist",
        licence="MIT",
        files=_idx_files(
            "f4a8712d7a061bf5bd6d2ca38dc4d50a",
            "9018921c3c673c538a1fc5bad174d6f9",
            "8181f5470baa50b63fa0f6fddb340f0a",
            "15d484375f8d13e6eb1aabb0c3f46965",
        ),
    ),
    DatasetSpec(
        name="mnist",
        title="MNIST",
        classes=tuple("0123456789"),
        mean=0.13069,
        std=0.30815,
        source="LeCun, Cortes and Burges (1998), yann.lecun.com/exdb/mnist",
        licence="CC BY-SA 3.0",
        files=_idx_files(
            "6bbc9ace898e44ae57da46a324031adb",
            "a25bea736e30d166cdddb491f175f624",
            "2646ac647ad5339dbf082846283269ea",
            "27ae3e4e09519cfbb04c329615203637",
        ),
    ),
)
_BY_NAME = {spec.name: spec for spec in _SETS}


def names() -> tuple[str, ...]:
    """Return the names of all data sets."""
    return tuple(_BY_NAME)


def get(name: str) -> DatasetSpec:
    """Return the data set called `name`.

    Raises
    ------
    DataError
        There is none; the message names those that exist.
    """
    if name not in _BY_NAME:
        raise DataError(f"There is no data set called {name!r}. Choose one of: {', '.join(names())}.")
    return _BY_NAME[name]
