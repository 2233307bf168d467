"""None of these: energy and distance against torch and scikit-learn, and what is found on shipped checkpoints."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from explorer.analysis.drawings.out_of_distribution import (
    KNOWN,
    OutOfDistributionDetector,
    ReferenceSet,
    apart,
    energy,
    outlines,
)
from explorer.analysis.evaluation.predictions import Predictions, predict
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
    memory = ReferenceSet.of(a_split(images[300:]))
    return OutOfDistributionDetector.from_predictions(random_predictions, images[:300], memory)


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
    memory = ReferenceSet.of(a_split(images[:300]))
    points = images.reshape(400, -1) / 255
    expected, _ = NearestNeighbors(n_neighbors=5).fit(points[:300]).kneighbors(points[300:])
    np.testing.assert_allclose(memory.distances(images[300:]), expected[:, 4], rtol=1e-4)


def test_memory_keeps_every_class_in_proportion_and_the_same_images(images):
    split = a_split(images)
    memory = ReferenceSet.of(split, count=100)
    assert np.bincount(memory.labels).tolist() == [30] * 10
    assert np.array_equal(memory.points, ReferenceSet.of(split, count=100).points)
    rows = [
        int(np.flatnonzero((images.reshape(400, -1) / np.float32(255) == point).all(1))[0]) for point in memory.points
    ]
    assert np.bincount(split.labels[rows]).tolist() == [10] * 10


def test_a_memory_of_fewer_than_five_images_works(images):
    assert np.isfinite(ReferenceSet.of(a_split(images[:2])).distances(images[:3])).all()
    with pytest.raises(DataError, match="no training images"):
        ReferenceSet.of(a_split(images[:0]))


def test_energy_alone_has_its_threshold_at_the_percentile(random_predictions):
    detector = OutOfDistributionDetector.from_predictions(random_predictions)
    energies = energy(random_predictions.logits)
    flagged = detector.novel(random_predictions.logits, np.zeros((300, 28, 28), np.uint8))
    assert np.array_equal(flagged, energies > np.quantile(energies, KNOWN, method="higher"))
    assert flagged.sum() == 4
    assert detector.usual.keys() == {"energy"}


@pytest.mark.parametrize("share", [0.9, 0.99])
def test_the_share_of_the_validation_images_is_known(random_predictions, images, share):
    memory = ReferenceSet.of(a_split(images[300:]))
    detector = OutOfDistributionDetector.from_predictions(random_predictions, images[:300], memory, share)
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
        assert one.novel == (one.score > one.threshold) == one.document()["flagged"] == (one.document()["score"] > 1)
        assert one.novel or not one.causes
        assert all(0 <= value <= 100 for value in (one.percentile, *one.percentiles.values()))


def test_each_score_finds_what_the_other_does_not(detector, random_predictions, images):
    sure = 10 * random_predictions.logits[0]
    noise = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)
    assert "energy" not in detector.judge(sure, noise).causes
    assert "distance" in detector.judge(sure, noise).causes
    assert detector.judge(np.full(10, -9.0), images[350]).causes == ("energy",)
    known = detector.judge(sure, images[350])
    assert known.causes == ()
    assert not known.novel


def test_the_higher_the_energy_the_higher_the_rank(random_predictions, images):
    detector = OutOfDistributionDetector.from_predictions(random_predictions)
    judged = [detector.judge(np.full(10, -level), images[0]) for level in np.linspace(-6, 6, 30)]
    for values in (
        [one.score for one in judged],
        [one.percentile for one in judged],
        [one.percentiles["energy"] for one in judged],
    ):
        assert values == sorted(values)
    assert (judged[0].percentiles["energy"], judged[-1].percentiles["energy"]) == (0, 100)
    assert (judged[0].score, judged[0].novel, judged[-1].novel) == (0, False, True)


def test_the_score_is_one_at_the_percentile_and_nothing_at_the_median(random_predictions):
    detector = OutOfDistributionDetector.from_predictions(random_predictions)
    energies = energy(random_predictions.logits)
    marks = np.quantile(energies, [0.1, 0.5, 0.99])
    np.testing.assert_allclose(detector.usual["energy"].excess(marks), [0, 0, 1], atol=1e-12)


def test_both_scores_add_up_like_lengths(detector, random_predictions, images):
    one = detector.judge(random_predictions.logits[0] * 0.5, 255 - images[0])
    parts = [detector.usual[name].excess(np.array([value]))[0] for name, value in one.values.items()]
    assert one.values.keys() == {"energy", "distance", "outlines", "apart"}
    assert one.score**2 == pytest.approx(sum(float(part) ** 2 for part in parts))
    below = (detector.usual["distance"].values < one.values["distance"]).sum()
    assert one.percentiles["distance"] == pytest.approx(100 * below / 300)


def test_confidence_does_not_make_up_for_a_strange_picture(detector, images):
    noise = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)
    logits = np.zeros(10)
    logits[3] = 1000
    assert detector.judge(logits, noise).novel


def test_without_validation_images_it_says_so(make_predictions):
    with pytest.raises(DataError, match="no validation images"):
        OutOfDistributionDetector.from_predictions(make_predictions(np.zeros((0, 10)), []))


def test_a_large_validation_split_is_judged_by_two_thousand(make_predictions):
    n = 2500
    logits = np.random.default_rng(0).normal(size=(n, 10))
    images = np.zeros((n, 28, 28), np.uint8)
    detector = OutOfDistributionDetector.from_predictions(
        make_predictions(logits, np.arange(n) % 10), images, ReferenceSet.of(a_split(images[:20]))
    )
    assert {len(usual.values) for usual in detector.usual.values()} == {2000}


def test_unlikeness_is_the_distance_to_the_fifth_of_the_predicted_class(images):
    split = a_split(images[:300])
    memory, shapes = ReferenceSet.of(split), outlines(images)
    np.testing.assert_allclose(np.linalg.norm(shapes, axis=1), 1, rtol=1e-5)
    own = NearestNeighbors(n_neighbors=5).fit(shapes[:300][split.labels == 4])
    expected, _ = own.kneighbors(shapes[300:320])
    found = memory.unlikeness(images[300:320], np.full(20, 4))
    np.testing.assert_allclose(found, expected[:, 4], rtol=1e-3)
    assert memory.unlikeness(images[300:301], np.array([77]))[0] <= found[0]  # no such class: among all


def test_outlines_know_directions_and_not_contrast():
    upright, lying = np.zeros((2, 28, 28), np.uint8)
    upright[6:22, 13:15] = 200
    lying[13:15, 6:22] = 200
    one, other, faint = outlines(np.stack([upright, lying, upright // 2]))
    assert one @ faint == pytest.approx(1, abs=1e-3)
    assert one @ other < 0.5
    np.testing.assert_allclose(one.reshape(8, 7, 7)[0], other.reshape(8, 7, 7)[4].T, atol=1e-6)


def test_what_lies_apart_is_measured_by_its_ink():
    image = np.zeros((28, 28), np.uint8)
    image[4:24, 5:9] = 200
    assert apart(image[None]) == 0
    image[10:14, 15:20] = 200
    assert apart(image[None]) == pytest.approx(20 / 100)
    image[10:12, 9:13] = 200  # two pixels from the second piece: that is no gap
    assert apart(image[None]) == 0
    assert apart(np.zeros((1, 28, 28), np.uint8)) == 0


def test_letters_and_several_digits_are_none_of_these():
    from benchmarks import figures

    checkpoint = load_checkpoint(resolve("mnist-lenet"))
    classifier = checkpoint.classifier()
    detector = OutOfDistributionDetector.of(checkpoint, "mnist", classifier)
    generator, test = np.random.default_rng(1), load_split("mnist", "test")
    kinds = {
        "letters": figures.many(40, "mnist", lambda k: figures.written(generator, "AKEHM"[k % 5])),
        "11": figures.many(20, "mnist", lambda _: figures.beside(generator, test.images[test.labels == 1], 2)),
        "2026": figures.many(20, "mnist", lambda _: figures.beside(generator, test.images, 4)),
        "digits": test.images[:400],
    }
    shares = {kind: detector.novel(predict(classifier, images), images).mean() for kind, images in kinds.items()}
    assert shares["digits"] < 0.05
    assert min(shares["letters"], shares["11"], shares["2026"]) > 0.75, shares


@pytest.mark.parametrize(
    ("name", "other", "least"), [("mnist-lenet", "fashion-mnist", 0.8), ("fashion-mnist-lenet", "mnist", 0.25)]
)
def test_a_shipped_checkpoint_knows_its_own(name, other, least):
    checkpoint = load_checkpoint(resolve(name))
    classifier, validation = checkpoint.classifier(), load_split(checkpoint.dataset, "validation")
    part = Split(
        checkpoint.dataset, "validation", validation.images[:1000], validation.labels[:1000], validation.indices[:1000]
    )
    memory = ReferenceSet.of(load_split(checkpoint.dataset, "train"), 2000)
    detector = OutOfDistributionDetector.from_predictions(
        Predictions.compute(checkpoint, part, classifier), part.images, memory
    )
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
