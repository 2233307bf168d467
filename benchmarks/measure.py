"""Timing in turns, and a table that says on what it was measured."""

import importlib.metadata
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

LIBRARIES = ("torch", "torchvision", "numpy", "scikit-learn", "skorch", "lightning", "keras", "streamlit")


@dataclass(frozen=True)
class Timing:
    """Seconds of one candidate, one for each round."""

    name: str
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Median of the rounds, in seconds."""
        return statistics.median(self.seconds)

    def ratio(self, base: "Timing") -> float:
        """Median over the rounds of this candidate's time by the base's in the same round."""
        return statistics.median(self._ratios(base))

    def ratio_range(self, base: "Timing") -> tuple[float, float]:
        """Smallest and largest of these ratios."""
        ratios = self._ratios(base)
        return min(ratios), max(ratios)

    def _ratios(self, base: "Timing") -> list[float]:
        return [own / other for own, other in zip(self.seconds, base.seconds, strict=True)]


def interleaved(candidates: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, Timing]:
    """Time candidates in turns, so that whatever slows the machine slows all of them.

    Parameters
    ----------
    candidates : mapping of str to callable
        What to time, by name. Each is called once more before the first round.
    repeats : int
        Rounds; the order is reversed in every other one.

    Returns
    -------
    dict of str to Timing
    """
    names = list(candidates)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for name in names:
        candidates[name]()
    for turn in range(repeats):
        for name in names if turn % 2 == 0 else reversed(names):
            begin = time.perf_counter()
            candidates[name]()
            seconds[name].append(time.perf_counter() - begin)
    return {name: Timing(name, tuple(values)) for name, values in seconds.items()}


def print_comparison(title: str, timings: Mapping[str, Timing], base: str) -> None:
    """Print medians, spread and the ratio to the base."""
    table = Table(title=title, title_justify="left")
    table.add_column("candidate")
    for heading in ("median s", "min s", "max s", "ratio", "ratios from", "to", "n"):
        table.add_column(heading, justify="right")
    for timing in timings.values():
        low, high = timing.ratio_range(timings[base])
        figures = (timing.median, min(timing.seconds), max(timing.seconds))
        ratios = (timing.ratio(timings[base]), low, high)
        cells = [f"{value:.4f}" for value in figures] + [f"{value:.3f}" for value in ratios]
        table.add_row(timing.name, *cells, str(len(timing.seconds)))
    Console(width=120).print(table)


def print_machine() -> None:
    """Print processor, threads, versions, and a warning where other work is going on."""
    cores, load = os.cpu_count() or 1, os.getloadavg()[0]
    print(f"{_processor()}, {cores} cores, {torch.get_num_threads()} threads, {platform.system()}")
    print(f"Python {platform.python_version()}, {', '.join(_versions())}")
    if load > cores / 2:
        print(f"Busy: a load of {load:.1f} before the start. Do not quote these figures.")


def _versions() -> list[str]:
    found = []
    for library in LIBRARIES:
        try:
            found.append(f"{library} {importlib.metadata.version(library)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
