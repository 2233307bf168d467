import numpy as np
import pytest

from explorer.analysis.evaluation.predictions import Predictions
from explorer.data.splits import Split
from explorer.ui.train.epoch import COUNT, picture, watched, watched_rows

NAMES = ("a", "<b>", "c")


def split(labels):
    labels = np.asarray(labels, dtype=np.int64)
    images = np.arange(len(labels) * 4, dtype=np.uint8).reshape(-1, 2, 2)
    return Split("d", "validation", images, labels, np.arange(len(labels)))


@pytest.fixture
def labels():
    return np.random.default_rng(3).integers(0, 10, 6000)


def test_the_images_are_the_same_each_time_and_spread_over_the_classes(labels):
    rows = watched_rows(labels)
    assert rows == watched_rows(labels.copy())
    assert len(set(rows)) == COUNT
    counts = np.bincount(labels[rows], minlength=10)
    assert set(counts.tolist()) == {1, 2}
    assert list(labels[rows]) == sorted(labels[rows])


def test_other_labels_elsewhere_do_not_matter_to_the_number_of_images():
    assert len(watched_rows(np.zeros(3, dtype=np.int64))) == 3
    assert watched_rows(np.zeros(0, dtype=np.int64)) == []
    many = watched_rows(np.repeat(np.arange(40), 5))
    assert len({row // 5 for row in many}) == COUNT


def test_each_image_has_its_own_prediction():
    labels = [0, 1, 2, 2]
    logits = np.log(np.array([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.1, 0.1, 0.8], [0.5, 0.3, 0.2]], dtype=np.float32))
    data = split(labels)
    predictions = Predictions(logits, data.labels, data.indices, NAMES, "x", "d", "validation")
    items = {(item.image.min()): item for item in watched(predictions, data)}
    assert len(items) == 4
    wrong = items[4]
    assert (wrong.target, wrong.predicted, wrong.right) == ("<b>", "a", False)
    assert wrong.confidence == pytest.approx(0.6, abs=1e-6)
    assert wrong.probability == pytest.approx(0.3, abs=1e-6)
    assert items[8].right
    assert items[8].probability == items[8].confidence == pytest.approx(0.8, abs=1e-6)


def test_wrong_ones_are_marked_by_more_than_colour_and_names_are_escaped():
    labels = [1, 2]
    logits = np.array([[5, 0, 0], [0, 0, 5]], dtype=np.float32)
    data = split(labels)
    html = picture(watched(Predictions(logits, data.labels, data.indices, NAMES, "x", "d", "validation"), data))
    assert "× a" in html
    assert "✓ c" in html
    assert html.count("2px dashed transparent") == 1
    assert "<b>" not in html
    assert "&lt;b&gt;" in html
