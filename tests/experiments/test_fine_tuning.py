"""Tuning a copy on a user's drawings, computed for real on a tiny network."""

import numpy as np
import pytest
import torch

import models
from explorer.analysis.evaluation.predictions import to_pixels
from explorer.data import catalog, splits
from explorer.data.own import sets
from explorer.data.splits import Split, load_split
from explorer.errors import ConfigError, DataError
from explorer.experiments import fine_tuning
from explorer.store.catalog import imported_folder
from explorer.store.checkpoints import FORMAT, Metadata, library_versions, load_checkpoint, save_checkpoint
from explorer.training.queue.execution import execute

OPTIONS = {"hidden": []}


@pytest.fixture
def checkpoint(home):
    torch.manual_seed(0)
    spec = catalog.get("fashion-mnist")
    path = imported_folder() / "small.safetensors"
    metadata = Metadata(
        format=FORMAT,
        model="mlp",
        options=OPTIONS,
        classes=spec.classes,
        mean=spec.mean,
        std=spec.std,
        config={"dataset": "fashion-mnist"},
        metrics={},
        versions=library_versions(),
    )
    save_checkpoint(path, models.build("mlp", OPTIONS), metadata)
    return load_checkpoint(path)


@pytest.fixture
def own(home):
    made = sets.create("Ann's *first*", "fashion-mnist")
    test = load_split("fashion-mnist", "test")
    for row in range(20):
        made.add(255 - test.images[row], int(test.labels[row]))
    return made


def right(checkpoint, split):
    with torch.no_grad():
        predicted = checkpoint.classifier()(to_pixels(split.images)).argmax(1).numpy()
    return int((predicted == split.labels).sum())


def test_a_copy_learns_the_drawings_and_is_held_against_the_original(own, checkpoint, monkeypatch):
    run = fine_tuning.create(own, "small", checkpoint, epochs=30)
    assert run.config["initial"] == "small"
    assert run.config["dataset"].startswith("fashion-mnist-own-")
    assert run.config["subset"] == catalog.get(run.config["dataset"]).train == 14
    assert execute(run).state == "finished"
    assert [found.id for found in fine_tuning.tuned_on(own)] == [run.id]
    tuned = load_checkpoint(run.weights(30))
    train = load_split(run.config["dataset"], "train")
    assert right(tuned, train) > right(checkpoint, train)

    whole = load_split("fashion-mnist", "test")
    part = Split("fashion-mnist", "test", whole.images[:500], whole.labels[:500], whole.indices[:500])
    monkeypatch.setattr(
        fine_tuning,
        "load_split",
        lambda name, which: part if name == "fashion-mnist" else splits.load_split(name, which),
    )
    found = fine_tuning.forgetting(run)
    drawings = load_split(run.config["dataset"], "test")
    assert found.original == fine_tuning.CorrectBeforeAfter(right(checkpoint, part), right(tuned, part), 500)
    assert found.drawings == fine_tuning.CorrectBeforeAfter(
        right(checkpoint, drawings), right(tuned, drawings), len(drawings)
    )


def test_old_images_are_learnt_again_and_never_tested_with(own, checkpoint):
    run = fine_tuning.create(own, "small", checkpoint, epochs=1, rehearsed=100)
    spec = catalog.get(run.config["dataset"])
    assert (spec.train, spec.validation, spec.test) == (104, 12, 4)
    mixed = [load_split(spec.name, part) for part in ("train", "validation")]
    pictures = {image.tobytes() for part in mixed for image in part.images}
    old = {image.tobytes(): int(label) for image, label in zip(*_train(), strict=True)}
    drawn = {image.tobytes() for image in own.read().images}
    found = [
        old[image.tobytes()] == int(label)
        for part in mixed
        for image, label in zip(part.images, part.labels, strict=True)
        if image.tobytes() not in drawn
    ]
    assert len(found) == 100
    assert all(found)
    assert len(pictures & drawn) == 16
    assert {image.tobytes() for image in load_split(spec.name, "test").images} <= drawn
    assert spec.title == "Ann's *first* with 100 images of Fashion-MNIST"
    assert execute(run).state == "finished"
    assert fine_tuning.forgetting(run).rehearsed == 100


def _train():
    split = load_split("fashion-mnist", "train")
    return split.images, split.labels


def test_the_gate_is_passed_for_every_part(own, checkpoint):
    passed = []

    class Gate:
        def __enter__(self):
            passed.append(True)

        def __exit__(self, *_):
            return None

    split = own.split()
    assert fine_tuning._right(checkpoint.classifier(), split, Gate) == right(checkpoint, split)
    assert len(passed) == -(-len(split) // fine_tuning.PART)


def test_too_few_drawings_are_said(home, checkpoint):
    few = sets.create("Few", "fashion-mnist")
    few.add(np.ones((28, 28), np.uint8), 1)
    with pytest.raises(DataError, match="14 are needed"):
        fine_tuning.create(few, "small", checkpoint)


def test_a_checkpoint_without_a_name_cannot_be_gone_on_from(own, checkpoint):
    with pytest.raises(ConfigError):
        fine_tuning.create(own, "", checkpoint)
    with pytest.raises(ConfigError, match="there is no checkpoint"):
        fine_tuning.create(own, "../small", checkpoint)
