"""Which measure tells inputs that are none of the classes: `python -m benchmarks.novelty [--images FOLDER]`.

Every measure has its threshold at the percentile of the validation images where the detector that takes all together
has its own. The figures are the shares of inputs above it: of the test images of the same set, of
the other set, and of inputs of several kinds.
FOLDER holds pictures of the classes and `labels.json`, a list of `file`, `dataset` and `label`; the first is then the
share of false alarms on them.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from rich.console import Console
from rich.table import Table

from benchmarks import figures
from explorer.analysis.drawings.out_of_distribution import KNOWN, OutOfDistributionDetector
from explorer.analysis.evaluation.predictions import predict
from explorer.data import catalog
from explorer.data.preparation.pipeline import prepare_drawing, prepare_photo, read_picture
from explorer.data.splits import load_split
from explorer.store.catalog import resolve, shipped
from explorer.store.checkpoints import load_checkpoint

SEED = 0

Images = NDArray[np.uint8]


def strange(dataset: str, n: int) -> dict[str, Images]:
    """Make inputs of several kinds, n of each: what they are called, and uint8 (n, 28, 28)."""
    generator = np.random.default_rng(SEED)
    (other,) = (name for name in catalog.names() if name != dataset)
    test, digits = load_split(dataset, "test").images[:n], load_split("mnist", "test")
    letters, ones = list(figures.STROKES), digits.images[digits.labels == 1]
    return {
        "test images": test,
        "other set": load_split(other, "test").images[:n],
        "written letters": figures.many(n, dataset, lambda k: figures.written(generator, letters[k % len(letters)])),
        "A, K": figures.many(n, dataset, lambda k: figures.written(generator, "AK"[k % 2])),
        "printed letters": figures.many(
            n, dataset, lambda k: figures.printed(generator, figures.PRINTED[k % len(figures.PRINTED)])
        ),
        "11": figures.many(n, dataset, lambda _: figures.beside(generator, ones, 2)),
        "two digits": figures.many(n, dataset, lambda _: figures.beside(generator, digits.images, 2)),
        "four digits": figures.many(n, dataset, lambda _: figures.beside(generator, digits.images, 4)),
        "scenes": figures.scenes(generator, n, dataset),
        "negated": 255 - test,
        "noise": generator.integers(0, 256, (n, 28, 28), np.uint8),
        "smooth noise": np.stack([_smooth(generator) for _ in range(n)]),
        "scribbles": np.stack([_drawn(generator, dataset, _scribble) for _ in range(n)]),
        "a few dots": np.stack([_drawn(generator, dataset, _dots) for _ in range(n)]),
    }


def pictures(folder: Path, dataset: str) -> dict[str, Images]:
    """Read and prepare the pictures of a set's classes in a folder."""
    named = [one["file"] for one in json.loads((folder / "labels.json").read_text()) if one["dataset"] == dataset]
    found = [prepare_photo(read_picture(folder / name), dataset).image for name in named]
    return {"pictures": np.stack(found)} if found else {}


def main(
    n: Annotated[int, typer.Option(min=10, max=10_000, help="Inputs of each kind.")] = 500,
    images: Annotated[Path | None, typer.Option(help="A folder of pictures of the classes.")] = None,
    checkpoint: Annotated[list[str] | None, typer.Option(help="Which; by default all that are shipped.")] = None,
) -> None:
    """Measure and print."""
    console = Console(width=120)
    for name in checkpoint or [path.stem for path in shipped()]:
        judged = load_checkpoint(resolve(name))
        dataset, classifier = str(judged.dataset), judged.classifier()
        detector = OutOfDistributionDetector.of(judged, dataset, classifier)
        kinds = (pictures(images, dataset) if images else {}) | strange(dataset, n)
        columns = (*detector.usual, "all together")
        table = Table(title=f"{name}: percentage above the threshold, {n:,} of each kind", title_justify="left")
        for column in ("kind", *columns):
            table.add_column(column, justify="left" if column == "kind" else "right")
        limits = {measure: np.quantile(usual.values, KNOWN) for measure, usual in detector.usual.items()}
        for kind, inputs in kinds.items():
            logits = predict(classifier, inputs)
            measured = detector.measure(logits, inputs)
            found = [(measured[measure] > limits[measure]).mean() for measure in detector.usual]
            found.append(detector.novel(logits, inputs).mean())
            table.add_row(f"{kind} ({len(inputs):,})", *(f"{share:.1%}" for share in found))
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
