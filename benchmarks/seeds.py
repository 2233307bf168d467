"""How much quicker are several seeds at once: `python -m benchmarks.seeds`.

In one run, in turn, with the same settings, threads and number of steps: several seeds of one configuration as one
batched computation, and one after the other with the ordinary loop. Each seed trains for whole epochs of 54,000
images and is evaluated on the 6,000 validation and 10,000 test images, as always. The first table has all of it,
from the configuration to the last record; the second the training steps alone. Run it on an otherwise idle machine.
"""

import statistics
from collections import defaultdict
from typing import Annotated

import torch
import typer

from benchmarks.measure import Timing, interleaved, print_comparison, print_machine
from explorer import devices
from explorer.training.config import TrainConfig
from explorer.training.loop import train
from explorer.training.records import Epoch
from explorer.training.seeds.loop import SeedEpochs, train_seeds

TOGETHER, IN_TURN = "all at once", "one after the other"


class Contest:
    """Trains the seeds in both ways and notes what each run says of itself."""

    def __init__(self, config: TrainConfig, seeds: int) -> None:
        self.config, self.seeds = config, range(seeds)
        self.step_seconds: dict[str, list[float]] = defaultdict(list)
        self.accuracies: dict[str, list[float]] = {}

    def together(self) -> None:
        """Train all seeds as one computation."""
        records = [record for record in train_seeds(self.config, self.seeds) if isinstance(record, SeedEpochs)]
        epochs = [[epoch for epoch in record.epochs if epoch is not None] for record in records]
        self.step_seconds[TOGETHER].append(sum(of_seeds[0].train_seconds for of_seeds in epochs))
        self.accuracies[TOGETHER] = [epoch.validation_accuracy for epoch in epochs[-1]]

    def in_turn(self) -> None:
        """Train one seed after the other."""
        seconds, self.accuracies[IN_TURN] = 0.0, []
        for seed in self.seeds:
            config = self.config.model_copy(update={"seed": seed})
            epochs = [record for record in train(config) if isinstance(record, Epoch)]
            seconds += sum(epoch.train_seconds for epoch in epochs)
            self.accuracies[IN_TURN].append(epochs[-1].validation_accuracy)
        self.step_seconds[IN_TURN].append(seconds)


def main(
    model: Annotated[str, typer.Option(help="mlp, cnn or lenet, with its default options.")] = "mlp",
    batch: Annotated[int, typer.Option(min=1, help="Images in a batch.")] = 64,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds.")] = 5,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of each seed.")] = 1,
    subset: Annotated[int, typer.Option(min=10, max=54_000, help="Training images.")] = 54_000,
    repeats: Annotated[int, typer.Option(min=1, help="Rounds.")] = 7,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads, by default one for each core.")] = devices.cores(),
) -> None:
    """Measure and print."""
    torch.set_num_threads(threads)
    print_machine()
    config = TrainConfig.parse(
        {"model": model, "batch_size": batch, "epochs": epochs, "subset": subset, "device": "cpu", "threads": threads}
    )
    contest = Contest(config, seeds)
    whole = interleaved({TOGETHER: contest.together, IN_TURN: contest.in_turn}, repeats)
    what = f"{model}, batch {batch}, {seeds} seeds, {epochs} x {subset:,} images each"
    print_comparison(f"{what}: training and evaluation", whole, TOGETHER)
    steps = {name: Timing(name, tuple(seconds[1:])) for name, seconds in contest.step_seconds.items()}
    print_comparison(f"{what}: training steps alone", steps, TOGETHER)
    for name, accuracies in contest.accuracies.items():
        shown = ", ".join(f"{accuracy:.2%}" for accuracy in accuracies)
        print(f"validation accuracy {name}: mean {statistics.mean(accuracies):.3%} ({shown})")


if __name__ == "__main__":
    typer.run(main)
