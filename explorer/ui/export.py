"""Tables for the user's spreadsheet."""

import csv
from collections.abc import Iterable, Sequence

_END = "\r\n"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

Cell = str | int | float | None


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Write a table as CSV.

    Numbers keep full precision; what is undefined (None or NaN) stays empty; text that a spreadsheet would take
    for a formula gets an apostrophe in front.
    """
    lines = _Lines()
    writer = csv.writer(lines, lineterminator=_END)
    writer.writerow([_cell(name) for name in header])
    writer.writerows([_cell(value) for value in row] for row in rows)
    return "".join(lines)


class _Lines(list[str]):
    """Takes the lines of a writer, and ends them as the other files do.

    The writer puts a cell in quotes that holds a part of its own line end: so does one with a carriage return alone.
    """

    def write(self, line: str) -> None:
        """Take one line of the table."""
        self.append(line.removesuffix(_END) + "\n")


def _cell(value: Cell) -> Cell:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return "" if value is None or value != value else value
