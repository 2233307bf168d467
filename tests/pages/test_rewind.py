"""The epoch slider, shared by the pages: all epochs on Evaluate, those with weights where a model is needed."""

import numpy as np
import pytest

from explorer.analysis.evaluation.prediction_files import save_predictions
from explorer.analysis.evaluation.predictions import Predictions
from explorer.data.splits import load_split
from explorer.store.checkpoints import load_checkpoint
from explorer.store.runs import Status

EPOCHS = 5
KEPT = (1, 2, 5)


@pytest.fixture
def rewindable(run):
    """A run of five epochs with weights of 1, 2 and 5 and predictions of all; those of 4 are all wrong."""
    run.weights(5).write_bytes(run.weights(2).read_bytes())
    for split in ("validation", "test"):
        images = load_split("fashion-mnist", split)
        for epoch in range(1, EPOCHS + 1):
            found = Predictions.compute(load_checkpoint(run.weights(1 if epoch < 2 else 2)), images)
            if epoch == 4:
                logits = np.zeros_like(found.logits)
                logits[np.arange(found.n), (found.labels + 1) % 10] = 1
                fields = {name: getattr(found, name) for name in ("labels", "indices", "classes", "dataset", "split")}
                found = Predictions(logits=logits, checkpoint="gone", **fields)
            save_predictions(run.predictions(split, epoch), found, full=epoch in (2, 5))
    run.write_status(Status(state="finished", epoch=EPOCHS, epochs=EPOCHS, best_epoch=2))
    return run


def _slider(app):
    return next(widget for widget in app.select_slider if widget.key == "epoch")


def test_every_epoch_is_offered_on_evaluate_and_those_with_weights_are_marked(rewindable, open_page):
    app = open_page("evaluate", checkpoint=rewindable.id)
    assert not app.exception
    assert _slider(app).options == ["1 ●", "2 ●", "3", "4", "5 ●"]
    assert _slider(app).value == 2


def test_moving_it_moves_the_page_to_that_epoch(rewindable, open_page):
    app = open_page("evaluate", checkpoint=rewindable.id)
    before = next(metric.value for metric in app.metric if metric.label == "Accuracy")
    _slider(app).set_value(4).run()
    assert not app.exception
    assert next(metric.value for metric in app.metric if metric.label == "Accuracy").startswith("0.0% ")
    assert any("its weights are not kept" in caption.value for caption in app.caption)
    _slider(app).set_value(5).run()
    assert next(metric.value for metric in app.metric if metric.label == "Accuracy") == before
    assert not any("its weights are not kept" in caption.value for caption in app.caption)


@pytest.mark.parametrize("section", ["ROC and precision-recall", "Mistakes", "Calibration", "Any image"])
def test_all_of_evaluate_works_without_weights(rewindable, open_page, section):
    app = open_page("evaluate", checkpoint=rewindable.id, epoch="3", section=section)
    assert not app.exception
    assert not app.error


def test_what_needs_weights_offers_only_epochs_with_them(rewindable, open_page):
    app = open_page("explain", checkpoint=rewindable.id)
    assert not app.exception
    assert _slider(app).options == [f"{epoch} ●" for epoch in KEPT]


@pytest.mark.parametrize("page", ["explain", "draw"])
def test_a_link_to_an_epoch_without_weights_shows_the_nearest_one_with(rewindable, open_page, page):
    app = open_page(page, checkpoint=rewindable.id, epoch="4")
    assert not app.exception
    assert _slider(app).value == 5
    assert any("weights of epoch 4 are not kept" in caption.value for caption in app.caption)
    assert not app.warning


def test_training_images_of_an_epoch_without_weights_are_a_message(rewindable, open_page):
    app = open_page("evaluate", checkpoint=rewindable.id, epoch="3", split="train")
    assert not app.exception
    assert "weights of epoch 3 are not kept" in app.error[0].value


def test_an_epoch_that_never_was_is_said_to_be_unknown(rewindable, open_page):
    app = open_page("evaluate", checkpoint=rewindable.id)
    app.query_params["epoch"] = "77"
    app.run()
    assert not app.exception
    assert any("no epoch “77”" in warning.value for warning in app.warning)
