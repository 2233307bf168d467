import json
import os
import signal
import statistics
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from explorer.cli.output import TrainingProgress
from explorer.paths import ROOT
from explorer.store import runs
from explorer.store.checkpoints import load_checkpoint
from tests.conftest import fill_up

KEYS = [
    "run",
    "checkpoint",
    "best_checkpoint",
    "best_epoch",
    "epochs",
    "seconds",
    "train_loss",
    "validation_accuracy",
    "test_accuracy",
]


def test_train_prints_one_document(trained):
    document, messages, home = trained
    assert list(document) == KEYS
    assert document["epochs"] == 2
    assert document["best_epoch"] in (1, 2)
    assert document["seconds"] > 0
    assert 0.5 < document["validation_accuracy"] < 1
    for key in ("checkpoint", "best_checkpoint"):
        assert Path(document[key]).is_absolute()
        assert Path(document[key]).is_relative_to(home / "runs" / document["run"])
    metrics = load_checkpoint(document["checkpoint"]).metrics
    assert [metrics[key] for key in ("epoch", "validation_accuracy", "test_accuracy", "train_loss")] == [
        document[key] for key in ("epochs", "validation_accuracy", "test_accuracy", "train_loss")
    ]
    assert document["run"] in messages
    assert messages.count("epoch 1/2: loss") == messages.count("epoch 2/2: loss") == 1


def test_resuming_a_finished_run_prints_the_same_document(run, explorer):
    code, output, messages = explorer("resume", run["run"], "--json")
    assert (code, json.loads(output), messages) == (0, run, "")


def test_runs_lists_it(run, explorer):
    code, output, _ = explorer("runs", "--json")
    assert code == 0
    (document,) = (one for one in json.loads(output) if one["run"] == run["run"])
    assert document == {
        "run": run["run"],
        "name": "[/shared]",
        "state": "finished",
        "epoch": 2,
        "epochs": 2,
        "checkpoint": run["checkpoint"],
    }


def test_lists_for_people_show_names_as_they_are(run, explorer, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    code, output, _ = explorer("runs")
    assert code == 0
    assert "[/shared]" in output
    assert "2 / 2" in output


def test_a_configuration_from_standard_input_and_settings_over_it(explorer, home):
    given = {"epochs": 5, "subset": 50, "threads": 1, "device": "cpu", "options": {"hidden": [7]}}
    arguments = ["train", "--config", "-", "--epochs", 1, "--set", "batch_size=25", "--set", "dropout=0.25", "--json"]
    code, output, _ = explorer(*arguments, stdin=json.dumps(given))
    assert code == 0
    config = runs.get(json.loads(output)["run"]).config
    assert (config["epochs"], config["subset"], config["batch_size"]) == (1, 50, 25)
    assert config["options"]["hidden"] == [7]
    assert config["options"]["dropout"] == 0.25


def test_for_people_the_result_is_a_sentence(explorer):
    code, output, messages = explorer("train", "--set", "subset=50", "--epochs", 1, "--set", "threads=1")
    assert code == 0
    assert output.startswith("Finished after 1 epochs")
    assert "test accuracy" in output
    assert "epoch 1/1" in messages


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--dataset", "cifar"], "no data set called 'cifar'"),
        (["--model", "vgg"], "no model called 'vgg'"),
        (["--set", "colour=red"], "no setting 'colour'"),
        (["--set", "epochs"], "Write key=value"),
        (["--set", "model.dropout=2"], "option 'dropout' of model 'mlp'"),
        (["--model", "lenet", "--set", "kernel=28", "--set", "padding=0", "--set", "stride=1"], "kernel"),
        (["--epochs", "0"], "'epochs'"),
        (["--seed", "-1"], "'seed'"),
        (["--set", "learning_rate=nan"], "'learning_rate'"),
        (["--set", "learning_rate=NaN"], "'learning_rate'"),
        (["--set", "batch_size=1", "--set", "batch_norm=true"], "batch_size"),
        (["--model", "resnet18", "--set", "batch_size=54000"], "GB"),
        (["--set", "hidden=8000,8000,8000"], "parameters"),
        (["--set", "optimizer=nesterov", "--set", "momentum=0"], "'momentum'"),
        (["--config", "/nowhere/config.json"], "cannot be read: No such file"),
        (["--config", "/"], "cannot be read"),
    ],
)
def test_bad_input_is_one_message_and_leaves_no_run(explorer, home, arguments, words):
    code, output, messages = explorer("train", *arguments)
    assert (code, output) == (1, "")
    assert messages.startswith("Error: ")
    assert words in messages
    assert messages.count("\n") == 1
    assert not (home / "runs").exists()


