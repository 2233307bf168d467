"""The two losses of a run: by the one runs compare, the other is what is minimised where that is something else.

| in a line of the history | |
|---|---|
| `loss`, `train_loss`, `validation_loss` | cross entropy in nats, whatever is minimised |
| `objective`, `train_objective`, `validation_objective` | what is minimised; missing where it is the cross entropy |
"""

from collections.abc import Mapping
from typing import Any

FIELDS = {"step": ("objective",), "epoch": ("train_objective", "validation_objective")}
"""The objective's fields by the `kind` of a line."""

Line = dict[str, Any]


def objective(config: Mapping[str, Any]) -> str:
    """Name what a configuration minimises, in plain words; empty where it is the cross entropy itself."""
    if config.get("loss") == "mse":
        return "squared error"
    smoothing = config.get("label_smoothing")
    return f"cross entropy with labels smoothed by {smoothing:g}" if smoothing else ""


def upgraded(line: Line, minimised: str) -> Line:
    """Return a line in the fields above.

    Earlier versions wrote under `loss` and `train_loss` what was minimised, and the cross entropy of the training
    images nowhere: it is None.

    Parameters
    ----------
    line : dict
        Of the history; returned as it is where nothing is missing.
    minimised : str
        The `objective` of its run.
    """
    fields = FIELDS.get(line.get("kind", ""), ())
    if not minimised or all(name in line for name in fields):
        return line
    first, *rest = fields
    old = first.replace("objective", "loss")
    return line | {old: None, first: line.get(old)} | dict.fromkeys(rest)


def inherited(line: Line, before: str, minimised: str) -> Line:
    """Return a line as a fork takes it over: the objective of a run that minimised something else is left out."""
    if before == minimised:
        return line
    fields = FIELDS.get(line.get("kind", ""), ())
    kept = {name: value for name, value in line.items() if name not in fields}
    return kept | dict.fromkeys(fields) if minimised else kept
