import ast
import json
import zipfile
from pathlib import Path

import pytest

from explorer.store import runs


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_export_and_import_again(run, explorer, here):
    code, output, messages = explorer("export", run["run"])
    path = here / f"{run['run']}.zip"
    assert (code, output) == (0, "")
    assert f"Wrote {path.name} (" in messages
    with zipfile.ZipFile(path) as archive:
        assert {"checkpoint.safetensors", "train.py", "history.csv"} <= set(archive.namelist())
    code, output, messages = explorer("import", path, "--json")
    document = json.loads(output)
    assert (code, messages) == (0, "")
    assert document["run"] != run["run"]
    assert {key: document[key] for key in ("name", "state", "epoch", "epochs")} == {
        "name": "[/shared]",
        "state": "finished",
        "epoch": 2,
        "epochs": 2,
    }
    assert Path(document["checkpoint"]).read_bytes() == Path(run["checkpoint"]).read_bytes()
    assert "note" in runs.get(document["run"]).description


def test_for_people_an_import_is_a_sentence(run, explorer, here):
    explorer("export", run["run"], "--output", "x.zip", "--no-predictions")
    with zipfile.ZipFile("x.zip") as archive:
        assert not any(name.startswith("predictions") for name in archive.namelist())
    code, output, _ = explorer("import", "x.zip")
    assert code == 0
    assert output.startswith("Imported as run ")
    assert "2 of 2 epochs, best validation accuracy" in output


def test_into_a_folder(run, explorer, here):
    code, _, messages = explorer("export", run["run"], "--output", here)
    assert code == 0
    assert str(here / f"{run['run']}.zip") in messages


def test_the_script_alone_on_standard_output_or_in_a_file(run, explorer, here):
    code, output, messages = explorer("export", run["run"], "--script")
    assert (code, messages) == (0, "")
    assert len(output.splitlines()) <= 65
    ast.parse(output)
    code, nothing, messages = explorer("export", run["run"], "--script", "--output", "my.py")
    assert (code, nothing) == (0, "")
    assert messages == f"Wrote my.py ({len(output.splitlines())} lines).\n"
    assert Path("my.py").read_text() == output
    explorer("export", run["run"], "--script", "--output", here)
    assert Path("train.py").read_text() == output
    assert list(here.glob("*.zip")) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["export", "../x"], "is not a run id"),
        (["export", "20260101-000000-abcdef"], "There is no run"),
        (["import", "none.zip"], "no such file"),
        (["import", "other.zip"], "no zip file"),
    ],
)
def test_errors_are_one_line_and_exit_1(explorer, here, arguments, message):
    Path("other.zip").write_bytes(b"nothing")
    code, output, messages = explorer(*arguments)
    assert (code, output) == (1, "")
    assert message in messages
    assert len(messages.splitlines()) == 1
    assert "Traceback" not in messages


def test_a_place_that_cannot_be_written(run, explorer, here):
    Path("file").touch()
    for arguments in (["--script"], []):
        code, _, messages = explorer("export", run["run"], "--output", "file/x", *arguments)
        assert code == 1
        assert messages.startswith("Error: ")
        assert len(messages.splitlines()) == 1
