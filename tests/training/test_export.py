import csv
import errno
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile

import pytest
import torch
from filelock import FileLock
from safetensors.torch import load_file, save_file

from explorer.analysis.evaluation.prediction_files import load_predictions
from explorer.data.splits import load_split
from explorer.errors import CheckpointError, ConfigError, RunError
from explorer.paths import DATA_FILES, SHIPPED_CHECKPOINTS
from explorer.store import archives, runs, summaries
from explorer.store.checkpoints import load_checkpoint
from explorer.store.runs import Run, Status
from explorer.training import archives as training_archives
from explorer.training.archives import export_run, import_archive, run_script
from explorer.training.config import TrainConfig
from explorer.training.queue.execution import execute
from explorer.training.queue.forking import fork

NAME = '=1+1 <img src=x onerror="alert(1)">'


@pytest.fixture(scope="module")
def trained(tmp_path_factory, shared_home):
    """A folder with one finished run of three epochs whose second is the best, and its archive."""
    values = {"subset": 200, "batch_size": 20, "epochs": 3, "device": "cpu", "threads": 1, "learning_rate": 0.01}
    config = TrainConfig.parse(values)
    run = runs.create(config.model_dump(mode="json"), NAME)
    execute(run)
    run.describe(note="@first\nline", tags=["a", "<b>"])
    folder = tmp_path_factory.mktemp("trained") / run.id
    shutil.move(run.path, folder)
    return folder


@pytest.fixture
def run(trained, home):
    """That run, under this test's home."""
    found = Run(trained.name, home / "runs" / trained.name)
    shutil.copytree(trained, found.path)
    return found


def test_losses_and_objectives_of_old_and_new_runs_in_an_archive(home, configure):
    """An earlier version wrote the objective of training as its loss."""
    run = runs.create(configure(loss="mse").model_dump(mode="json"))
    execute(run)
    (before,) = run.epochs()
    old = [{name: value for name, value in line.items() if "objective" not in name} for line in run.history()]
    for line in old:
        line |= {"train_loss": before["train_objective"]} if line["kind"] == "epoch" else {"loss": 0.9}
    again = import_archive(export_run(run))
    assert again.history() == run.history()
    table = list(csv.DictReader(io.StringIO(contents(export_run(again))["history.csv"].decode())))
    assert float(table[0]["train_loss"]) == before["train_loss"]
    assert float(table[0]["validation_objective"]) == before["validation_objective"]
    assert "squared error" in contents(export_run(again))["README.txt"].decode()
    (run.path / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in old))
    assert run.epochs() == [before | {"train_loss": None, "validation_objective": None}]
    assert all((line["loss"], line["objective"]) == (None, 0.9) for line in run.history() if line["kind"] == "step")
    assert summaries.epochs(run) == tuple(run.epochs())
    archive = with_changes(export_run(run), history_jsonl=(run.path / "history.jsonl").read_bytes())
    for data in (archive, export_run(run)):
        assert import_archive(data).history() == run.history()
    assert b"\n1,," in contents(export_run(run))["history.csv"]


def test_the_script_takes_as_many_threads_as_the_run_did(home, configure):
    run = runs.create(configure(threads=0).model_dump(mode="json"))
    run.append_event({"kind": "start", "device": "cpu", "threads": 3})
    run.append_event({"kind": "start", "device": "cpu", "threads": 1})
    assert "torch.set_num_threads(3)" in run_script(run)
    assert "set_num_threads" not in run_script(runs.create(configure(threads=0).model_dump(mode="json")))


