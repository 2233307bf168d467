"""What the classes are called."""

from explorer.data import catalog
from explorer.ui.evaluate.scope import Scope


def true_names(scope: Scope) -> tuple[str, ...]:
    """Return the names of the true classes: the model's own unless it was trained on another data set."""
    classes = scope.a.results.predictions.classes
    if scope.foreign is None:
        return classes
    own = catalog.get(scope.a.selection.dataset).classes[: len(classes)]
    return own + classes[len(own) :]


def pair_names(scope: Scope) -> tuple[str, ...]:
    """Name every true class with the one that it is matched with by number, where the two have different names."""
    classes = scope.a.results.predictions.classes
    pairs = zip(true_names(scope), classes, strict=True)
    return tuple(own if own == true else f"{true} → {own}" for true, own in pairs)
