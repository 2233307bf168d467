"""Input gradients in bulk against the bare passes, against one image after the other, and their files against pyarrow.

The bare forward and backward pass takes normalised float32 images that are already in memory, the same network with
frozen weights, and leaves the gradients of the batches where they are; it is timed at several batch sizes, and what
counts is the quickest.
"""

import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from benchmarks.measure import Timing, interleaved, print_comparison
from explorer.analysis.evaluation.predictions import to_pixels
from explorer.analysis.frozen import frozen_copy
from explorer.analysis.gradients.bulk import GradientBatch, input_gradients, suitable_batch_size
from explorer.analysis.gradients.files import KEYS, Sink, csv_writer, parquet_writer
from explorer.analysis.gradients.statistics import Moments
from explorer.data.splits import Split
from explorer.store.checkpoints import Classifier

BATCH_SIZES = (64, 128, 256, 512, 1024)
ALONE = 400
"""Images that are differentiated one after the other; their time is scaled up."""


def compare_gradients(name: str, classifier: Classifier, split: Split, repeats: int) -> None:
    """Measure and print what the gradients of a split cost with one model."""
    candidates: dict[str, Callable[[], object]] = {
        f"bare, batches of {size}": _bare(classifier, split, size) for size in BATCH_SIZES
    }
    alone = min(ALONE, len(split))
    single = f"one by one ({alone} images, scaled up)"
    ours = f"input gradients, batches of {suitable_batch_size(classifier)}"
    candidates[single] = _bare(classifier, _first(split, alone), 1)
    candidates[ours] = lambda: sum(
        len(part.gradient) for part in input_gradients(classifier, split.images, split.labels)
    )
    candidates["the same, and their standard deviations"] = lambda: _moments(classifier, split)
    timings = interleaved(candidates, repeats)
    timings[single] = Timing(single, tuple(seconds * len(split) / alone for seconds in timings[single].seconds))
    best = min((timings[f"bare, batches of {size}"] for size in BATCH_SIZES), key=lambda timing: timing.median)
    title = f"{name}: gradients of {len(split):,} images; the base is the quickest bare forward and backward pass"
    print_comparison(title, timings, best.name)
    print(f"{name}: {timings[single].ratio(timings[ours]):.1f} times as fast as one image after the other\n")


def compare_files(classifier: Classifier, split: Split, repeats: int) -> None:
    """Measure and print what it costs to write the gradients of a split that are there already."""
    from pyarrow import csv, parquet

    parts = list(input_gradients(classifier, split.images, split.labels))
    table = _table(split, parts)
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder) / name for name in ("a.csv", "b.csv", "a.parquet", "b.parquet")}

        def ours(writer: Callable[[Path, Split], AbstractContextManager[Sink]], path: Path) -> Callable[[], None]:
            def write() -> None:
                with writer(path, split) as sink:
                    for part in parts:
                        sink(part)

            return write

        candidates: dict[str, Callable[[], object]] = {
            "CSV by pyarrow": lambda: csv.write_csv(table, paths["a.csv"]),
            "CSV": ours(csv_writer, paths["b.csv"]),
            "Parquet by pyarrow": lambda: parquet.write_table(table, paths["a.parquet"]),
            "Parquet": ours(parquet_writer, paths["b.parquet"]),
        }
        timings = interleaved(candidates, repeats)
        title = f"Writing the gradients of {len(split):,} images; pyarrow has them as a table"
        print_comparison(title, timings, "CSV by pyarrow")
        for name in ("b.csv", "b.parquet"):
            print(f"{name.partition('.')[2]}: {paths[name].stat().st_size / 1e6:.0f} MB")


def _bare(classifier: Classifier, split: Split, size: int) -> Callable[[], None]:
    network = frozen_copy(classifier.network)
    inputs = (to_pixels(split.images) - classifier.mean) / classifier.std
    labels = torch.tensor(split.labels)

    def run() -> None:
        for batch, truth in zip(inputs.split(size), labels.split(size), strict=True):
            batch = batch.detach().requires_grad_()
            torch.autograd.backward(F.cross_entropy(network(batch), truth, reduction="sum"))

    return run


def _moments(classifier: Classifier, split: Split) -> object:
    moments = Moments()
    for part in input_gradients(classifier, split.images, split.labels):
        moments.add(part)
    return moments.statistics("")


def _first(split: Split, count: int) -> Split:
    return replace(split, **{name: getattr(split, name)[:count] for name in ("images", "labels", "indices")})


def _table(split: Split, parts: list[GradientBatch]) -> object:
    import pyarrow

    gradient: NDArray[np.float32] = np.concatenate([part.gradient for part in parts]).reshape(len(split), -1)
    predicted = np.concatenate([part.predicted for part in parts])
    columns = dict(zip(KEYS, (split.indices, split.labels, predicted), strict=True))
    return pyarrow.table(columns | {f"g_{k}": column for k, column in enumerate(np.ascontiguousarray(gradient.T))})
