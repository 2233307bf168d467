"""The section "ROC and precision-recall" of the page Evaluate."""

import json
import re

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, confusion_matrix, roc_auc_score
from streamlit.testing.v1 import AppTest

from explorer.errors import CheckpointError
from explorer.ui.kit import cache

SECTION = "ROC and precision-recall"


@pytest.fixture
def shown(open_page, run):
    """Open the section with parameters of the URL."""

    def start(**parameters):
        app = open_page("evaluate", checkpoint="small", section=SECTION, **parameters)
        assert not app.exception
        return app

    return start


def script(labels, seed):
    """The section alone, for images of these labels; run by Streamlit."""
    import numpy as np
    import streamlit as st

    from explorer.analysis.evaluation.predictions import Predictions
    from explorer.ui.evaluate import curves
    from explorer.ui.evaluate.scope import Judged, Results, Scope
    from explorer.ui.kit import address
    from explorer.ui.kit.state import Selection

    def judged(number):
        logits = np.random.default_rng(number).normal(size=(len(labels), 3)).astype(np.float32)
        predictions = Predictions(
            logits, np.array(labels, dtype=np.int64), np.arange(len(labels)), ("cat", "dog", "[x](y)"), "x", "d", "test"
        )
        return Judged(Selection("fashion-mnist", "small", None, "test"), "name", Results(predictions))

    if "run" not in st.session_state:
        address.turn_to("evaluate")
        st.session_state["run"] = True
    curves.show(Scope(judged(0), judged(seed) if seed else None))


def alone(labels, seed=0, **parameters):
    app = AppTest.from_function(script, args=(labels, seed), default_timeout=60)
    app.query_params.update(parameters)
    app.run()
    assert not app.exception
    return app


def chart(app):
    (found,) = app.get("vega_lite_chart")
    return json.loads(found.proto.spec)


def legend(app):
    expression = chart(app)["layer"][1]["encoding"]["color"]["legend"]["labelExpr"]
    return json.loads(expression.removeprefix("(").removesuffix(")[datum.label]"))


def words(app):
    return "\n".join(element.value for kind in (app.markdown, app.caption, app.info) for element in kind)


def table(app):
    html = "".join(element.proto.body for element in app.get("html"))
    return {term: int(value.replace(",", "")) for term, value in re.findall(r"<small>(..)</small> ([\d,]+)<", html)}


def logits(seed, n):
    return np.random.default_rng(seed).normal(size=(n, 3)).astype(np.float32).astype(np.float64)


def probabilities(seed, n):
    scores = np.exp(logits(seed, n))
    return scores / scores.sum(axis=1, keepdims=True)


LABELS = [0, 1, 2, 1, 0] * 20


def test_the_areas_of_the_page_are_right(shown, run):
    app = shown(**{"class": "Shirt"})
    from explorer.ui.kit.state import Selection

    p = cache.predictions(Selection("fashion-mnist", "small", None, "test"))
    hot, found = np.eye(10)[p.labels], legend(app)
    for which in range(10):
        auc = roc_auc_score(hot[:, which], p.probabilities[:, which])
        assert found[str(which)].startswith(f"{p.classes[which]} {auc:.4f} (")
    for average in ("macro", "micro"):
        area = roc_auc_score(hot, p.probabilities, average=average)
        assert found[average].startswith(f"{average} average {area:.4f} (")
    assert f"**AUC of Shirt: {roc_auc_score(hot[:, 6], p.probabilities[:, 6]):.4f}" in words(app)


def test_images_of_another_set_keep_their_names(shown):
    """A zero is no T-shirt: its class of the model has another name than it."""
    app = shown(on="mnist")
    assert legend(app)["0"].startswith("0 → T-shirt/top 0.")
    plain = words(app).replace("\\", "")
    assert "980 images of 0 are found" in plain
    assert "that an image of 0 gets a higher probability for T-shirt/top than an image of another class" in plain
    assert not re.search(r"images? of T-shirt|AUC of T-shirt|hardest class is [A-Z]", plain)


def test_average_precisions_are_right():
    app = alone(LABELS, curve="precision-recall")
    for which, name in enumerate(("cat", "dog")):
        area = average_precision_score(np.array(LABELS) == which, probabilities(0, 100)[:, which])
        assert legend(app)[str(which)] == f"{name} {area:.4f}"


def test_it_opens_where_the_curves_are_and_zooms_out_and_says_where_the_point_is(shown):
    def ends(app):
        axes = chart(app)["layer"][1]["encoding"]
        return [axes[axis]["scale"]["domain"] for axis in "xy"]

    app = shown(**{"class": "Shirt"})
    (left, right), (_, high) = ends(app)
    assert (left, high) == (0, 1)
    assert right < 0.5
    assert "outside of what is shown" not in words(app)
    app.select_slider(key="threshold").set_value(0.0001).run()
    assert "outside of what is shown" in words(app)
    app.toggle(key="corner").set_value(False).run()
    assert app.query_params["corner"] == "False"
    assert ends(app) == [[0, 1], [0, 1]]
    assert "outside of what is shown" not in words(app)


