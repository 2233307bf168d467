"""From how much work on a step is quicker with all cores than with one: `python -m benchmarks.threads`.

As in the application, threads sleep while they wait for work. Each network trains for some steps with one thread and
with all cores, in turn. Where a second thread begins to pay is what `explorer.training.threads` draws its line at;
the last column says what that chooses. Run it on an otherwise idle machine.
"""

import os
import time

os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # is read when PyTorch is imported

from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.measure import Timing, interleaved, print_machine
from explorer import devices
from explorer.training.config import TrainConfig
from explorer.training.loop import train
from explorer.training.records import Step
from explorer.training.seeds.loop import train_seeds
from explorer.training.threads import choose_threads, multiply_adds

CASES: tuple[tuple[str, dict[str, Any], int], ...] = (
    ("mlp 64", {}, 1),
    ("mlp 256", {"batch_size": 256}, 1),
    ("mlp 1024", {"batch_size": 1024}, 1),
    ("mlp 8192", {"batch_size": 8192}, 1),
    ("mlp 1000 units, 64", {"options": {"hidden": [1000]}}, 1),
    ("mlp 10 x 32 units, 64", {"options": {"hidden": [32] * 10}}, 1),
    ("mlp 64, 5 seeds", {}, 5),
    ("mlp 256, 5 seeds", {"batch_size": 256}, 5),
    ("cnn 64", {"model": "cnn"}, 1),
    ("lenet 1", {"model": "lenet", "batch_size": 1}, 1),
    ("lenet 16", {"model": "lenet", "batch_size": 16}, 1),
    ("lenet 64", {"model": "lenet"}, 1),
    ("resnet 16", {"model": "resnet", "batch_size": 16}, 1),
    ("resnet 64", {"model": "resnet"}, 1),
)


class Course:
    """A run that is taken some steps further at every call; only the steps count, not the evaluation between them."""

    def __init__(self, config: TrainConfig, seeds: int, count: int) -> None:
        self.threads, self.count = config.threads, count
        self.records = train(config) if seeds == 1 else train_seeds(config, range(seeds))
        self.seconds: list[float] = []
        """Mean of a step, for each call."""

    def __call__(self) -> None:
        """Take the next steps."""
        torch.set_num_threads(self.threads)
        spent, done = 0.0, 0
        while done < self.count:
            begin = time.perf_counter()
            if isinstance(next(self.records), Step):
                spent += time.perf_counter() - begin
                done += 1
        self.seconds.append(spent / done)


def main(
    repeats: Annotated[int, typer.Option(min=1, help="Rounds.")] = 7,
    work: Annotated[int, typer.Option(min=1, help="Millions of multiply-adds in each round, at least 5 steps.")] = 4000,
) -> None:
    """Measure and print."""
    print_machine()
    table = Table(title="milliseconds of a step, median", title_justify="left")
    table.add_column("network, batch")
    for heading in ("million multiply-adds", "1 thread", "all cores", "ratio", "from", "to", "n", "chosen"):
        table.add_column(heading, justify="right")
    every = devices.cores()
    for name, values, seeds in CASES:
        config = TrainConfig.parse({"device": "cpu", "epochs": 100} | values)
        size = seeds * config.batch_size * multiply_adds(config)
        count = min(400, max(5, work * 10**6 // size))
        courses = {
            threads: Course(config.model_copy(update={"threads": threads}), seeds, count) for threads in (1, every)
        }
        interleaved({str(threads): course for threads, course in courses.items()}, repeats)
        one, all_cores = (Timing(str(threads), tuple(courses[threads].seconds[1:])) for threads in (1, every))
        figures = [1000 * timing.median for timing in (one, all_cores)]
        ratios = [all_cores.ratio(one), *all_cores.ratio_range(one)]
        cells = [f"{size / 1e6:,.0f}", *(f"{value:.2f}" for value in (*figures, *ratios)), str(repeats)]
        table.add_row(name, *cells, str(choose_threads(config, seeds)))
    Console(width=120).print(table)


if __name__ == "__main__":
    typer.run(main)
