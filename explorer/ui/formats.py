"""Numbers as people read them."""


def percent(value: float | None) -> str:
    """Write a share as percent with one decimal."""
    return "–" if value is None else f"{value:.1%}"


def seconds(value: float | None) -> str:
    """Write a time as people say it: 0.25 s, 4.2 s, 37 s, 1 min 24 s, 12 min, 1 h 20 min."""
    if value is None:
        return "–"
    if value < 59.5:
        return f"{value:.2f} s" if value < 1 else f"{value:.1f} s" if value < 9.95 else f"{value:.0f} s"
    if value < 599.5:
        minutes, rest = divmod(round(value), 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    minutes = round(value / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def count(value: float | None) -> str:
    """Write a whole number with its thousands separated."""
    return "–" if value is None else f"{value:,.0f}"


def loss(value: float | None) -> str:
    """Write a loss in nats."""
    return "–" if value is None else f"{value:.3f}"
