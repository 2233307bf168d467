"""The data sets: what each is, where it comes from, and the checksums of its content."""

import hashlib
import json
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from explorer.errors import DataError
from explorer.paths import DATA_FILES, home


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

    `mean` and `std` are those of all pixels of the 54,000 training images, scaled to [0, 1]; of a user's own drawings,
    those of the set whose classes they have, as a model that is tuned on them was trained with these.
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
    place: Path | None = None

    @property
    def folder(self) -> Path:
        """The folder with the four compressed files."""
        return self.place or DATA_FILES / self.name

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


OWN = re.compile(rf"({'|'.join(_BY_NAME)})-own-[0-9a-f]{{12}}", re.ASCII)
"""Names of published sets of a user's own drawings: the set whose classes they have, and a digest of the content."""
OWN_ABOUT = "about.json"
_MD5 = re.compile(r"[0-9a-f]{32}", re.ASCII)


def names() -> tuple[str, ...]:
    """Return the names of the built-in data sets."""
    return tuple(_BY_NAME)


def own_folder() -> Path:
    """Return where published sets of drawings lie, one folder for each by its name."""
    return home() / "published"


def own_names() -> tuple[str, ...]:
    """Return the names of the published sets of drawings, the oldest first."""
    found = [path for path in own_folder().glob(f"*/{OWN_ABOUT}") if OWN.fullmatch(path.parent.name)]
    return tuple(path.parent.name for path in sorted(found, key=lambda path: (path.stat().st_mtime_ns, path)))


def base(name: str) -> str:
    """Return the built-in data set whose classes and recipe a set has: of a built-in or unknown one, itself."""
    match = OWN.fullmatch(name)
    return match[1] if match else name


def get(name: str) -> DatasetSpec:
    """Return the data set called `name`: a built-in one, or a published set of drawings.

    Raises
    ------
    DataError
        There is none, and the message names those that exist; or its description is damaged.
    """
    if OWN.fullmatch(name) and (own_folder() / name).is_dir():
        return _own(own_folder() / name)
    if name not in _BY_NAME:
        raise DataError(f"There is no data set called {name!r}. Choose one of: {', '.join(names())}.")
    return _BY_NAME[name]


@lru_cache(maxsize=64)
def _own(place: Path) -> DatasetSpec:
    """Read the description of a published set, which never changes."""
    try:
        about: dict[str, Any] = json.loads((place / OWN_ABOUT).read_bytes())
        sums = [str(about["files"][key]) for key in IdxFiles._fields]
        sizes = {part: int(about[part]) for part in ("train", "validation", "test")}
        title = str(about["title"])
        if not all(map(_MD5.fullmatch, sums)) or min(sizes.values()) < 0 or len(title) > 200:
            raise ValueError("out of range")
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise DataError(f"The description of the data set {place.name!r} is damaged. Publish the set again.") from None
    origin = _BY_NAME[base(place.name)]
    return replace(
        origin,
        name=place.name,
        title=title,
        source=f"Drawn here, for the classes of {origin.title}",
        licence="The user's own",
        files=_idx_files(*sums),
        train=sizes["train"],
        validation=sizes["validation"],
        test=sizes["test"],
        place=place,
    )
