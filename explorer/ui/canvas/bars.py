"""The probabilities that stand beside the canvas."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

MOST = 4
"""So many models stand side by side."""


@dataclass(frozen=True)
class Bars:
    """The probabilities of one model.

    Attributes
    ----------
    classes : tuple of str (C,)
    colours : tuple of str (C,)
        Colours as `#rrggbb`.
    probabilities : tuple of float (C,) or None
        None while there is nothing to predict: the bars keep their place and stay empty.
    target : int or None
        The class that the user means to draw.
    title : str
        The model's name, to be told from the others beside it.
    """

    classes: tuple[str, ...]
    colours: tuple[str, ...]
    probabilities: tuple[float, ...] | None = None
    target: int | None = None
    title: str = ""

    def __post_init__(self) -> None:
        """Refuse parts that do not belong together.

        Raises
        ------
        ValueError
            Lengths differ, a probability lies outside [0, 1], or the target is no class.
        """
        count = len(self.classes)
        if len(self.colours) != count:
            raise ValueError(f"{count} classes need {count} colours, not {len(self.colours)}.")
        if not all(re.fullmatch(r"#[0-9a-fA-F]{6}", colour) for colour in self.colours):
            raise ValueError("Colours are written #rrggbb.")
        if self.target is not None and not 0 <= self.target < count:
            raise ValueError(f"The target must be one of the {count} classes.")
        if self.probabilities is not None:
            object.__setattr__(self, "probabilities", tuple(float(p) for p in self.probabilities))
            if len(self.probabilities) != count or not all(0 <= p <= 1 for p in self.probabilities):
                raise ValueError(f"{count} classes need {count} probabilities between 0 and 1.")


def side_by_side(bars: Bars | Sequence[Bars] | None) -> list[dict[str, Any]]:
    """Return the bars as the JSON array that the browser reads; it is empty where there are none.

    Raises
    ------
    ValueError
        More than four, other classes, colours or targets beside each other, or titles missing among several.
    """
    models = [bars] if isinstance(bars, Bars) else list(bars or ())
    if len(models) > MOST:
        raise ValueError(f"At most {MOST} models stand side by side, not {len(models)}.")
    if len({(one.classes, one.colours, one.target) for one in models}) > 1:
        raise ValueError("Bars side by side share their classes, colours and target.")
    if len(models) > 1 and not all(one.title for one in models):
        raise ValueError("Bars side by side need a title each: the classes alone do not tell the models apart.")
    return [asdict(one) for one in models]
