"""Numbers without a fixed range as people read them."""

import math

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def short(value: float) -> str:
    """Write a size with two significant digits, very large and very small ones with a power of ten."""
    if not value or not math.isfinite(value):
        return "0" if value == 0 else "–"
    sign, size = "−" if value < 0 else "", abs(value)
    exponent = math.floor(math.log10(float(f"{size:.1e}")))
    if -3 <= exponent <= 5:
        return f"{sign}{round(size, 1 - exponent):,.{max(0, 1 - exponent)}f}"
    return f"{sign}{size / 10**exponent:.1f} × 10{str(exponent).translate(_RAISED)}"


def signed(value: float) -> str:
    """Write the same with a sign in front of positive values too."""
    return f"+{short(value)}" if value > 0 else short(value)
