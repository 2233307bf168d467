"""Two models side by side: the images behind each mark, the charts and the words."""

import numpy as np
import pytest

from explorer.analysis.evaluation.predictions import Predictions
from explorer.ui.charts import duel
from explorer.ui.evaluate import comparison, headline
from explorer.ui.evaluate.comparison import OUTCOMES, Pair
from explorer.ui.evaluate.headline import Figure
from explorer.ui.evaluate.scope import Judged, Results, Scope
from explorer.ui.kit import theme
from explorer.ui.kit.state import Selection

CLASSES = ("cat", "dog", "*cow*")


def predictions(seed, n=60, classes=CLASSES, labels=None):
    random = np.random.default_rng(seed)
    labels = np.arange(n) % len(classes) if labels is None else np.asarray(labels)
    logits = random.normal(0, 1.5, (len(labels), len(classes))).astype(np.float32)
    logits[np.arange(len(labels)), labels] += 1
    return Predictions(logits, labels, np.arange(len(labels)), classes, f"digest {seed}", "mnist", "test")


def scope(*found):
    judged = [
        Judged(Selection("mnist", f"model-{letter}", None, "test"), f"model {letter}", Results(one))
        for letter, one in zip("ab", found, strict=False)
    ]
    return Scope(*judged)


@pytest.fixture
def pair():
    return Pair(scope(predictions(1), predictions(2)))


def test_the_rows_of_every_outcome_are_right_and_in_order(pair):
    a, b = (judged.results.predictions for judged in pair.scope.both)
    for which, right in zip(OUTCOMES, [(1, 1), (1, 0), (0, 1), (0, 0)], strict=True):
        expected = [row for row in range(60) if (a.correct[row], b.correct[row]) == tuple(map(bool, right))]
        assert sorted(pair.rows(which)) == expected
        assert expected
    assert (np.diff(b.confidence[pair.rows("only_a")]) <= 0).all()
    assert (np.diff(a.confidence[pair.rows("only_b")]) <= 0).all()
    least = np.minimum(a.confidence, b.confidence)
    assert (np.diff(least[pair.rows("both_right")]) >= 0).all()
    assert (np.diff(least[pair.rows("both_wrong")]) <= 0).all()


def test_the_rows_of_every_cell_are_those_that_one_alone_puts_there(pair):
    a, b = (judged.results.predictions for judged in pair.scope.both)
    counted = dict(pair.cells())
    for row, column in np.ndindex(3, 3):
        expected = [
            k for k in range(60) if a.labels[k] == row and (a.predicted[k] == column) != (b.predicted[k] == column)
        ]
        assert sorted(pair.rows(str(3 * row + column))) == expected
        assert counted.get(3 * row + column, 0) == len(expected)
    assert list(counted.values()) == sorted(counted.values(), reverse=True)


