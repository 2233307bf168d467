"""Numbers without a fixed range as people read them."""

import math

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def short(value: float, digits: int = 2) -> str:
    """Write a size with a few significant digits, very large and very small ones with a power of ten."""
    if not value or not math.isfinite(value):
        return "0" if value == 0 else "–"
    sign, size = "−" if value < 0 else "", abs(value)
    exponent = math.floor(math.log10(float(f"{size:.{digits - 1}e}")))
    if -3 <= exponent <= 5:
        places = digits - 1 - exponent
        return f"{sign}{round(size, places):,.{max(0, places)}f}"
    return f"{sign}{size / 10**exponent:.{digits - 1}f} × 10{str(exponent).translate(_RAISED)}"


def signed(value: float) -> str:
    """Write the same with a sign in front of positive values too."""
    return f"+{short(value)}" if value > 0 else short(value)
