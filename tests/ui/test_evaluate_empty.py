"""The sections Calibration, Mistakes and Any image at their edges, with scopes made by hand."""

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from explorer.analysis.evaluation.predictions import Predictions
from explorer.data.catalog import get
from explorer.data.splits import Split
from explorer.ui.evaluate import scope as scopes
from explorer.ui.evaluate.scope import Judged, Results, Scope
from explorer.ui.kit.state import Selection

CLASSES = get("fashion-mnist").classes


def open_section(name, scope, address=None):
    """Show one section with a scope that no page would make."""

    def script(name, scope):
        from importlib import import_module

        import_module(f"explorer.ui.evaluate.{name}").show(scope)

    app = AppTest.from_function(script, kwargs={"name": name, "scope": scope}, default_timeout=60)
    app.query_params.update(address or {})
    return app.run()


def made(labels, right=True, split="test"):
    labels = np.asarray(labels, np.int64)
    n = len(labels)
    logits = 5 * np.eye(10, dtype=np.float32)[labels if right else (labels + 1) % 10]
    found = Predictions(logits, labels, np.arange(n), CLASSES, f"made{n}", "fashion-mnist", "test")
    return Scope(Judged(Selection("fashion-mnist", "none", None, split), "none", Results(found)))


@pytest.fixture
def images(monkeypatch):
    """Black images in place of the real ones, as many as there are labels."""

    def put(labels):
        labels = np.asarray(labels, np.int64)
        n = len(labels)
        split = Split("fashion-mnist", "test", np.zeros((n, 28, 28), np.uint8), labels, np.arange(n))
        monkeypatch.setattr(scopes, "load_split", lambda dataset, name: split)

    return put


def said(app):
    return "\n".join(element.value for element in (*app.markdown, *app.caption, *app.info, *app.error))


@pytest.mark.parametrize(
    ("section", "address"),
    [
        ("calibration", {}),
        ("calibration", {"calibration": "rejection"}),
        ("mistakes", {}),
        ("mistakes", {"mistakes": "slices"}),
        ("mistakes", {"mistakes": "slices", "slices": "ink"}),
        ("response", {}),
    ],
)
def test_an_empty_split_is_said_to_be_empty(images, section, address):
    images([])
    app = open_section(section, made([]), address)
    assert not app.exception
    assert "split holds no images" in said(app)
    assert "nan" not in said(app).lower()


@pytest.mark.parametrize("address", [{}, {"mistakes": "slices"}, {"mistakes": "slices", "slices": "ink", "slice": "0"}])
def test_a_model_without_mistakes_is_praised(images, address):
    labels = list(range(10)) * 2
    images(labels)
    app = open_section("mistakes", made(labels), address)
    assert not app.exception
    if "slices" in address:
        assert "No image is classified wrongly" in said(app)
    else:
        assert "no mistake on this split" in said(app) or "No image is classified wrongly" in said(app)


def test_rejection_with_a_single_image(images):
    images([3])
    app = open_section("calibration", made([3], right=False), {"calibration": "rejection"})
    assert not app.exception
    assert "1 of 1 image kept" in said(app)


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_only_training_images_are_said_to_flatter_the_rejection(images, split):
    images([3, 4])
    app = open_section("calibration", made([3, 4], split=split), {"calibration": "rejection"})
    assert not app.exception
    assert ("images that the model was trained on" in said(app)) == (split == "train")


def test_a_checkpoint_that_is_gone_gives_one_message_in_place_of_the_diagram(images):
    images([3, 4])
    app = open_section("calibration", made([3, 4]))
    assert not app.exception
    assert len(app.error) == 1
