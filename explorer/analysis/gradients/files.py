"""Input gradients as files: one row for each image, written block by block, complete or absent.

Columns `index` (position in the file of the data set), `label`, `predicted` and `g_0`, `g_1`, ...: the pixels row by
row. CSV has the shortest decimals that give the float32 back; Parquet has the float32 themselves.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray
from torch import nn

from explorer.analysis.files import atomic_output
from explorer.analysis.gradients.bulk import GradientBatch, Of, input_gradients

if TYPE_CHECKING:
    import pyarrow

    from explorer.data.splits import Split

PathLike = str | os.PathLike[str]
Sink = Callable[[GradientBatch], None]

KEYS = ("index", "label", "predicted")
CSV_ROWS = 1024
"""Rows written at once: the more, the less each costs; from here on the gain is small."""
FORMATTERS = 2
"""Threads that format CSV; each has a block of some 15 MB in hand."""
PARQUET_ROWS = 4096


def save_gradients(
    classifier: nn.Module,
    split: Split,
    *,
    csv: PathLike | None = None,
    parquet: PathLike | None = None,
    of: Of = "loss",
    batch_size: int | None = None,
    listen: Sink = lambda _batch: None,
) -> Iterator[int]:
    """Differentiate every image of a split once, and write the gradients to files on the way.

    Parameters
    ----------
    classifier, of, batch_size
        As for `explorer.analysis.gradients.bulk.input_gradients`.
    split : Split
        The images and their labels.
    csv, parquet : path-like, optional
        The files; existing ones are replaced when all is written.
    listen : callable, optional
        Is handed every batch, such as `explorer.analysis.gradients.statistics.Moments.add`.

    Yields
    ------
    int
        How many images are done, after every batch. Closing the iterator cancels: under the names of the files is
        nothing then, or what was there before.

    Raises
    ------
    OutputError
        A file cannot be written; nothing is left under any of the names, or what was there before.
    ConfigError, CheckpointError
        The classifier has no such class, or its gradients are not finite numbers.
    """
    with ExitStack() as stack:
        sinks = [listen]
        sinks += [stack.enter_context(csv_writer(csv, split))] if csv is not None else []
        sinks += [stack.enter_context(parquet_writer(parquet, split))] if parquet is not None else []
        for batch in input_gradients(classifier, split.images, split.labels, of, batch_size):
            for sink in sinks:
                sink(batch)
            yield batch.rows.stop


@contextmanager
def csv_writer(path: PathLike, split: Split) -> Iterator[Sink]:
    """Open a CSV file that takes the gradients of a split, batch by batch in order.

    Parameters
    ----------
    path : path-like
        The file; it appears when the block ends without an error.
    split : Split

    Yields
    ------
    callable
        Takes a `GradientBatch`.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    schema = _schema(split)
    with atomic_output(path) as stream:
        stream.write((",".join(schema.names) + "\n").encode())
        with _Formatting(stream) as writer:
            blocks = _Blocks(schema, split, CSV_ROWS, writer.add)
            yield blocks.add
            blocks.flush()


@contextmanager
def parquet_writer(path: PathLike, split: Split) -> Iterator[Sink]:
    """Open a Parquet file that takes the gradients of a split; as `csv_writer`."""
    from pyarrow import parquet

    schema = _schema(split)
    how = {"use_dictionary": list(KEYS[1:]), "write_statistics": list(KEYS), "compression": "zstd"}
    with atomic_output(path) as stream, parquet.ParquetWriter(stream, schema, **how) as writer:
        blocks = _Blocks(schema, split, PARQUET_ROWS, writer.write_batch)
        yield blocks.add
        blocks.flush()


def _csv_text(rows: pyarrow.RecordBatch) -> pyarrow.Buffer:
    import pyarrow
    from pyarrow import csv

    text = pyarrow.BufferOutputStream()
    csv.write_csv(rows, text, csv.WriteOptions(include_header=False, batch_size=CSV_ROWS))
    return text.getvalue()


class _Formatting:
    """Turns blocks into text on several threads, for that is what takes the time, and writes them in their order."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.pool = ThreadPoolExecutor(FORMATTERS)
        self.pending: deque[Future[pyarrow.Buffer]] = deque()

    def add(self, rows: pyarrow.RecordBatch) -> None:
        """Take the next block; while the threads have enough to do, wait and write."""
        self.pending.append(self.pool.submit(_csv_text, rows))
        self._write(FORMATTERS)

    def _write(self, remaining: int) -> None:
        while len(self.pending) > remaining:
            self.stream.write(self.pending.popleft().result())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._write(0)
        finally:
            self.pool.shutdown(cancel_futures=True)


class _Blocks:
    """Collects batches into larger record batches, and hands these on."""

    def __init__(
        self, schema: pyarrow.Schema, split: Split, rows: int, write: Callable[[pyarrow.RecordBatch], None]
    ) -> None:
        self.schema, self.split, self.rows, self.write = schema, split, rows, write
        self.first = self.filled = 0
        self._renew()

    def add(self, batch: GradientBatch) -> None:
        """Take the next batch."""
        columns, predicted = batch.gradient.reshape(-1, len(self.columns)).T, batch.predicted
        while len(predicted):
            taken = min(self.rows - self.filled, len(predicted))
            place = slice(self.filled, self.filled + taken)
            self.columns[:, place], self.predicted[place] = columns[:, :taken], predicted[:taken]
            columns, predicted, self.filled = columns[:, taken:], predicted[taken:], self.filled + taken
            if self.filled == self.rows:
                self.flush()

    def flush(self) -> None:
        """Hand on what there is."""
        import pyarrow

        if not self.filled:
            return
        rows = slice(self.first, self.first + self.filled)
        keys = (self.split.indices[rows], self.split.labels[rows], self.predicted[: self.filled])
        flat, step = pyarrow.array(self.columns.reshape(-1)), self.rows
        pixels = [flat.slice(start, self.filled) for start in range(0, len(flat), step)]
        arrays = [*(pyarrow.array(values, pyarrow.int64()) for values in keys), *pixels]
        self.write(pyarrow.RecordBatch.from_arrays(arrays, schema=self.schema))
        self.first, self.filled = rows.stop, 0
        self._renew()

    def _renew(self) -> None:
        """Take new memory, for a writer may still hold on to the last block's."""
        self.columns: NDArray[np.float32] = np.empty((len(self.schema) - len(KEYS), self.rows), np.float32)
        self.predicted: NDArray[np.int64] = np.empty(self.rows, np.int64)


def _schema(split: Split) -> pyarrow.Schema:
    import pyarrow

    pixels = int(np.prod(split.images.shape[1:]))
    keys = [(name, pyarrow.int64()) for name in KEYS]
    return pyarrow.schema(keys + [(f"g_{k}", pyarrow.float32()) for k in range(pixels)])
