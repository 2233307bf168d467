import errno
import os
import resource
import shutil
import signal
import threading

import pytest
import torch

from explorer.analysis.evaluation.prediction_files import load_predictions
from explorer.data.splits import load_split
from explorer.errors import ConfigError, DeviceError, RunError
from explorer.store import runs
from explorer.store.checkpoints import load_checkpoint
from explorer.training import precision
from explorer.training.config import TrainConfig
from explorer.training.queue import control, writing
from explorer.training.queue.control import Interruption
from explorer.training.queue.execution import execute, explain
from explorer.training.queue.keeping import best_epoch
from explorer.training.records import Cut, Done, Epoch, Step
from tests.conftest import fill_up

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def start(configure, monkeypatch):
    """Make a run; requests to stop are seen after every step."""
    monkeypatch.setattr(control, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(writing, "STATUS_SECONDS", 0.0)

    def make(**values):
        values = {"options": {"hidden": [12], "dropout": 0.2}, "epochs": 3, "snapshots": 0} | values
        return runs.create(configure(**values).model_dump(mode="json"))

    return make


def _after(kind, number, act):
    """Listen to records and act after so many of a kind."""
    count = 0

    def listen(record):
        nonlocal count
        count += isinstance(record, kind)
        if isinstance(record, kind) and count == number:
            act()

    return listen


def _files(run):
    """Every lasting file's bytes that must not depend on interruptions."""
    folders = ("weights", "predictions")
    return {
        str(path.relative_to(run.path)): path.read_bytes() for name in folders for path in (run.path / name).iterdir()
    }


def _epochs(run):
    return [{k: v for k, v in line.items() if not k.endswith("seconds")} for line in run.epochs()]


def test_a_finished_run(start):
    run = start()
    records = []
    status = execute(run, records.append)
    assert status == run.status
    assert (status.state, status.epoch, status.epochs, status.message) == ("finished", 3, 3, "")
    assert [type(record) for record in records] == [*([Step] * 3 + [Epoch]) * 3, Done]
    assert [line["epoch"] for line in run.epochs()] == [1, 2, 3]
    assert [(line["epoch"], line["step"]) for line in run.history() if line["kind"] == "step"] == [
        (epoch, step) for epoch in (1, 2, 3) for step in (1, 2, 3)
    ]
    assert set(run.kept_epochs()) == {1, status.best_epoch, 3}
    assert not run.is_locked
    assert status.seconds == records[-1].seconds > 0


def test_its_checkpoints_and_predictions_agree_with_the_records(start):
    run = start(epochs=2, ema=0.5)
    records = []
    execute(run, records.append)
    epoch = next(record for record in reversed(records) if isinstance(record, Epoch))
    checkpoint = load_checkpoint(run.weights(2))
    assert checkpoint.config == run.config
    assert checkpoint.metrics["test_accuracy"] == epoch.test_accuracy == run.epochs()[-1]["test_accuracy"]
    assert checkpoint.metrics["epoch"] == 2
    split = load_split("fashion-mnist", "test")
    pixels = torch.tensor(split.images[:100]).float().unsqueeze(1) / 255
    with torch.no_grad():
        logits = checkpoint.classifier()(pixels).numpy()
    assert epoch.logits["test"] == pytest.approx(logits, rel=1e-4, abs=1e-4)
    predictions = load_predictions(run.predictions("test", 2))
    assert predictions.checkpoint == checkpoint.digest
    assert predictions.accuracy == epoch.test_accuracy
    assert predictions.indices.tolist() == split.indices[:100].tolist()


def test_executing_a_finished_run_again_changes_nothing(start):
    run = start(epochs=1)
    first = execute(run)
    before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*") if path.is_file() and path.name != "lock"}
    assert execute(run, lambda record: pytest.fail("computed again")) == first
    after = {path: path.stat().st_mtime_ns for path in run.path.rglob("*") if path.is_file() and path.name != "lock"}
    assert before == after


@pytest.mark.parametrize(("kind", "number"), [(Step, 1), (Step, 3), (Epoch, 1), (Step, 5), (Epoch, 3)])
def test_a_run_that_is_stopped_and_resumed_ends_like_one_that_is_not(start, kind, number):
    whole, run = start(flip=True), start(flip=True)
    execute(whole)
    status = execute(run, _after(kind, number, run.request_stop))
    assert status.state == run.status.state == "stopped"
    assert not run.stop_requested
    assert execute(run).state == "finished"
    assert _files(run) == _files(whole)
    assert _epochs(run) == _epochs(whole)
    places = [(line["epoch"], line["step"]) for line in run.history() if line["kind"] == "step"]
    assert places == sorted(set(places))


def test_a_request_made_before_the_first_step_is_honoured(start):
    run = start()
    run.request_stop()
    assert execute(run, lambda record: pytest.fail("a step was taken")).state == "stopped"
    assert execute(run).state == "finished"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_for_the_step_at_hand(start, number, monkeypatch):
    whole, run = start(), start()
    execute(whole)
    step, calls = torch.optim.Adam.step, 0

    def interrupted(self, *arguments):
        nonlocal calls
        calls += 1
        if calls == 5:
            os.kill(os.getpid(), number)
        return step(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(torch.optim.Adam, "step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            execute(run)
    assert calls == 5
    assert (run.status.state, run.status.epoch, run.status.message) == ("stopped", 1, "")
    assert torch.load(run.state_file, weights_only=True)["step"] == 2
    execute(run)
    assert _files(run) == _files(whole)


def test_a_signal_while_the_state_is_read_does_not_harm_it(start, monkeypatch):
    run = start()
    execute(run, _after(Epoch, 2, run.request_stop))
    load = torch.load

    def interrupted(*arguments, **keywords):
        os.kill(os.getpid(), signal.SIGINT)
        return load(*arguments, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(torch, "load", interrupted)
        with pytest.raises(KeyboardInterrupt):
            execute(run)
    assert torch.load(run.state_file, weights_only=True)["epoch"] == 2
    assert run.status.state == "stopped"


def test_a_second_signal_ends_at_once_and_the_saved_state_is_the_last_good_one(start, monkeypatch):
    run = start()

    def twice(self, *_arguments):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(torch.optim.Adam, "step", twice)
        with pytest.raises(KeyboardInterrupt):
            execute(run)
    assert run.status.state == "stopped"
    assert not run.state_file.exists()
    assert execute(run).state == "finished"


def test_signals_are_handled_as_before_afterwards():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with Interruption() as interruption:
        os.kill(os.getpid(), signal.SIGTERM)
        assert interruption.noted
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_outside_the_main_thread_signals_are_left_alone(start):
    run, states = start(epochs=1), []
    thread = threading.Thread(target=lambda: states.append(execute(run).state))
    thread.start()
    thread.join()
    assert states == ["finished"]


def test_a_run_that_diverges_fails_with_a_message_and_keeps_its_checkpoint(start):
    run = start(optimizer="sgd", learning_rate=100, weight_decay=10, subset=10, batch_size=2, epochs=50)
    with pytest.raises(RunError, match="infinite or undefined"):
        execute(run)
    status = run.status
    assert status.state == "failed"
    assert "lower learning rate" in status.message
    assert status.epoch >= 1
    assert status.message.endswith(f"The checkpoint of epoch {status.epoch} is kept.")
    assert status.reason == "diverged"
    assert load_checkpoint(run.weights(status.epoch)).classifier()
    assert run.epochs()[-1]["epoch"] == status.epoch


def test_a_run_that_diverges_at_once_has_no_checkpoint_and_says_so(start):
    run = start(optimizer="sgd", learning_rate=100, weight_decay=10, subset=100, batch_size=1)
    with pytest.raises(RunError, match="No epoch was complete, so there is no checkpoint"):
        execute(run)
    assert run.status.best_epoch is None


@pytest.fixture
def largest_file():
    """Limit the size of files, as a real full disk does, for a while."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))

    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(("size", "reason"), [(10_000, "File too large"), (60_000, "File too large")])
def test_no_room_fails_with_a_message_and_the_run_can_go_on(start, largest_file, size, reason):
    """With the first size the weights cannot be written, with the second the larger state cannot."""
    whole, run = start(), start()
    execute(whole)
    execute(run, _after(Epoch, 1, run.request_stop))
    largest_file(size)
    with pytest.raises(RunError, match=rf"could not be saved \({reason}\).*Free some disk space, then resume"):
        execute(run)
    largest_file(resource.RLIM_INFINITY)
    assert run.status.state == "failed"
    assert "disk space" in run.status.message
    assert load_checkpoint(run.weights(1)).classifier()
    assert not list(run.path.rglob("*.tmp"))
    assert execute(run).state == "finished"
    assert run.status.message == ""
    assert _files(run) == _files(whole)
    assert _epochs(run) == _epochs(whole)


@pytest.mark.parametrize("size", ["800k", "1300k"])
def test_a_disk_that_is_too_small_is_named_as_the_cause(start, small_home, size):
    """The weights of an epoch find no room, or the state; the error that the caller holds keeps none of it."""
    home = small_home(size)
    run = start(options={"hidden": [100]})
    with pytest.raises(
        RunError, match=r"could not be saved \(No space left on device\).*Free some disk space"
    ) as caught:
        execute(run)
    assert (run.status.state, run.status.message) == ("failed", str(caught.value))
    assert not list(home.rglob("*.tmp"))
    assert shutil.disk_usage(home).free > 100_000


@pytest.mark.parametrize("moment", [Step, Epoch])
def test_a_disk_that_others_fill_to_the_last_byte_is_named_as_the_cause(start, small_home, moment):
    home, fillers = small_home("4m"), []
    whole, run = start(), start()
    execute(whole)
    with pytest.raises(RunError, match="No space left on device"):
        execute(run, _after(moment, 1, lambda: fillers.append(fill_up(home))))
    assert (run.status.state, "No space left" in run.status.message) == ("failed", True)
    fillers[0].unlink()
    assert execute(run).state == "finished"
    assert _files(run) == _files(whole)


def test_a_disk_too_full_even_to_begin(start, small_home):
    home = small_home("1m")
    run = start()
    fill_up(home)
    with pytest.raises(RunError, match="No space left on device"):
        execute(run)
    assert (run.status.state, "No space left" in run.status.message) == ("failed", True)


def test_another_process_computes_it(start):
    run = start()
    with run.lock(), pytest.raises(RunError, match=r"being computed by another process\. Stop it there first"):
        execute(run)
    assert run.status.state == "queued"


@pytest.mark.parametrize("content", [b"", b"garbage", b"PK\x03\x04 half of an archive"])
def test_a_damaged_state_is_a_message(start, content):
    run = start()
    execute(run, _after(Epoch, 1, run.request_stop))
    run.state_file.write_bytes(content)
    with pytest.raises(RunError, match=r"saved state of run .* is damaged"):
        execute(run)
    assert run.status.state == "failed"
    assert run.weights(1).is_file()


def test_a_state_of_another_model_is_a_message(start):
    run, other = start(), start(options={"hidden": [5]})
    for one in (run, other):
        execute(one, _after(Epoch, 1, one.request_stop))
    run.state_file.write_bytes(other.state_file.read_bytes())
    with pytest.raises(RunError, match="saved state"):
        execute(run)


def test_a_damaged_configuration_is_a_message(start):
    run = start()
    (run.path / "config.json").write_text('{"name": "a", "config": {"epochs": -1}}')
    with pytest.raises(ConfigError, match="epochs"):
        execute(run)
    assert run.status.state == "failed"


def test_a_device_that_is_not_there(start):
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    run = start(device="cuda")
    with pytest.raises(DeviceError, match="no 'cuda' device"):
        execute(run)
    assert (run.status.state, "cuda" in run.status.message) == ("failed", True)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "not enough memory"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "not enough memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "not enough memory"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (ZeroDivisionError("division by zero"), "unexpected problem (ZeroDivisionError: division by zero)"),
    ],
)
def test_causes_in_plain_words(error, words):
    assert words in explain(error)


def test_out_of_memory_in_a_step_keeps_the_checkpoint(start, monkeypatch):
    run = start()

    def fill():
        def fail(*_arguments):
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory")

        monkeypatch.setattr(torch.optim.Adam, "step", fail)

    with pytest.raises(RunError, match="smaller batch size"):
        execute(run, _after(Epoch, 2, fill))
    assert run.status.state == "failed"
    assert run.status.epoch == 2
    assert load_checkpoint(run.weights(2)).classifier()


def test_a_cut_is_noted_before_it_takes_effect_and_replayed(start, monkeypatch):
    whole, run = start(time_budget=1000), start(time_budget=1000)
    with monkeypatch.context() as patch:
        patch.setattr("explorer.training.loop.Loop._out_of_time", lambda loop: loop.state.epoch + loop.state.step >= 3)
        execute(whole)
        noted = []

        def kill():
            noted.extend(run.events())
            raise RuntimeError("gone")

        with pytest.raises(RunError):
            execute(run, _after(Cut, 1, kill))
    assert noted[0]["kind"] == "start"
    assert noted[1:] == [{"kind": "cut", "epoch": 1, "step": 3, "reason": "time"}]
    assert whole.status.state == "finished"
    assert (whole.status.epoch, whole.status.epochs, whole.status.progress) == (1, 3, 1.0)
    assert execute(run).state == "finished"
    assert _files(run) == _files(whole)
    assert len(run.events()) == 2


def test_best_epoch_goes_by_validation_and_the_first_of_equals():
    lines = [
        {"epoch": 1, "validation_accuracy": 0.8, "test_accuracy": 0.9},
        {"epoch": 2, "validation_accuracy": 0.85, "test_accuracy": 0.1},
        {"epoch": 3, "validation_accuracy": 0.85, "test_accuracy": 0.99},
    ]
    assert best_epoch(lines) == 2
    assert best_epoch([]) is None


def test_weights_of_first_best_and_last_epoch_are_kept(start, monkeypatch):
    accuracies = iter([0.2, 0.5, 0.9, 0.4, 0.3, 0.9])
    monkeypatch.setattr("explorer.training.loop.score", lambda logits, labels, turn=[0]: _score(turn, accuracies))
    run = start(epochs=6)
    kept = []
    execute(run, lambda record: kept.append(run.kept_epochs()) if isinstance(record, Epoch) else None)
    assert kept == [[1], [1, 2], [1, 3], [1, 3, 4], [1, 3, 5], [1, 3, 6]]
    assert run.status.best_epoch == 3
    assert sorted(path.name for path in (run.path / "predictions").iterdir()) == sorted(
        f"{split}-{epoch:04d}.safetensors" for split in ("test", "validation") for epoch in range(1, 7)
    )


def _score(turn, accuracies):
    """Validation as given, the test accuracy its opposite; they are asked for in turn."""
    turn[0] += 1
    if turn[0] % 2:
        turn.append(next(accuracies))
        return 1.0, turn[-1]
    return 1.0, 1 - turn[-1]


def test_predictions_of_best_and_last_are_in_full_precision_and_the_others_rounded(start):
    run = start(epochs=4)
    execute(run)
    best = run.status.best_epoch
    for epoch in range(1, 5):
        for split in ("validation", "test"):
            found = load_predictions(run.predictions(split, epoch))
            assert (found.exact_predicted is None) == (epoch in (best, 4))


def test_threads_of_the_first_start_are_recorded_and_used_again(start, monkeypatch):
    run = start(threads=0, epochs=2, options={"hidden": [8000, 500]})
    monkeypatch.setattr("explorer.devices.cores", lambda: 3)
    assert execute(run, _after(Step, 1, run.request_stop)).state == "stopped"
    monkeypatch.setattr("explorer.devices.cores", lambda: 1)
    execute(run)
    assert [(event["device"], event["threads"]) for event in run.events()] == [("cpu", 3)]
    assert torch.get_num_threads() == 3


def test_the_quicker_precision_is_measured_once_and_recorded_with_the_run(start, monkeypatch):
    seconds, measured = {"float32": 2.0, "bf16": 1.0}, []
    monkeypatch.setattr(precision, "measure", lambda *asked: measured.append(asked) or seconds)
    runs = [start(precision="auto", epochs=2) for _ in range(2)]
    assert execute(runs[0], _after(Step, 1, runs[0].request_stop)).state == "stopped"
    monkeypatch.setattr(precision, "_processor", lambda _device: "another one")
    seconds["bf16"] = 3.0
    for run in runs:
        execute(run)
    assert [run.events()[0]["precision"] for run in runs] == ["bf16", "float32"]
    assert len(measured) == 2
    assert [run.config["precision"] for run in runs] == ["auto", "auto"]


def test_a_precision_that_this_build_cannot_compute_is_not_chosen(monkeypatch):
    class Broken(torch.autocast):
        def __enter__(self):
            raise RuntimeError("no kernel")

    monkeypatch.setattr("torch.autocast", Broken)
    config = TrainConfig.parse({"precision": "auto", "device": "cpu", "options": {"hidden": [4]}, "batch_size": 5})
    assert set(precision.measure(config, torch.device("cpu"))) == {"float32"}
    assert precision.resolve_precision(config) == "float32"