def test_table_and_words_follow_the_threshold():
    app = alone(LABELS, **{"class": "dog"})
    for value in (0.5, 0.31, 0.0015):
        app.select_slider(key="threshold").set_value(value).run()
        assert not app.exception
        called = probabilities(0, 100)[:, 1] >= value
        ((tn, fp), (fn, tp)) = confusion_matrix(np.array(LABELS) == 1, called)
        assert table(app) == {"TP": tp, "FN": fn, "FP": fp, "TN": tn}
        assert f"{tp} of 40 images of dog are found, with {fp} false alarm" in words(app)
        if value != 0.5:
            assert app.query_params["threshold"] == str(value)


def test_the_images_that_cross_are_those_between_the_last_two_places(monkeypatch):
    from explorer.ui.evaluate import images

    seen = []
    monkeypatch.setattr(images, "show", lambda scope, rows, **rest: seen.append((rows, rest)))
    app = alone(LABELS, threshold="0.3")
    for value in (0.4, 0.35):
        app.select_slider(key="threshold").set_value(value).run()
    app.run()
    scores = probabilities(0, 100)[:, 0]
    for (rows, rest), (low, high) in zip(seen, [(0.3, 0.5), (0.3, 0.4), (0.35, 0.4), (0.35, 0.4)], strict=True):
        assert sorted(rows) == np.flatnonzero((scores >= low) & (scores < high)).tolist()
        assert f"{len(rows)} images" in rest["heading"]
    assert "no longer called cat" in seen[1][1]["heading"]
    assert "now called cat" in seen[2][1]["heading"]


@pytest.mark.parametrize(("asked", "value"), [("0.30", 0.3), ("1.234e-7", 1.23e-7), ("0.99987", 0.99987), ("1", 1.0)])
def test_a_link_may_name_any_threshold(asked, value):
    app = alone(LABELS, threshold=asked)
    assert app.select_slider(key="threshold").value == value
    assert not app.warning


@pytest.mark.parametrize("asked", ["7", "nan", "**x**"])
def test_what_is_no_threshold_is_not_used(asked):
    app = alone(LABELS, threshold=asked)
    assert app.select_slider(key="threshold").value == 0.5
    assert "no threshold" in app.warning[0].value


def drag(app, place):
    """Send what the browser sends when the point was dragged."""
    from streamlit.proto.WidgetStates_pb2 import WidgetState

    (found,) = app.get("vega_lite_chart")
    state = WidgetState(id=found.proto.id, string_value=json.dumps({"selection": {"at": place, "shown": {}}}))
    original = app._tree.get_widget_states

    def states():
        sent = original()
        sent.widgets.append(state)
        return sent

    app._tree.get_widget_states = states
    app.run()
    assert not app.exception


def test_the_point_can_be_dragged():
    app = alone(LABELS)
    number = app.session_state["threshold:round"]
    drag(app, [{"threshold": 0.123, "round": number}])
    assert app.select_slider(key="threshold").value == 0.123
    assert app.query_params["threshold"] == "0.123"


@pytest.mark.parametrize(
    "place",
    [[], {}, "x", [1], [{"threshold": 7, "round": 1}], [{"threshold": "<b>", "round": 1}], [{"threshold": 0.2}]],
)
def test_nonsense_of_a_browser_moves_nothing(place):
    app = alone(LABELS)
    drag(app, place)
    assert app.select_slider(key="threshold").value == 0.5


@pytest.mark.parametrize("labels", [[], [0], [1], [0, 0, 1], [2, 2]])
@pytest.mark.parametrize(("curve", "view"), [("roc", "all"), ("roc", "class"), ("precision-recall", "macro")])
def test_few_images_and_absent_classes(labels, curve, view):
    app = alone(labels, curve=curve, curves=view, **{"class": "dog"}, threshold="0.01")
    assert sum(table(app).values()) == len(labels)
    if 1 not in labels or set(labels) == {1}:
        assert "There is no" in words(app)


def test_two_checkpoints_both_have_their_curve_and_their_words():
    app = alone(LABELS, seed=1, **{"class": "dog"}, curves="class")
    areas = [roc_auc_score(np.array(LABELS) == 1, probabilities(seed, 100)[:, 1]) for seed in (0, 1)]
    assert [text[:13] for text in legend(app).values()] == [
        f"dog, {s} {a:.4f}" for s, a in zip("AB", areas, strict=True)
    ]
    for seed, letter in enumerate("AB"):
        hits = int(((probabilities(seed, 100)[:, 1] >= 0.5) & (np.array(LABELS) == 1)).sum())
        assert f"{letter}: From 0.50 on, {hits} of 40" in words(app)


def test_other_splits_are_predicted_only_when_they_are_asked_for(monkeypatch):
    asked = []

    def predictions(selection):
        asked.append(selection.split)
        if selection.split == "train":
            raise CheckpointError("The weights of epoch 3 are not kept.")
        raise AssertionError(selection.split)

    monkeypatch.setattr(cache, "predictions", predictions)
    app = alone(LABELS, curves="class")
    assert asked == []
    app.segmented_control(key="overlay").set_value("train").run()
    assert not app.exception
    assert asked == ["train"]
    assert "weights of epoch 3 are not kept" in words(app)
    assert len(legend(app)) == 1


def test_other_splits_are_laid_over(shown):
    app = shown(curves="class", overlay="validation", **{"class": "Shirt"})
    own, other = legend(app).values()
    assert own.startswith("Shirt, test 0.")
    assert other.startswith("Shirt, validation 0.")
