"""Numbers as people read them, by one rule.

What is neither none nor all is never written so, but "<0.1%", ">99.9%" or ">0.9999"; a share and its complement add up;
a difference is that of the figures shown. What is undefined (None, NaN) is a dash.
"""

import math

UNDEFINED = "–"


def percent(value: float | None, digits: int = 1) -> str:
    """Write a share as percent."""
    return _within(value, digits, 100, "%")


def cell(value: float | None) -> float | None:
    """Return a share as the percentage of a table that is sorted by it and shows one decimal.

    It is drawn a little towards the figure that `percent` shows, so that it is rounded to the same one, and what is
    neither none nor all is not rounded to that.
    """
    if value is None or value in (0, 1):
        return None if value is None else 100 * value
    shown = 100 * _rounded(value, 3)
    return min(max(shown + 0.9 * (100 * value - shown), 0.051), 99.949)


def area(value: float | None) -> str:
    """Write an area under a curve, from 0 to 1."""
    return _within(value, 4, 1, "")


def interval(low: float, high: float) -> str:
    """Write the ends of an interval of shares as "91.9 to 92.9%"; empty where it is undefined."""
    return "" if math.isnan(low) or math.isnan(high) else f"{percent(low).removesuffix('%')} to {percent(high)}"


def area_interval(low: float, high: float) -> str:
    """Write the ends of an interval of areas as "0.9871 to 0.9902"; empty where it is undefined."""
    return "" if math.isnan(low) or math.isnan(high) else f"{area(low)} to {area(high)}"


def percents(*values: float) -> list[str]:
    """Write shares with as many decimals, from one to six, as it takes to tell them apart."""
    texts: list[str] = []
    for digits in range(1, 7):
        texts = [percent(value, digits) for value in values]
        if len(set(texts)) == len(set(values)):
            break
    return texts


def precise(value: float) -> str:
    """Write a share as percent with two significant digits of its distance to 0 or 1, whichever is nearer."""
    rest = min(value, 1 - value)
    return percent(value, max(1, min(8, -1 - math.floor(math.log10(rest)))) if rest > 0 else 1)


def of_many(value: float, n: int = 10_000) -> str:
    """Write a share as so many of a round number: 9,412 of 10,000, more than 9,999 of 10,000."""
    shown = round(n * _rounded(value, round(math.log10(n))))
    near = "fewer than 1" if shown == 0 < value else f"more than {count(n - 1)}" if shown == n and value < 1 else ""
    return f"{near or count(shown)} of {count(n)}"


def points(a: float, b: float, digits: int = 1) -> float:
    """Return B less A in percentage points, as the difference of the figures that `percent` shows.

    Parameters
    ----------
    a, b : float
        Shares; the result is NaN where one is.
    digits : int
        Decimals of the percentages.
    """
    if math.isnan(a) or math.isnan(b):
        return math.nan
    return round(100 * (_rounded(b, digits + 2) - _rounded(a, digits + 2)), digits)


def signed(value: float, digits: int = 1) -> str:
    """Write a difference with its sign and a true minus; one that rounds to zero has none."""
    text = f"{abs(round(value, 9)):,.{digits}f}"
    return f"{'' if not text.strip('0.,') else '+' if value > 0 else '−'}{text}"


def seconds(value: float | None) -> str:
    """Write a time as people say it: 0.25 s, 4.2 s, 37 s, 1 min 24 s, 12 min, 1 h 20 min."""
    if value is None:
        return UNDEFINED
    if value < 59.5:
        return f"{value:.2f} s" if value < 1 else f"{value:.1f} s" if value < 9.95 else f"{value:.0f} s"
    if value < 599.5:
        minutes, rest = divmod(round(value), 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    minutes = round(value / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def count(value: float | None) -> str:
    """Write a whole number with its thousands separated."""
    return UNDEFINED if value is None else f"{value:,.0f}"


def many(number: int, what: str, plural: str = "") -> str:
    """Write how many there are of something: 1 image, 64 images."""
    return f"{count(number)} {what if number == 1 else plural or f'{what}s'}"


def loss(value: float | None) -> str:
    """Write a loss in nats."""
    if value is None or math.isnan(value):
        return UNDEFINED
    return "∞" if value == math.inf else "<0.001" if 0 < value < 0.0005 else f"{value:.3f}"


def _within(value: float | None, digits: int, whole: int, unit: str) -> str:
    if value is None or math.isnan(value):
        return UNDEFINED
    shown = _rounded(value, digits + round(math.log10(whole)))
    least = 10.0**-digits
    if shown == 0 < value:
        return f"<{least:.{digits}f}{unit}"
    if shown == 1 > value:
        return f">{whole - least:.{digits}f}{unit}"
    return f"{whole * shown:.{digits}f}{unit}"


def _rounded(value: float, digits: int) -> float:
    """Round so that a share and its complement add up to 1, where both lie half way between two figures, too."""
    steps = float(10**digits)
    rest = math.floor(round(min(value, 1 - value) * steps, 6) + 0.5)
    return (rest if value <= 0.5 else steps - rest) / steps


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


def signed_figures(value: float) -> str:
    """Write the same with a sign in front of positive values too."""
    return f"+{short(value)}" if value > 0 else short(value)
