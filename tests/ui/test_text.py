import csv
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from explorer.ui.kit import text
from explorer.ui.kit.figure import csv_text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("T-shirt/top", r"T\-shirt/top"),
        ("![x](http://a.b/c.png)", r"\!\[x\]\(http\:\/\/a\.b/c\.png\)".replace(r"\/", "/")),
        ("<b>bold</b>", r"\<b\>bold\</b\>"),
        (":red[x] $y$", r"\:red\[x\] \$y\$"),
        ("two\n\n# lines", r"two \# lines"),
        ("Ankle boot", "Ankle boot"),
    ],
)
def test_a_name_has_no_effect_in_markdown(name, shown):
    assert text.markdown(name) == shown


@given(st.text())
def test_every_special_sign_is_escaped(name):
    shown = text.markdown(name)
    for sign in "*_[]()<>`$:!#|~&":
        assert sign not in shown.replace("\\\\", "").replace("\\" + sign, "")
    assert "\n" not in shown


def test_html_is_escaped_within_attributes_too():
    assert text.html_text("<a onx='1\">&") == "&lt;a onx=&#x27;1&quot;&gt;&amp;"


def test_long_text_is_cut():
    assert text.shorten("a b", 10) == "a b"
    assert text.shorten("x" * 50, 10) == "x" * 9 + "…"


@example([["", "\r"], ["a\rb", "\r\n"]])
@given(st.lists(st.lists(st.one_of(st.text(), st.integers(), st.floats(allow_nan=False)), min_size=2, max_size=2)))
def test_csv_comes_back_and_holds_no_formula(rows):
    written = csv_text(["a", "b"], rows)
    back = list(csv.reader(io.StringIO(written, newline="")))
    assert back[0] == ["a", "b"]
    assert len(back) == len(rows) + 1
    for given_row, row in zip(rows, back[1:], strict=True):
        for cell, read in zip(given_row, row, strict=True):
            if isinstance(cell, str):
                assert not read.startswith(("=", "+", "-", "@"))
                assert read.removeprefix("'") == cell.removeprefix("'")
            else:
                assert type(cell)(read) == cell


def test_what_is_undefined_stays_empty():
    assert csv_text(["x"], [[float("nan")], [None]]).splitlines()[1:] in (['""', '""'], ["", ""])
