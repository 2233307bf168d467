"""Maps as small pictures: signed or absolute, alone or over the image."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from explorer.ui import theme

Sign = Literal["signed", "absolute"]
Picture = NDArray[np.uint8]

_EMPHASIS = 0.7
"""Below 1, so that weak places of a map stay visible over the image."""


def coloured(
    values: NDArray[np.floating], limit: float, sign: Sign = "signed", under: NDArray[np.uint8] | None = None
) -> Picture:
    """Colour a map.

    Parameters
    ----------
    values : ndarray, shape (H, W)
    limit : float
        Size of the value that gets the strongest colour.
    sign : 'signed' or 'absolute'
        Diverging colours with zero in the middle, or the size alone from pale to strong.
    under : ndarray, optional
        uint8, shape (H, W): shows through where the map is weak.

    Returns
    -------
    ndarray
        uint8, shape (H, W, 3).
    """
    share = np.clip(np.asarray(values, np.float64) / (limit or 1.0), -1, 1)
    place = np.abs(share) if sign == "absolute" else (share + 1) / 2
    colours = _interpolated(place, ramp(sign))
    if under is not None:
        weight = (np.abs(share) ** _EMPHASIS)[..., None]
        colours = weight * colours + (1 - weight) * under[..., None].astype(np.float64)
    return colours.round().astype(np.uint8)


def ramp(sign: Sign) -> tuple[str, ...]:
    """Return the colours from the least to the greatest value."""
    return theme.diverging() if sign == "signed" else theme.sequential()


def legend(sign: Sign) -> str:
    """Return a bar of the colours with what its ends mean, as HTML."""
    words = ("−max", "0", "+max") if sign == "signed" else ("0", "", "max")
    marks = "".join(f"<span>{word}</span>" for word in words)
    return (
        f'<div style="width:11rem;font-size:.75rem"><div style="height:.6rem;border-radius:2px;'
        f'background:linear-gradient(to right,{",".join(ramp(sign))})"></div>'
        f'<div style="display:flex;justify-content:space-between">{marks}</div></div>'
    )


def _interpolated(place: NDArray[np.float64], codes: tuple[str, ...]) -> NDArray[np.float64]:
    stops = np.array([[int(code[at : at + 2], 16) for at in (1, 3, 5)] for code in codes], np.float64)
    places = np.linspace(0, 1, len(stops))
    return np.stack([np.interp(place, places, stops[:, channel]) for channel in range(3)], axis=-1)