def contents(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def with_changes(data, **changes):
    """The archive with other contents; the names have `_` for `.` and `__` for `/`. None leaves one out."""
    files = contents(data)
    for key, content in changes.items():
        name = key.replace("__", "/").replace("_", ".")
        files[name] = content if not callable(content) else content(files[name])
    stream = io.BytesIO()
    archives.pack(stream, {name: content for name, content in files.items() if content is not None})
    return stream.getvalue()


def edited(**values):
    """Change top-level values of a JSON file."""
    return lambda content: json.dumps(json.loads(content) | values).encode()


def edited_line(number, **values):
    def change(content):
        lines = [json.loads(line) for line in content.splitlines()]
        at = [index for index, line in enumerate(lines) if line["kind"] == "epoch"][number]
        lines[at] |= values
        return "".join(json.dumps(line) + "\n" for line in lines).encode()

    return change


def everything(home):
    return sorted(str(path.relative_to(home)) for path in home.rglob("*") if "data" not in path.parts)


def refused(data, home, message):
    before = everything(home)
    with pytest.raises(RunError, match=message) as caught:
        import_archive(data)
    assert str(caught.value).startswith("The archive cannot be imported: ")
    assert str(home) not in str(caught.value)
    after = everything(home)
    assert [path for path in after if path != "runs"] == [path for path in before if path != "runs"]


def test_an_archive_holds_everything_and_says_what_it_is(run):
    files = contents(export_run(run))
    status = run.status
    names = {"checkpoint.safetensors", "config.json", "history.csv", "history.jsonl", "status.json"}
    names |= {"train.py", "validation-indices.txt", "README.txt"}
    names |= {f"predictions/{split}-000{epoch}.safetensors" for split in ("validation", "test") for epoch in (1, 2, 3)}
    assert set(files) - {"last.safetensors"} == names
    assert ("last.safetensors" in files) == (status.best_epoch != 3)
    assert files["checkpoint.safetensors"] == run.weights(status.best_epoch).read_bytes()
    described = json.loads(files["config.json"])
    assert (described["run"], described["name"], described["note"]) == (run.id, NAME, "@first\nline")
    assert described["versions"]["torch"] == torch.__version__
    assert described["config"] == run.config
    readme = files["README.txt"].decode()
    assert all(name.partition("/")[0] in readme for name in files if name != "README.txt")
    indices = [int(line) for line in files["validation-indices.txt"].split()]
    assert indices == load_split("fashion-mnist", "validation").indices.tolist()
    assert files["train.py"].decode() == run_script(run)


def test_the_table_is_the_history_and_holds_numbers_alone(run):
    rows = list(csv.DictReader(io.StringIO(contents(export_run(run))["history.csv"].decode())))
    assert [float(row["validation_accuracy"]) for row in rows] == [line["validation_accuracy"] for line in run.epochs()]
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert all(float(value) >= 0 for row in rows for value in row.values())


def test_the_same_run_gives_the_same_bytes_in_memory_and_in_a_file(run, tmp_path):
    data = export_run(run)
    assert export_run(run) == data
    path = export_run(run, tmp_path / "x.zip")
    assert (path, path.read_bytes()) == (tmp_path / "x.zip", data)
    assert export_run(run, tmp_path) == tmp_path / f"{run.id}.zip"
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{run.id}.zip", "x.zip"]


def test_predictions_can_be_left_out(run, monkeypatch):
    assert not any(name.startswith("predictions/") for name in contents(export_run(run, predictions=False)))
    monkeypatch.setattr("explorer.training.archives.PREDICTIONS_SIZE", 1000)
    assert not any(name.startswith("predictions/") for name in contents(export_run(run)))
    assert any(name.startswith("predictions/") for name in contents(export_run(run, predictions=True)))
    monkeypatch.setattr(archives, "MAX_FILES", 12)
    with pytest.raises(RunError, match="too many for an archive"):
        export_run(run, predictions=True)


def test_the_script_in_it_reaches_the_accuracies_in_it(run, tmp_path):
    files = contents(export_run(run))
    (tmp_path / "train.py").write_bytes(files["train.py"])
    command = [sys.executable, "-I", str(tmp_path / "train.py"), str(DATA_FILES / "fashion-mnist")]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = [float(line.split()[-1].rstrip("%")) for line in output.splitlines()]
    expected = [
        100 * float(row["validation_accuracy"]) for row in csv.DictReader(files["history.csv"].decode().split())
    ]
    assert found == pytest.approx(expected, abs=0.5)


def test_imported_elsewhere_it_is_a_new_run_with_the_same_content(run, home, monkeypatch, tmp_path):
    data = export_run(run)
    (elsewhere := tmp_path / "elsewhere").mkdir()
    (elsewhere / "data").symlink_to(home / "data", target_is_directory=True)
    monkeypatch.setenv("EXPLORER_HOME", str(elsewhere))
    made = import_archive(data)
    assert made.id != run.id
    assert runs.list_runs() == [made]
    assert (made.name, made.config) == (NAME, run.config)
    assert made.description["tags"] == ["a", "<b>"]
    assert made.description["note"] == f"@first\nline\n\nImported; it was run {run.id}."
    assert made.description["origin"] == {"run": run.id}
    before, after = run.status, made.status
    for field in ("state", "epoch", "epochs", "best_epoch", "best_accuracy", "curve", "reason", "device"):
        assert getattr(after, field) == getattr(before, field), field
    assert made.history() == run.history()
    assert made.predicted_epochs() == [1, 2, 3]
    assert made.kept_epochs() == sorted({before.best_epoch, 3})
    for epoch in made.kept_epochs():
        assert made.weights(epoch).read_bytes() == run.weights(epoch).read_bytes()
    for split in ("validation", "test"):
        one, other = (load_predictions(each.predictions(split, 2)) for each in (made, run))
        assert (one.predicted == other.predicted).all()
    assert execute(made) == after
    again = import_archive(export_run(made))
    assert (again.history(), again.config) == (run.history(), run.config)


def test_what_a_killed_import_left_behind_goes_with_the_next(run):
    old, new = (runs.folder() / f".import-{name}" for name in ("old", "new"))
    for left in (old, new):
        left.mkdir()
        (left / "config.json").write_text("{}")
    os.utime(old, (0, 0))
    import_archive(export_run(run))
    assert not old.exists()
    assert new.exists()


def test_an_imported_run_can_be_forked(run):
    made = import_archive(export_run(run))
    forked = fork(made, 3, {"epochs": 4})
    status = execute(forked)
    assert (status.state, status.epoch) == ("finished", 4)


def test_from_a_file(run, tmp_path):
    made = import_archive(export_run(run, tmp_path / "run.zip"))
    assert made.status.state == "finished"
    with pytest.raises(RunError, match="no such file"):
        import_archive(tmp_path / "other.zip")


def test_a_run_that_stands_still_is_imported_as_finished(run):
    run.write_status(run.status.model_copy(update={"state": "stopped", "reason": ""}))
    made = import_archive(export_run(run))
    assert (made.status.state, made.status.reason) == ("finished", "user")


def test_what_cannot_be_exported(run, tmp_path):
    empty = runs.create(TrainConfig().model_dump(mode="json"))
    with pytest.raises(RunError, match="no complete epoch"):
        export_run(empty)
    with FileLock(run.path / "lock"), pytest.raises(RunError, match="is being computed"):
        export_run(run)
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot be exported"):
        export_run(run, tmp_path / "file" / "x.zip")
    run.weights(run.status.best_epoch).unlink()
    with pytest.raises(CheckpointError, match="no checkpoint file"):
        export_run(run)


def test_a_file_that_goes_while_it_is_packed_is_named(run, monkeypatch):
    def gone(*_arguments):
        (run.path / "gone").read_bytes()

    monkeypatch.setattr(archives, "pack", gone)
    with pytest.raises(RunError, match=r"gone of run .* is missing; nothing was exported"):
        export_run(run)


def test_a_full_disk_while_exporting_leaves_nothing(run, tmp_path, monkeypatch):
    def full(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(archives, "pack", full)
    with pytest.raises(RunError, match="No space left on device"):
        export_run(run, tmp_path / "x.zip")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["explorer.store.archives._write", "explorer.training.archives.write_bytes"])
def test_a_full_disk_while_importing_leaves_nothing(run, home, monkeypatch, place):
    data = export_run(run)
    before = everything(home)

    def full(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(place, full)
    with pytest.raises(RunError, match=r"cannot be saved: No space left on device\. Free"):
        import_archive(data)
    assert everything(home) == before


def test_a_full_disk_at_the_very_last_leaves_nothing(run, home, monkeypatch):
    data = export_run(run)
    before = everything(home)
    monkeypatch.setattr(Run, "write_status", lambda _run, _status: (_ for _ in ()).throw(OSError(28, "No space")))
    with pytest.raises(RunError, match="No space"):
        import_archive(data)
    assert everything(home) == before


NAN = float("nan")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"config_json": b""}, "config.json is not as it should be"),
        ({"config_json": b"[" * 100_000}, "config.json is not as it should be"),
        ({"config_json": b"[]"}, "config.json is not as it should be"),
        ({"config_json": edited(run="../../x")}, "config.json is not as it should be .run"),
        ({"config_json": edited(format=2)}, "newer version"),
        ({"config_json": edited(name=["x"])}, "config.json is not as it should be .name"),
        ({"config_json": edited(name="x" * 300)}, "The name of a run has 1 to 120 characters"),
        ({"config_json": edited(note="x" * 3000)}, "The note of a run"),
        ({"config_json": edited(tags=[{"x": 1}])}, "config.json is not as it should be .tags.0"),
        ({"config_json": edited(config={"model": "rm -rf"})}, "no model called"),
        ({"config_json": edited(config={"dataset": "../x"})}, "no data set called"),
        ({"config_json": edited(config={"epochs": 10**9})}, "less than or equal to 10000"),
        ({"config_json": edited(config={"__class__": 1})}, "no field '__class__'"),
        ({"config_json": edited(config={"options": {"hidden": [8192] * 32}, "epochs": 3})}, "another one than that"),
        (
            {"config_json": edited(config={"options": {"hidden": [50]}, "epochs": 3})},
            "another one than that of its sett",
        ),
        ({"config_json": edited(config={"epochs": 2})}, "epochs in history.jsonl are not 1, 2, 3"),
        ({"config_json": edited(config={"dataset": "mnist", "epochs": 3})}, "another data set than 'mnist'"),
        ({"status_json": b"{"}, "status.json is not as it should be"),
        ({"status_json": edited(state="flying")}, "status.json is not as it should be .state"),
        ({"history_jsonl": b""}, "epochs in history.jsonl"),
        ({"history_jsonl": b"\xff\xfe"}, "history.jsonl is not as it should be"),
        ({"history_jsonl": lambda content: content + b'{"kind": "epoch"'}, "history.jsonl is not as it should be"),
        ({"history_jsonl": lambda content: content + b'{"kind": "x"}'}, "history.jsonl is not as it should be"),
        ({"history_jsonl": edited_line(0, train_loss=NAN)}, "epoch.train_loss: Input should be a finite number"),
        ({"history_jsonl": edited_line(0, train_loss="1")}, "epoch.train_loss: Input should be a valid number"),
        ({"history_jsonl": edited_line(1, validation_accuracy=1.5)}, "less than or equal to 1"),
        ({"history_jsonl": edited_line(1, epoch=True)}, "valid integer"),
        ({"history_jsonl": edited_line(1, epoch=7)}, "are not 1, 2, 3"),
        ({"history_jsonl": edited_line(1, seconds=-1)}, "greater than or equal to 0"),
        ({"history_jsonl": edited_line(1, test_accuracy=0.123)}, "test-0002.safetensors contradicts the accuracy"),
        ({"checkpoint_safetensors": b""}, "checkpoint.safetensors"),
        ({"checkpoint_safetensors": lambda content: content[:-1]}, "checkpoint.safetensors"),
        ({"predictions__test-0002_safetensors": b"x"}, "test-0002.safetensors is damaged"),
    ],
)
def test_damaged_and_contradictory_contents_are_refused(run, home, changes, message):
    data = export_run(run)
    refused(with_changes(data, **changes), home, message)


