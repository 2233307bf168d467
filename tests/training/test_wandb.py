"""Weights & Biases in its offline mode, in a process of its own whose home folder is watched."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from explorer.errors import ConfigError
from explorer.paths import ROOT
from explorer.store import runs
from explorer.training import tracking
from explorer.training.tracking import wandb

BLOCK = 32768

TRAIN = """
import socket, sys, torch
from explorer.store import runs
from explorer.training import loop, tracking
from explorer.training.config import TrainConfig
from explorer.training.records import Epoch
from explorer.training.state import TrainingState

def refuse(self, address):
    if self.family != socket.AF_UNIX:
        raise AssertionError(f"connects to {address}")
    return connect(self, address)
connect, socket.socket.connect = socket.socket.connect, refuse

config = TrainConfig.parse({"subset": 40, "batch_size": 16, "epochs": 2, "device": "cpu", "threads": 1})
run = runs.create(config.model_dump(mode="json"), "offline")
tracking.check(["wandb"])
tracking.choose(run, ["wandb"])
state = TrainingState(config, torch.device("cpu"))
trackers = tracking.trackers_for(run, config, state)
assert len(trackers) == 2 and not any(tracker.ended for tracker in trackers)
for record in loop.train(config, state):
    if isinstance(record, Epoch):
        for tracker in trackers:
            tracker.on_epoch(record, state)
        print(record.epoch, record.validation_loss, record.test_accuracy)
for tracker in trackers:
    tracker.close()
assert not any(tracker.ended for tracker in trackers)
print(run.path)
"""


@pytest.fixture(autouse=True)
def nobody(monkeypatch, tmp_path):
    """No login, no settings."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("NETRC", raising=False)
    (tmp_path / "user").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "user"))
    return tmp_path / "user"


def records(path):
    """Yield the records of a `.wandb` file: a header of 7 bytes, then LevelDB's log format."""
    from wandb.proto.wandb_internal_pb2 import Record

    content, at, parts = path.read_bytes(), 7, b""
    while at + 7 <= len(content):
        if BLOCK - at % BLOCK < 7:
            at += BLOCK - at % BLOCK
            continue
        length, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        parts += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):
            yield Record.FromString(parts)
            parts = b""


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file() or path.is_socket()]


def test_offline_writes_what_was_logged_and_only_into_the_run(nobody, tmp_path, home):
    pytest.importorskip("wandb")
    elsewhere, temporary = tmp_path / "cwd", tmp_path / "tmp"
    elsewhere.mkdir()
    temporary.mkdir()
    environment = os.environ | {"WANDB_MODE": "offline", "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)}
    done = subprocess.run(
        [sys.executable, "-c", TRAIN], cwd=elsewhere, env=environment, capture_output=True, text=True, timeout=170
    )
    assert done.returncode == 0, done.stderr
    *epochs, folder = done.stdout.splitlines()
    assert files(nobody) == files(elsewhere) == files(temporary) == []
    (log,) = Path(folder).glob("wandb/offline-run-*/*.wandb")
    found = list(records(log))
    history = [
        {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
        for record in found
        if record.WhichOneof("record_type") == "history"
    ]
    expected = [line.split() for line in epochs]
    assert [(row["_step"], row["loss/validation"]) for row in history] == [
        (int(epoch), pytest.approx(float(loss))) for epoch, loss, _ in expected
    ]
    assert not [name for row in history for name in row if "test" in name]
    (start,) = [record.run for record in found if record.WhichOneof("record_type") == "run"]
    config = {item.key: json.loads(item.value_json) for item in start.config.update}
    assert (config["learning_rate"], config["options"]["hidden"]) == (0.001, [100])
    assert (start.run_id, start.project, start.host) == (Path(folder).name, wandb.PROJECT, "")
    kinds = {record.WhichOneof("record_type") for record in found}
    assert not kinds & {"stats", "output", "output_raw", "files"}


def test_without_a_login_it_says_what_to_do():
    pytest.importorskip("wandb")
    with pytest.raises(ConfigError, match=r"wandb login.*WANDB_MODE=offline"):
        tracking.check(["wandb"])


@pytest.mark.parametrize("mode", ["offline", "disabled"])
def test_without_a_login_nothing_is_sent(mode, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", mode)
    tracking.check(["wandb"])


def test_a_login_is_found_where_wandb_leaves_it(nobody, monkeypatch):
    pytest.importorskip("wandb")
    (nobody / ".netrc").write_text("machine api.wandb.ai\n  login user\n  password secret\n")
    (nobody / ".netrc").chmod(0o600)
    tracking.check(["wandb"])
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example.org")
    with pytest.raises(ConfigError):
        tracking.check(["wandb"])
    monkeypatch.setenv("WANDB_API_KEY", "secret")
    tracking.check(["wandb"])


def test_the_mode_of_wandb_offline_is_honoured(nobody):
    folder = nobody / ".config" / "wandb"
    folder.mkdir(parents=True)
    assert wandb.mode() == "online"
    (folder / "settings").write_text("[default]\nmode = offline\n")
    assert wandb.mode() == "offline"
    (folder / "settings").write_text("nonsense")
    assert wandb.mode() == "online"


def test_without_the_package_it_says_what_to_do(monkeypatch):
    monkeypatch.setattr(wandb.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"requirements-wandb\.txt"):
        tracking.check(["wandb"])


def test_a_run_remembers_its_services(monkeypatch):
    run = runs.create({"model": "mlp", "dataset": "fashion-mnist", "epochs": 1})
    assert tracking.chosen(run) == {}
    tracking.choose(run, [])
    assert not (run.path / tracking.FILE).exists()
    monkeypatch.setenv("WANDB_MODE", "offline")
    tracking.choose(run, ["wandb", "wandb"])
    assert tracking.chosen(run) == {"wandb": {"mode": "offline"}}
    for damaged in ("[", "[]", '{"wandb": 1}', '{"other": {}}'):
        (run.path / tracking.FILE).write_text(damaged)
        assert tracking.chosen(run) == {}


def test_a_resumed_run_without_a_login_goes_on_with_a_note(caplog):
    import torch

    from explorer.training.config import TrainConfig
    from explorer.training.state import TrainingState

    config = TrainConfig.parse({"device": "cpu"})
    run = runs.create(config.model_dump(mode="json"))
    tracking.choose(run, ["wandb"])
    assert len(tracking.trackers_for(run, config, TrainingState(config, torch.device("cpu")))) == 1
    assert "not logged to wandb" in caplog.text
