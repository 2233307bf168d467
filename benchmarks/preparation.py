"""Whether altered images of the sets come back, and are still recognised: `python -m benchmarks.preparation`.

Test images are made ten times as large, shifted on a larger ground, negated, given random colours and thickened, each
alone and all together, and prepared like any picture that somebody brings. Then the shipped checkpoints judge them.
The interval of the share that is kept is a bootstrap percentile over images, original and altered together.
Then validation images are drawn: digits along their middle line, garments as an outline with nothing inside, with pens
of 3 to 10 pixels on 480, and prepared with and without the step that is meant for such drawings.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.altered import EFFECTS, Effect, altered, draw_alteration, outlined, retraced
from explorer.analysis.evaluation.predictions import predict
from explorer.data import catalog
from explorer.data.preparation.pipeline import Steps, prepare_drawing, prepare_photo
from explorer.data.splits import load_split
from explorer.store.catalog import resolve, shipped
from explorer.store.checkpoints import load_checkpoint

CHECKPOINTS = {"mnist": "mnist-lenet", "fashion-mnist": "fashion-mnist-lenet"}
RESAMPLES = 2000


@dataclass(frozen=True)
class Kept:
    """How much of its accuracy a checkpoint keeps.

    Attributes
    ----------
    before, after : float
        Accuracy on the images as they are, and altered and prepared.
    low, high : float
        95% interval of `after / before`.
    difference : float
        Median over the images of the mean absolute difference of their pixels, in grey levels.
    n : int
        Images.
    """

    before: float
    after: float
    low: float
    high: float
    difference: float
    n: int

    @property
    def share(self) -> float:
        """Accuracy after by accuracy before."""
        return self.after / self.before


def round_trip(dataset: str, checkpoint: str, n: int, effects: tuple[Effect, ...] = EFFECTS, seed: int = 0) -> Kept:
    """Alter the first test images of a set, prepare them, and let a checkpoint judge.

    Parameters
    ----------
    dataset, checkpoint : str
    n : int
        Images.
    effects : tuple of str
        What is done to each.
    seed : int
        Of everything that is drawn.
    """
    split = load_split(dataset, "test")
    images, labels = split.images[:n], split.labels[:n]
    generator = np.random.default_rng(seed)
    pictures = (altered(image, draw_alteration(generator, effects)) for image in images)
    back = np.stack([prepare_photo(picture, dataset).image for picture in pictures])
    classifier = load_checkpoint(resolve(checkpoint)).classifier()
    before, after = (predict(classifier, each).argmax(1) == labels for each in (images, back))
    differences = np.abs(back.astype(np.int64) - images).mean((1, 2))
    low, high = _interval(before, after, generator)
    return Kept(float(before.mean()), float(after.mean()), low, high, float(np.median(differences)), n)


def drawn(dataset: str, n: int, seed: int = 0) -> Table:
    """Draw the first validation images of a set, and count how many each shipped checkpoint gets right, by class."""
    make, step = (retraced, "stroke") if dataset == "mnist" else (outlined, "fill")
    split = load_split(dataset, "validation")
    images, labels = split.images[:n], split.labels[:n]
    pens = np.random.default_rng(seed).integers(3, 11, len(images))
    drawings = [make(image, int(pen)) for image, pen in zip(images, pens, strict=True)]
    table = Table(title=f"{dataset}: {len(images):,} validation images, drawn", title_justify="left")
    for heading in ("checkpoint", f"step {step}", "right", *catalog.get(dataset).classes):
        table.add_column(heading)
    for steps in (Steps().without(step), Steps()):
        prepared = np.stack([prepare_drawing(drawing, dataset, steps=steps).image for drawing in drawings])
        for path in shipped():
            if (checkpoint := load_checkpoint(path)).dataset == dataset:
                right = predict(checkpoint.classifier(), prepared).argmax(1) == labels
                shares = [f"{right[labels == label].mean():.0%}" for label in np.unique(labels)]
                table.add_row(checkpoint.name, str(getattr(steps, step)), f"{right.mean():.1%}", *shares)
    return table


def _interval(
    before: NDArray[np.bool_], after: NDArray[np.bool_], generator: np.random.Generator
) -> tuple[float, float]:
    rows = generator.integers(0, len(before), (RESAMPLES, len(before)))
    shares = after[rows].sum(1) / np.maximum(before[rows].sum(1), 1)
    low, high = np.quantile(shares, [0.025, 0.975])
    return float(low), float(high)


def main(
    n: Annotated[int, typer.Option(min=1, max=10_000, help="Test images of each set.")] = 2000,
    drawings: Annotated[int, typer.Option(min=100, max=6_000, help="Validation images of each set to draw.")] = 400,
) -> None:
    """Measure and print."""
    console = Console(width=160)
    each: list[tuple[Effect, ...]] = [("scaled",), *(("scaled", effect) for effect in EFFECTS[1:])]
    for dataset, checkpoint in CHECKPOINTS.items():
        table = Table(title=f"{checkpoint}: {n:,} test images, altered and prepared", title_justify="left")
        table.add_column("altered")
        for heading in ("accuracy before", "after", "kept", "95% interval", "median difference of pixels"):
            table.add_column(heading, justify="right")
        for effects in (*each, EFFECTS):
            kept = round_trip(dataset, checkpoint, n, effects)
            cells = (f"{kept.before:.2%}", f"{kept.after:.2%}", f"{kept.share:.2%}")
            interval = f"{kept.low:.2%} to {kept.high:.2%}"
            table.add_row(", ".join(effects), *cells, interval, f"{kept.difference:.2f}")
        console.print(table, drawn(dataset, drawings))


if __name__ == "__main__":
    typer.run(main)
