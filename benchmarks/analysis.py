"""What the results cost beyond the passes through the model that they need: `python -m benchmarks.analysis`.

For the test images: predictions, confusion matrix, every ROC curve and AUC against the bare forward pass, which takes
normalised float32 images that are already in memory, the same network and the same batch size, and leaves the results
of the batches where they are. Input gradients against the bare forward and backward pass, and against one image after
the other; their CSV against pyarrow's writer on the same array.

Then everything that the page Evaluate shows of these images beyond the forward passes, part by part and in all.
"""

from collections.abc import Callable
from typing import Annotated

import torch
import typer
from torch import nn

import models
from benchmarks.evaluation import parts
from benchmarks.gradients import compare_files, compare_gradients
from benchmarks.measure import interleaved, print_comparison, print_machine
from explorer.analysis.evaluation import predictions
from explorer.analysis.evaluation.confusion import ConfusionMatrix
from explorer.analysis.evaluation.predictions import Predictions, predict, to_pixels
from explorer.analysis.evaluation.roc import RocCurves
from explorer.analysis.frozen import frozen_copy
from explorer.data import catalog
from explorer.data.splits import Split, load_split
from explorer.store.catalog import resolve
from explorer.store.checkpoints import Classifier, load_checkpoint

DATASET = "fashion-mnist"
FRESH = ("lenet", "mlp")


def main(
    model: Annotated[str | None, typer.Option(help="A checkpoint; by default fresh, untrained lenet and mlp.")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Rounds.")] = 5,
    images: Annotated[int, typer.Option(min=1, max=10_000, help="The first so many test images.")] = 10_000,
) -> None:
    """Measure and print."""
    print_machine()
    subjects = {}
    for name in FRESH if model is None else (model,):
        classifier, split = subjects[name] = _subject(name, fresh=model is None, images=images)
        forward = {
            "bare forward pass": _bare_pass(classifier, split),
            "predictions, matrix, ROC, AUC": _results(classifier, split),
        }
        title = f"{name}: results of {images:,} images, batches of {predictions.BATCH_SIZE}"
        print_comparison(title, interleaved(forward, repeats), "bare forward pass")
        compare_gradients(name, classifier, split, repeats)
    compare_files(*next(iter(subjects.values())), repeats)
    for name, (classifier, split) in subjects.items():
        title = f"{name}: what the page shows of {images:,} images beyond the forward passes"
        print_comparison(title, interleaved(parts(classifier, split), repeats), "all of it")


def _subject(name: str, fresh: bool, images: int) -> tuple[Classifier, Split]:
    if fresh:
        torch.manual_seed(0)
        spec = catalog.get(DATASET)
        dataset, classifier = DATASET, Classifier(models.build(name, {}), spec.mean, spec.std).eval()
    else:
        checkpoint = load_checkpoint(resolve(name))
        dataset, classifier = checkpoint.dataset or DATASET, checkpoint.classifier()
    whole = load_split(dataset, "test")
    parts = (whole.images[:images], whole.labels[:images], whole.indices[:images])
    return classifier, Split(dataset, "test", *parts)


def _bare_pass(classifier: Classifier, split: Split) -> Callable[[], None]:
    network: nn.Module = frozen_copy(classifier.network)
    inputs = (to_pixels(split.images) - classifier.mean) / classifier.std

    def forward() -> None:
        with torch.inference_mode():
            for batch in torch.split(inputs, predictions.BATCH_SIZE):
                network(batch)

    return forward


def _results(classifier: Classifier, split: Split) -> Callable[[], object]:
    classes = catalog.get(split.dataset).classes

    def results() -> object:
        logits = predict(classifier, split.images)
        computed = Predictions(logits, split.labels, split.indices, classes, "", split.dataset, split.name)
        figures = computed.accuracy, computed.misclassification_rate, computed.log_loss
        return figures, ConfusionMatrix.from_predictions(computed), RocCurves.from_predictions(computed).auc_document()

    return results


if __name__ == "__main__":
    typer.run(main)
