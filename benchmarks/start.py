"""How long from a click on "Start training" to the first step: `python -m benchmarks.start`.

Runs of the default model are put into the queue one after the other, as the page does. The first waits for the
supervisor to start and import PyTorch; the others for their worker to be forked and to load the data. The figures
are seconds from the request to the moment that the first step stands in the run's status.
"""

import os
import tempfile
import time
from typing import Annotated

import typer

from benchmarks.measure import Timing, print_comparison, print_machine
from explorer.store import runs
from explorer.training.config import TrainConfig
from explorer.training.queue import requests, supervisor

POLL_SECONDS = 0.002
PATIENCE_SECONDS = 60.0


def main(repeats: Annotated[int, typer.Option(min=2, help="Runs after the first.")] = 10) -> None:
    """Measure and print."""
    print_machine()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["EXPLORER_HOME"] = folder
        seconds = [_start() for _ in range(repeats + 1)]
    timings = {
        "later runs": Timing("later runs", tuple(seconds[1:])),
        "first run": Timing("first run", (seconds[0],) * repeats),
    }
    print_comparison("From the request to the first step", timings, "later runs")


def _start() -> float:
    started = time.perf_counter()
    run = runs.create(TrainConfig(epochs=1).model_dump(mode="json"))
    supervisor.submit(run)
    while not (run.status.step or run.status.epoch):
        if time.perf_counter() - started > PATIENCE_SECONDS:
            raise TimeoutError(f"the run is {run.status.state} after {PATIENCE_SECONDS} s: {run.status.message}")
        time.sleep(POLL_SECONDS)
    seconds = time.perf_counter() - started
    requests.stop(run)
    while run.status.state in runs.ACTIVE:
        time.sleep(POLL_SECONDS)
    return seconds


if __name__ == "__main__":
    typer.run(main)
