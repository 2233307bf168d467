"""What is judged on the page Evaluate: one checkpoint or two, on its own data set or another."""

import math

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.metrics import f1_score, log_loss, precision_score, recall_score, roc_auc_score

import models
from explorer.data.catalog import get
from explorer.data.splits import load_split
from explorer.store.catalog import imported_folder
from explorer.store.checkpoints import FORMAT, Metadata, library_versions, save_checkpoint
from models.registry import InputShape


def keep(name, classes, dataset="fashion-mnist"):
    """Put an untrained checkpoint with these classes into the home."""
    torch.manual_seed(1)
    options = {"hidden": []}
    network = models.build("mlp", options, InputShape(classes=len(classes)))
    config = {"dataset": dataset} if dataset else {}
    metadata = Metadata(
        format=FORMAT,
        model="mlp",
        options=options,
        classes=classes,
        mean=0.3,
        std=0.3,
        config=config,
        metrics={},
        versions=library_versions(),
    )
    save_checkpoint(imported_folder() / f"{name}.safetensors", network, metadata)


def judged(path, dataset="fashion-mnist", split="test"):
    """Labels and probabilities computed without the application's analysis."""
    spec, images = get("fashion-mnist"), load_split(dataset, split)
    weights = load_file(path)
    pixels = torch.tensor(images.images.reshape(len(images), 784) / 255.0, dtype=torch.float32)
    logits = (pixels - spec.mean) / spec.std @ weights["1.weight"].T + weights["1.bias"]
    return images.labels, torch.softmax(logits.double(), 1).numpy()


def texts(app):
    return "\n".join(element.value for kind in (app.markdown, app.info, app.warning, app.error) for element in kind)


def figures(app):
    """Every figure with what stands beside it, by its name."""
    lines = (element.value.split("  \n")[0] for element in app.markdown)
    return dict(line.removesuffix("**").split(": **", 1) for line in lines if line.endswith("**") and ": **" in line)


def test_all_figures_are_those_of_scikit_learn_with_their_intervals(open_page, run):
    labels, shares = judged(imported_folder() / "small.safetensors")
    predicted, hot = shares.argmax(1), np.eye(10)[labels]
    app = open_page("evaluate", checkpoint="small")
    assert not app.exception
    shown = figures(app)
    n, p, z = len(labels), float((predicted == labels).mean()), 1.959963984540054
    centre, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = ((centre + sign * half) / (1 + z * z / n) for sign in (-1, 1))
    assert shown["Accuracy"] == f"{p:.1%} :small[:gray[{100 * low:.1f} to {high:.1%}]]"
    assert shown["Misclassification rate"].startswith(f"{1 - p:.1%} :small[:gray[{100 * (1 - high):.1f} to")
    for name, score in (("precision", precision_score), ("recall", recall_score), ("F1", f1_score)):
        assert shown[f"Macro {name}"] == f"{score(labels, predicted, average='macro'):.1%}"
    for average in ("macro", "micro"):
        area = roc_auc_score(hot, shares, average=average)
        assert shown[f"{average.capitalize()} AUC"].startswith(f"{area:.4f} :small[")
    assert shown["Log loss"] == f"{log_loss(labels, shares):.3f}"
    assert shown["Images"] == "10,000"
    first = {metric.label: metric.value for metric in app.metric}
    assert list(first) == ["Accuracy", "Macro AUC", "Calibration error (ECE)"], "the others are shown on demand"
    assert first.items() <= shown.items()


def test_a_link_puts_a_second_model_beside_the_first(open_page, run):
    app = open_page("evaluate", checkpoint="small", **{"with": run.id, "with-epoch": "1"})
    assert not app.exception
    a, b = (
        float((shares.argmax(1) == labels).mean())
        for labels, shares in (judged(path) for path in (imported_folder() / "small.safetensors", run.weights(1)))
    )
    gap = f"{'−' if b < a else '+'}{abs(100 * (b - a)):.1f}"
    assert app.metric[0].value == f"{a:.1%} :small[B {b:.1%} :gray[{gap}]]"
    assert app.select_slider(key="with-epoch").value == 1
    app.select_slider(key="with-epoch").set_value(2).run()
    assert "with-epoch" not in app.query_params
    assert app.metric[0].value == f"{a:.1%} :small[B {a:.1%} :gray[0.0]]"


