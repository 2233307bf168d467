"""`evaluate`, `compare`, `predict` and `gradients`: what a checkpoint says, and why."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from explorer.cli.output import Json, print_json, print_table
from explorer.data.splits import load_split
from explorer.errors import CheckpointError, ExplorerError
from explorer.store.catalog import resolve
from explorer.ui.kit.numbers import area, percent

if TYPE_CHECKING:
    from explorer.analysis.evaluation.predictions import Predictions
    from explorer.store.checkpoints import Checkpoint

Reference = Annotated[
    str, typer.Argument(metavar="CHECKPOINT", help="A file, the name of a shipped one, a run id, or RUN@k.")
]
SplitOption = Annotated[str, typer.Option(help="train, validation or test.")]
DatasetOption = Annotated[str | None, typer.Option(help="The data set; by default the one it was trained on.")]


def add_commands(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("evaluate")(evaluate)
    app.command("compare")(compare)
    app.command("predict")(predict)
    app.command("gradients")(gradients)


def evaluate(
    reference: Reference,
    dataset: DatasetOption = None,
    split: SplitOption = "test",
    csv: Annotated[Path | None, typer.Option(help="Write every image's probabilities to this file.")] = None,
    as_json: Json = False,
) -> None:
    """Accuracy, log loss, confusion matrix, AUC, precision, recall and calibration on a split, with intervals."""
    from explorer.analysis.evaluation.summary import evaluation_document, write_predictions_csv

    checkpoint = _load(reference)
    predictions = _predictions(checkpoint, _dataset(checkpoint, dataset), split)
    if csv is not None:
        write_predictions_csv(csv, predictions)
    document = evaluation_document(predictions, reference)
    if as_json:
        print_json(document)
        return
    typer.echo(
        f"{checkpoint.name} on {predictions.n:,} images of {predictions.dataset} ({predictions.split}): "
        f"accuracy {percent(document['accuracy'])}, log loss {_figure(document['log_loss'])}, "
        f"macro AUC {_figure(document['auc']['macro'])}"
    )
    print_table("Figures", ("figure", "value>", "95% interval>"), _figures(document))
    print_table("Confusion matrix", *_matrix(predictions.classes, document["confusion_matrix"]))


def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="A checkpoint: file, name, run id, or RUN@k.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Another one of the same classes.")],
    dataset: Annotated[str | None, typer.Option(help="The data set; by default the one both were trained on.")] = None,
    split: SplitOption = "test",
    as_json: Json = False,
) -> None:
    """Compare two checkpoints image by image: who is right where, and whether that is more than chance."""
    from explorer.analysis.evaluation.comparison import Comparison

    a, b = _load(first), _load(second)
    chosen = _common_dataset([a, b], dataset)
    comparison = Comparison.from_predictions(_predictions(a, chosen, split), _predictions(b, chosen, split))
    document = comparison.document(first, second)
    if as_json:
        print_json(document)
        return
    verdict = comparison.verdict()
    typer.echo(f"A: {a.name}, accuracy {percent(document['accuracy']['a'])}")
    typer.echo(f"B: {b.name}, accuracy {percent(document['accuracy']['b'])}")
    typer.echo(f"{comparison.n:,} images of {comparison.dataset} ({comparison.split}): {verdict.finding}.")
    typer.echo(f"{verdict.counts}; {verdict.test}.")
    rows = [
        ("A right", f"{comparison.both_right:,}", f"{comparison.only_a:,}"),
        ("A wrong", f"{comparison.only_b:,}", f"{comparison.both_wrong:,}"),
    ]
    print_table("Agreement", ("", "B right>", "B wrong>"), rows)
    title = "Confusion matrix of B less that of A"
    print_table(title, *_matrix(comparison.classes, document["matrix_difference"], "+"))


def predict(
    reference: Reference,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Picture files.")],
    as_json: Json = False,
) -> None:
    """Say what pictures show."""
    from explorer.analysis.drawings.verdicts import predict_images

    checkpoint = _load(reference)
    documents = predict_images(checkpoint, images)
    if as_json:
        print_json(documents)
    for document in documents if not as_json else ():
        if "error" in document:
            continue
        probability, unlike = percent(max(document["probabilities"])), document["out_of_distribution"]
        doubt = "; none of these? It is unlike what the model knows" if unlike["flagged"] else ""
        typer.echo(f"{document['image']}: {document['class']} ({probability}){doubt}")
    _end({document["image"]: document["error"] for document in documents if "error" in document})


def gradients(
    references: Annotated[
        list[str], typer.Argument(metavar="CHECKPOINT", help="Files, names of shipped ones, run ids, or RUN@k.")
    ],
    csv: Annotated[Path | None, typer.Option(help="Write every image's gradient to this file.")] = None,
    parquet: Annotated[Path | None, typer.Option(help="The same as Parquet.")] = None,
    of: Annotated[
        str,
        typer.Option(
            metavar="loss|predicted|true|CLASS",
            help="The image's own loss, or a logit: that of the predicted or the true class, or of a class by its "
            "number or name.",
        ),
    ] = "loss",
    top: Annotated[
        int | None, typer.Option(min=1, max=784, help="Print so many inputs, by default 10 where no file is written.")
    ] = None,
    dataset: DatasetOption = None,
    split: SplitOption = "test",
    as_json: Json = False,
) -> None:
    """Save the gradient of each image's loss with respect to its pixels, or print where it varies most.

    For each checkpoint the standard deviation over the images of each input's gradient; of several also their mean.
    """
    from explorer.cli import gradients as cli_gradients

    files = [path for path in (csv, parquet) if path is not None]
    if files and len(references) > 1:
        raise typer.BadParameter("files are written for one checkpoint at a time", param_hint="CHECKPOINT")
    checkpoints, problems = _readable(references)
    images = load_split(_common_dataset([checkpoint for _, checkpoint in checkpoints], dataset), split)
    trials = cli_gradients.compute(checkpoints, images, of, csv, parquet, problems)
    for path in files:
        typer.echo(f"Wrote {len(images):,} gradients to {path}.", err=True)
    if as_json:
        document = {"dataset": images.dataset, "split": images.name, **trials.document(top or cli_gradients.TOP)}
        failed = [{"checkpoint": name, "error": problem} for name, problem in problems.items()]
        print_json(document | ({"errors": failed} if failed else {}))
    elif top or not files:
        cli_gradients.show(trials, top or cli_gradients.TOP)
    _end(problems)


def _predictions(checkpoint: "Checkpoint", dataset: str, split: str) -> "Predictions":
    from explorer.analysis.evaluation.predictions import Predictions

    return Predictions.compute(checkpoint, load_split(dataset, split))


def _load(reference: str) -> "Checkpoint":
    from explorer.store.checkpoints import load_checkpoint

    return load_checkpoint(resolve(reference))


def _readable(references: Sequence[str]) -> "tuple[list[tuple[str, Checkpoint]], dict[str, str]]":
    """Return the checkpoints that can be read, and what is wrong with the others; an error where there is none."""
    found: list[tuple[str, Checkpoint]] = []
    problems: dict[str, str] = {}
    for reference in references:
        try:
            found.append((reference, _load(reference)))
        except ExplorerError as error:
            problems[reference] = str(error)
    if not found:
        raise CheckpointError(" ".join(problems.values()))
    return found, problems


def _end(problems: dict[str, str]) -> None:
    """Say what went wrong, a line each, and exit with 1; do nothing where all went well."""
    for name, problem in problems.items():
        text = problem if Path(name).name in problem else f"{name}: {problem}"
        typer.echo(f"Error: {text}", err=True)
    if problems:
        raise typer.Exit(1)


def _dataset(checkpoint: "Checkpoint", chosen: str | None) -> str:
    dataset = chosen or checkpoint.dataset
    if dataset is None:
        raise CheckpointError(f"{checkpoint.name} does not say what it was trained on. Name the set with --dataset.")
    return dataset


def _common_dataset(checkpoints: "Sequence[Checkpoint]", chosen: str | None) -> str:
    first = checkpoints[0]
    for one in checkpoints:
        if not chosen and one.dataset and first.dataset and one.dataset != first.dataset:
            raise CheckpointError(
                f"{first.name} was trained on {first.dataset}, {one.name} on {one.dataset}. Name the set to compare "
                "them on with --dataset."
            )
    return _dataset(next((one for one in checkpoints if one.dataset), first), chosen)


def _figures(document: dict[str, Any]) -> list[tuple[str, str, str]]:
    intervals = document["intervals"]
    shares = [
        ("accuracy", document["accuracy"], intervals["accuracy"]),
        ("misclassification rate", document["misclassification_rate"], intervals["misclassification_rate"]),
        *((f"macro {name}", document[name]["macro"], None) for name in ("precision", "recall")),
        ("macro F1", document["f1"]["macro"], None),
        ("expected calibration error", document["expected_calibration_error"], None),
    ]
    areas = [(f"{kind} AUC", document["auc"][kind], intervals["auc"][kind]) for kind in ("macro", "micro")]
    precisions = [
        (f"{kind} average precision", document["average_precision"][kind], None) for kind in ("macro", "micro")
    ]
    return [
        *((name, percent(value), _between(ends, percent)) for name, value, ends in shares),
        *((name, _figure(value), _between(ends, _figure)) for name, value, ends in areas + precisions),
        ("log loss (nats)", _figure(document["log_loss"]), ""),
    ]


def _between(ends: list[float | None] | None, written: Callable[[float | None], str]) -> str:
    return "" if ends is None else " to ".join(written(end) for end in ends)


def _figure(value: float | None) -> str:
    return "undefined" if value is None else area(value)


def _matrix(
    classes: Sequence[str], counts: Sequence[Sequence[int]], sign: str = "-"
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    columns = ("true \\ predicted", *(f"{name}>" for name in classes))
    rows = [(name, *(f"{n:{sign},}" if n else "0" for n in row)) for name, row in zip(classes, counts, strict=True)]
    return columns, rows
