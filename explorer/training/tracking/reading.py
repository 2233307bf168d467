"""Reading a run's events back, through TensorBoard's own reader."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explorer.errors import RunError
from explorer.store.runs import Run
from explorer.training.tracking import events

FOLDER = "events"
KEEP_ALL = 0
OLD_OBJECTIVES = {"loss/train": "objective/train", "loss/step": "objective/step"}

Signature = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class ScalarSeries:
    """One scalar of a run over its steps; epochs, or steps counted over the whole run for `loss/step`."""

    steps: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class HistogramSeries:
    """Histograms of one tensor, brought to common bins.

    Attributes
    ----------
    epochs : tuple of int (E,)
    edges : ndarray of float64 (B + 1,)
    shares : ndarray of float64 (E, B)
        Share of the values in each bin; each row sums to 1.
    """

    epochs: tuple[int, ...]
    edges: NDArray[np.float64]
    shares: NDArray[np.float64]


@dataclass(frozen=True)
class Events:
    """What the event files of a run hold, pictures aside."""

    scalars: dict[str, ScalarSeries]
    histograms: dict[str, tuple[tuple[int, Any], ...]]

    def histogram(self, tag: str, bins: int = 48) -> HistogramSeries:
        """Return the histograms of one tensor over the epochs, in `bins` equal bins."""
        found = self.histograms[tag]
        low = min(value.min for _, value in found)
        high = max(value.max for _, value in found)
        margin = 0.0 if high > low else max(abs(low), 1.0) * 0.5
        edges = np.linspace(low - margin, high + margin, bins + 1)
        shares = np.stack([_rebin(value, edges) for _, value in found])
        return HistogramSeries(tuple(step for step, _ in found), edges, shares)


def folder(run: Run) -> Path:
    """Return where the events of a run are."""
    return run.path / FOLDER


def signature(run: Run) -> Signature:
    """Return names and sizes of a run's event files; empty where it has none. It changes with their content."""
    found = sorted(folder(run).glob(f"{events.PREFIX}.*"))
    return tuple((path.name, path.stat().st_size) for path in found if path.is_file())


def read(run: Run) -> Events:
    """Read the event files of a run.

    Raises
    ------
    RunError
        TensorBoard is not installed.
    """
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    except ImportError:
        raise RunError("TensorBoard is not installed. Run: pip install -r requirements.txt") from None
    guidance = {"scalars": KEEP_ALL, "histograms": KEEP_ALL, "images": 1, "tensors": 1, "compressedHistograms": 1}
    reader = EventAccumulator(str(folder(run)), size_guidance=guidance)
    reader.Reload()
    tags = reader.Tags()
    scalars = {tag: reader.Scalars(tag) for tag in tags["scalars"]}
    histograms = {tag: reader.Histograms(tag) for tag in tags["histograms"]}
    if run.objective and "objective/train" not in scalars:  # written by a version that called it the loss
        scalars = {OLD_OBJECTIVES.get(tag, tag): points for tag, points in scalars.items()}
    return Events(
        {
            tag: ScalarSeries(tuple(p.step for p in points), tuple(p.value for p in points))
            for tag, points in scalars.items()
        },
        {tag: tuple((p.step, p.histogram_value) for p in points) for tag, points in histograms.items()},
    )


def _rebin(histogram: Any, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spread the counts of a histogram over other bins, evenly within each of its own."""
    limits = np.array([histogram.min, *histogram.bucket_limit], dtype=np.float64)
    counts = np.array(histogram.bucket, dtype=np.float64)
    if histogram.min == histogram.max:
        shares = np.zeros(len(edges) - 1)
        shares[np.clip(np.searchsorted(edges, histogram.min, "right") - 1, 0, len(shares) - 1)] = 1.0
        return shares
    below = np.interp(edges, limits, np.concatenate([[0.0], counts.cumsum()]))
    result: NDArray[np.float64] = np.diff(below) / counts.sum()
    return result
