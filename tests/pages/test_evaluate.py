from urllib.parse import parse_qs

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support, roc_auc_score

from explorer.data.catalog import get
from explorer.data.splits import load_split
from explorer.store.catalog import imported_folder


@pytest.fixture
def judged(run):
    """Labels and probabilities of the test images, computed without the application's analysis."""
    spec, split = get("fashion-mnist"), load_split("fashion-mnist", "test")
    weights = load_file(imported_folder() / "small.safetensors")
    pixels = torch.tensor(split.images.reshape(10_000, 784) / 255.0, dtype=torch.float32)
    logits = (pixels - spec.mean) / spec.std @ weights["1.weight"].T + weights["1.bias"]
    return split.labels, torch.softmax(logits.double(), 1).numpy()


def test_the_headline_is_right(open_page, judged):
    labels, probabilities = judged
    app = open_page("evaluate", checkpoint="small")
    assert not app.exception
    shown = {metric.label: metric.value for metric in app.metric}
    accuracy = float((probabilities.argmax(1) == labels).mean())
    assert shown["Accuracy"] == f"{accuracy:.1%}"
    assert shown["Misclassification rate"] == f"{1 - accuracy:.1%}"
    assert shown["Images"] == "10,000"


def test_the_elements_of_a_class_are_right(open_page, judged):
    labels, probabilities = judged
    app = open_page("evaluate", checkpoint="small")
    app.selectbox(key="class").set_value("Dress").run()
    assert not app.exception
    text = "\n".join(element.value for element in app.markdown)
    matrix = confusion_matrix(labels, probabilities.argmax(1))
    precision, recall, f1, _ = precision_recall_fscore_support(labels, probabilities.argmax(1))
    hits, row, column = matrix[3, 3], matrix[3].sum(), matrix[:, 3].sum()
    for count, name in (
        (hits, "true positives"),
        (row - hits, "false negatives"),
        (column - hits, "false positives"),
        (10_000 - row - column + hits, "true negatives"),
    ):
        assert f"**{count:,} {name}" in text
    for name, value in (("Precision", precision[3]), ("Recall", recall[3]), ("F1", f1[3])):
        assert f"**{name} {value:.1%}**" in text


def test_the_areas_under_the_curves_are_right(open_page, judged):
    labels, probabilities = judged
    app = open_page("evaluate", checkpoint="small")
    app.segmented_control(key="section").set_value("ROC curves").run()
    app.selectbox(key="class").set_value("Shirt").run()
    assert not app.exception
    text = "\n".join(element.value for element in app.markdown)
    hot = np.eye(10)[labels]
    assert f"AUC of Shirt: {roc_auc_score(hot[:, 6], probabilities[:, 6]):.4f}" in text
    assert f"macro average ({roc_auc_score(hot, probabilities, average='macro'):.4f})" in text
    assert f"micro average ({roc_auc_score(hot, probabilities, average='micro'):.4f})" in text


def test_the_gallery_shows_the_most_confident_mistakes_first(open_page, judged):
    labels, probabilities = judged
    app = open_page("evaluate", checkpoint="small")
    app.segmented_control(key="section").set_value("Mistakes").run()
    assert not app.exception
    wrong = np.flatnonzero(probabilities.argmax(1) != labels)
    expected = wrong[np.argsort(-probabilities[wrong].max(1), kind="stable")][:24]
    links = [parse_qs(element.proto.query_string) for element in app.get("page_link")]
    assert [int(link["image"][0]) for link in links] == expected.tolist()
    assert links[0]["checkpoint"] == ["small"]
    app = open_page("explain", **{name: values[0] for name, values in links[1].items()})
    assert not app.exception
    assert app.number_input(key="image").value == expected[1]


def test_hidden_sections_do_not_compute(open_page, run, monkeypatch):
    from explorer.ui import cache

    monkeypatch.setattr(cache, "roc_curves", lambda selection: pytest.fail("computed while hidden"))
    app = open_page("evaluate", checkpoint="small")
    assert not app.exception


def test_without_a_checkpoint_the_page_says_what_to_do(open_page):
    app = open_page("evaluate")
    assert not app.exception
    assert any("No checkpoint for Fashion" in element.value for element in app.markdown)
    app.button(key="empty-train").click().run()
    assert app.title[0].value == "Train"


def test_a_damaged_file_gives_one_message_and_the_application_lives_on(open_page, run):
    app = open_page("evaluate", checkpoint="small")
    run.weights(1).write_bytes(b"cut off")
    app.selectbox(key="checkpoint").set_value(run.id).run()
    app.select_slider(key="epoch").set_value(1).run()
    assert not app.exception
    assert len(app.error) == 1
    assert "epoch" in app.error[0].value
    app.select_slider(key="epoch").set_value(2).run()
    assert not app.error
    assert app.metric


def test_the_epoch_changes_the_numbers(open_page, run):
    app = open_page("evaluate", checkpoint=run.id)
    best = app.metric[0].value
    app.select_slider(key="epoch").set_value(1).run()
    assert not app.exception
    assert app.metric[0].value != best
    assert app.query_params["epoch"] == "1"