def test_predictions_of_another_epoch_split_or_run_are_refused(run, home):
    data = export_run(run)
    files = contents(data)
    first, test = files["predictions/validation-0001.safetensors"], files["predictions/test-0001.safetensors"]
    for name, content in (("validation-0004", first), ("validation-0001", test), ("test-0001", first)):
        refused(with_changes(data, **{f"predictions__{name}_safetensors": content}), home, "another run or data set")


def test_weights_of_another_epoch_or_kind_or_with_nan_are_refused(run, home, tmp_path):
    data = export_run(run)
    best = run.status.best_epoch
    other = next(epoch for epoch in run.kept_epochs() if epoch != best)
    wrong = run.weights(other).read_bytes()
    refused(with_changes(data, checkpoint_safetensors=wrong), home, f"not that of epoch {best}")
    weights, path = load_file(run.weights(best)), tmp_path / "x.safetensors"
    metadata = {"explorer": json.dumps(load_checkpoint(run.weights(best)).metadata.model_dump(mode="json"))}
    for change, message in (
        ({"1.weight": torch.full((100, 784), NAN)}, "NaN"),
        ({"1.weight": torch.zeros(3)}, "has shape"),
        ({"extra": torch.zeros(3)}, "not part of the model"),
    ):
        save_file(weights | change, path, metadata)
        refused(with_changes(data, checkpoint_safetensors=path.read_bytes()), home, message)
    save_file(weights, path)
    refused(with_changes(data, checkpoint_safetensors=path.read_bytes()), home, "does not describe its model")


