"""Small grey images, enlarged by whole numbers with their pixels crisp."""

import base64
import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray
from PIL import Image

from explorer.ui.kit import theme
from explorer.ui.kit.text import html_text


def png(image: NDArray[np.uint8], scale: int = 1) -> bytes:
    """Encode a grey (H, W) or colour (H, W, 3) image as PNG, every pixel repeated `scale` times in both directions."""
    enlarged = image.repeat(scale, axis=0).repeat(scale, axis=1)
    stream = io.BytesIO()
    Image.fromarray(enlarged).save(stream, "PNG")
    return stream.getvalue()


def img_tag(image: NDArray[np.uint8], scale: int, description: str) -> str:
    """Return an `<img>` that shows an image at a whole-number scale.

    Parameters
    ----------
    image : ndarray
        uint8, shape (H, W) or (H, W, 3).
    scale : int
        Screen pixels for each of the image's.
    description : str
        What a screen reader says; it is escaped.
    """
    height, width = image.shape[:2]
    data = base64.b64encode(png(image)).decode()
    return (
        f'<img src="data:image/png;base64,{data}" width="{width * scale}" height="{height * scale}" '
        f'alt="{html_text(description)}" style="image-rendering:pixelated;display:block;box-sizing:content-box;'
        'border:1px solid rgba(128,128,128,.55);border-radius:2px">'
    )


def map_tag(values: NDArray[np.floating], scale: int, description: str) -> str:
    """Return an `<img>` of a signed map (H, W) in the diverging colours, zero in the middle."""
    place = (values / (np.abs(values).max() or 1.0) + 1) / 2
    return img_tag(on_scale(place, theme.diverging()).round().astype(np.uint8), scale, description)


def on_scale(places: npt.ArrayLike, colours: Sequence[str]) -> NDArray[np.float64]:
    """Return the colours of places from 0 to 1 on a scale between colours `#rrggbb`: (...) to (..., 3), 0 to 255."""
    stops = np.linspace(0, 1, len(colours))
    channels = np.array([theme.rgb(colour) for colour in colours], np.float64).T
    return np.stack([np.interp(np.asarray(places, np.float64), stops, channel) for channel in channels], axis=-1)
