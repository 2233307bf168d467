"""The section "Two models" of the page Evaluate."""

import numpy as np
import torch
from safetensors.torch import load_file
from scipy.stats import binomtest

from explorer.data.catalog import get
from explorer.data.splits import load_split


def predicted(run, epoch):
    """Labels and predicted classes, computed without the application's analysis."""
    spec, split = get("fashion-mnist"), load_split("fashion-mnist", "test")
    weights = load_file(run.weights(epoch))
    pixels = torch.tensor(split.images.reshape(10_000, 784) / 255.0, dtype=torch.float32)
    logits = (pixels - spec.mean) / spec.std @ weights["1.weight"].T + weights["1.bias"]
    return split.labels, logits.argmax(1).numpy()


def texts(app):
    return "\n".join(element.value for kind in (app.markdown, app.caption, app.info) for element in kind)


def both(open_page, run, **parameters):
    """Open the section with the run's second epoch as A and its first as B."""
    parameters = {"with": run.id, "with-epoch": "1", "section": "Two models", **parameters}
    return open_page("evaluate", checkpoint=run.id, **parameters)


def test_without_a_second_model_the_section_offers_one(open_page, run):
    app = open_page("evaluate", checkpoint="small", section="Two models")
    assert not app.exception
    app.selectbox(key="with-here").set_value(run.id).run()
    assert not app.exception
    assert app.query_params["with"] == run.id
    assert app.button(key="agreement-both_right")


def test_the_agreement_table_and_the_test_are_right(open_page, run):
    app = both(open_page, run)
    assert not app.exception
    (labels, a), (_, b) = predicted(run, 2), predicted(run, 1)
    right_a, right_b = a == labels, b == labels
    counts = {
        "both_right": (right_a & right_b).sum(),
        "only_a": (right_a & ~right_b).sum(),
        "only_b": (~right_a & right_b).sum(),
        "both_wrong": (~right_a & ~right_b).sum(),
    }
    for which, n in counts.items():
        assert app.button(key=f"agreement-{which}").label.startswith(f"**{n:,}** ")
    p = binomtest(int(counts["only_b"]), int(counts["only_a"] + counts["only_b"])).pvalue
    assert p < 0.001
    assert "A is better on these 10,000 images by more than chance explains." in texts(app)
    assert "exact McNemar test, p < 0.001" in texts(app)


def test_a_press_shows_the_images_and_the_link_keeps_them(open_page, run):
    app = both(open_page, run)
    app.button(key="agreement-only_b").click().run()
    assert not app.exception
    (labels, a), (_, b) = predicted(run, 2), predicted(run, 1)
    n = int(((a != labels) & (b == labels)).sum())
    assert f"Only B right: {n:,} images" in texts(app)
    assert app.query_params["compare"] == "images"
    app.button(key="agreement-both_wrong").click().run()
    assert app.query_params["behind"] == "both_wrong"
    again = both(open_page, run, compare="images", behind="both_wrong")
    assert not again.exception
    assert f"Both wrong: {int(((a != labels) & (b != labels)).sum()):,} images" in texts(again)


def test_the_images_of_a_cell_are_those_that_only_one_puts_there(open_page, run):
    (labels, a), (_, b) = predicted(run, 2), predicted(run, 1)
    n = int(((labels == 6) & ((a == 0) != (b == 0))).sum())
    app = both(open_page, run, compare="images", behind="60")
    assert not app.exception
    assert f"Shirt called T-shirt/top by only one: {n:,} images" in texts(app).replace("\\", "")
    assert app.selectbox(key="compare-images").value == "60"


def test_a_forged_link_shows_the_default(open_page, run):
    app = both(open_page, run, compare="x", behind="100")
    assert not app.exception
    assert app.segmented_control(key="compare").value == "matrix"
    app.segmented_control(key="compare").set_value("images").run()
    assert app.selectbox(key="compare-images").value == "only_b"


def test_the_same_weights_are_said_to_be_the_same(open_page, run):
    app = open_page("evaluate", checkpoint="small", section="Two models", compare="classes", **{"with": run.id})
    assert not app.exception
    assert "A and B are the same weights." in texts(app)
    assert "Here both find as many of every class." in texts(app)


def test_the_figures_are_drawn_with_the_numbers_of_the_page(open_page, run):
    app = both(open_page, run)
    (labels, a), (_, b) = predicted(run, 2), predicted(run, 1)
    matrices = [np.bincount(labels * 10 + one, minlength=100).reshape(10, 10) for one in (a, b)]
    change = np.diagonal(matrices[1] - matrices[0])
    k = int(np.abs(change).argmax())
    name = get("fashion-mnist").classes[k]
    word = "more" if change[k] > 0 else "fewer"
    assert f"B finds {abs(change[k]):,} {word} of {name} than A" in texts(app).replace("\\", "")
