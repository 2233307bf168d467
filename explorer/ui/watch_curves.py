"""The curves of a run that is watched."""

import streamlit as st

from explorer.store.losses import FIELDS
from explorer.store.runs import Run
from explorer.ui import charts, formats
from explorer.ui.charts.curves import rate_curve
from explorer.ui.watch_history import History, Line
from explorer.ui.watch_parts import Explanation, live_chart, picture_file, table_file
from explorer.ui.watch_words import rate


def curves(history: History) -> None:
    """Show loss and accuracy side by side."""
    left, right = st.columns(2)
    with left:
        live_chart(charts.loss_curve(history.lines, history.horizon), "loss")
    with right:
        live_chart(charts.accuracy_curve(history.lines, history.horizon), "accuracy")


def objective(run: Run, history: History) -> None:
    """Show what the run minimises."""
    live_chart(charts.loss_curve(history.lines, history.horizon, run.objective), "objective")


def learning_rate(history: History) -> None:
    """Show the learning rate by step."""
    live_chart(rate_curve(history.lines, history.horizon), "learning-rate")


def explain_curves(run: Run, history: History) -> Explanation:
    """Explain loss and accuracy; the data are those of every epoch, also where the curves are thinned."""
    text = "The loss is the cross entropy: how far the outputs are from the targets. Lower is better. "
    if history.epoch is None or history.best is None:
        text += "The thin line is the loss of single batches; the points come with the first full epoch."
    else:
        text += _read_epoch(history.epoch, history.best)
    files = [
        table_file("History", lambda: charts.curve_table(run.history()), "history"),
        *picture_file("Loss", lambda: charts.loss_curve(history.lines, history.horizon), "loss"),
        *picture_file("Accuracy", lambda: charts.accuracy_curve(history.lines, history.horizon), "accuracy"),
    ]
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


def _read_epoch(last: Line, best: Line) -> str:
    validation = f"{formats.loss(last['validation_loss'])} on the validation images, which it does not train on"
    if last["train_loss"] is None:
        text = f"After epoch {last['epoch']} it is {validation}. "
    else:
        text = (
            f"After epoch {last['epoch']} it is {formats.loss(last['train_loss'])} on the images the network trains on "
            f"and {validation}; when the first keeps falling and the second rises, the network learns by heart. "
        )
    return (
        f"{text}Of the validation images {formats.percent(last['validation_accuracy'])} are named correctly, at best "
        f"{formats.percent(best['validation_accuracy'])} after epoch {best['epoch']}. On the images it trains on both "
        "are measured while the weights change, with dropout and augmentation on, so they may look worse."
    )
