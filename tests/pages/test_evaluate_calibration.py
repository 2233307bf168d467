"""The section Calibration, against figures computed without the application."""

import numpy as np
import torch
from safetensors.torch import load_file
from scipy.optimize import minimize_scalar

from explorer.analysis.evaluation.predictions import Predictions
from explorer.data.catalog import get
from explorer.data.splits import load_split
from explorer.store.catalog import imported_folder
from explorer.ui.evaluate import calibration
from explorer.ui.kit.numbers import percent


def logits_and_labels(split):
    spec, images = get("fashion-mnist"), load_split("fashion-mnist", split)
    weights = load_file(imported_folder() / "small.safetensors")
    pixels = torch.tensor(images.images.reshape(-1, 784) / 255.0, dtype=torch.float32)
    return ((pixels - spec.mean) / spec.std @ weights["1.weight"].T + weights["1.bias"]).double(), images.labels


def said(app):
    return "\n".join(element.value for element in (*app.markdown, *app.caption, *app.info, *app.error))


def test_the_temperature_and_its_effect_are_right(open_page, run):
    app = open_page("evaluate", checkpoint="small", section="Calibration")
    assert not app.exception
    validation, wanted = logits_and_labels("validation")
    cross_entropy = torch.nn.functional.cross_entropy
    best = minimize_scalar(
        lambda t: cross_entropy(validation / t, torch.tensor(wanted)).item(), bounds=(0.05, 20), method="bounded"
    ).x
    test, labels = logits_and_labels("test")
    before, after = (cross_entropy(test / t, torch.tensor(labels)).item() for t in (1, best))
    assert f"Temperature {best:.2f}" in said(app)
    assert f"log loss {before:.3f} → {after:.3f}" in said(app)


def test_a_bin_shows_its_images(open_page, run):
    app = open_page("evaluate", checkpoint="small", section="Calibration")
    test, _ = logits_and_labels("test")
    confidence = test.softmax(1).max(1).values.numpy()
    number = int(((confidence > 8 / 15) & (confidence <= 9 / 15)).sum())
    app.selectbox(key="bin").set_value(8).run()
    assert not app.exception
    assert f"**{number:,} images with a confidence of 53.3 to 60.0%, mistakes first**" in said(app)
    assert app.query_params["bin"] == "8"
    app = open_page("evaluate", checkpoint="small", section="Calibration", bin="8", tempered="True")
    assert app.selectbox(key="bin").value == 8
    assert app.toggle(key="tempered").value
    assert "before scaling" in said(app)
    app = open_page("evaluate", checkpoint="small", section="Calibration", bin="99")
    assert not app.exception
    assert app.selectbox(key="bin").value is None


def test_rejection_is_told_with_numbers(open_page, run):
    app = open_page("evaluate", checkpoint="small", section="Calibration", calibration="rejection")
    app.slider(key="keep").set_value(40).run()
    assert not app.exception
    test, labels = logits_and_labels("test")
    shares = test.softmax(1).numpy()
    order = np.argsort(-shares.max(1))[:4000]
    right = float((shares.argmax(1) == labels)[order].mean())
    assert "**4,000 of 10,000 images kept**" in said(app)
    assert f"{percent(right)} of them are right" in said(app)
    rejected = np.setdiff1d(np.arange(10_000), order)
    lost = int((shares.argmax(1) == labels)[rejected].sum())
    assert f"Rejected though right: {lost:,} images" in said(app)
    app.segmented_control(key="rejected").set_value("wrong").run()
    wrong = int((shares.argmax(1) != labels)[order].sum())
    assert f"Kept though wrong: {wrong:,} images" in said(app)


def test_validation_images_flatter(open_page, run):
    app = open_page("evaluate", checkpoint="small", section="Calibration", split="validation")
    assert not app.exception
    assert "very images on which the temperature is fitted" in said(app)
    assert "trained on: it is nearly always right" not in said(app)


def test_only_its_own_training_images_flatter(open_page, run):
    own = said(open_page("evaluate", checkpoint="small", section="Calibration", split="train"))
    logits, labels = logits_and_labels("train")
    assert f"was trained on; it is right on {percent(float((logits.numpy().argmax(1) == labels).mean()))} of all" in own
    other = open_page("evaluate", checkpoint="small", section="Calibration", split="train", on="mnist")
    assert not other.exception
    assert "trained on; it is right" not in said(other)
    predictions = Predictions(
        np.eye(10, dtype=np.float32), np.arange(10), np.arange(10), tuple("0123456789"), "x", "d", "train"
    )
    assert "are the 4 images" in calibration.training(predictions, 4)


def test_two_models_have_both_curves(open_page, run):
    app = open_page("evaluate", checkpoint="small", section="Calibration", **{"with": run.id})
    assert not app.exception
    assert "Temperature of A" in said(app)
    assert "Temperature of B" in said(app)
    app.segmented_control(key="calibration").set_value("rejection").run()
    assert not app.exception
    assert "A: **9,000 of 10,000" in said(app)
    assert "B: **9,000 of 10,000" in said(app)
