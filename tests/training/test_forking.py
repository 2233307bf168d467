import pytest
import torch

from explorer.errors import ConfigError, RunError
from explorer.store import runs
from explorer.store.checkpoints import load_checkpoint
from explorer.training.queue import control
from explorer.training.queue.execution import execute
from explorer.training.queue.forking import fork, optimizer_kept

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def trained(configure):
    """Make and compute a run."""

    def make(**values):
        values = {"options": {"hidden": [12], "dropout": 0.2}, "epochs": 4, "flip": True} | values
        run = runs.create(configure(**values).model_dump(mode="json"), "first")
        execute(run)
        return run

    return make


def _weights(run, epoch):
    return load_checkpoint(run.weights(epoch)).classifier().network.state_dict()


def _equal(one, two):
    return all(torch.equal(one[key], two[key]) for key in one)


@pytest.mark.parametrize("values", [{}, {"ema": 0.9, "optimizer": "momentum"}, {"schedule": "one-cycle"}])
@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_a_fork_that_changes_nothing_ends_bit_for_bit_alike(trained, epoch, values):
    run = trained(**values)
    made = fork(run, epoch, {})
    assert made.status.state == "queued"
    assert optimizer_kept(run, epoch)
    execute(made)
    assert _equal(_weights(made, 4), _weights(run, 4))
    for split in ("validation", "test"):
        for past in (1, 2, 3, 4):
            assert (
                made.predictions(split, past).read_bytes()[-1000:] == run.predictions(split, past).read_bytes()[-1000:]
            )
    strip = [{key: value for key, value in line.items() if "seconds" not in key} for line in run.epochs()]
    assert [{key: value for key, value in line.items() if "seconds" not in key} for line in made.epochs()] == strip
    assert made.description["parent"] == {"run": run.id, "epoch": epoch}
    assert {"kind": "fork", "run": run.id, "epoch": epoch, "optimizer": "restored"} in made.events()


def test_other_settings_hold_from_the_fork_on(trained):
    run = trained()
    made = fork(run, 2, {"learning_rate": 0.5, "epochs": 6, "weight_decay": 0.25}, "wild")
    assert made.name == "wild"
    execute(made)
    lines = made.epochs()
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert [line["learning_rate"] for line in lines] == [0.001] * 2 + [0.5] * 4
    assert not _equal(_weights(made, 4), _weights(run, 4))
    groups = torch.load(made.state_file, weights_only=True)["optimizer"]["param_groups"]
    assert groups[0]["weight_decay"] == 0.25


def test_a_fork_that_minimises_something_else_mixes_no_objectives(trained, configure):
    run = trained(epochs=2, label_smoothing=0.1)
    other = fork(run, 1, {"label_smoothing": 0.2})
    plain = fork(run, 1, {"label_smoothing": 0})
    for made in (run, other, plain):
        execute(made)
    parts = [[line.get("train_objective", "none") for line in made.epochs()] for made in (run, other, plain)]
    assert all(value > 0 for value in [*parts[0], parts[1][1]])
    assert parts[1][0] is None
    assert parts[2] == ["none", "none"]
    assert len({made.epochs()[0]["train_loss"] for made in (run, other, plain)}) == 1


def test_momenta_go_on_only_with_the_same_optimizer(trained):
    run = trained()
    same, other = fork(run, 2, {"epochs": 3}), fork(run, 2, {"epochs": 3, "optimizer": "nadam"})
    for made in (same, other):
        execute(made)
    steps = [
        float(next(iter(torch.load(made.state_file, weights_only=True)["optimizer"]["state"].values()))["step"])
        for made in (same, other)
    ]
    assert steps == [9.0, 3.0]
    assert other.events()[-1]["optimizer"] == "fresh"


def test_without_a_kept_state_the_optimizer_starts_fresh_from_the_same_weights(trained):
    run = trained(snapshots=0)
    assert not optimizer_kept(run, 1)
    made = fork(run, 1, {"epochs": 2, "learning_rate": 1e-12})
    execute(made)
    for key, value in _weights(made, 2).items():
        assert torch.allclose(value, _weights(run, 1)[key], atol=1e-9)
    assert made.events()[-1]["optimizer"] == "fresh"


def test_a_fork_without_averaging_goes_on_from_the_average(trained):
    run = trained(ema=0.99)
    made = fork(run, 2, {"epochs": 3, "ema": 0.0, "learning_rate": 1e-12})
    execute(made)
    for key, value in _weights(made, 3).items():
        assert torch.allclose(value, _weights(run, 2)[key], atol=1e-9)


def test_the_first_run_may_be_deleted(trained):
    run = trained()
    made = fork(run, 3, {"epochs": 5})
    for path in sorted(run.path.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    assert execute(made).state == "finished"
    assert made.status.epoch == 5


def test_an_interrupted_fork_goes_on_where_it_was(trained, monkeypatch):
    monkeypatch.setattr(control, "LOOK_SECONDS", 0.0)
    run = trained()
    whole, made = fork(run, 2, {"epochs": 5}), fork(run, 2, {"epochs": 5})
    execute(whole)
    execute(made, lambda record: made.request_stop() if getattr(record, "epoch", 0) == 4 else None)
    assert made.status.state == "stopped"
    execute(made)
    assert _equal(_weights(made, 5), _weights(whole, 5))
    assert [event["kind"] for event in made.events()].count("fork") == 1


def test_a_learning_rate_changed_on_the_way_is_inherited(trained):
    run = trained()
    run.append_event({"kind": "learning_rate", "epoch": 2, "value": 0.02})
    assert fork(run, 3, {}).config["learning_rate"] == 0.02
    assert fork(run, 1, {}).config["learning_rate"] == 0.001
    assert fork(run, 3, {"learning_rate": 0.3}).config["learning_rate"] == 0.3


def test_a_fork_of_a_run_that_ended_for_lack_of_progress_gets_its_patience_anew(trained):
    run = trained(patience=1, learning_rate=1e-9, epochs=9)
    assert (run.status.reason, run.status.epoch) == ("patience", 2)
    made = fork(run, 2, {})
    execute(made)
    assert made.status.epoch == 3


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epochs": 2}, "'epochs' must be more than 2"),
        ({"learning_rate": -1}, "learning_rate"),
        ({"model": "lenet", "options": {}}, "'model' belongs to the weights"),
        ({"options": {"hidden": [5]}}, "'options' belongs to the weights"),
        ({"dataset": "mnist"}, "'dataset' belongs to the weights"),
        ({"colour": 1}, "colour"),
    ],
)
def test_what_a_fork_cannot_be(trained, changes, words):
    run = trained(epochs=3)
    with pytest.raises(ConfigError, match=words):
        fork(run, 2, changes)
    assert len(runs.list_runs()) == 1


def test_an_epoch_that_is_not_kept_is_a_message(trained):
    run = trained(snapshots=0)
    kept = ", ".join(map(str, run.kept_epochs()))
    missing = next(epoch for epoch in (2, 3) if epoch not in run.kept_epochs())
    with pytest.raises(RunError, match=f"epoch {missing} of run {run.id} are not kept; these are: {kept}"):
        fork(run, missing, {})


def test_no_room_leaves_nothing_behind(trained, monkeypatch):
    run = trained()

    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("explorer.training.queue.forking.link_or_copy", full)
    with pytest.raises(RunError, match=r"No space left on device.*Free some disk space"):
        fork(run, 2, {})
    assert [one.id for one in runs.list_runs()] == [run.id]
