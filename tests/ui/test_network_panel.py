import pytest
import streamlit as st
import torch
from streamlit.testing.v1 import AppTest

from explorer.training.config import TrainConfig
from explorer.training.queue import estimate, supervisor
from explorer.training.queue.estimate import Estimate
from explorer.ui.train import network

FOUND = Estimate(
    seconds_per_epoch=3.7,
    evaluation_seconds=0.5,
    low=4.0,
    high=5.0,
    steps=300,
    images_per_second=14_600,
    busy=False,
    device="CPU",
    versions={},
)


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    monkeypatch.setattr(supervisor, "ensure", lambda: None)
    st.cache_data.clear()


def _page():
    import streamlit as st

    from explorer.training.config import TrainConfig
    from explorer.training.plan import make_plan
    from explorer.ui.train import network

    config = TrainConfig.parse(st.session_state["values"])
    network.show(config, make_plan(config))


def opened(**values):
    app = AppTest.from_function(_page, default_timeout=60)
    app.session_state["values"] = values
    app.run()
    assert not app.exception
    return app


def metrics(app):
    return {metric.label: metric.value for metric in app.metric}


def keep(found=None, failure="", **values):
    key = estimate.key_of(TrainConfig.parse(values))
    estimate.keep(key, estimate.EstimateAnswer(estimate=found, failure=failure))


def test_layers_and_sums():
    app = opened(model="lenet")
    table = app.dataframe[0].value
    assert list(table.columns) == ["Layer", "What it is", "Output", "Parameters", "Multiply-adds"]
    assert list(table.iloc[0]) == ["0", "convolution 5x5, 32 maps", "32 × 24 × 24", 832, 460_800]
    assert metrics(app)["Parameters"] == f"{table['Parameters'].sum():,}" == "1,111,946"
    assert metrics(app)["Multiply-adds"] == f"{table['Multiply-adds'].sum():,}"
    assert metrics(app)["Steps per epoch"] == "844"


def test_a_time_that_is_not_known_is_asked_for_and_awaited():
    app = opened()
    assert metrics(app)["Time per epoch"] == metrics(app)["Whole run"] == "…"
    assert any("Measuring" in caption.value for caption in app.caption)
    assert estimate.pending() == [estimate.key_of(TrainConfig())]
    keep(FOUND)
    app.run()
    assert metrics(app)["Time per epoch"] == "4.2 s"
    assert metrics(app)["Whole run"] == "42 s"
    assert any("About 40 s to 50 s in all; measured on this computer by 300 steps." in one.value for one in app.caption)


def test_a_time_that_cannot_be_measured_says_why():
    keep(failure="There is not enough memory for [this](http://x).")
    app = opened()
    assert metrics(app)["Time per epoch"] == "–"
    (caption,) = [caption.value for caption in app.caption]
    assert "There is not enough memory" in caption
    assert "[this]" not in caption
    assert estimate.pending() == []


def test_a_device_that_is_not_there_is_said():
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    app = opened(device="cuda")
    assert any("no 'cuda' device" in caption.value.replace("\\", "") for caption in app.caption)


def test_warnings_are_shown_as_plain_text():
    app = opened(learning_rate=0.5, options={"dropout": 1})
    assert [warning.value.replace("\\", "")[:9] for warning in app.warning] == ["Dropout 1", "A learnin"]


@pytest.mark.parametrize(
    ("changes", "values", "words"),
    [
        ({}, {"epochs": 1}, "About 4.0 s to 5.0 s in all; measured on this computer by 300 steps."),
        ({"steps": 1}, {"epochs": 1}, "by 1 step."),
        ({"low": 4.2, "high": 4.2}, {}, "About 42 s in all;"),
        ({}, {"time_budget": 20}, "The time budget ends the run after about 4 epochs; measured"),
        ({}, {"time_budget": 5}, "after about 1 epoch;"),
        ({}, {"time_budget": 100}, "About 40 s to 50 s in all"),
        ({"busy": True}, {}, "Another run was being computed meanwhile; alone it is quicker."),
    ],
)
def test_an_estimate_in_words(changes, values, words):
    found = FOUND.model_copy(update=changes)
    assert words in network.describe(found, TrainConfig.parse(values))


def test_more_steps_than_the_run_has_are_said_to_be_like_them():
    found = FOUND.model_copy(update={"steps": 308})
    assert "measured on this computer by 308 steps like the 5 of the run." in network.describe(found, TrainConfig(), 5)
    assert network.describe(found, TrainConfig(), 308).endswith("by 308 steps.")


def test_the_time_budget_limits_the_whole_run():
    assert network.whole(FOUND, TrainConfig(epochs=10)) == pytest.approx(42)
    assert network.whole(FOUND, TrainConfig(epochs=10, time_budget=20)) == 20
