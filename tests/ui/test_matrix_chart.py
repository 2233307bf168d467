"""The confusion matrix as a figure: its order, its shades, its marks and its clicks."""

import altair as alt
import numpy as np
import pytest
from altair.utils import schemapi

from explorer.analysis.evaluation.confusion import ConfusionMatrix
from explorer.ui import charts
from explorer.ui.kit import theme

CLASSES = ("cat", "dog", "hen")
MATRIX = ConfusionMatrix(np.array([[90, 4, 0], [9, 60, 1], [0, 0, 80]]), CLASSES)


def cells(spec):
    return {(cell["row"], cell["column"]): cell for cell in spec["datasets"]["cells"]}


def brightness(colour):
    return sum(int(colour[start : start + 2], 16) for start in (1, 3, 5))


def test_the_schema_accepts_the_chart_with_all_its_parts(exported):
    spec = charts.confusion_matrix(
        MATRIX, "By row", 1, order=(2, 0, 1), errors_only=True, marked=(1, 0), clicks="click0"
    )
    with schemapi.debug_mode(True):
        alt.Chart.from_dict(spec, validate=True)
    exported(spec)


def test_another_order_moves_the_cells_and_not_their_numbers():
    plain, moved = (charts.confusion_matrix(MATRIX, order=order) for order in (None, (2, 0, 1)))
    assert moved["layer"][0]["encoding"]["x"]["scale"]["domain"] == ["hen", "cat", "dog"]
    assert moved["layer"][0]["encoding"]["y"]["scale"]["domain"] == ["hen", "cat", "dog"]
    assert cells(plain) == cells(moved)
    assert cells(moved)[1, 0]["label"] == "9"
    assert (cells(moved)[1, 0]["true"], cells(moved)[1, 0]["predicted"]) == ("dog", "cat")


def test_the_shade_rises_with_the_value():
    found = cells(charts.confusion_matrix(MATRIX))
    darkness = [-brightness(found[place]["fill"]) for place in ((0, 2), (1, 2), (0, 1), (1, 0), (1, 1), (0, 0))]
    assert darkness == sorted(darkness)
    assert len(set(darkness)) == len(darkness)
    assert found[0, 2]["fill"] == theme.sequential()[0]
    assert found[0, 0]["fill"] == theme.sequential()[-1]


def test_errors_only_are_shaded_by_the_largest_error_and_the_diagonal_keeps_its_number():
    found = cells(charts.confusion_matrix(MATRIX, errors_only=True))
    assert found[1, 0]["fill"] == theme.sequential()[-1]
    for k, number in enumerate(("90", "60", "80")):
        assert found[k, k]["fill"] == theme.colour("secondaryBackgroundColor")
        assert found[k, k]["label"] == number


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("errors_only", [False, True])
def test_every_number_can_be_read_on_its_shade(monkeypatch, mode, errors_only):
    monkeypatch.setattr(theme, "mode", lambda: mode)
    ramp = ConfusionMatrix(np.arange(400).reshape(20, 20), tuple(str(k) for k in range(20)))
    for cell in charts.confusion_matrix(ramp, errors_only=errors_only)["datasets"]["cells"]:
        assert theme.contrast(cell["ink"], cell["fill"]) >= 4.5


def test_a_cell_is_marked_by_its_numbers_and_clicks_tell_them():
    spec = charts.confusion_matrix(MATRIX, marked=(1, 2), clicks="click7")
    assert [place for place, cell in cells(spec).items() if cell["marked"]] == [(1, 2)]
    (param,) = spec["layer"][0]["params"]
    assert param["name"] == "click7"
    assert param["select"]["fields"] == ["row", "column"]
    assert not any("params" in layer for layer in charts.confusion_matrix(MATRIX)["layer"])


def test_a_matrix_without_errors_or_images_is_drawn():
    for counts in (np.diag([3, 4, 5]), np.zeros((3, 3), dtype=np.int64)):
        spec = charts.confusion_matrix(ConfusionMatrix(counts, CLASSES), errors_only=True)
        assert cells(spec)[0, 1]["fill"] == theme.sequential()[0]
    blank = cells(charts.confusion_matrix(ConfusionMatrix(np.zeros((3, 3), dtype=np.int64), CLASSES), "By row"))
    assert {cell["label"] for cell in blank.values()} == {"–"}


def test_rows_can_have_the_names_of_another_data_set():
    spec = charts.confusion_matrix(MATRIX, true_names=("0", "1", "2"))
    assert spec["layer"][0]["encoding"]["y"]["scale"]["domain"] == ["0", "1", "2"]
    assert cells(spec)[1, 0]["true"] == "1"
    header, rows = charts.confusion_table(MATRIX, "Counts", ("0", "1", "2"))
    assert header == ["true class", *(f"predicted {name}" for name in CLASSES)]
    assert [row[0] for row in rows] == ["0", "1", "2"]