def test_a_device_that_is_not_there_leaves_no_run(explorer, home):
    from explorer import devices

    missing = next(name for name in ("cuda", "mps") if name not in devices.available())
    code, _, messages = explorer("train", "--set", f"device={missing}")
    assert code == 1
    assert f"no '{missing}' device" in messages
    assert not (home / "runs").exists()


@pytest.mark.parametrize(
    "document",
    ["", "{", "[]", "3", '{"options": 5}', '{"options": [1]}', '{"model": 5}', '{"x": 1}', "[" * 9999, "{}x"],
)
def test_a_bad_configuration_is_one_message(explorer, home, document):
    code, output, messages = explorer("train", "--config", "-", stdin=document)
    assert (code, output) == (1, "")
    assert messages.startswith("Error: ")
    assert not (home / "runs").exists()


def test_a_configuration_that_is_no_text(explorer, tmp_path):
    path = tmp_path / "config.json"
    path.write_bytes(b"\xff\xfe\x00")
    code, _, messages = explorer("train", "--config", path)
    assert code == 1
    assert "not valid JSON" in messages


@pytest.mark.parametrize("arguments", [["train", "--epochs", "many"], ["train", "--colour"], ["resume"], ["paint"]])
def test_wrong_usage_exits_with_two(explorer, arguments):
    code, output, messages = explorer(*arguments)
    assert (code, output) == (2, "")
    assert "Usage:" in messages
    assert "Traceback" not in messages


@pytest.mark.parametrize("reference", ["../x", "20260101-000000-abcdef", "20260101-000000-abcdef/../x", "/etc"])
def test_resuming_what_is_no_run(explorer, reference):
    code, output, messages = explorer("resume", reference)
    assert (code, output) == (1, "")
    assert "`python -m explorer runs` lists them" in messages


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.json", "{"),
        ("config.json", '{"name": "a", "config": {}}'),
        ("config.json", "{}"),
        ("config.json", '{"name": "a", "config": {"epochs": "x"}}'),
        ("status.json", "[]"),
        ("status.json", '{"state": "flying"}'),
        ("state.pt", "garbage"),
    ],
)
def test_a_damaged_run_is_one_message_and_the_others_are_listed(explorer, file, content):
    config = {"model": "mlp", "dataset": "mnist", "epochs": 0 if "{}" in content else 1}
    good, bad = (runs.create(config | {"epochs": 3, "subset": 10}) for _ in range(2))
    (bad.path / file).write_text(content)
    if "{}" in content and "name" in content:
        (bad.path / "config.json").write_text('{"name": "a", "config": {"epochs": 0}}')
    code, output, messages = explorer("resume", bad.id, "--json")
    assert (code, output) == (1, "")
    assert messages.startswith("Error: ")
    assert messages.count("\n") == 1
    code, output, _ = explorer("runs", "--json")
    assert code == 0
    assert good.id in [one["run"] for one in json.loads(output)]


def test_a_run_that_another_process_computes(explorer):
    run = runs.create({"model": "mlp", "dataset": "mnist", "epochs": 3})
    with run.lock():
        code, output, messages = explorer("resume", run.id)
    assert (code, output) == (1, "")
    assert "being computed by another process" in messages


