"""A user's own set in the forms that other programs read, and published as a data set to train on."""

import csv
import gzip
import hashlib
import io
import re
import zipfile
from dataclasses import dataclass

import numpy as np
from PIL import Image

from explorer.data import catalog
from explorer.data.own.sets import OwnSet
from explorer.data.splits import Split, load_split, stratify
from explorer.errors import DataError
from explorer.files import write_bytes, write_json

VALIDATION, TEST = 0.1, 0.2
FEWEST = 14
"""Drawings with which ten are left to train on, and one at least to validate and to test with."""

_MADE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Download:
    """A file for the user."""

    name: str
    mime: str
    content: bytes


def to_png(own: OwnSet) -> Download:
    """Pack one PNG for each drawing into a zip file, with a table of the labels.

    Raises
    ------
    DataError
        The set is empty or damaged.
    """
    split = _filled(own)
    out, table = io.BytesIO(), io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(["file", "label", "class"])
    with zipfile.ZipFile(out, "w") as archive:
        for number, (image, label) in enumerate(zip(split.images, split.labels.tolist(), strict=True), start=1):
            picture = io.BytesIO()
            Image.fromarray(image).save(picture, "PNG")
            name = f"{number:05d}-{label}-{_slug(own.classes[label])}.png"
            archive.writestr(zipfile.ZipInfo(name, _MADE), picture.getvalue())
            rows.writerow([name, label, own.classes[label]])
        archive.writestr(zipfile.ZipInfo("labels.csv", _MADE), table.getvalue().encode())
    return Download(f"{_slug(own.name)}-png.zip", "application/zip", out.getvalue())


def to_idx(own: OwnSet) -> Download:
    """Pack images and labels as two compressed IDX files, the form of MNIST, into a zip file.

    Raises
    ------
    DataError
        The set is empty or damaged.
    """
    split = _filled(own)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, array in (("images-idx3-ubyte.gz", split.images), ("labels-idx1-ubyte.gz", split.labels)):
            archive.writestr(zipfile.ZipInfo(name, _MADE), gzip.compress(idx_bytes(array), mtime=0))
    return Download(f"{_slug(own.name)}-idx.zip", "application/zip", out.getvalue())


def to_npz(own: OwnSet) -> Download:
    """Write NumPy arrays `images` (N, 28, 28), `labels` (N,) and `classes` (C,).

    Raises
    ------
    DataError
        The set is empty or damaged.
    """
    split = _filled(own)
    out = io.BytesIO()
    np.savez_compressed(out, images=split.images, labels=split.labels, classes=np.array(own.classes))
    return Download(f"{_slug(own.name)}.npz", "application/octet-stream", out.getvalue())


def publish(own: OwnSet, rehearsed: int = 0) -> str:
    """Freeze the drawings as a data set that can be evaluated and trained on like the built-in ones.

    A fifth is held out for testing and a tenth for validation, of every class in proportion and the same ones every
    time. The same drawings give the same data set; whatever is drawn later does not change it.

    Parameters
    ----------
    own : OwnSet
    rehearsed : int
        So many training images of the set whose classes the drawings have are mixed in, of every class in proportion:
        to train on and to validate with, not to test with.

    Returns
    -------
    str
        The name for `catalog.get`, `load_split` and a training configuration; its `subset` is to be the number of
        training images.

    Raises
    ------
    DataError
        There are fewer than 14 drawings, the set is damaged, or the disk is full.
    """
    split = own.split()
    n = len(split)
    if n < FEWEST:
        raise DataError(f"To train on your drawings {FEWEST} are needed, and there are {n}. Draw some more.")
    rest, test = stratify(split.labels, max(1, round(TEST * n)))
    parts = {"train": rest, "test": test}
    arrays = [array[rows] for rows in parts.values() for array in (split.images, split.labels)]
    title = own.name
    if rehearsed:
        old = load_split(own.dataset, "train")
        rows = stratify(old.labels, rehearsed)[1]
        arrays[:2] = [
            np.concatenate(pair) for pair in zip(arrays[:2], (old.images[rows], old.labels[rows]), strict=True)
        ]
        title += f" with {rehearsed:,} images of {catalog.get(own.dataset).title}"
    contents = dict(zip(catalog.IdxFiles._fields, map(idx_bytes, arrays), strict=True))
    sums = {key: hashlib.md5(content, usedforsecurity=False).hexdigest() for key, content in contents.items()}
    name = f"{own.dataset}-own-{hashlib.sha256(''.join(sums.values()).encode()).hexdigest()[:12]}"
    validation = max(1, round(VALIDATION * (n + rehearsed)))
    place = catalog.own_folder() / name
    sizes = {"train": len(rest) + rehearsed - validation, "validation": validation, "test": len(test)}
    try:
        for key, file in catalog.get(own.dataset).files._asdict().items():
            write_bytes(place / file.name, gzip.compress(contents[key], mtime=0))
        write_json(place / catalog.OWN_ABOUT, {"title": title, "files": sums, **sizes})
    except OSError as error:
        raise DataError(f"The drawings cannot be published: {error.strerror}. Free some space.") from None
    return name


def idx_bytes(array: np.ndarray) -> bytes:
    """Return an array of whole numbers from 0 to 255 as an IDX file of unsigned bytes."""
    header = bytes([0, 0, 8, array.ndim]) + b"".join(side.to_bytes(4, "big") for side in array.shape)
    return header + array.astype(np.uint8).tobytes()


def _filled(own: OwnSet) -> Split:
    split = own.split()
    if not len(split):
        raise DataError("There is nothing to export yet. Keep a drawing first.")
    return split


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40] or "drawings"
