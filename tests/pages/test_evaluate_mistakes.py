"""The section Mistakes, against figures computed without the application."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from explorer.data.catalog import get
from explorer.data.splits import load_split
from explorer.store.catalog import imported_folder
from explorer.ui.evaluate import images

CLASSES = get("fashion-mnist").classes


@pytest.fixture
def judged(run):
    """Labels and probabilities of the test images."""
    spec, split = get("fashion-mnist"), load_split("fashion-mnist", "test")
    weights = load_file(imported_folder() / "small.safetensors")
    pixels = torch.tensor(split.images.reshape(10_000, 784) / 255.0, dtype=torch.float32)
    logits = (pixels - spec.mean) / spec.std @ weights["1.weight"].T + weights["1.bias"]
    return split.labels, torch.softmax(logits.double(), 1).numpy()


@pytest.fixture
def shown(monkeypatch):
    """What the gallery was given last: `rows` and `heading`."""
    given = {}
    monkeypatch.setattr(images, "show", lambda scope, rows, **rest: given.update(rest, rows=np.asarray(rows)))
    return given


def said(app):
    return "\n".join(element.value for element in (*app.markdown, *app.caption, *app.info))


def test_the_mistakes_come_in_the_order_asked_for(open_page, judged, shown):
    labels, shares = judged
    wrong = np.flatnonzero(shares.argmax(1) != labels)
    ranked = np.sort(shares, axis=1)
    values = {
        "confidence": -shares.max(1),
        "loss": np.log(shares[np.arange(10_000), labels]),
        "margin": ranked[:, -1] - ranked[:, -2],
    }
    app = open_page("evaluate", checkpoint="small", section="Mistakes")
    for by, value in values.items():
        app.segmented_control(key="by").set_value(by).run()
        assert not app.exception
        assert sorted(shown["rows"]) == wrong.tolist()
        assert (np.diff(value[shown["rows"]]) >= -1e-6).all()
    app.toggle(key="backwards").set_value(True).run()
    assert (np.diff(values["margin"][shown["rows"]]) <= 1e-6).all()
    assert app.query_params["by"] == "margin"
    assert "widest margins first" in shown["heading"]


def test_filters_by_class_leave_what_fits(open_page, judged, shown):
    labels, shares = judged
    app = open_page("evaluate", checkpoint="small", section="Mistakes", **{"mistake-true": "6"})
    app.selectbox(key="mistake-called").set_value(0).run()
    assert not app.exception
    assert sorted(shown["rows"]) == np.flatnonzero((labels == 6) & (shares.argmax(1) == 0)).tolist()
    assert "of Shirt called T\\-shirt/top" in shown["heading"]
    app.selectbox(key="mistake-called").set_value(6).run()
    assert len(shown["rows"]) == 0
    assert "Take one of them back" in shown["empty"]


def test_a_slice_shows_its_images_mistakes_first(open_page, judged, shown):
    labels, shares = judged
    right = shares.argmax(1) == labels
    app = open_page("evaluate", checkpoint="small", section="Mistakes", mistakes="slices", slice="4")
    assert not app.exception
    assert sorted(shown["rows"]) == np.flatnonzero(labels == 4).tolist()
    assert (np.diff(right[shown["rows"]].astype(int)) >= 0).all()
    rates = [1 - right[labels == number].mean() for number in range(10)]
    worst = int(np.argmax(rates))
    text = said(app).replace("\\", "")
    assert f"Worst slice: images of {CLASSES[worst]}." in text
    assert f"{rates[worst]:.1%}" in text
    for kind in ("predicted", "brightness", "ink"):
        app.segmented_control(key="slices").set_value(kind).run()
        assert not app.exception
        assert app.query_params["slices"] == kind


def test_what_the_address_asks_for_is_checked(open_page, run, shown):
    wild = {"mistake-true": "77", "mistake-called": "<b>", "slice": "9e9", "by": "x", "mistakes": "slices"}
    app = open_page("evaluate", checkpoint="small", section="Mistakes", **wild)
    assert not app.exception
    assert app.selectbox(key="mistake-true").value is None
    assert app.segmented_control(key="by").value == "confidence"
