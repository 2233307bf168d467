import base64
import io
import re

import numpy as np
from PIL import Image

from explorer.ui.kit.images import img_tag, png

IMAGE = np.arange(28 * 28, dtype=np.int64).reshape(28, 28).astype(np.uint8)


def test_pixels_are_repeated_not_blurred():
    enlarged = np.asarray(Image.open(io.BytesIO(png(IMAGE, 3))))
    assert enlarged.shape == (84, 84)
    np.testing.assert_array_equal(enlarged[::3, ::3], IMAGE)
    np.testing.assert_array_equal(enlarged[2::3, 1::3], IMAGE)


def test_the_tag_holds_the_image_its_size_and_an_escaped_description():
    tag = img_tag(IMAGE, 4, 'a "boot" <b>')
    assert 'width="112" height="112"' in tag
    assert "image-rendering:pixelated" in tag
    assert 'alt="a &quot;boot&quot; &lt;b&gt;"' in tag
    data = re.search(r"base64,([^\"]+)", tag)
    assert data
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(data[1])))), IMAGE)