def test_a_last_network_beside_a_best_one_that_is_the_last_is_refused(run, home):
    data = export_run(run)
    files = contents(data)
    changed = with_changes(
        data,
        last_safetensors=files.get("last.safetensors", files["checkpoint.safetensors"]),
        history_jsonl=edited_line(2, validation_accuracy=1.0),
    )
    refused(changed, home, "although the last epoch is the best one")


def test_pickles_in_an_archive_are_never_opened(run, monkeypatch):
    data = with_changes(export_run(run), start_pt=b"cos\nsystem\n(S'exit 1'\ntR.")
    monkeypatch.setattr(torch, "load", None)
    made = import_archive(data)
    assert not list(made.path.rglob("*.pt"))


def test_nothing_in_it_becomes_a_path_or_more_than_it_should_be(run):
    data = with_changes(
        export_run(run), status_json=edited(device="x" * 10**5, message="x" * 10**5, curve=[0.1] * 10**4)
    )
    made = import_archive(data)
    assert len(made.status.device) == 80
    assert made.status.message == ""
    assert len(made.status.curve) == 3
    assert {path.name for path in made.path.iterdir()} == {
        "config.json",
        "history.jsonl",
        "predictions",
        "status.json",
        "weights",
    }


def test_a_long_note_stays_as_it_is(run):
    run.describe(note="x" * 1990)
    made = import_archive(export_run(run))
    assert made.description["note"] == "x" * 1990
    assert made.description["origin"] == {"run": run.id}


