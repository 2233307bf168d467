"""What it costs to watch a run: `python -m benchmarks.watching`.

A real run of `lenet` is trained by a worker while this process does what the server does for an open page: once a
second it renews the part that watches, in Streamlit's own test client (so without a browser, whose processor time is
not the application's). The run is watched in every other epoch, and the two kinds of epochs are compared by the time of
their steps, which takes off whatever else slows the machine.

Two figures come out: the time of one renewal ("tick") in the server, and how much slower the training is while watched.
A second table reads the history of a long run, which is to cost no more.
"""

import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from streamlit.testing.v1 import AppTest

from benchmarks.measure import print_machine
from explorer.store import runs
from explorer.store.runs import ACTIVE, Run
from explorer.training.config import TrainConfig
from explorer.training.queue import supervisor
from explorer.ui.kit.run_history import Reader

POLL_SECONDS = 1.0
WANTED_TICK, WANTED_SLOWDOWN = 0.050, 0.03
LONG_EPOCHS, LONG_STEPS = 1_000, 100

SCRIPT = """
import time
import streamlit as st
from benchmarks import watching
from explorer.store import runs
from explorer.ui import run_watch

run = runs.get(st.query_params["run"])
wall, busy = time.perf_counter(), time.thread_time()
run_watch.watch(run)
watching.TICKS.append((time.perf_counter() - wall, time.thread_time() - busy))
"""
TICKS: list[tuple[float, float]] = []
"""Of each tick so far: seconds by the clock, and seconds of processor time."""


def main(
    epochs: Annotated[int, typer.Option(min=4, help="Epochs; every other one is watched.")] = 12,
    subset: Annotated[int, typer.Option(min=100, help="Training images of an epoch.")] = 6_000,
    threads: Annotated[int, typer.Option(min=0, help="Threads of the training; 0 takes one for each core.")] = 0,
) -> None:
    """Measure and print."""
    print_machine()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["EXPLORER_HOME"] = folder
        config = TrainConfig(model="lenet", epochs=epochs, subset=subset, threads=threads)
        run = runs.create(config.model_dump(mode="json"))
        _warm(run)
        supervisor.submit(run)
        _watch_every_other_epoch(run)
        if run.status.state != "finished":
            raise RuntimeError(f"the run is {run.status.state}: {run.status.message}")
        _print_ticks()
        _print_slowdown(run)
        _print_history(Path(folder))


def _opened(run: Run) -> AppTest:
    app = AppTest.from_string(SCRIPT, default_timeout=60)
    app.query_params["run"] = run.id
    return app


def _warm(run: Run) -> None:
    """Open the page once, which imports everything."""
    _opened(run).run()
    TICKS.clear()


def _watch_every_other_epoch(run: Run) -> None:
    """Renew the page once a second while an even epoch is trained."""
    app, over = _opened(run), threading.Event()

    def tick() -> None:
        while not over.wait(POLL_SECONDS):
            if run.status.state == "running" and run.status.epoch % 2 == 1:
                app.run()

    watcher = threading.Thread(target=tick)
    watcher.start()
    while run.status.state in ACTIVE:
        time.sleep(0.5)
    over.set()
    watcher.join()


def _print_ticks() -> None:
    for name, values in zip(("by the clock", "of processor time"), zip(*TICKS, strict=True), strict=True):
        figures = f"median {1000 * statistics.median(values):.1f} ms, worst {1000 * max(values):.1f} ms"
        print(f"One tick {name}: {figures} (n = {len(values)}; wanted: below {1000 * WANTED_TICK:.0f} ms)")


def _print_slowdown(run: Run) -> None:
    """Compare each watched epoch with the mean of its neighbours, which were not; the first epoch warms up."""
    seconds = {line["epoch"]: line["train_seconds"] for line in run.epochs()}
    ratios = [
        seconds[epoch] / statistics.mean((seconds[epoch - 1], seconds[epoch + 1]))
        for epoch in range(4, max(seconds), 2)
    ]
    images = run.config["subset"] / statistics.median(seconds[epoch] for epoch in range(3, max(seconds) + 1, 2))
    print(
        f"Training while watched takes {100 * (statistics.median(ratios) - 1):+.1f}% more time "
        f"(from {100 * (min(ratios) - 1):+.1f}% to {100 * (max(ratios) - 1):+.1f}%, n = {len(ratios)} epochs; else "
        f"{images:,.0f} images per second; wanted: less than {100 * WANTED_SLOWDOWN:.0f}%)"
    )


def _print_history(folder: Path) -> None:
    path = folder / "history.jsonl"
    with path.open("w") as file:
        for epoch in range(1, LONG_EPOCHS + 1):
            for step in range(1, LONG_STEPS + 1):
                line = {"kind": "step", "epoch": epoch, "step": step, "steps": LONG_STEPS, "loss": 0.5}
                file.write(json.dumps(line | {"learning_rate": 0.001}) + "\n")
    reader = Reader(path)
    first = _seconds(lambda: reader.read(LONG_EPOCHS))
    later = [_seconds(lambda: reader.read(LONG_EPOCHS)) for _ in range(50)]
    print(
        f"A history of {LONG_EPOCHS * LONG_STEPS:,} lines: {1000 * first:.0f} ms once, "
        f"then {1000 * statistics.median(later):.2f} ms a tick"
    )


def _seconds(action: Callable[[], object]) -> float:
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


if __name__ == "__main__":
    # The script imports this module by its name; without this there would be two lists of ticks.
    from benchmarks import watching

    typer.run(watching.main)
