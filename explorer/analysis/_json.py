"""Numbers for JSON, which knows no NaN."""

import math


def or_none(value: float) -> float | None:
    """Return a number, or None where it is undefined (NaN)."""
    return None if math.isnan(value) else float(value)
