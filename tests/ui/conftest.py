"""What the tests of all charts share: whether the words of a chart can be read in its exported pictures."""

import re
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

TEXT = re.compile(r"<text[^>]*[^/>]>([^<]*)</text>")
FAMILY = re.compile(r"font-family=\"([^\"]*)\"")
IDENTIFIER = re.compile(r"-?[A-Za-z_][\w-]*( -?[A-Za-z_][\w-]*)*|'[^']+'")
"""A font family of CSS: words that do not begin with a digit, or in quotes. One invalid name makes the list void."""


def pixels(picture: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(picture)).convert("RGB")).astype(int)


@pytest.fixture(scope="session")
def exported():
    """Draw a chart as SVG and as PNG, find its words in both, and return the SVG."""
    vl_convert = pytest.importorskip("vl_convert")
    from explorer.ui.kit import figure

    def export(spec, mode="light"):
        svg = figure.svg(spec, mode)
        assert svg.startswith("<svg")
        words = "".join(TEXT.findall(svg))
        assert words
        for family in set(FAMILY.findall(svg)):
            names = [name.strip() for name in family.replace("&quot;", "'").split(",")]
            assert all(map(IDENTIFIER.fullmatch, names)), family
            assert names[-1] == "sans-serif"
        bare = pixels(vl_convert.svg_to_png(TEXT.sub("", svg), scale=figure.SCALE))
        drawn = (pixels(figure.png(spec, mode)) != bare).any(axis=2).sum()
        assert drawn > 10 * len(words), f"{drawn} pixels of {len(words)} letters"
        return svg

    return export