def test_a_stop_request_left_by_a_killed_process_does_not_stop_the_resumed_run(explorer):
    values = {"model": "mlp", "dataset": "mnist", "epochs": 1, "subset": 20, "threads": 1}
    run = runs.create(values)
    run.write_status(run.status.model_copy(update={"state": "running"}))
    run.request_stop()
    code, output, _ = explorer("resume", run.id, "--json")
    assert code == 0
    assert json.loads(output)["epochs"] == 1


def test_a_home_that_cannot_be_written_to_is_one_message(explorer, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("EXPLORER_HOME", str(tmp_path / "file"))
    code, output, messages = explorer("train", "--set", "subset=10")
    assert (code, output) == (1, "")
    assert messages.startswith("Error: The run cannot be saved")


def _listed(home):
    """Wait for the one run under a home."""
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline:
        if found := list((home / "runs").glob("*/config.json")):
            return runs.get(found[0].parent.name)
        time.sleep(0.01)
    raise AssertionError("no run was listed")


def _until(condition):
    deadline = time.monotonic() + 100
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_killed_interrupted_and_resumed(explorer, spawn, home):
    """`kill -9`, then Ctrl+C, then to the end: the files of an uninterrupted run."""
    settings = ["--set", "subset=2000", "--set", "threads=1", "--set", "batch_size=10", "--set", "dropout=0.2"]
    settings += ["--set", "ema=0.9", "--set", "device=cpu", "--epochs", "6", "--set", "hidden=20"]
    with spawn(home, "train", *settings, "--json") as killed:
        run = _listed(home)
        _until(lambda: run.status.epoch >= 1)
        killed.kill()
        assert killed.communicate()[0] == ""
    assert run.status.state == "interrupted"
    with spawn(home, "resume", run.id, "--json") as interrupted:
        epoch = run.status.epoch
        _until(lambda: run.status.epoch > epoch)
        interrupted.send_signal(signal.SIGINT)
        output, messages = interrupted.communicate(timeout=60)
    assert interrupted.returncode == 130
    assert output == ""
    assert f"python -m explorer resume {run.id}" in messages
    assert "Traceback" not in messages
    assert run.status.state == "stopped"
    code, output, _ = explorer("resume", run.id, "--json")
    assert code == 0
    document = json.loads(output)
    whole = json.loads(explorer("train", *settings, "--json")[1])
    for key in ("checkpoint", "best_checkpoint"):
        assert Path(document[key]).read_bytes() == Path(whole[key]).read_bytes()
    assert {k: v for k, v in document.items() if k[-4:] == "racy"} == {
        k: v for k, v in whole.items() if k[-4:] == "racy"
    }
    assert document["train_loss"] == whole["train_loss"]
    other = runs.get(whole["run"])
    for epoch in range(1, 7):
        for split in ("validation", "test"):
            assert run.predictions(split, epoch).read_bytes() == other.predictions(split, epoch).read_bytes()


def test_listing_needs_no_pytorch_and_waiting_threads_sleep(home):
    """PyTorch takes seconds to import, and reads how its threads shall wait when it is imported."""
    script = """
import os, sys
sys.argv = ["explorer", "runs", "--json"]
from explorer.cli import main
try:
    main()
finally:
    print("torch" in sys.modules, os.environ["OMP_WAIT_POLICY"], file=sys.stderr)
"""
    environment = {key: value for key, value in os.environ.items() if key != "OMP_WAIT_POLICY"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("[]\n", "False PASSIVE\n")


def test_a_fork_goes_on_from_an_epoch(run, explorer):
    code, output, messages = explorer(
        "fork", f"{run['run']}@1", "--set", "learning_rate=0.01", "--epochs", "2", "--json"
    )
    assert code == 0, messages
    document = json.loads(output)
    assert list(document) == KEYS
    assert document["epochs"] == 2
    made = runs.get(document["run"])
    assert made.description["parent"] == {"run": run["run"], "epoch": 1}
    first = runs.get(run["run"]).epochs()[0]
    assert made.epochs()[0] == first
    assert made.epochs()[1]["learning_rate"] == 0.01
    assert "starts fresh" not in messages


@pytest.mark.parametrize(
    ("reference", "words"),
    [("{run}@9", "epoch 9"), ("{run}@one", "not an epoch"), ("{run}@", "epochs"), ("../x@1", "not a run id")],
)
def test_what_cannot_be_forked(run, explorer, reference, words):
    code, output, messages = explorer("fork", reference.format(run=run["run"]), "--epochs", "1")
    assert (code, output) == (1, "")
    assert words in messages
    assert "Traceback" not in messages


def test_several_seeds_at_once(explorer, home):
    settings = ("--set", "subset=200", "--set", "hidden=8", "--epochs", "1", "--set", "device=cpu")
    code, output, messages = explorer("train", *settings, "--seeds", "3", "--seed", "4", "--json")
    assert code == 0, messages
    document = json.loads(output)
    assert [runs.get(one["run"]).config["seed"] for one in document["runs"]] == [4, 5, 6]
    accuracies = [one["validation_accuracy"] for one in document["runs"]]
    assert len(set(accuracies)) > 1
    assert document["validation_accuracy"] == {
        "mean": pytest.approx(statistics.mean(accuracies)),
        "deviation": pytest.approx(statistics.stdev(accuracies)),
    }
    assert messages.count("epoch 1/1 of 3 seeds") == 1
    code, output, _ = explorer("resume", document["runs"][1]["run"], "--json")
    assert json.loads(output) == document["runs"][1]


@pytest.mark.parametrize("count", ["0", "21"])
def test_an_impossible_number_of_seeds(explorer, home, count):
    code, output, messages = explorer("train", "--seeds", count)
    assert (code, output) == (1, "")
    assert "number of seeds must be 1 to 20" in messages
    assert runs.list_runs() == []


def test_an_unknown_tracking_service_is_refused_before_a_run_is_made(explorer, home):
    code, output, messages = explorer("train", "--track", "comet")
    assert (code, output) == (1, "")
    assert "no tracking service 'comet'" in messages
    assert runs.list_runs() == []


def test_tracking_is_noted_in_the_run(explorer, home, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    pytest.importorskip("wandb")
    settings = ("--set", "subset=50", "--set", "hidden=4", "--epochs", "1", "--set", "device=cpu")
    code, output, messages = explorer("train", *settings, "--track", "wandb", "--json")
    assert code == 0, messages
    run = runs.get(json.loads(output)["run"])
    assert json.loads((run.path / "tracking.json").read_text()) == {"wandb": {"mode": "offline"}}
    assert list((run.path / "wandb").rglob("*.wandb"))


def test_a_full_disk_is_named_and_exits_with_one(explorer, small_home):
    small_home("800k")
    settings = ("subset=200", "threads=1", "device=cpu")
    code, output, messages = explorer("train", *(part for one in settings for part in ("--set", one)), "--epochs", "1")
    assert (code, output) == (1, "")
    assert "No space left on device" in messages.splitlines()[-1]
    assert "Traceback" not in messages
    (run,) = runs.list_runs()
    assert (run.status.state, "No space left on device" in run.status.message) == ("failed", True)


def test_a_log_that_cannot_be_written_does_not_end_a_run(tmp_path, mount):
    mount(tmp_path, "size=64k")
    run = runs.create({"model": "mlp", "dataset": "mnist", "epochs": 3})
    values = {"epoch": 1, "train_loss": 1.0, "train_accuracy": 0.5, "validation_accuracy": 0.5, "train_seconds": 1.0}
    progress = TrainingProgress(run)
    with suppress(OSError), (tmp_path / "log").open("w") as log:  # closing it tries once more to write the line
        progress.console = Console(file=log)
        fill_up(tmp_path)
        progress._print([SimpleNamespace(**values)])
        values.clear()
    assert values == {}
