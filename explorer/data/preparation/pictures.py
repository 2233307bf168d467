"""Reading a picture file that a user brought: checked before it is decoded, and turned into plain grey."""

import io
from os import PathLike
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from explorer.data.preparation.steps import Pixels, to_grey
from explorer.errors import ImageError

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
LARGEST_FILE = 20 * 2**20
"""Bytes."""

LARGEST_PICTURE = 16_000_000
"""Pixels; a JPEG may have more, as it is decoded at a fraction of its size."""

LARGEST_JPEG = 64_000_000
SMALLEST_SIDE = 8
_HEIC = tuple(b"ftyp" + brand for brand in (b"heic", b"heix", b"heif", b"mif1", b"msf1", b"hevc"))
LARGEST_SIDE = 1024
"""A larger picture is reduced to this side after decoding; the model sees 28 pixels."""


def read_image(source: bytes | str | PathLike[str], name: str | None = None) -> Pixels:
    """Read a picture as grey levels, such that ink stays visible on its ground; otherwise like `read_picture`.

    Returns
    -------
    uint8 ndarray (H, W)
    """
    return to_grey(read_picture(source, name))


def read_picture(source: bytes | str | PathLike[str], name: str | None = None) -> Pixels:
    """Read a picture.

    The camera's rotation is applied, the first frame of an animation is taken, and the ground behind a
    transparent picture is white if the picture is dark, black if it is light.

    Parameters
    ----------
    source : bytes or path
        The file's content, or where it lies.
    name : str, optional
        What messages call the picture; by default the file's name.

    Returns
    -------
    uint8 ndarray (H, W) or (H, W, 3)
        Grey levels, or red, green and blue. No side longer than 1024.

    Raises
    ------
    ImageError
        The file is missing, too large, no picture, damaged, or smaller than 8 x 8.
    """
    content = source if isinstance(source, bytes) else _content(Path(source))
    name = name or ("The picture" if isinstance(source, bytes) else Path(source).name)
    if len(content) > LARGEST_FILE:
        raise ImageError(_too_heavy(name, len(content)))
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
            _check_size(picture, name)
            picture.draft(None, (LARGEST_SIDE, LARGEST_SIDE))
            return _pixels(picture)
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageError(f"{name} would unpack to far too many pixels and was not opened.") from None
    except UnidentifiedImageError:
        if content[4:12] in _HEIC:
            raise ImageError(f"{name} is a HEIC picture, which cannot be read here. Save it as JPEG.") from None
        raise ImageError(f"{name} is no picture. Use PNG, JPEG, GIF, BMP, WebP or TIFF.") from None
    except Exception:  # what a decoder raises on damaged input is not limited to OSError
        raise ImageError(f"{name} is damaged or cut off. Save or export it again.") from None


def _content(path: Path) -> bytes:
    try:
        if path.is_file() and path.stat().st_size > LARGEST_FILE:
            raise ImageError(_too_heavy(path.name, path.stat().st_size))
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "the name is not valid"
        raise ImageError(f"{path.name or path} cannot be opened: {reason}. Check the path.") from None


def _too_heavy(name: str, size: int) -> str:
    return f"{name} has {size / 2**20:.1f} MB; the limit is {LARGEST_FILE // 2**20} MB. Make it smaller."


def _check_size(picture: Image.Image, name: str) -> None:
    width, height = picture.size
    if min(width, height) < SMALLEST_SIDE:
        raise ImageError(
            f"{name} has {width} x {height} pixels; at least {SMALLEST_SIDE} x {SMALLEST_SIDE} are needed."
        )
    limit = LARGEST_JPEG if picture.format in ("JPEG", "MPO") else LARGEST_PICTURE
    if width * height > limit:
        raise ImageError(
            f"{name} has {width * height / 1e6:.0f} million pixels; the limit for {picture.format} is"
            f" {limit // 1_000_000} million. Make it smaller."
        )


def _pixels(picture: Image.Image) -> Pixels:
    if picture.mode[:1] in ("I", "F"):
        picture = _eight_bits(picture)
    elif picture.has_transparency_data:
        picture = picture.convert("RGBA")
    else:
        picture = (picture if picture.mode == "L" else picture.convert("RGB")).copy()
    picture = ImageOps.exif_transpose(picture)
    picture.thumbnail((LARGEST_SIDE, LARGEST_SIDE), Image.Resampling.BOX)
    return np.array(_opaque(picture), np.uint8)


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Bring 16-bit, 32-bit and floating-point grey to 0..255; a floating-point picture by its own range.

    A file of 16 bits may hold the 8, 10, 12 or 14 bits of a camera: white is the largest level of the fewest that do.
    """
    values = np.asarray(picture, np.float64)
    if not np.isfinite(values).all():
        raise ValueError("not a number")
    if picture.mode == "F" or values.min() < 0 or values.max() > 65535:
        span = values.max() - values.min()
        values = (values - values.min()) * (255 / span if span else 0)
    else:
        bits = next(bits for bits in (8, 10, 12, 14, 16) if values.max() < 2**bits)
        values = values * (255 / (2**bits - 1))
    return Image.fromarray(np.round(values).astype(np.uint8))


def _opaque(picture: Image.Image) -> Image.Image:
    if picture.mode != "RGBA":
        return picture
    alpha = np.asarray(picture.getchannel("A"), np.float64)
    light = np.asarray(picture.convert("L"), np.float64)
    mean = (light * alpha).sum() / max(alpha.sum(), 1)
    ground = Image.new("RGBA", picture.size, "white" if mean < 128 else "black")
    return Image.alpha_composite(ground, picture).convert("RGB")
