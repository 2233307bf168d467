"""Laying out source lines as `ruff format` would, so that a script needs no formatter."""

from collections.abc import Iterable, Sequence

WIDTH = 100
INDENT = "    "


def indented(lines: Iterable[str]) -> list[str]:
    """Return the lines one level further in."""
    return [INDENT + line if line else "" for line in lines]


def call(opening: str, arguments: Sequence[str], closing: str = ")", depth: int = 0) -> list[str]:
    """Lay out a call: on one line; else its arguments on a line of their own; else each on one.

    Parameters
    ----------
    opening, closing : str
        What stands before and after the arguments, brackets included.
    arguments : sequence of str
    depth : int
        How many levels the lines will be indented later.
    """
    width = WIDTH - depth * len(INDENT)
    inside = ", ".join(arguments)
    if len(opening + inside + closing) <= width:
        return [opening + inside + closing]
    if len(INDENT + inside) <= width:
        return [opening, INDENT + inside, closing]
    return exploded(opening, arguments, closing)


def exploded(opening: str, arguments: Iterable[str], closing: str = ")") -> list[str]:
    """Lay out a call with each argument on a line of its own."""
    return [opening, *(f"{INDENT}{argument}," for argument in arguments), closing]


def lists(name: str, items: Iterable[str], depth: int = 0) -> list[str]:
    """Assign a list, continued with `+=` where it does not fit a line."""
    lines: list[str] = []
    held: list[str] = []
    for item in items:
        if held and len(f"{name} += [{', '.join([*held, item])}]") > WIDTH - depth * len(INDENT):
            lines.append(_list(name, held, first=not lines))
            held = []
        held.append(item)
    return [*lines, _list(name, held, first=not lines)]


def _list(name: str, items: Sequence[str], first: bool) -> str:
    return f"{name} {'=' if first else '+='} [{', '.join(items)}]"
