"""`evaluate`, `predict` and `gradients`: what a checkpoint says, and why."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from explorer.cli.output import Json, percent, print_json, print_table
from explorer.data.splits import load_split
from explorer.errors import CheckpointError
from explorer.store.catalog import resolve

if TYPE_CHECKING:
    from explorer.analysis.predictions import Predictions
    from explorer.store.checkpoints import Checkpoint

Reference = Annotated[
    str, typer.Argument(metavar="CHECKPOINT", help="A file, the name of a shipped one, a run id, or RUN@k.")
]
SplitOption = Annotated[str, typer.Option(help="train, validation or test.")]
DatasetOption = Annotated[str | None, typer.Option(help="The data set; by default the one it was trained on.")]


def add_commands(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("evaluate")(evaluate)
    app.command("predict")(predict)
    app.command("gradients")(gradients)


def evaluate(
    reference: Reference,
    dataset: DatasetOption = None,
    split: SplitOption = "test",
    csv: Annotated[Path | None, typer.Option(help="Write every image's probabilities to this file.")] = None,
    as_json: Json = False,
) -> None:
    """Accuracy, log loss, confusion matrix and AUC on a split."""
    from explorer.analysis.summary import evaluation_document, write_predictions_csv

    checkpoint, predictions = _predictions(reference, dataset, split)
    if csv is not None:
        write_predictions_csv(csv, predictions)
    document = evaluation_document(predictions, reference)
    if as_json:
        print_json(document)
        return
    auc = document["auc"]["macro"]
    typer.echo(
        f"{checkpoint.name} on {predictions.n:,} images of {predictions.dataset} ({predictions.split}): "
        f"accuracy {percent(document['accuracy'])}, log loss {document['log_loss']:.4f}, "
        f"macro AUC {'undefined' if auc is None else f'{auc:.4f}'}"
    )
    rows = [
        (name, *(f"{count:,}" for count in row))
        for name, row in zip(predictions.classes, document["confusion_matrix"], strict=True)
    ]
    columns = ("true \\ predicted", *(f"{name}>" for name in predictions.classes))
    print_table("Confusion matrix", columns, rows)


def predict(
    reference: Reference,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Picture files.")],
    as_json: Json = False,
) -> None:
    """Say what pictures show."""
    from explorer.analysis.drawings import predict_images

    checkpoint = _load(reference)
    documents = predict_images(checkpoint, images)
    if as_json:
        print_json(documents)
        return
    for document in documents:
        probability = percent(max(document["probabilities"]))
        typer.echo(f"{document['image']}: {document['class']} ({probability})")


def gradients(
    reference: Reference,
    csv: Annotated[Path, typer.Option(help="The file to write.")],
    dataset: DatasetOption = None,
    split: SplitOption = "test",
) -> None:
    """Save the gradient of each image's loss with respect to each of its pixels."""
    from rich.console import Console
    from rich.progress import Progress

    from explorer.analysis.gradients import write_gradients_csv

    checkpoint = _load(reference)
    images = load_split(_dataset(checkpoint, dataset), split)
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("gradients", total=len(images))
        write_gradients_csv(csv, checkpoint.classifier(), images, lambda done, _: progress.update(task, completed=done))
    typer.echo(f"Wrote {len(images):,} gradients to {csv}.", err=True)


def _predictions(reference: str, dataset: str | None, split: str) -> "tuple[Checkpoint, Predictions]":
    from explorer.analysis.predictions import Predictions

    checkpoint = _load(reference)
    return checkpoint, Predictions.compute(checkpoint, load_split(_dataset(checkpoint, dataset), split))


def _load(reference: str) -> "Checkpoint":
    from explorer.store.checkpoints import load_checkpoint

    return load_checkpoint(resolve(reference))


def _dataset(checkpoint: "Checkpoint", chosen: str | None) -> str:
    dataset = chosen or checkpoint.dataset
    if dataset is None:
        raise CheckpointError(f"{checkpoint.name} does not say what it was trained on. Name the set with --dataset.")
    return dataset
