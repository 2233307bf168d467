"""The curves of a run that is watched."""

from functools import partial
from typing import Any

from explorer.store import summaries
from explorer.store.losses import FIELDS
from explorer.store.runs import Run
from explorer.ui import charts, formats, runs_words, seed_groups
from explorer.ui.charts import comparison
from explorer.ui.charts.comparison import Curve, Quantity
from explorer.ui.charts.curves import rate_curve
from explorer.ui.charts.frame import HEIGHT
from explorer.ui.watch_history import History, Line
from explorer.ui.watch_parts import Explanation, live_chart, picture_file, table_file
from explorer.ui.watch_words import rate
from explorer.ui.widgets import Table, beside

QUANTITIES: tuple[Quantity, ...] = ("loss", "accuracy")


def curves(history: History, group: seed_groups.Group) -> None:
    """Show loss and accuracy of a run, or of the seeds that it was started with."""
    with beside("watch-curves"):
        for quantity in QUANTITIES:
            live_chart(_chart(quantity, history, group), quantity)


def _chart(quantity: Quantity, history: History, group: seed_groups.Group) -> dict[str, Any]:
    """Draw one run with its steps; several seeds, as soon as one has an epoch, with their mean."""
    if len(group) > 1:
        mean = seed_groups.curve(group, f"mean of {len(group)} seeds")
        if mean.epochs:
            return comparison.overlaid_curves([mean], quantity, history.horizon) | {"height": HEIGHT}
    draw = charts.loss_curve if quantity == "loss" else charts.accuracy_curve
    return draw(history.lines, history.horizon)


def objective(run: Run, history: History) -> None:
    """Show what the run minimises."""
    live_chart(charts.loss_curve(history.lines, history.horizon, run.objective), "objective")


def learning_rate(history: History) -> None:
    """Show the learning rate by step."""
    live_chart(rate_curve(history.lines, history.horizon), "learning-rate")


def explain_curves(run: Run, history: History, group: seed_groups.Group = ()) -> Explanation:
    """Explain loss and accuracy; the data are those of every epoch, also where the curves are thinned."""
    text = "Thin lines are single seeds, thick ones their mean. " if len(group) > 1 else ""
    text += "The loss is the cross entropy: how far the outputs are from the targets. Lower is better. "
    if history.epoch is None or history.best is None:
        text += "The thin line is the loss of single batches; the points come with the first full epoch."
    else:
        text += _read_epoch(history.epoch, history.best, run.config.get("seed") if len(group) > 1 else None)
    files = [table_file("History", lambda: charts.curve_table(run.history()), "history")]
    if len(group) > 1:
        files.append(table_file("All seeds", lambda: _seeds_table(group), "seeds"))
    for quantity in QUANTITIES:
        draw = partial(_chart, quantity, history, group)
        files += picture_file(quantity.capitalize(), draw, quantity)
    return Explanation("Loss and accuracy", text, files)


def explain_objective(run: Run, history: History) -> Explanation:
    """Explain what is minimised, where it is not the loss."""
    text = f"This run minimises the {run.objective}, here on the images it trains on and on the validation images. "
    last = history.epoch or {}
    values = [last.get(name) for name in FIELDS["epoch"]]
    if all(value is not None for value in values):
        train, validation = map(formats.loss, values)
        text += f"After epoch {last['epoch']} it is {train} and {validation}. "
    text += "Runs that minimise something else have it on another scale: compare runs by loss and accuracy."
    chart = charts.loss_curve(history.lines, history.horizon, run.objective)
    return Explanation("Objective", text, picture_file("Objective", lambda: chart, "objective"))


def explain_rate(history: History) -> Explanation:
    """Explain the learning rate."""
    text = "It is the size of the optimizer's steps: too small learns slowly, too large jumps about. "
    if history.step is None:
        text += "The line begins with the first steps."
    else:
        text += (
            f"Now it is {rate(history.step['learning_rate'])}. It changes by the schedule, or when you change it; "
            "where it spans a factor of ten or more, the axis is logarithmic."
        )
    chart = picture_file("Learning rate", lambda: rate_curve(history.lines, history.horizon), "learning-rate")
    return Explanation("Learning rate", text, chart)


def _seeds_table(group: seed_groups.Group) -> Table:
    labels = runs_words.labels(group)
    return comparison.curves_table(
        [Curve(label, summaries.epochs(run.run)) for run, label in zip(group, labels, strict=True)]
    )


def _read_epoch(last: Line, best: Line, seed: int | None) -> str:
    of = "" if seed is None else f" of seed {seed}"
    validation = f"{formats.loss(last['validation_loss'])} on the validation images, which it does not train on"
    if last["train_loss"] is None:
        text = f"After epoch {last['epoch']}{of} it is {validation}. "
    else:
        text = (
            f"After epoch {last['epoch']}{of} it is {formats.loss(last['train_loss'])} on the images that it trains "
            f"on and {validation}; when the first keeps falling and the second rises, the network learns by heart. "
        )
    return (
        f"{text}Of the validation images {formats.percent(last['validation_accuracy'])} are named correctly, at best "
        f"{formats.percent(best['validation_accuracy'])} after epoch {best['epoch']}. On the images it trains on both "
        "are measured while the weights change, with dropout and augmentation on, so they may look worse."
    )