def test_a_second_model_is_chosen_and_taken_back(open_page, run):
    app = open_page("evaluate", checkpoint="small")
    app.selectbox(key="with").set_value(run.id).run()
    assert not app.exception
    assert app.query_params["with"] == run.id
    assert " :small[B " in app.metric[0].value
    app.selectbox(key="with").set_value("").run()
    assert "with" not in app.query_params
    assert " B " not in app.metric[0].value


def test_a_run_is_compared_with_another_of_its_own_epochs(open_page, run):
    app = open_page("evaluate", checkpoint=run.id)
    app.selectbox(key="with").set_value(run.id).run()
    assert not app.exception
    assert app.select_slider(key="with-epoch").value == 1
    assert app.query_params["with-epoch"] == "1"


@pytest.mark.parametrize("name", ["small", "nobody", "../../etc/passwd", "![x](http://evil.example/x.png)"])
def test_an_unknown_second_model_is_said_and_one_is_judged(open_page, run, name):
    app = open_page("evaluate", checkpoint="small", **{"with": name})
    assert not app.exception
    (warning,) = app.warning
    assert "There is no second model" in warning.value
    assert "![x]" not in warning.value
    assert " B " not in app.metric[0].value


def test_a_second_model_with_other_classes_is_left_out(open_page, run):
    keep("letters", tuple("abcdefghij"), dataset=None)
    app = open_page("evaluate", checkpoint="small", **{"with": "letters"})
    assert not app.exception
    (warning,) = app.warning
    assert "cannot be compared: their classes have different names" in warning.value.replace("\\", "")
    assert " B " not in app.metric[0].value


def test_judged_on_the_wrong_set(open_page, run):
    app = open_page("evaluate", checkpoint="small", on="mnist")
    assert not app.exception
    labels, shares = judged(imported_folder() / "small.safetensors", "mnist")
    assert app.metric[0].value.startswith(f"{float((shares.argmax(1) == labels).mean()):.1%} ")
    (notice,) = (element.value.replace("\\", "") for element in app.info if "These are images" in element.value)
    assert "These are images of MNIST, judged by a network that knows only Fashion-MNIST." in notice
    assert "0 → T-shirt/top, 1 → Trouser" in notice
    assert "10.0%" in notice
    app.selectbox(key="on").set_value("").run()
    assert "on" not in app.query_params
    assert "These are images" not in texts(app)


def test_the_data_set_of_the_sidebar_is_judged_unless_another_is_asked_for(open_page, run):
    keep("digits", get("mnist").classes, "mnist")
    app = open_page("evaluate", checkpoint="small", on="mnist")
    app.selectbox(key="dataset").set_value("mnist").run()
    assert not app.exception
    assert app.selectbox(key="checkpoint").value == "digits"
    assert "These are images" not in texts(app)
    assert "on" not in app.query_params


def test_a_checkpoint_with_too_few_classes_is_told_what_to_do(open_page, run):
    keep("few", ("left", "right"), dataset=None)
    app = open_page("evaluate", checkpoint="few")
    assert not app.exception
    (error,) = app.error
    assert "knows 2 classes, but Fashion\\-MNIST has 10" in error.value
    assert "choose another checkpoint" in error.value
    assert not app.metric


def test_a_checkpoint_with_other_names_says_how_labels_are_matched(open_page, run):
    keep("letters", tuple("abcdefghijkl"), dataset=None)
    app = open_page("evaluate", checkpoint="letters")
    assert not app.exception
    said = texts(app).replace("\\", "")
    assert "whose classes have other names than those of this checkpoint" in said
    assert "T-shirt/top → a" in said
    assert "The other 2 of its classes do not occur here." in said
    shown = figures(app)
    assert shown["Images"] == "10,000"


def test_an_unknown_set_is_said(open_page, run):
    app = open_page("evaluate", checkpoint="small", on="![x](http://evil.example)")
    assert not app.exception
    (warning,) = app.warning
    assert "There is no data set" in warning.value
    assert "![x]" not in warning.value


def test_the_meanings_carry_the_numbers(open_page, run):
    labels, shares = judged(imported_folder() / "small.safetensors")
    app = open_page("evaluate", checkpoint="small")
    said = texts(app)
    assert f"{int((shares.argmax(1) == labels).sum()):,} of 10,000 images are classified correctly." in said
    assert "ln 10 = 2.303" in said
    assert f"{math.exp(-log_loss(labels, shares)):.1%}" in said
