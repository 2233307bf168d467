"""A picture that the user pasted, as it comes from the browser, and the checks on the way in."""

import base64
import binascii
import math
import struct

from explorer.errors import ImageError

LARGEST_PICTURE = 4 * 2**20
"""Bytes."""

LARGEST_SIDE = 512
"""Pixels; the browser scales a larger picture down."""

REFUSED = "The pasted picture cannot be read. Copy it again, or save it as a file and upload that."

_LARGEST_CODE = 4 * math.ceil(LARGEST_PICTURE / 3)
_HEAD = struct.Struct(">8sI4sII")
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def picture_from(value: object) -> bytes:
    """Read a picture sent by a browser, trusting nothing in it.

    Only what can be told without decoding is checked: the decoder (`data.pictures`) does the rest.

    Parameters
    ----------
    value : object
        What arrived, decoded from JSON: a PNG in base64.

    Returns
    -------
    bytes
        Begins as a PNG of at most 512 x 512 pixels.

    Raises
    ------
    ImageError
        Anything else.
    """
    if not isinstance(value, str) or len(value) > _LARGEST_CODE or not value.isascii():
        raise ImageError(REFUSED)
    try:
        content = base64.b64decode(value, validate=True)
        signature, length, name, width, height = _HEAD.unpack_from(content)
    except (binascii.Error, struct.error):
        raise ImageError(REFUSED) from None
    if (signature, length, name) != (_SIGNATURE, 13, b"IHDR"):
        raise ImageError(REFUSED)
    if min(width, height) == 0 or max(width, height) > LARGEST_SIDE:
        raise ImageError(REFUSED)
    return content
