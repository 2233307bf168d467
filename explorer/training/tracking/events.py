"""Event files in TensorBoard's format: records appended whole, and cut off where a resumed run goes on.

TensorBoard's own `EventFileWriter` writes from a thread, so that a full disk is noticed somewhere else, and it loads
TensorFlow where that is installed; here its record format and its messages are used alone.
"""

import io
import os
import re
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

VERSION = "brain.Event:2"
"""First event of every file; TensorBoard reads the others by it."""

PREFIX = "events.out.tfevents"
_STAMP = re.compile(rf"{re.escape(PREFIX)}\.(\d{{10}})\.(\d{{6}})")
_LENGTH = struct.Struct("<QI")
_CHECKSUM = 4

Event = Any
"""A `tensorboard.compat.proto.event_pb2.Event`; that module is loaded when the first is made."""


class EventFile:
    """One event file, made when the first event is appended. Files sort in the order of their making.

    They do even where the clock has been set back, as TensorBoard reads them in that order.
    """

    def __init__(self, folder: Path) -> None:
        others = filter(None, map(_STAMP.fullmatch, (path.name for path in folder.glob(f"{PREFIX}.*"))))
        last = max((int(seconds + fraction) for seconds, fraction in (other.groups() for other in others)), default=0)
        seconds, fraction = divmod(max(time.time_ns() // 1000, last + 1), 1_000_000)
        self.path = folder / f"{PREFIX}.{seconds:010d}.{fraction:06d}"
        self._exists = False

    def append(self, events: Sequence[Event]) -> None:
        """Write events; when this returns they survive the end of the process.

        Raises
        ------
        OSError
            They cannot be written; the file is as it was.
        ImportError
            TensorBoard is not installed.
        """
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.summary.writer.record_writer import RecordWriter

        records = io.BytesIO()
        writer = RecordWriter(records)
        if not self._exists:
            writer.write(Event(wall_time=time.time(), file_version=VERSION).SerializeToString())
        for event in events:
            writer.write(event.SerializeToString())
        self.path.parent.mkdir(parents=True, exist_ok=True)
        _append(self.path, records.getvalue())
        self._exists = True


def scalars(values: dict[str, float], step: int, wall_time: float | None = None) -> Event:
    """Return an event with one scalar for each name."""
    from tensorboard.compat.proto.summary_pb2 import Summary

    return event([Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()], step, wall_time)


def event(values: Sequence[Any], step: int, wall_time: float | None = None) -> Event:
    """Return an event with these values of `summary_pb2.Summary`."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    return Event(wall_time=wall_time or time.time(), step=step, summary=Summary(value=values))


def cut(folder: Path, is_later: Callable[[Event], bool]) -> bool:
    """Take what a resumed run will write again out of the event files.

    Every file ends before its first event that `is_later`, and before a record that a crash has torn; a file of
    which no event is left is removed.

    Returns
    -------
    bool
        Whether any event is left.
    """
    left = False
    for path in sorted(folder.glob(f"{PREFIX}.*")):
        count, end = 0, 0
        for found, offset in _records(path):
            if is_later(found):
                break
            count, end = count + (not found.file_version), offset
        if not count:
            path.unlink()
        elif end < path.stat().st_size:
            os.truncate(path, end)
        left = left or count > 0
    return left


def _append(path: Path, data: bytes) -> None:
    with path.open("ab", buffering=0) as file:
        start = file.tell()
        view = memoryview(data)
        try:
            while view:
                view = view[file.write(view) :]
        except OSError:
            os.truncate(path, start)
            raise


def _records(path: Path) -> Iterator[tuple[Event, int]]:
    """Yield each event that is there completely, and where its record ends."""
    from google.protobuf.message import DecodeError
    from tensorboard.compat.proto.event_pb2 import Event

    with path.open("rb") as file:
        while len(head := file.read(_LENGTH.size)) == _LENGTH.size:
            length = _LENGTH.unpack(head)[0]
            if length > path.stat().st_size:
                return
            body = file.read(length + _CHECKSUM)
            if len(body) < length + _CHECKSUM:
                return
            try:
                yield Event.FromString(body[:length]), file.tell()
            except DecodeError:
                return
