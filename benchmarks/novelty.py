"""Which score tells inputs that are none of the classes: `python -m benchmarks.novelty`.

Every score has its threshold at the 99th percentile of the validation images. The figures are the shares of inputs
above it: of the test images of the same set (which should be 1%), of the other set, and of inputs of several kinds.
"Both" is what `explorer.analysis.novelty` does.
"""

from collections.abc import Callable
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from rich.console import Console
from rich.table import Table

from explorer.analysis.neighbours import features
from explorer.analysis.novelty import NEIGHBOUR, SHARE, Detector, Memory, energy
from explorer.analysis.predictions import Predictions, predict
from explorer.data import catalog
from explorer.data.drawing import prepare_drawing
from explorer.data.splits import load_split
from explorer.store.catalog import resolve
from explorer.store.checkpoints import Classifier, load_checkpoint

CHECKPOINTS = ("mnist-lenet", "fashion-mnist-lenet", "fashion-mnist-mlp", "fashion-mnist-cnn")
SEED = 0

Images = NDArray[np.uint8]
Scores = NDArray[np.float64]
Score = Callable[[Images, NDArray[np.float32]], Scores]


def strange(dataset: str, n: int) -> dict[str, Images]:
    """Make inputs of several kinds, n of each: what they are called, and uint8 (n, 28, 28)."""
    generator = np.random.default_rng(SEED)
    (other,) = (name for name in catalog.names() if name != dataset)
    test = load_split(dataset, "test").images[:n]
    return {
        "test images": test,
        "other set": load_split(other, "test").images[:n],
        "negated": 255 - test,
        "noise": generator.integers(0, 256, (n, 28, 28), np.uint8),
        "smooth noise": np.stack([_smooth(generator) for _ in range(n)]),
        "scribbles": np.stack([_drawn(generator, dataset, _scribble) for _ in range(n)]),
        "a few dots": np.stack([_drawn(generator, dataset, _dots) for _ in range(n)]),
    }


def scores(classifier: Classifier, dataset: str) -> dict[str, Score]:
    """Return single scores, higher for stranger: each of images and their logits."""
    training = load_split(dataset, "train")
    memory = Memory.of(training)
    points = features(classifier, np.ascontiguousarray(training.images[::10]))
    points = points / np.linalg.norm(points, axis=1, keepdims=True)

    def unlike(images: Images, _logits: NDArray[np.float32]) -> Scores:
        own = features(classifier, images)
        own = own / np.maximum(np.linalg.norm(own, axis=1, keepdims=True), 1e-12)
        nearest: Scores = -np.partition(own @ points.T, -NEIGHBOUR, axis=1)[:, -NEIGHBOUR].astype(np.float64)
        return nearest

    return {
        "probability": lambda _, logits: -energy(logits) - logits.max(1),
        "energy": lambda _, logits: energy(logits),
        "features": unlike,
        "pixels": lambda images, _: memory.distances(images),
    }


def main(n: Annotated[int, typer.Option(min=10, max=10_000, help="Inputs of each kind.")] = 500) -> None:
    """Measure and print."""
    console = Console(width=120)
    for name in CHECKPOINTS:
        checkpoint = load_checkpoint(resolve(name))
        dataset = str(checkpoint.dataset)
        classifier, validation = checkpoint.classifier(), load_split(dataset, "validation")
        predictions = Predictions.compute(checkpoint, validation, classifier)
        kinds = strange(dataset, n)
        logits = {kind: predict(classifier, images) for kind, images in kinds.items()}
        table = Table(title=f"{name}: percentage above the threshold, {n:,} inputs of each kind", title_justify="left")
        table.add_column("score")
        for kind in kinds:
            table.add_column(kind, justify="right")
        for title, score in scores(classifier, dataset).items():
            threshold = np.quantile(score(validation.images, predictions.logits), SHARE)
            found = [float((score(kinds[kind], logits[kind]) > threshold).mean()) for kind in kinds]
            table.add_row(title, *(f"{share:.1%}" for share in found))
        detector = Detector.from_predictions(predictions, validation.images, Memory.of(load_split(dataset, "train")))
        both = [float(detector.novel(logits[kind], kinds[kind]).mean()) for kind in kinds]
        table.add_row("both", *(f"{share:.1%}" for share in both))
        console.print(table)


def _smooth(generator: np.random.Generator) -> Images:
    coarse = Image.fromarray(generator.integers(0, 256, (7, 7), np.uint8))
    values = np.asarray(coarse.resize((28, 28), Image.Resampling.BICUBIC), np.float64)
    result: Images = np.round(255 * (values - values.min()) / np.ptp(values)).astype(np.uint8)
    return result


def _drawn(
    generator: np.random.Generator, dataset: str, draw: Callable[[np.random.Generator, ImageDraw.ImageDraw], None]
) -> Images:
    canvas = Image.new("L", (280, 280))
    draw(generator, ImageDraw.Draw(canvas))
    return prepare_drawing(np.array(canvas), dataset).image


def _scribble(generator: np.random.Generator, canvas: ImageDraw.ImageDraw) -> None:
    points = [tuple(point) for point in generator.integers(20, 260, (int(generator.integers(6, 16)), 2)).tolist()]
    canvas.line(points, fill=255, width=int(generator.integers(8, 24)), joint="curve")


def _dots(generator: np.random.Generator, canvas: ImageDraw.ImageDraw) -> None:
    for _ in range(int(generator.integers(1, 4))):
        (x, y), radius = generator.integers(20, 260, 2).tolist(), int(generator.integers(2, 14))
        canvas.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)


if __name__ == "__main__":
    typer.run(main)
