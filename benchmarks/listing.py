"""How long 1,000 runs take to list: `python -m benchmarks.listing`.

Synthetic runs with 20 epochs and 2,000 lines of steps each are made in a temporary `EXPLORER_HOME`, in 50 different
architectures. "First" is with nothing in memory, as in a process that has just started (imports not counted, the files
in the system's cache); "again" is every later time, as when a page is drawn anew.
"""

import json
import math
import os
import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.measure import interleaved, print_comparison, print_machine
from explorer.files import link_or_copy
from explorer.store import runs, summaries
from explorer.store.runs import Status

EPOCHS, STEPS = 20, 2_000
WIDTHS = range(20, 120, 2)
BASE = "command line"


def main(
    count: Annotated[int, typer.Option(min=1, help="Runs.")] = 1_000,
    repeats: Annotated[int, typer.Option(min=5, help="Rounds.")] = 7,
) -> None:
    """Measure and print."""
    folder = tempfile.mkdtemp()
    try:
        os.environ["EXPLORER_HOME"] = folder
        make_runs(count, Path(folder))
        measure(count, repeats)
    finally:
        shutil.rmtree(folder)


def measure(count: int, repeats: int) -> None:
    """Time the listing, the page's table and the sidebar."""
    import streamlit as st

    from explorer.ui.kit import checkpoints as kit_checkpoints
    from explorer.ui.kit import run_text
    from explorer.ui.runs import table as runs_table

    def first(do: Callable[[], object]) -> Callable[[], object]:
        def forget_and_do() -> object:
            for cached in (summaries._summary, summaries._epochs, run_text._count, runs_table._row):
                cached.cache_clear()
            st.cache_resource.clear()
            return do()

        return forget_and_do

    def command_line() -> list[Any]:
        return [(run.status, run.description) for run in runs.list_runs()]

    def table() -> list[dict[str, Any]]:
        return runs_table.rows(summaries.listing())

    print_machine()
    again = {BASE: command_line, "listing": summaries.listing, "page's table": table, "sidebar": kit_checkpoints.load}
    print_comparison(f"{count:,} runs, again", interleaved(again, repeats), BASE)
    cold = {name: first(do) for name, do in again.items()}
    print_comparison(f"{count:,} runs, the first time", interleaved(cold, repeats), BASE)


def make_runs(count: int, home: Path) -> None:
    """Make finished runs with plausible curves, and one real checkpoint for each architecture."""
    from explorer.training.config import TrainConfig

    chance = random.Random(0)
    checkpoints = {width: _checkpoint(home / f"{width}.safetensors", width) for width in WIDTHS}
    for number in range(count):
        width = WIDTHS[number % len(WIDTHS)]
        rate = 10 ** chance.uniform(-4, -2)
        config = TrainConfig(options={"hidden": [width]}, learning_rate=rate, epochs=EPOCHS, seed=number)
        run = runs.create(config.model_dump(mode="json"), f"run {number}")
        best = chance.uniform(0.8, 0.9)
        lines = _history(best, rate, chance)
        accuracies = [line["validation_accuracy"] for line in lines if line["kind"] == "epoch"]
        (run.path / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        run.write_status(_status(accuracies))
        for epoch in sorted({1, _status(accuracies).best_epoch or 1, EPOCHS}):
            run.weights(epoch).parent.mkdir(exist_ok=True)
            link_or_copy(checkpoints[width], run.weights(epoch))


def _status(accuracies: list[float]) -> Status:
    return Status(
        state="finished",
        epoch=EPOCHS,
        epochs=EPOCHS,
        best_epoch=1 + accuracies.index(max(accuracies)),
        best_accuracy=max(accuracies),
        curve=tuple(accuracies),
        reason="epochs",
        seconds=61.5,
        device="CPU",
    )


def _history(best: float, rate: float, chance: random.Random) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    per_epoch = STEPS // EPOCHS
    for epoch in range(1, EPOCHS + 1):
        loss = 0.3 + 2 * math.exp(-epoch / 4)
        for step in range(1, per_epoch + 1):
            place = {"kind": "step", "epoch": epoch, "step": step, "steps": per_epoch}
            lines.append(place | {"loss": loss + chance.gauss(0, 0.1), "learning_rate": rate})
        accuracy = best * (1 - 0.5 * math.exp(-epoch / 3)) + chance.gauss(0, 0.003)
        figures = {"train_loss": loss, "train_accuracy": accuracy + 0.01, "validation_loss": loss + 0.05}
        lines.append(
            {"kind": "epoch", "epoch": epoch, "learning_rate": rate, "validation_accuracy": accuracy} | figures
        )
    return lines


def _checkpoint(path: Path, width: int) -> Path:
    import models
    from explorer.data import catalog
    from explorer.store.checkpoints import FORMAT, Metadata, save_checkpoint

    spec, options = catalog.get("fashion-mnist"), {"hidden": [width]}
    config = {"dataset": spec.name}
    shape = {"classes": spec.classes, "mean": spec.mean, "std": spec.std}
    metadata = Metadata(format=FORMAT, model="mlp", options=options, config=config, **shape)
    save_checkpoint(path, models.build("mlp", options), metadata)
    return path


if __name__ == "__main__":
    typer.run(main)
