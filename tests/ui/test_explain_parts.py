"""Parts of the page Explain without a page: what is asked, colours, numbers, long work."""

import numpy as np
import pytest
import streamlit as st

from explorer.errors import ConfigError
from explorer.ui.explain.choice import ALONE, PREDICTED, SECOND, TRUE, Aim, resolve
from explorer.ui.explain.grid import coloured, legend, limits, ramp
from explorer.ui.kit import background, theme
from explorer.ui.kit.answers import Explained
from explorer.ui.kit.numbers import short, signed_figures

SHARES = np.array([0.1, 0.6, 0.3])


@pytest.mark.parametrize(
    ("wanted", "rather", "true", "aim"),
    [
        (PREDICTED, ALONE, 2, Aim(1)),
        (TRUE, ALONE, 2, Aim(2)),
        ("0", ALONE, None, Aim(0)),
        (PREDICTED, TRUE, 2, Aim(1, 2)),
        (PREDICTED, SECOND, None, Aim(1, 2)),
        (TRUE, PREDICTED, 0, Aim(0, 1)),
        ("2", "0", 1, Aim(2, 0)),
        (TRUE, SECOND, 2, Aim(2, 1)),
    ],
)
def test_classes_are_found_for_an_image(wanted, rather, true, aim):
    found = resolve(wanted, rather, SHARES, true)
    assert found == aim
    assert not found.notice


@pytest.mark.parametrize(
    ("wanted", "rather", "true", "aim"),
    [
        (TRUE, ALONE, None, Aim(1)),
        (PREDICTED, TRUE, 1, Aim(1, 2)),
        (PREDICTED, TRUE, None, Aim(1, 2)),
        ("0", "0", 1, Aim(0, 1)),
    ],
)
def test_what_cannot_be_is_replaced_and_said(wanted, rather, true, aim):
    found = resolve(wanted, rather, SHARES, true)
    assert found == aim
    assert found.notice


def test_a_score_has_a_title():
    assert Aim(1).title(("a", "b", "c")) == "b"
    assert Aim(1, 2).title(("a", "b", "c")) == "b rather than c"


def test_signed_colours_have_zero_in_the_middle_and_the_limit_at_the_ends():
    colours = coloured(np.array([[-2.0, 0.0, 2.0, 9.0]]), 2.0)
    codes = ["#" + bytes(pixel.tolist()).hex() for pixel in colours[0]]
    assert codes == [theme.diverging()[0], theme.colour("secondaryBackgroundColor"), *[theme.diverging()[-1]] * 2]


def test_absolute_colours_do_not_tell_signs_apart():
    below, zero, above = coloured(np.array([[-1.0, 0.0, 1.0]]), 2.0, "absolute")[0].tolist()
    assert below == above != zero
    assert coloured(np.zeros((2, 2)), 0.0, "absolute")[0, 0].tolist() == zero


def test_an_overlay_shows_the_image_where_the_map_is_zero():
    under = np.array([[7, 200]], np.uint8)
    colours = coloured(np.array([[0.0, -1.0]]), 1.0, "signed", under)
    assert colours[0, 0].tolist() == [7, 7, 7]
    assert colours[0, 1].tolist() == list(bytes.fromhex(theme.diverging()[0][1:]))


@pytest.mark.parametrize("sign", ["signed", "absolute"])
def test_the_legend_shows_every_colour(sign):
    assert all(code in legend(sign) for code in ramp(sign))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.5342, "0.53"),
        (5.04, "5.0"),
        (12.7, "13"),
        (99.9, "100"),
        (1234.0, "1,200"),
        (0.00123, "0.0012"),
        (0.0000123, "1.2 × 10⁻⁵"),
        (-3.4e9, "−3.4 × 10⁹"),
        (float("nan"), "–"),
    ],
)
def test_numbers_have_two_digits_and_no_exponent_of_a_programmer(value, text):
    assert short(value) == text
    assert signed_figures(value) == (f"+{text}" if value > 0 else text)


def test_one_scale_holds_for_maps_of_one_unit_only():
    maps = {
        ("occlusion", 0): Explained(np.array([[1.0, -3.0]], np.float32)),
        ("feature-ablation", 1): Explained(np.array([[0.5, 5.0]], np.float32)),
        ("grad-cam", 0): Explained(np.array([[0.25, 0.0]], np.float32)),
    }
    assert limits(maps, shared=False) == {("occlusion", 0): 3, ("feature-ablation", 1): 5, ("grad-cam", 0): 0.25}
    assert limits(maps, shared=True) == {("occlusion", 0): 5, ("feature-ablation", 1): 5, ("grad-cam", 0): 0.25}


def test_work_is_reported_kept_and_closed(monkeypatch):
    monkeypatch.setattr(background, "_PAUSE", 0.0)
    closed, told = [], []

    def steps():
        try:
            for share in (0.25, 0.5, 1.0):
                yield background.WorkProgress(share, f"part {share}", share)
        finally:
            closed.append(True)

    assert background._run(steps(), lambda share, said: told.append((share, said))) == 1.0
    assert [share for share, _ in told] == [0.25, 0.5, 1.0]
    assert closed == [True]


def test_work_that_is_stopped_is_closed_and_leaves_the_gate_open(monkeypatch):
    from explorer.ui.kit.models import computing

    monkeypatch.setattr(background, "_PAUSE", 0.0)
    closed = []

    class Stopped(BaseException):
        pass

    def steps():
        try:
            while True:
                yield background.WorkProgress(0.1, "on and on", None)
        finally:
            closed.append(True)

    def stop(share, said):
        raise Stopped

    with pytest.raises(Stopped):
        background._run(steps(), stop)
    assert closed == [True]
    with computing():
        pass


def test_work_that_fails_is_not_begun_again_by_itself():
    from streamlit.testing.v1 import AppTest

    def script():
        import streamlit as st

        from explorer.errors import ConfigError, ExplorerError
        from explorer.ui.kit import background

        def steps():
            st.session_state["begun"] = st.session_state.get("begun", 0) + 1
            yield background.WorkProgress(0.5, "half", None)
            raise ConfigError("Choose another.")

        try:
            background.result("job", "key", "Begin", steps, at_once=True)
        except ExplorerError as error:
            st.error(str(error))

    st.cache_resource.clear()
    app = AppTest.from_function(script).run()
    assert not app.exception
    assert app.error[0].value == "Choose another."
    app.run()
    assert app.session_state["begun"] == 1
    app.button(key="start-job").click().run()
    assert app.session_state["begun"] == 2
    assert issubclass(ConfigError, Exception)
