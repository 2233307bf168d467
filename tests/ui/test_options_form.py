from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field
from streamlit.testing.v1 import AppTest

import models
from explorer.errors import ConfigError
from explorer.training.config import TrainConfig
from explorer.ui.kit.options_form import choice, label, parse_numbers


class Everything(BaseModel):
    """One field of each kind."""

    layers: tuple[int, ...] = Field((3, 2), description="Text.")
    share: float = Field(0.25, ge=0, le=1, description="A slider.")
    decay: float = Field(0.9, ge=0, lt=1, description="No slider, for 1 is not allowed.")
    learning_rate: float = Field(0.001, gt=0, le=100, description="Small steps.")
    count: int = Field(1024, ge=1, le=4096, description="Large steps.")
    stride: int = Field(1, ge=1, le=4, description="Steps of one.")
    limit: float | None = Field(None, gt=0, description="May be left empty.")
    kind: Literal["relu", "one-cycle"] = Field("relu", description="A choice.")
    batch_norm: bool = Field(False, description="A switch.")
    pace: float = Field(1.0, json_schema_extra={"step": 0.125}, description="Has a step of its own.")
    anything: dict[str, Any] = Field(default_factory=dict, description="Not shown.")


def _page(values=None, fields=None, preset=None, **how):
    import streamlit as st

    from explorer.errors import ConfigError
    from explorer.ui.kit.options_form import options_form, preset_state

    model = st.session_state["model"]
    if preset is not None:
        st.button("Fill", key="fill", on_click=preset_state, args=(model, preset, "k"))
    fields = st.session_state.get("more", fields)
    try:
        st.session_state["result"] = options_form(model, values or {}, "k", fields=fields, **how)
    except ConfigError as error:
        st.session_state["result"] = str(error)


def _show(model, **options):
    app = AppTest.from_function(_page, kwargs=options)
    app.session_state["model"] = model
    app.run()
    assert not app.exception
    return app


@pytest.mark.parametrize("model", [*(models.get(name).options for name in models.names()), Everything])
def test_untouched_form_gives_the_defaults(model):
    shown = _show(model).session_state["result"]
    assert model.model_validate(shown) == model()
    assert set(shown) == set(model.model_fields) - {"anything"}


def test_training_configuration_has_a_widget_for_each_field_but_the_options():
    shown = _show(TrainConfig).session_state["result"]
    assert set(shown) == set(TrainConfig.model_fields) - {"options"}
    assert TrainConfig.parse(shown) == TrainConfig()


def test_kinds_of_widgets():
    app = _show(Everything)
    assert [widget.label for widget in app.slider] == ["Share"]
    assert [widget.label for widget in app.number_input] == [
        *("Decay", "Learning rate", "Count", "Stride", "Limit", "Pace")
    ]
    assert [widget.label for widget in app.text_input] == ["Layers"]
    assert [widget.label for widget in app.toggle] == ["Batch norm"]
    assert app.selectbox[0].options == ["ReLU", "One cycle"]
    for widget in (*app.slider, *app.number_input, *app.text_input, *app.toggle, *app.selectbox):
        assert widget.help.endswith(".")
    steps = {widget.label: widget.step for widget in app.number_input}
    assert steps["Learning rate"] == pytest.approx(0.0005)
    assert (steps["Count"], steps["Stride"], steps["Pace"]) == (100, 1, 0.125)


def test_what_the_user_sets_comes_out():
    app = _show(Everything)
    app.slider[0].set_value(0.75)
    app.text_input[0].set_value("128; 64 32")
    app.selectbox[0].set_value("one-cycle")
    app.toggle[0].set_value(True)
    app.number_input[4].set_value(60.0)
    app.run()
    result = app.session_state["result"]
    assert (result["share"], result["layers"], result["kind"]) == (0.75, [128, 64, 32], "one-cycle")
    assert (result["batch_norm"], result["limit"]) == (True, 60.0)
    Everything.model_validate(result)


def test_given_values_come_first_and_stay_in_range():
    values = {"share": 0.5, "count": 9999, "layers": [7], "kind": "one-cycle", "limit": 3, "stride": 0}
    result = _show(Everything, values=values).session_state["result"]
    assert (result["share"], result["count"], result["layers"]) == (0.5, 4096, [7])
    assert (result["kind"], result["limit"], result["stride"]) == ("one-cycle", 3.0, 1)


def test_only_some_fields_in_their_order():
    app = _show(Everything, fields=["kind", "share"])
    assert list(app.session_state["result"]) == ["kind", "share"]


