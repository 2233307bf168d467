from itertools import pairwise

import pytest
import torch

from explorer.store import runs
from explorer.training.queue import keeping
from explorer.training.queue.execution import execute
from explorer.training.queue.keeping import curve, tidy

pytestmark = pytest.mark.usefixtures("quick")
MEGABYTE = 1_000_000


@pytest.fixture
def fill(home):
    """Make a run with files of given sizes in MB for its epochs, thinned after each as in training."""

    def make(epochs, weights, states, budget, best):
        run = runs.create({"model": "mlp", "dataset": "mnist", "epochs": epochs})
        for folder in ("weights", "states"):
            (run.path / folder).mkdir()
        for epoch in range(1, epochs + 1):
            run.weights(epoch).write_bytes(bytes(int(weights * MEGABYTE)))
            run.saved_state(epoch).write_bytes(bytes(int(states * MEGABYTE)))
            tidy(run, epoch, min(best, epoch), budget)
        return run

    return make


def _states(run, epochs):
    return [epoch for epoch in range(1, epochs + 1) if run.saved_state(epoch).exists()]


def test_everything_is_kept_within_the_budget(fill):
    run = fill(6, 0.1, 0.2, 2, best=3)
    assert run.kept_epochs() == _states(run, 6) == [1, 2, 3, 4, 5, 6]


def test_without_a_budget_first_best_and_last_stay_and_the_last_state(fill):
    run = fill(6, 0.1, 0.2, 0, best=3)
    assert run.kept_epochs() == [1, 3, 6]
    assert _states(run, 6) == [6]


@pytest.mark.parametrize("epochs", [10, 20, 33, 64])
def test_a_long_run_is_thinned_evenly_and_stays_within_the_budget(fill, epochs):
    run = fill(epochs, 0.1, 0.3, 0.55, best=7)
    others = [epoch for epoch in run.kept_epochs() if epoch not in (1, 7, epochs)]
    assert sum(run.weights(epoch).stat().st_size for epoch in others) <= 0.55 * MEGABYTE
    grid = [epoch for epoch in run.kept_epochs() if epoch not in (7, epochs)]
    gaps = {later - earlier for earlier, later in pairwise(grid)}
    assert len(others) >= 2
    stride = min(gaps)
    assert all(gap in (stride, 2 * stride) for gap in gaps), "only where best or last stand is one missing"


def test_weights_go_before_states(fill):
    run = fill(5, 0.1, 0.4, 0.45, best=5)
    assert run.kept_epochs() == [1, 2, 3, 4, 5]
    assert _states(run, 5) == [5]


def test_the_curve_is_thinned_and_ends_with_the_last_epoch():
    lines = [{"validation_accuracy": number / 1000} for number in range(500)]
    values = curve(lines)
    assert len(values) <= 60
    assert values[-1] == 0.499
    assert {round(later - earlier, 9) for earlier, later in pairwise(values)} == {0.009}
    assert curve(lines[:60]) == tuple(line["validation_accuracy"] for line in lines[:60])
    assert curve([]) == ()


def test_the_kept_state_is_that_of_its_epoch_and_no_copy(configure):
    run = runs.create(configure(epochs=3, options={"hidden": [4]}).model_dump(mode="json"))
    execute(run)
    for epoch in (1, 2, 3):
        assert torch.load(run.saved_state(epoch), weights_only=True)["epoch"] == epoch
    assert run.saved_state(3).stat().st_ino == run.state_file.stat().st_ino
    status = run.status
    accuracies = [line["validation_accuracy"] for line in run.epochs()]
    assert (status.curve, status.best_accuracy) == (tuple(accuracies), max(accuracies))


def test_a_state_for_which_there_is_no_room_is_left_out(configure, monkeypatch):
    def full(source, target):
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keeping, "link_or_copy", full)
    run = runs.create(configure(epochs=2, options={"hidden": [4]}).model_dump(mode="json"))
    assert execute(run).state == "finished"
    assert not list((run.path / "states").iterdir())
