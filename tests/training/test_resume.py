import itertools

import pytest
import torch

from explorer.training.queue.keeping import metrics
from explorer.training.records import Done, Step

pytestmark = pytest.mark.usefixtures("quick")

SMALL = {"hidden": [12], "dropout": 0.4}
RUNS = {
    "adam": {"options": SMALL},
    "nesterov": {"options": SMALL, "optimizer": "nesterov", "schedule": "one-cycle", "learning_rate": 0.1},
    "asgd": {"options": SMALL, "optimizer": "asgd", "weight_decay": 0.1},
    "rprop": {"options": SMALL, "optimizer": "rprop"},
    "nadam": {"options": SMALL, "optimizer": "nadam", "schedule": "cosine"},
    "rmsprop": {"options": SMALL, "optimizer": "rmsprop"},
    "adagrad": {"options": SMALL, "optimizer": "adagrad"},
    "adadelta": {"options": SMALL, "optimizer": "adadelta"},
    "radam": {"options": SMALL, "optimizer": "radam"},
    "adamax": {"options": SMALL, "optimizer": "adamax", "schedule": "step", "step_epochs": 1},
    "augmented": {"options": SMALL, "flip": True, "shift": 2, "erase": 0.5, "ema": 0.9},
    "batch-norm": {"options": SMALL | {"batch_norm": True}, "ema": 0.5, "label_smoothing": 0.1},
    "cnn": {"model": "cnn", "options": {"after_first": "batch-norm-dropout"}, "ema": 0.8, "erase": 0.5},
    "adversarial": {"options": SMALL | {"batch_norm": True}, "adversarial": 0.1, "shift": 1, "ema": 0.9},
    "pieces": {"options": SMALL, "batch_size": 40, "loss": "mse"},
}


@pytest.mark.parametrize("name", RUNS)
def test_resuming_at_any_record_ends_bit_for_bit_alike(name, configure, training, same, figures, monkeypatch):
    if name == "pieces":
        monkeypatch.setattr("explorer.training.plan.PIECE_BYTES", 15_000 * 15)
    config = configure(epochs=2, **RUNS[name])
    whole = training(config)
    records, states = [], [whole.saved()]
    for record in whole.records:
        records.append(record)
        states.append(whole.saved())
    assert isinstance(records[-1], Done)
    for position, state in enumerate(states):
        torch.manual_seed(position)
        resumed = training(config, state)
        rest = resumed.all()
        assert same(resumed.saved(), states[-1]), position
        assert figures(rest) == figures(records[position:])
        expected = [record.loss.item() for record in records[position:] if isinstance(record, Step)]
        assert [record.loss.item() for record in rest if isinstance(record, Step)] == expected


def test_what_an_earlier_version_saved_within_an_epoch_is_the_objective(configure, training):
    config = configure(options=SMALL, loss="mse")
    one = training(config)
    list(itertools.islice(one.records, 2))
    old = one.saved()
    old["loss_sum"] = old.pop("objective_sum")
    whole, resumed = one.all()[-2], training(config, old).all()[-2]
    assert resumed.train_objective == pytest.approx(whole.train_objective)
    assert metrics(resumed)["train_loss"] is None
    assert resumed.validation_loss == whole.validation_loss


def test_time_goes_on_where_it_stood(configure, training):
    config = configure(epochs=2)
    ticks = itertools.count(0.0, 1.0)
    one = training(config, clock=lambda: next(ticks))
    list(itertools.islice(one.records, 2))
    assert one.state.seconds == 2
    later = itertools.count(1000.0, 1.0)
    resumed = training(config, one.saved(), clock=lambda: next(later))
    assert resumed.all()[-1].seconds == 8
