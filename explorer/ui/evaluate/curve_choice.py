"""Which curves are drawn: all or one, of one checkpoint or two, on one split or several."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from explorer.errors import ExplorerError
from explorer.ui import cache, theme
from explorer.ui.evaluate import results
from explorer.ui.evaluate.curve_kinds import Series
from explorer.ui.evaluate.names import pair_names
from explorer.ui.evaluate.results import Results
from explorer.ui.evaluate.scope import Scope

VIEWS = {"all": "All", "class": "One class", "macro": "Macro"}
LETTERS = ("A", "B")
_SOLID = (1, 0)
_SPLIT_DASHES = ((7, 3), (2, 2))
_MICRO_DASH, _MACRO_DASH = (1, 2), (8, 3)


@dataclass(frozen=True, eq=False)
class Other:
    """Results that are laid over those of A on the split of the page.

    Attributes
    ----------
    results : Results
    second : bool
        Whether they are those of B.
    split : str or None
        None for the split of the page.
    """

    results: Results
    second: bool
    split: str | None


def others(scope: Scope, splits: Sequence[str]) -> tuple[list[Other], list[str]]:
    """Return what is to be laid over, computed where it must be, and messages about what cannot be had."""
    found, problems = [], []
    for second, judged in enumerate(scope.both):
        if second:
            found.append(Other(judged.results, True, None))
        for split in splits:
            try:
                predictions = cache.predictions(replace(judged.selection, split=split))
            except ExplorerError as error:
                problems.append(str(error))
            else:
                found.append(Other(results.of(predictions), bool(second), split))
    return found, list(dict.fromkeys(problems))


def focus(scope: Scope, view: str, chosen: int, laid_over: Sequence[Other]) -> Series:
    """Return the curve that the words are about: that of the chosen class, or the macro average."""
    classes = pair_names(scope)
    ink, size = theme.colour("textColor"), len(classes)
    name = _title(scope, "macro" if view == "macro" else classes[chosen], None, laid_over)
    if view == "macro":
        return Series("own", name, scope.a.results, size + 1, ink, strong=True)
    colour = theme.class_colours(size)[chosen]
    return Series(str(chosen) if view == "all" else "own", name, scope.a.results, chosen, colour, strong=True)


def drawn(scope: Scope, view: str, centre: Series, laid_over: Sequence[Other]) -> list[Series]:
    """Return all curves of the figure, the one in focus among them."""
    own = _every(scope, centre) if view == "all" else [centre]
    extra = [_laid(scope, centre, other, laid_over) for other in laid_over]
    return [*own, *extra]


def second_colour(view: str) -> str:
    """Return the colour of B: neutral beside the colours of the classes, the accent beside the averages."""
    return theme.colour("primaryColor" if view == "macro" else "textColor")


def _every(scope: Scope, centre: Series) -> list[Series]:
    """Return the curves of all classes and the averages, the one in focus in the place of its own."""
    of, classes = scope.a.results, pair_names(scope)
    ink, size = theme.colour("textColor"), len(classes)
    styles = zip(classes, theme.class_colours(size), theme.class_dashes(size), strict=True)
    every = [
        replace(centre, dash=dash) if which == centre.which else Series(str(which), name, of, which, colour, dash)
        for which, (name, colour, dash) in enumerate(styles)
    ]
    averages = [
        Series("micro", "micro average", of, size, ink, _MICRO_DASH),
        Series("macro", "macro average", of, size + 1, ink, _MACRO_DASH),
    ]
    return [*every, *averages]


def _laid(scope: Scope, centre: Series, other: Other, laid_over: Sequence[Other]) -> Series:
    classes = pair_names(scope)
    macro = centre.which >= len(classes)
    splits = list(dict.fromkeys(one.split for one in laid_over if one.split))
    dash = _SPLIT_DASHES[splits.index(other.split) % len(_SPLIT_DASHES)] if other.split else _SOLID
    colour = second_colour("macro" if macro else "class") if other.second else centre.colour
    title = _title(scope, "macro" if macro else classes[centre.which], other, laid_over)
    key = f"{LETTERS[other.second]}-{other.split}"
    return Series(key, title, other.results, centre.which, colour, dash, strong=other.second and not other.split)


def _title(scope: Scope, name: str, other: Other | None, laid_over: Sequence[Other]) -> str:
    """Name a curve by its class, and where there are several of them by checkpoint and split."""
    parts = ["macro average" if name == "macro" else name]
    if scope.b is not None:
        parts.append(LETTERS[bool(other and other.second)])
    if any(one.split for one in laid_over):
        parts.append((other and other.split) or scope.a.selection.split)
    return ", ".join(parts)