CHANGED = {
    "layers": (64, 7),
    "share": 0.75,
    "decay": 0.25,
    "learning_rate": 0.125,
    "count": 3,
    "stride": 4,
    "limit": 60.5,
    "kind": "one-cycle",
    "batch_norm": True,
    "pace": -2.0,
}


def test_preset_values_are_shown_whatever_was_set_before_and_can_be_changed_again(caplog):
    app = _show(Everything, preset=CHANGED)
    assert app.session_state["result"]["count"] == 1024
    app.text_input[0].set_value("5")
    app.toggle[0].set_value(True)
    app.button(key="fill").click().run()
    shown = app.session_state["result"]
    assert Everything.model_validate(shown) == Everything(**CHANGED)
    assert (app.text_input[0].value, app.slider[0].value, app.selectbox[0].value) == ("64, 7", 0.75, "one-cycle")
    app.run()
    assert app.session_state["result"] == shown
    app.number_input[2].set_value(5).run()
    assert app.session_state["result"] == shown | {"count": 5}
    assert "created with a default value" not in caplog.text


def test_presetting_nothing_sets_the_defaults():
    app = _show(Everything, preset={})
    app.number_input[2].set_value(5)
    app.number_input[4].set_value(1.5)
    app.button(key="fill").click().run()
    assert Everything.model_validate(app.session_state["result"]) == Everything()


def test_preset_values_wait_for_widgets_that_are_not_shown():
    app = _show(Everything, fields=["share"], preset=CHANGED)
    app.button(key="fill").click().run()
    assert list(app.session_state["result"]) == ["share"]
    app.session_state["more"] = ["kind", "limit", "layers"]
    app.run()
    result = app.session_state["result"]
    assert (result["kind"], result["limit"], result["layers"]) == ("one-cycle", 60.5, [64, 7])


def test_hidden_widgets_keep_their_values_where_asked():
    app = _show(Everything, persist_state="session")
    app.number_input[2].set_value(5).run()
    app.session_state["more"] = ["share"]
    app.run()
    assert not app.number_input
    app.session_state["more"] = None
    app.run()
    assert app.session_state["result"]["count"] == 5


class Named(BaseModel):
    """A text with known values."""

    start: str = Field("", description="What to start from.")


def test_a_text_with_choices_is_a_choice():
    app = _show(Named, choices={"start": {"": "Nothing", "a": "The first"}}, preset={"start": "gone"})
    assert app.selectbox[0].options == ["Nothing", "The first"]
    app.selectbox[0].set_value("a").run()
    assert app.session_state["result"] == {"start": "a"}
    app.button(key="fill").click().run()
    assert app.session_state["result"] == {"start": "gone"}
    assert app.selectbox[0].options == ["Nothing", "The first", "gone"]


def test_further_arguments_reach_every_widget():
    app = _show(Everything, disabled=True)
    assert all(widget.disabled for widget in (*app.slider, *app.number_input, *app.text_input, *app.toggle))
    assert app.selectbox[0].disabled


def test_text_that_is_no_list_of_numbers_is_one_message():
    app = _show(Everything)
    app.text_input[0].set_value("3, x").run()
    assert app.session_state["result"].startswith("Layers: write whole numbers")
    assert len(app.number_input) == 6


@pytest.mark.parametrize(
    ("text", "numbers"), [("", []), ("  ", []), ("5", [5]), ("5,6", [5, 6]), ("5 ; 6,, 7 ", [5, 6, 7]), ("-1", [-1])]
)
def test_numbers_in_a_text(text, numbers):
    assert parse_numbers(text, "x") == numbers


@pytest.mark.parametrize("text", ["1.5", "a", "1e3", "9" * 5000, "1 2 [3]"])
def test_other_text(text):
    with pytest.raises(ConfigError, match=r"Hidden: write whole numbers") as raised:
        parse_numbers(text, "Hidden")
    assert len(str(raised.value)) < 200


def test_labels_for_people():
    assert [label(name) for name in ("batch_norm", "ema", "extra_conv")] == ["Batch norm", "EMA", "Extra convolution"]
    assert label("time_budget") == "Time budget (seconds)"
    assert [choice(name) for name in ("relu", "silu", "nothing", "cross-entropy", "auto", "leaky-relu")] == [
        *("ReLU", "SiLU", "Nothing", "Cross entropy", "Auto", "Leaky ReLU")
    ]
