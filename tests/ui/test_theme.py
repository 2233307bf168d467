"""The ten class colours are told apart by colour-blind people too, on both themes.

Colour blindness is simulated after Machado, Oliveira and Fernandes (2009), severity 1.0; the distance is CIEDE2000
(Sharma, Wu and Dalal 2005), checked against the pairs that they published.
"""

import tomllib
from itertools import combinations

import numpy as np
import pytest

from explorer.ui.kit import theme

LEAST_DISTANCE = 10.0
"""CIEDE2000; about 1 is just seen side by side, and lines in a chart need several times that."""

LEAST_CONTRAST = 3.0
"""WCAG 2.2, success criterion 1.4.11, for parts of graphics."""

VISION = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)


def lab(colour, vision):
    """Return CIE L*a*b* (D65) of `#rrggbb` as somebody with this vision sees it."""
    rgb = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    ratios = XYZ @ np.clip(VISION[vision] @ linear, 0, 1) / XYZ.sum(axis=1)
    f = np.where(ratios > 216 / 24389, np.cbrt(ratios), (24389 / 27 * ratios + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def distance(one, other):
    """Return CIEDE2000 of two colours in L*a*b*."""
    (l1, a1, b1), (l2, a2, b2) = one, other
    mean_chroma = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    g = 1.5 - 0.5 * np.sqrt(mean_chroma**7 / (mean_chroma**7 + 25**7))
    c1, c2 = np.hypot(g * a1, b1), np.hypot(g * a2, b2)
    h1, h2 = (np.degrees(np.arctan2(b, g * a)) % 360 for a, b in ((a1, b1), (a2, b2)))
    turn = 0 if c1 * c2 == 0 else (h2 - h1 + 180) % 360 - 180
    hue = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2))
    light, chroma = (l1 + l2) / 2, (c1 + c2) / 2
    if c1 * c2 == 0:
        angle = h1 + h2
    elif abs(h1 - h2) <= 180:
        angle = (h1 + h2) / 2
    else:
        angle = (h1 + h2 + (360 if h1 + h2 < 360 else -360)) / 2
    cosine = lambda factor, shift: np.cos(np.radians(factor * angle + shift))  # noqa: E731
    t = 1 - 0.17 * cosine(1, -30) + 0.24 * cosine(2, 0) + 0.32 * cosine(3, 6) - 0.2 * cosine(4, -63)
    s_light = 1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2)
    s_chroma, s_hue = 1 + 0.045 * chroma, 1 + 0.015 * chroma * t
    rotation = (
        -2 * np.sqrt(chroma**7 / (chroma**7 + 25**7)) * np.sin(np.radians(60 * np.exp(-(((angle - 275) / 25) ** 2))))
    )
    d_light, d_chroma, d_hue = (l2 - l1) / s_light, (c2 - c1) / s_chroma, hue / s_hue
    return np.sqrt(d_light**2 + d_chroma**2 + d_hue**2 + rotation * d_chroma * d_hue)


@pytest.mark.parametrize(
    ("one", "other", "published"),
    [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, -1.3802, -84.2814), (50, 0, -82.7485), 1.0000),
        ((50, 2.5, 0), (50, 0, -2.5), 4.3065),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
        ((50, 2.5, 0), (56, -27, -3), 31.9030),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((22.7233, 20.0904, -46.6940), (23.0331, 14.9730, -42.5619), 2.0373),
        ((90.8027, -2.0831, 1.4410), (91.1528, -1.6435, 0.0447), 1.4441),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_the_distance_is_the_published_one(one, other, published):
    assert distance(one, other) == pytest.approx(published, abs=1e-4)


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_class_colours_are_told_apart(mode, vision):
    colours = theme.class_colours(10, mode)
    assert len(set(colours)) == 10
    nearest = min((distance(lab(a, vision), lab(b, vision)), a, b) for a, b in combinations(colours, 2))
    assert nearest[0] >= LEAST_DISTANCE, nearest


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_class_colours_stand_out_from_the_ground(mode):
    ground = theme.colour("backgroundColor", mode)
    assert min(theme.contrast(colour, ground) for colour in theme.class_colours(10, mode)) >= LEAST_CONTRAST


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_numbers_are_readable_on_every_shade_and_text_on_its_ground(mode):
    for shade in theme.sequential(mode):
        assert theme.contrast(theme.ink_on(shade, mode), shade) >= 4.5
    assert theme.contrast(theme.colour("textColor", mode), theme.colour("backgroundColor", mode)) >= 7


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_accent_is_seen_on_the_ground_and_its_white_label_on_it(mode):
    """WCAG 2.2 asks for 4.5 between words and their ground, and 3 for what is no word; no word has the accent."""
    accent = theme.colour("primaryColor", mode)
    assert theme.contrast(accent, theme.colour("backgroundColor", mode)) >= 3
    assert theme.contrast(accent, "#ffffff") >= 4.5


def test_contrast_is_that_of_wcag():
    assert theme.contrast("#ffffff", "#000000") == pytest.approx(21)
    assert theme.contrast("#777777", "#ffffff") == pytest.approx(4.478, abs=1e-3)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_middle_of_the_diverging_scale_is_neutral(mode):
    colours = theme.diverging(mode)
    middle = colours[len(colours) // 2]
    channels = [int(middle[k : k + 2], 16) for k in (1, 3, 5)]
    assert len(colours) % 2 == 1
    assert max(channels) - min(channels) <= 16


def test_the_configuration_is_what_was_agreed():
    options = tomllib.loads(theme.CONFIG.read_text("utf-8"))
    assert options["server"]["address"] == "localhost"
    assert options["server"]["maxUploadSize"] == 64
    assert options["browser"]["gatherUsageStats"] is False
    assert options["client"]["showErrorDetails"] == "none"


def test_more_classes_than_colours_repeat_and_keep_their_order():
    assert theme.class_colours(12, "light")[10:] == theme.class_colours(2, "light")