def test_the_matrix_has_a_signed_number_in_every_cell_and_says_who_is_better(exported):
    change = np.array([[5, -4, 0], [2, -3, 0], [0, 0, 0]])
    spec = duel.difference_matrix(change, CLASSES, CLASSES, chosen=1)
    exported(spec)
    cells = spec["datasets"]["cells"]
    assert [cell["label"] for cell in cells] == ["+5", "−4", "0", "+2", "−3", "0", "0", "0", "0"]
    better = np.sign([cell["better"] for cell in cells]).reshape(3, 3)
    assert better.tolist() == [[1, 1, 0], [-1, -1, 0], [0, 0, 0]]
    assert cells[0]["better"] == 1
    assert [cell["cell"] for cell in cells if cell["chosen"]] == [1]
    shade = spec["layer"][0]["encoding"]["color"]["scale"]
    assert shade["domain"] == [-1, 1]
    ramp = theme.diverging()
    assert shade["range"][len(ramp) // 2] == theme.colour("secondaryBackgroundColor")
    assert spec["layer"][1]["transform"] == [{"filter": "datum.row == datum.column"}]


def test_the_numbers_can_be_read_on_every_shade():
    change = np.arange(-50, 50).reshape(10, 10)
    for cell in duel.difference_matrix(change, "abcdefghij", "abcdefghij")["datasets"]["cells"]:
        fill = duel._colour(cell["better"], theme.diverging())
        assert theme.contrast(cell["ink"], fill) >= 4


def test_the_bars_are_differences_in_percentage_points(exported):
    a, b = np.array([0.5, np.nan, 0.8]), np.array([0.625, np.nan, 0.799])
    spec = duel.recall_differences(a, b, CLASSES, chosen=2)
    exported(spec)
    bars = spec["datasets"]["classes"]
    assert [bar["label"] for bar in bars] == ["+12.5", "–", "−0.1"]
    assert [bar["points"] for bar in bars] == [12.5, 0.0, -0.1]
    assert [bar["better"] for bar in bars if bar["points"]] == ["B", "A"]
    assert [bar["cell"] for bar in bars] == [0, 4, 8]
    header, rows = duel.recall_table(a, b, CLASSES)
    assert header == ["class", "recall_a", "recall_b", "b_minus_a"]
    assert rows[0] == ["cat", 0.5, 0.625, 0.125]


def test_nothing_of_a_name_is_markup(pair):
    names = CLASSES
    for text in (
        comparison.matrix(pair, names),
        comparison.recalls(pair, names),
        comparison.heading_text(pair, "8", names),
    ):
        assert "*cow*" not in text


def test_the_verdict_names_no_winner_where_chance_explains_it():
    one, two = predictions(1, 6), predictions(2, 6)
    heading, reason = comparison.verdict(Pair(scope(one, two)))
    assert heading == "A and B are not distinguishable on these 6 images."
    assert "exact McNemar test" in reason
    heading, _ = comparison.verdict(Pair(scope(one, one)))
    assert heading == "A and B are the same weights."


def test_without_images_everything_is_undefined_and_nothing_fails():
    empty = predictions(1, 0)
    both = Pair(scope(empty, predictions(2, 0)))
    assert comparison.verdict(both)[0] == "A and B are not comparable: there are no images."
    assert comparison.outcome(both, "only_a") == (
        "**0** only A right",
        "– of the images: show them, B’s surest mistakes first.",
    )
    assert len(both.rows("0")) == 0
    assert both.cells() == []
    figures = headline.figures_text(Results(empty))
    assert [figure.value for figure in figures] == ["–"] * 9 + ["0"]
    assert not any(figure.interval for figure in figures)
    assert all("nan" not in headline.meaning(figure, figure) for figure in figures)
    assert {headline.difference(figure, figure) for figure in figures} == {"", "0"}


def test_a_class_without_images_leaves_the_averages_defined():
    figures = {f.label: f for f in headline.figures_text(Results(predictions(1, labels=[0, 1] * 20)))}
    assert figures["Macro AUC"].value != "–"
    assert figures["Macro AUC"].interval
    alone = {f.label: f for f in headline.figures_text(Results(predictions(1, labels=[0] * 5)))}
    assert alone["Macro AUC"].value == "–"
    assert "Undefined here" in headline.meaning(alone["Macro AUC"])


@pytest.mark.parametrize(
    ("unit", "a", "b", "text"),
    [
        ("%", 0.9261, 0.9016, "−2.4"),
        ("%", 0.0739, 0.0984, "+2.4"),
        ("%", 0.5, 0.5001, "0.0"),
        ("%", 0.5, 0.49999, "0.0"),
        ("area", 0.99, 0.9912, "+0.0012"),
        ("nats", 0.3, 0.25, "−0.050"),
        ("%", float("nan"), 0.5, ""),
    ],
)
def test_differences_have_their_sign(unit, a, b, text):
    assert headline.difference(Figure("", "", "", "", a, unit), Figure("", "", "", "", b, unit)) == text
