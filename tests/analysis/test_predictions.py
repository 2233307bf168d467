import numpy as np
import pytest
import scipy.special
import torch
from sklearn import metrics

import models
from explorer.analysis.evaluation.predictions import Predictions, predict, to_pixels
from explorer.errors import CheckpointError, DataError
from explorer.store.checkpoints import Metadata, load_checkpoint, save_checkpoint
from models.registry import InputShape

CLASSES = tuple("abcdefghij")


@pytest.fixture
def checkpoint(tmp_path):
    """A small checkpoint, written and read back."""

    def make(classes):
        options = {"hidden": [8]}
        network = models.build("mlp", options, InputShape(classes=len(classes)))
        metadata = Metadata(format=1, model="mlp", options=options, classes=classes, mean=0.3, std=0.35)
        save_checkpoint(tmp_path / "small.safetensors", network, metadata)
        return load_checkpoint(tmp_path / "small.safetensors")

    return make


def test_to_pixels_spans_zero_to_one_and_copies(split):
    pixels = to_pixels(split.images)
    assert pixels.shape == (40, 1, 28, 28)
    assert pixels.dtype == torch.float32
    np.testing.assert_allclose(pixels[:, 0].numpy(), split.images / 255, atol=1e-7)
    pixels.zero_()
    assert split.images.max() == 255


@pytest.mark.parametrize("batch_size", [1, 7, 40, 1000])
def test_predict_equals_one_plain_forward_pass_in_evaluation_mode(classifier, split, batch_size):
    logits = predict(classifier, split.images, batch_size=batch_size)
    assert classifier.training
    assert all(m.training for m in classifier.modules())
    with torch.no_grad():
        expected = classifier.eval()(to_pixels(split.images)).numpy()
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, expected, atol=1e-5)


def test_predict_leaves_batch_norm_statistics_alone(classifier, split):
    before = {name: value.clone() for name, value in classifier.state_dict().items()}
    predict(classifier, split.images)
    after = classifier.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_predict_without_images_has_the_classes(classifier, split):
    assert predict(classifier, split.images[:0]).shape == (0, 10)


def test_compute_identifies_its_origin(checkpoint, split):
    source = checkpoint(CLASSES)
    result = Predictions.compute(source, split)
    assert (result.checkpoint, result.dataset, result.split) == (source.digest, "fashion-mnist", "test")
    assert result.classes == CLASSES
    np.testing.assert_array_equal(result.indices, split.indices)
    np.testing.assert_array_equal(result.labels, split.labels)
    with torch.no_grad():
        expected = source.classifier().network((to_pixels(split.images) - 0.3) / 0.35).numpy()
    np.testing.assert_allclose(result.logits, expected, atol=1e-5)


def test_compute_uses_the_classifier_that_is_there(checkpoint, classifier, split):
    result = Predictions.compute(checkpoint(CLASSES), split, classifier)
    np.testing.assert_array_equal(result.logits, predict(classifier, split.images))


def test_compute_refuses_labels_without_a_class(checkpoint, split):
    with pytest.raises(DataError, match="knows 3"):
        Predictions.compute(checkpoint(("a", "b", "c")), split)


def test_compute_refuses_outputs_that_are_not_numbers(checkpoint, classifier, split):
    with torch.no_grad():
        classifier.network[-1].bias[0] = float("nan")
    with pytest.raises(CheckpointError, match="not finite"):
        Predictions.compute(checkpoint(CLASSES), split, classifier)


def test_figures_equal_independent_ones(random_predictions):
    p = random_predictions
    probabilities = scipy.special.softmax(p.logits.astype(np.float64), axis=1)
    np.testing.assert_allclose(p.probabilities, probabilities, rtol=1e-13)
    assert p.probabilities.dtype == np.float64
    np.testing.assert_array_equal(p.predicted, probabilities.argmax(axis=1))
    assert p.accuracy == pytest.approx(metrics.accuracy_score(p.labels, p.predicted), abs=1e-12)
    assert p.misclassification_rate == pytest.approx(1 - p.accuracy, abs=1e-12)
    assert p.log_loss == pytest.approx(metrics.log_loss(p.labels, probabilities), abs=1e-12)
    losses = torch.nn.functional.cross_entropy(
        torch.tensor(p.logits, dtype=torch.float64), torch.tensor(p.labels), reduction="none"
    )
    np.testing.assert_allclose(p.loss, losses.numpy(), atol=1e-12)
    ordered = np.sort(probabilities, axis=1)
    np.testing.assert_allclose(p.confidence, ordered[:, -1], atol=1e-14)
    np.testing.assert_allclose(p.margin, ordered[:, -1] - ordered[:, -2], atol=1e-14)


def test_loss_stays_finite_where_a_probability_underflows(make_predictions):
    p = make_predictions([[2000.0, 0.0], [0.0, 3.0]], [1, 1])
    assert p.probabilities[0, 1] == 0.0
    assert p.loss[0] == pytest.approx(2000.0)
    assert np.isfinite(p.log_loss)


def test_mistakes_come_most_confident_first(random_predictions):
    p = random_predictions
    rows = p.mistakes()
    np.testing.assert_array_equal(np.sort(rows), np.flatnonzero(p.logits.argmax(1) != p.labels))
    assert len(rows) > 10
    assert (np.diff(p.probabilities.max(axis=1)[rows]) <= 0).all()


def test_without_images_rates_are_undefined(make_predictions):
    p = make_predictions(np.empty((0, 3)), [])
    assert np.isnan([p.accuracy, p.misclassification_rate, p.log_loss]).all()
    assert len(p.mistakes()) == 0
    assert p.margin.shape == (0,)


def test_derived_arrays_cannot_be_changed(random_predictions):
    for name in ("probabilities", "predicted", "confidence", "loss", "margin"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(random_predictions, name)[0] = 0


@pytest.mark.parametrize(
    ("logits", "labels", "classes"),
    [
        (np.zeros((3, 2)), [0, 1, 2], ("a", "b")),
        (np.zeros((3, 2)), [0, 1, -1], ("a", "b")),
        (np.zeros((3, 2)), [0, 1], ("a", "b")),
        (np.zeros((3, 2)), [0, 1, 1], ("a", "b", "c")),
    ],
)
def test_parts_that_do_not_fit_are_refused(make_predictions, logits, labels, classes):
    with pytest.raises(ValueError, match=r"must lie|have shape"):
        make_predictions(logits, labels, classes)
