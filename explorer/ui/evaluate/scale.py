"""Thresholds as people choose and read them: fine where most probabilities lie, near 0 and near 1."""

import math

DEFAULT = 0.5
DIGITS = 3
"""Significant digits of the distance to 0 or 1, whichever is nearer."""

_PLAIN = 1e-4
_DECADES = (-4, -3, -2)
_IN_DECADE = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def rounded(threshold: float) -> float:
    """Round a probability to three significant digits of its distance to 0 or 1, whichever is nearer."""
    side = min(threshold, 1 - threshold)
    return round(threshold, _decimals(side)) if side > 0 else threshold


def written(threshold: float) -> str:
    """Write a rounded probability so that it differs from every other one: 0.50, 0.0012, 1.2 × 10⁻⁶, 1 − 1.2 × 10⁻⁶."""
    side = min(threshold, 1 - threshold)
    if side <= 0:
        return f"{threshold:.0f}"
    if side < _PLAIN:
        small = _power(side)
        return small if threshold < 0.5 else f"1 − {small}"
    digits = f"{threshold:.{_decimals(side)}f}"
    whole, _, decimals = digits.partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"


def parse(text: str) -> float | None:
    """Read a threshold of the URL; None where it is no number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        return None
    return rounded(value) if 0 <= value <= 1 else None


def _grid() -> tuple[float, ...]:
    """Return steps of 0.01 in the middle, and ten to a factor of ten towards 0 and 1."""
    small = [rounded(number * 10.0**decade) for decade in _DECADES for number in _IN_DECADE]
    middle = [percent / 100 for percent in range(10, 91)]
    return (*small, *middle, *sorted(rounded(1 - number) for number in small))


def _decimals(side: float) -> int:
    return DIGITS - 1 - math.floor(math.log10(side))


def _power(value: float) -> str:
    mantissa, exponent = f"{value:.{DIGITS - 1}e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')} × 10{str(int(exponent)).translate(_SUPERSCRIPTS)}"


GRID = _grid()
"""Where the slider stops."""
