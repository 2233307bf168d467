"""None of these: energy and distance against torch and scikit-learn, and what is found on shipped checkpoints."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from explorer.analysis.novelty import Detector, Memory, energy
from explorer.analysis.predictions import Predictions, predict
from explorer.data.splits import Split, load_split
from explorer.errors import CheckpointError, DataError
from explorer.store.catalog import resolve
from explorer.store.checkpoints import load_checkpoint


def a_split(images, classes=10):
    n = len(images)
    return Split("mnist", "train", images, np.arange(n) % classes, np.arange(n))


@pytest.fixture(scope="module")
def images():
    return load_split("mnist", "test").images[:400]


@pytest.fixture
def detector(random_predictions, images):
    memory = Memory.of(a_split(images[300:]))
    return Detector.from_predictions(random_predictions, images[:300], memory)


@given(st.lists(st.floats(-1e4, 1e4), min_size=2, max_size=12))
@settings(max_examples=60, deadline=None)
def test_energy_is_that_of_torch(logits):
    values = np.array([logits])
    np.testing.assert_allclose(energy(values), -torch.tensor(values).logsumexp(1).numpy(), rtol=1e-12)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_energy_of_what_is_no_number_is_refused(value):
    with pytest.raises(CheckpointError, match="not finite"):
        energy(np.array([[0.0, value]]))


def test_distances_are_those_of_scikit_learn(images):
    memory = Memory.of(a_split(images[:300]))
    points = images.reshape(400, -1) / 255
    expected, _ = NearestNeighbors(n_neighbors=5).fit(points[:300]).kneighbors(points[300:])
    np.testing.assert_allclose(memory.distances(images[300:]), expected[:, 4], rtol=1e-4)


def test_memory_keeps_every_class_in_proportion_and_the_same_images(images):
    split = a_split(images)
    memory = Memory.of(split, count=100)
    assert np.array_equal(memory.points, Memory.of(split, count=100).points)
    rows = [
        int(np.flatnonzero((images.reshape(400, -1) / np.float32(255) == point).all(1))[0]) for point in memory.points
    ]
    assert np.bincount(split.labels[rows]).tolist() == [10] * 10


def test_a_memory_of_fewer_than_five_images_works(images):
    assert np.isfinite(Memory.of(a_split(images[:2])).distances(images[:3])).all()
    with pytest.raises(DataError, match="no training images"):
        Memory.of(a_split(images[:0]))


def test_energy_alone_has_its_threshold_at_the_percentile(random_predictions):
    detector = Detector.from_predictions(random_predictions)
    energies = energy(random_predictions.logits)
    flagged = detector.novel(random_predictions.logits, np.zeros((300, 28, 28), np.uint8))
    assert np.array_equal(flagged, energies > np.quantile(energies, 0.99, method="higher"))
    assert flagged.sum() == 2
    assert detector.distances is None


@pytest.mark.parametrize("share", [0.9, 0.99])
def test_the_share_of_the_validation_images_is_known(random_predictions, images, share):
    memory = Memory.of(a_split(images[300:]))
    detector = Detector.from_predictions(random_predictions, images[:300], memory, share)
    flagged = detector.novel(random_predictions.logits, images[:300])
    assert abs(flagged.mean() - (1 - share)) <= 2 / 300


def test_judge_and_novel_agree(detector, random_predictions, images):
    inputs = np.concatenate([images[:40], 255 - images[:40]])
    logits = np.concatenate([random_predictions.logits[:40], 0.1 * random_predictions.logits[:40]])
    judged = [detector.judge(each, image) for each, image in zip(logits, inputs, strict=True)]
    assert [one.novel for one in judged] == detector.novel(logits, inputs).tolist()
    assert any(one.novel for one in judged)
    assert not all(one.novel for one in judged)
    for one in judged:
        assert bool(one.causes) == one.novel == (one.score > one.threshold)
        assert min(one.percentile, one.energy_percentile, one.distance_percentile) >= 0
        assert max(one.percentile, one.energy_percentile, one.distance_percentile) <= 100


def test_each_score_finds_what_the_other_does_not(detector, random_predictions, images):
    sure = 10 * random_predictions.logits[0]
    noise = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)
    assert detector.judge(sure, noise).causes == ("distance",)
    assert detector.judge(np.full(10, -5.0), images[350]).causes == ("energy",)
    known = detector.judge(sure, images[350])
    assert known.causes == ()
    assert not known.novel


def test_the_higher_the_energy_the_higher_the_rank(random_predictions, images):
    detector = Detector.from_predictions(random_predictions)
    judged = [detector.judge(np.full(10, -level), images[0]) for level in np.linspace(-6, 6, 30)]
    for name in ("score", "percentile", "energy_percentile"):
        values = [getattr(one, name) for one in judged]
        assert values == sorted(values)
    assert (judged[0].energy_percentile, judged[-1].energy_percentile) == (0, 100)
    assert (judged[0].score, judged[0].novel, judged[-1].novel) == (0, False, True)


def test_the_score_is_one_at_the_percentile_and_nothing_at_the_median(random_predictions):
    detector = Detector.from_predictions(random_predictions)
    energies = energy(random_predictions.logits)
    marks = np.quantile(energies, [0.1, 0.5, 0.99])
    np.testing.assert_allclose(detector.energies.excess(marks), [0, 0, 1], atol=1e-12)


def test_both_scores_add_up_like_lengths(detector, random_predictions, images):
    one = detector.judge(random_predictions.logits[0] * 0.5, 255 - images[0])
    parts = detector.energies.excess(np.array([one.energy])), detector.distances.excess(np.array([one.distance]))
    assert one.score**2 == pytest.approx(float(parts[0][0] ** 2 + parts[1][0] ** 2))
    below = np.searchsorted(np.sort(detector.distances.values), one.distance)
    assert one.distance_percentile == pytest.approx(100 * below / 300)


def test_confidence_does_not_make_up_for_a_strange_picture(detector, images):
    noise = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)
    logits = np.zeros(10)
    logits[3] = 1000
    assert detector.judge(logits, noise).novel


def test_without_validation_images_it_says_so(make_predictions):
    with pytest.raises(DataError, match="no validation images"):
        Detector.from_predictions(make_predictions(np.zeros((0, 10)), []))


def test_a_large_validation_split_is_judged_by_two_thousand(make_predictions):
    n = 2500
    logits = np.random.default_rng(0).normal(size=(n, 10))
    images = np.zeros((n, 28, 28), np.uint8)
    detector = Detector.from_predictions(
        make_predictions(logits, np.arange(n) % 10), images, Memory.of(a_split(images[:20]))
    )
    assert len(detector.energies.values) == len(detector.distances.values) == 2000


@pytest.mark.parametrize(
    ("name", "other", "least"), [("mnist-lenet", "fashion-mnist", 0.8), ("fashion-mnist-lenet", "mnist", 0.25)]
)
def test_a_shipped_checkpoint_knows_its_own(name, other, least):
    checkpoint = load_checkpoint(resolve(name))
    classifier, validation = checkpoint.classifier(), load_split(checkpoint.dataset, "validation")
    part = Split(
        checkpoint.dataset, "validation", validation.images[:1000], validation.labels[:1000], validation.indices[:1000]
    )
    memory = Memory.of(load_split(checkpoint.dataset, "train"), 2000)
    detector = Detector.from_predictions(Predictions.compute(checkpoint, part, classifier), part.images, memory)
    noise = np.random.default_rng(0).integers(0, 256, (50, 28, 28), np.uint8)
    shares = [
        detector.novel(predict(classifier, images), images).mean()
        for images in (
            load_split(checkpoint.dataset, "test").images[:300],
            load_split(other, "test").images[:100],
            noise,
        )
    ]
    assert shares[0] < 0.05
    assert shares[1] > least
    assert shares[2] > 0.99
