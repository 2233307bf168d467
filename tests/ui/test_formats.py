"""One rule for numbers, against exact decimal arithmetic."""

import html
import math
import re
from decimal import Decimal

import altair as alt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.ui.charts.specs import named, specification, with_percents
from explorer.ui.kit import numbers


@given(st.integers(1, 100_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.integers(0, 4))
def test_a_share_and_its_complement_add_up(counted, digits):
    part, n = counted
    texts = numbers.percent(part / n, digits), numbers.percent(1 - part / n, digits)
    shown = [Decimal(text.strip("<>%")) for text in texts]
    assert sum(shown) == 100
    exact = Decimal(100) * part / n
    assert abs(shown[0] - exact) <= (1 if "<" in texts[0] + texts[1] else Decimal("0.5000001")) * Decimal(10) ** -digits
    assert (shown[0] == 0) == (part == 0)
    assert (shown[0] == 100) == (part == n)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((0, "0.0%"), (1, "100.0%"), (1e-9, "<0.1%"), (0.9996, ">99.9%"), (0.0005, "0.1%"), (0.0985, "9.9%")),
        *((0.9015, "90.1%"), (None, "–"), (math.nan, "–"), (1 + 1e-12, "100.0%"), (3.217, "321.7%")),
    ],
)
def test_percentages_say_what_is_neither_none_nor_all(value, text):
    assert numbers.percent(value) == text


def test_areas_losses_and_intervals_do_too():
    areas = (1, 0.99996, 0.99994, 0.00001, 0, math.nan)
    assert [numbers.area(value) for value in areas] == ["1.0000", ">0.9999", "0.9999", "<0.0001", "0.0000", "–"]
    losses = (0, 1e-5, 0.0005, 2.3026, math.inf, None)
    assert [numbers.loss(value) for value in losses] == ["0.000", "<0.001", "0.001", "2.303", "∞", "–"]
    counted = [numbers.of_many(value) for value in (1, 0.99996, 0.5, 0.00001, 0)]
    assert [text.removesuffix(" of 10,000") for text in counted] == [
        "10,000",
        "more than 9,999",
        "5,000",
        "fewer than 1",
        "0",
    ]
    cells = [numbers.cell(value) for value in (None, 0.0, 1e-6, 0.9015, 0.99996, 1.0)]
    assert [cell if cell is None else f"{cell:.1f}" for cell in cells] == [None, "0.0", "0.1", "90.1", "99.9", "100.0"]
    assert numbers.interval(0.9991, 0.9999) == "99.9 to >99.9%"
    assert numbers.area_interval(0.99996, 1) == ">0.9999 to 1.0000"
    assert numbers.interval(math.nan, 0.5) == numbers.area_interval(0.5, math.nan) == ""


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_difference_is_that_of_the_figures_shown(a, b):
    ends = {"<0.1": "0.0", ">99.9": "100.0"}
    shown = [Decimal(ends.get(text, text)) for text in (numbers.percent(value)[:-1] for value in (a, b))]
    gap = numbers.points(a, b)
    assert Decimal(f"{gap:.1f}") == shown[1] - shown[0]
    assert numbers.signed(gap).replace("−", "-").strip("+") == f"{shown[1] - shown[0]:.1f}"


def test_small_shares_are_told_apart_by_more_digits():
    assert numbers.percents(0.000012, 0.000034) == ["0.001%", "0.003%"]
    assert numbers.percents(0.5, 0.9) == ["50.0%", "90.0%"]
    assert numbers.percents(0.2, 0.2) == ["20.0%", "20.0%"]
    assert numbers.precise(math.exp(-11.3)) == "0.0012%"
    assert numbers.precise(1 - 0.000012) == "99.9988%"
    assert [numbers.precise(value) for value in (0.0, 0.1234, 1.0)] == ["0.0%", "12.3%", "100.0%"]


def test_the_browser_writes_the_same_in_its_tooltips():
    """Vega's own interpreter of expressions, by vl-convert, draws each share as text."""
    vl_convert = pytest.importorskip("vl_convert")
    values = [
        0,
        1e-7,
        0.0004,
        0.0005,
        0.0985,
        0.9015,
        0.5,
        0.9995,
        0.9996,
        1 - 1e-7,
        1,
        None,
        *(k / 6000 for k in range(1, 6000, 7)),
    ]
    marks = with_percents(alt.Chart(named("rows")), "share").mark_text().encode(text="share_said:N", y="place:O")
    spec = specification(marks, rows=[{"place": place, "share": value} for place, value in enumerate(values)])
    texts = re.findall(
        r"<text[^>]*>([^<]*)</text>",
        vl_convert.vegalite_to_svg(spec | {"config": {"axis": {"labels": False, "title": None}}}),
    )
    assert [html.unescape(text) for text in texts] == [numbers.percent(value) for value in values]


def test_plurals():
    assert [numbers.many(n, "image") for n in (0, 1, 1000)] == ["0 images", "1 image", "1,000 images"]
    assert numbers.many(2, "class", "classes") == "2 classes"
