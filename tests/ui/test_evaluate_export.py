"""Files to take away: page and command line give the same, and pictures have the colours of the theme."""

import io
import json
import re
import sys

import numpy as np
import pytest
from PIL import Image

from explorer import cli
from explorer.analysis.evaluation.predictions import Predictions
from explorer.data.splits import load_split
from explorer.store.checkpoints import load_checkpoint
from explorer.ui.charts.duel import difference_matrix
from explorer.ui.evaluate import choice
from explorer.ui.evaluate.scope import Judged, Results, Scope
from explorer.ui.kit import figure, theme
from explorer.ui.kit.state import Selection


@pytest.fixture
def printed(monkeypatch, capsys):
    """What a command prints, read as JSON."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["explorer", *map(str, arguments), "--json"])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert not ended.value.code
        return json.loads(capsys.readouterr().out)

    return call


def judged(name):
    from explorer.store.catalog import resolve

    found = Predictions.compute(load_checkpoint(resolve(name)), load_split("fashion-mnist", "validation"))
    return Judged(Selection("fashion-mnist", name, None, "validation"), name, Results(found))


def test_page_and_command_line_give_equal_files(printed, tmp_path):
    a = judged("fashion-mnist-mlp")
    path = tmp_path / "predictions.csv"
    document = printed("evaluate", "fashion-mnist-mlp", "--split", "validation", "--csv", path)
    assert json.loads(choice.json_text(choice.document(Scope(a)))) == document
    assert choice.predictions_csv(a) == path.read_text()
    b = judged("fashion-mnist-lenet")
    both = choice.document(Scope(a, b))
    assert both["a"] == document
    assert both["b"]["checkpoint"] == "fashion-mnist-lenet"
    compared = printed("compare", "fashion-mnist-mlp", "fashion-mnist-lenet", "--split", "validation")
    assert both["comparison"] == compared


def test_the_table_is_safe_for_spreadsheets():
    text = choice.predictions_csv(judged("fashion-mnist-mlp"))
    lines = text.splitlines()
    assert re.fullmatch(r"index,label,predicted(,p_\d)+", lines[0])
    assert len(lines) == 6_001
    assert all(re.fullmatch(r"[0-9.e,-]+", line) for line in lines[1:])
    assert not any(cell.startswith("-") for line in lines[1:] for cell in line.split(","))


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_a_picture_has_the_colours_of_its_theme_and_two_pixels_for_one(mode):
    spec = difference_matrix(np.array([[3, -1], [0, -2]]), ("cat", "dog"), ("cat", "dog"))
    vector = figure.svg(spec, mode)
    assert f'fill="{theme.colour("backgroundColor", mode)}"' in vector
    width = float(re.search(r'width="([0-9.]+)"', vector)[1])
    picture = Image.open(io.BytesIO(figure.png(spec, mode)))
    assert picture.format == "PNG"
    assert abs(picture.width - 2 * width) <= 2
    background = theme.colour("backgroundColor", mode)
    assert "#{:02x}{:02x}{:02x}".format(*picture.convert("RGB").getpixel((2, 2))) == background
