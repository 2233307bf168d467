"""What explaining one image costs on one core: `python -m benchmarks.explaining`.

For every method that suits the model: its map, and the whole lie detector for it (deletion and insertion against random
orders, and the cascade of randomised layers). Seconds are those of the processor, so other work on the machine counts
little.
"""

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Annotated, TypeVar

import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from benchmarks.measure import print_machine
from explorer.analysis import attribution
from explorer.analysis.attribution.method import Explain
from explorer.analysis.evaluation.predictions import to_pixels
from explorer.analysis.faithfulness.verdict import Examination, examine
from explorer.data.splits import load_split
from explorer.store.catalog import resolve
from explorer.store.checkpoints import load_checkpoint

Result = TypeVar("Result")


def main(
    model: Annotated[str, typer.Option(help="A checkpoint.")] = "fashion-mnist-lenet",
    images: Annotated[int, typer.Option(min=1, max=100, help="The first so many test images, one by one.")] = 5,
) -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    print_machine()
    checkpoint = load_checkpoint(resolve(model))
    classifier = checkpoint.classifier()
    pixels = to_pixels(load_split(checkpoint.dataset or "fashion-mnist", "test").images[:images])
    with torch.no_grad():
        predicted = classifier(pixels).argmax(dim=1)
    table = Table(title=f"{model}: {images} images one by one, median (largest) seconds", title_justify="left")
    for heading in ("method", "map", "lie detector", "verdicts"):
        table.add_column(heading, justify="left" if heading in ("method", "verdicts") else "right")
    for name, method in attribution.METHODS.items():
        if not method.is_compatible(classifier):
            continue
        explain = method.with_options()
        maps, detectors, verdicts = [], [], []
        for row in range(images):
            one = classifier, pixels[row : row + 1], predicted[row : row + 1]
            explain(*one)
            maps.append(_seconds(partial(explain, *one))[0])
            seconds, last = _seconds(partial(_examined, explain, *one))
            detectors.append(seconds)
            verdicts.append(str(last.verdict))
        counted = ", ".join(f"{verdicts.count(one)} {one}" for one in sorted(set(verdicts)))
        table.add_row(name, _spread(maps), _spread(detectors), counted)
    Console(width=160).print(table)


def _seconds(compute: Callable[[], Result]) -> tuple[float, Result]:
    begin = time.process_time()
    result = compute()
    return time.process_time() - begin, result


def _examined(explain: Explain, classifier: nn.Module, pixels: Tensor, target: Tensor) -> Examination:
    return [*examine(explain, classifier, pixels, target)][-1]


def _spread(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.3f} ({max(seconds):.3f})"


if __name__ == "__main__":
    typer.run(main)
