"""Parts of the page Draw that need no page."""

import threading

import numpy as np
import pytest
import streamlit as st

from explorer.analysis.drawings.verdicts import softmax
from explorer.errors import DataError
from explorer.experiments.fine_tuning import CorrectBeforeAfter, Forgetting
from explorer.ui.draw import collection, predictions
from explorer.ui.draw.predictions import ModelPrediction
from explorer.ui.draw.target import painted, rival_text
from explorer.ui.kit import background, theme


@pytest.fixture(autouse=True)
def fresh():
    st.cache_resource.clear()


def test_work_is_done_once_beside_the_page():
    done = threading.Event()
    calls = []

    def work():
        calls.append(threading.current_thread())
        done.wait(60)
        return 7

    job = background.job("seven", work)
    assert job.result is None
    assert not job.is_over
    assert background.job("seven", work) is job
    done.set()
    assert job.wait(60)
    assert (job.result, job.problem, len(calls)) == (7, None, 1)
    assert calls[0] is not threading.current_thread()


def test_what_goes_wrong_is_said_without_a_traceback():
    def known():
        raise DataError("The set is gone.")

    def unknown():
        raise ZeroDivisionError

    for work, problem in ((known, "The set is gone."), (unknown, background.FAILED)):
        job = background.job(problem, work)
        assert job.wait(60)
        assert (job.result, job.problem) == (None, problem)


def test_only_so_many_are_kept():
    first = background.job(0, lambda: 0)
    for number in range(1, background.KEPT + 1):
        background.job(number, lambda: 0)
    assert background.job(0, lambda: 0) is not first


def view(*logits):
    return ModelPrediction(np.array(logits, np.float64), None)


def test_loss_and_rank_are_those_of_the_definition():
    found = view(1.0, 3.0, 2.0, 3.0)
    shares = np.exp([1, 3, 2, 3]) / np.exp([1, 3, 2, 3]).sum()
    assert found.probabilities == pytest.approx(shares)
    assert [found.cross_entropy(k) for k in range(4)] == pytest.approx(-np.log(shares))
    assert [found.rank(k) for k in range(4)] == [4, 1, 3, 1]
    assert found.predicted == 1
    assert view(1000.0, 0.0).cross_entropy(1) == pytest.approx(1000)
    assert softmax(np.array([[1000.0, 1000.0]])) == pytest.approx(0.5)


def test_the_rival_is_the_best_other_class():
    assert rival_text(view(1.0, 3.0, 2.0), 1) == 2
    assert rival_text(view(1.0, 3.0, 2.0), 0) == 1


def test_added_ink_is_warm_and_removed_ink_cold(monkeypatch):
    change = np.zeros((28, 28), np.float32)
    change[3, 4], change[5, 6] = 0.3, -0.3
    image = np.full((28, 28), 100, np.uint8)
    found = painted(image, change)
    red, _green, blue = (found[..., channel].astype(int) for channel in range(3))
    assert red[3, 4] > blue[3, 4] + 50
    assert blue[5, 6] > red[5, 6] + 30
    assert (found[0, 0] == 75).all()
    assert np.array_equal(painted(image, 0 * change), np.full((28, 28, 3), 75))
    assert theme.contrast("#000000", "#ffffff") == pytest.approx(21)


def test_what_was_forgotten_is_said_in_points():
    text = collection.words(Forgetting(CorrectBeforeAfter(9260, 8430, 10_000), CorrectBeforeAfter(0, 1, 6)))
    assert "forgotten 8.3 points" in text
    assert "6 held-out drawings are few: each one counts 16.7 points" in text
    assert "forgotten nothing" in collection.words(
        Forgetting(CorrectBeforeAfter(90, 90, 100), CorrectBeforeAfter(0, 40, 50))
    )


def test_names_of_shipped_models_are_short():
    model = predictions.Model("fashion-mnist-lenet", "fashion-mnist-lenet", None)
    assert predictions.short(model, "fashion-mnist") == "lenet"
    assert len(predictions.short(predictions.Model("x", "y" * 90, None), "mnist")) == 22
