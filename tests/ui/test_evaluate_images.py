"""Parts of the confusion matrix, the gallery and the detail of one image, without the page around them."""

import json

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from explorer.analysis.evaluation.confusion import ConfusionMatrix
from explorer.analysis.evaluation.predictions import Predictions
from explorer.ui.evaluate import matrix as evaluate_matrix
from explorer.ui.evaluate.matrix import Part

CLASSES = ("cat", "<b>dog", "hen")


@pytest.fixture(scope="module")
def predictions():
    random = np.random.default_rng(5)
    labels = random.integers(0, 3, 200)
    logits = random.normal(size=(200, 3)).astype(np.float32)
    return Predictions(logits, labels, np.arange(200), CLASSES, "x", "fashion-mnist", "test")


@pytest.fixture(scope="module")
def matrix(predictions):
    return ConfusionMatrix.from_predictions(predictions)


def test_every_part_holds_its_images_the_most_confident_first(predictions, matrix):
    true, said = predictions.labels, predictions.logits.argmax(axis=1)
    for code, part in evaluate_matrix.parts(matrix).items():
        first, second = code.split("-")
        expected = {
            row
            for row in range(200)
            if (str(true[row]) == first if first != "x" else str(true[row]) != second)
            and (str(said[row]) == second if second != "x" else str(said[row]) != first)
        }
        rows = part.rows(predictions)
        assert set(rows.tolist()) == expected, code
        assert part.count(matrix) == len(rows) == len(expected)
        assert (np.diff(predictions.confidence[rows]) <= 0).all()


def test_the_parts_are_every_cell_and_the_errors_of_every_row_and_column(matrix):
    found = evaluate_matrix.parts(matrix)
    assert len(found) == 9 + 3 + 3
    counts = [part.count(matrix) for part in list(found.values())[:6]]
    assert counts == sorted(counts, reverse=True)
    assert all(part.cell is None or part.cell[0] != part.cell[1] for part in list(found.values())[:6])


def test_a_part_is_named_with_its_number(matrix):
    assert evaluate_matrix.title(Part(0, 2), matrix, CLASSES) == f"cat → hen: {matrix.counts[0, 2]}"
    assert evaluate_matrix.title(Part(None, 2), matrix, CLASSES).startswith("other classes → hen: ")
    assert evaluate_matrix.title(Part(1, None), matrix, ("0", "1", "2")).startswith("1 → something else: ")


def test_the_table_of_a_class_holds_its_numbers_and_no_markup_of_a_name(matrix):
    found = matrix.element(1)
    html = evaluate_matrix.table(found)
    for number in (found.true_positives, found.false_negatives, found.false_positives, found.true_negatives):
        assert f"<strong>{number}</strong>" in html
    assert "<b>dog" not in html
    assert "called &lt;b&gt;dog" in html


def page():
    import numpy as np
    import streamlit as st

    from explorer.analysis.evaluation.predictions import Predictions
    from explorer.data.splits import load_split
    from explorer.ui.evaluate import images
    from explorer.ui.evaluate.scope import Judged, Results, Scope
    from explorer.ui.kit.state import Selection

    split = load_split("fashion-mnist", "test")
    logits = np.random.default_rng(1).normal(size=(len(split), 10)).astype(np.float32)
    classes = tuple(f"class {k}" for k in range(10))
    judged = [
        Judged(
            Selection("fashion-mnist", None, None, "test"),
            name,
            Results(Predictions(values, split.labels, split.indices, classes, name, "fashion-mnist", "test")),
        )
        for name, values in (("a", logits), ("b", -logits))
    ]
    scope = Scope(judged[0], judged[1] if "two" in st.query_params else None)
    rows = np.arange(10_000)[:: int(st.session_state.get("step", 7))]
    images.show(scope, rows, key="some", heading="Heading", empty="Nothing here.")
    images.show(scope, [], key="none", heading="Empty", empty="Nothing here.")


def shown(app):
    """Return what the browser is told of the tiles."""
    return json.loads(app.get("bidi_component")[0].proto.json)["tiles"]


def opened(**parameters):
    app = AppTest.from_function(page, default_timeout=60)
    app.query_params.update(parameters)
    return app.run()


def test_a_page_of_images_in_the_order_given():
    app = opened()
    assert not app.exception
    assert [tile["row"] for tile in shown(app)] == list(range(0, 24 * 7, 7))
    assert [info.value for info in app.info] == ["Nothing here."]
    assert len(app.get("bidi_component")) == 1


def test_the_page_stands_in_the_url_and_other_rows_begin_with_the_first():
    app = opened(**{"page-some": "3"})
    assert [tile["row"] for tile in shown(app)] == list(range(48 * 7, 72 * 7, 7))
    assert app.query_params["page-some"] in ("3", ["3"])
    app.session_state["step"] = 11
    app.run()
    assert shown(app)[0]["row"] == 0
    assert "page-some" not in app.query_params


@pytest.mark.parametrize("page", ["0", "-1", "61", "x", "1e3", "٣", "9" * 400])
def test_a_forged_page_is_the_first(page):
    app = opened(**{"page-some": page})
    assert not app.exception
    assert shown(app)[0]["row"] == 0


def test_each_model_says_its_own():
    from explorer.data.splits import load_split

    one, two = shown(opened())[0], shown(opened(two="1"))[0]
    logits = np.random.default_rng(1).normal(size=(10_000, 10)).astype(np.float32)[0].astype(float)
    label = int(load_split("fashion-mnist", "test").labels[0])
    lines = []
    for values in (logits, -logits):
        shares = np.exp(values) / np.exp(values).sum()
        lines.append((f"class {shares.argmax()} {shares.max():.1%}", bool(shares.argmax() == label)))
    assert one["title"] == f"class {label}"
    assert [(note["text"], note["right"]) for note in one["notes"]] == lines[:1]
    assert [(note["text"], note["right"]) for note in two["notes"]] == [
        (f"A {lines[0][0]}", lines[0][1]),
        (f"B {lines[1][0]}", lines[1][1]),
    ]
    assert "wrong" in two["description"]