def test_the_script_follows_what_was_changed_on_the_way(run):
    run.append_event({"kind": "learning_rate", "epoch": 2, "value": 0.001})
    run.append_event({"kind": "cut", "epoch": 3, "step": 4, "reason": "user"})
    text = run_script(run)
    assert "{2: 0.1}.get(epoch, 1)" in text
    assert "if (epoch, step) == (3, 3):" in text


def test_a_run_from_a_checkpoint_brings_the_weights_it_began_with(run):
    document = run.description
    shipped = load_checkpoint(SHIPPED_CHECKPOINTS / "fashion-mnist-mlp.safetensors")
    document["config"] |= {"initial": shipped.name, "options": shipped.options}
    (run.path / "config.json").write_text(json.dumps(document))
    files = contents(export_run(run))
    assert "START.pt" in files["train.py"].decode()
    started = torch.load(io.BytesIO(files["start.pt"]), weights_only=True)
    expected = shipped.classifier().network.state_dict()
    assert all(torch.equal(started[name], tensor) for name, tensor in expected.items())
    document["config"] |= {"initial": "gone"}
    (run.path / "config.json").write_text(json.dumps(document))
    assert "start.pt" not in contents(export_run(run))


def test_a_damaged_configuration_is_said(run):
    document = run.description
    document["config"] |= {"epochs": "x"}
    (run.path / "config.json").write_text(json.dumps(document))
    with pytest.raises(ConfigError, match="epochs"):
        run_script(run)


def test_the_columns_are_those_of_the_history(run):
    assert set(training_archives.COLUMNS) == set(run.epochs()[0]) - {"kind"}
    assert Status(state="finished").reason == ""
