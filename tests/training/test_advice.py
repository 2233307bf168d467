import pytest
from torch import nn

from explorer import devices
from explorer.training.advice import USUAL, advice
from explorer.training.config import OptimizerName, TrainConfig
from explorer.training.optimizers import make_optimizer
from explorer.training.plan import make_plan


def sentences(**values):
    config = TrainConfig.parse(values)
    return advice(config, make_plan(config))


@pytest.mark.parametrize("model", ["mlp", "lenet", "cnn", "resnet"])
def test_the_defaults_need_no_advice(model):
    assert sentences(model=model) == ()


@pytest.mark.parametrize("optimizer", OptimizerName.__args__)
def test_pytorch_s_own_learning_rate_is_usual(optimizer):
    """Except that of plain SGD, with which a network is nowhere near its best after ten epochs."""
    usual = USUAL[optimizer]
    assert usual.low < usual.first < usual.high
    network = nn.Linear(2, 2)
    kind = type(make_optimizer(TrainConfig(optimizer=optimizer), network.parameters()))
    own = kind(network.parameters()).defaults["lr"]
    assert usual.low <= own <= usual.high or (optimizer, own) == ("sgd", 0.001)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"learning_rate": 0.1}, "0.1 is high for Adam (usual are 0.00001 to 0.01): the loss will probably jump"),
        ({"learning_rate": 1e-7, "epochs": 3}, "0.0000001 is low for Adam (usual are 0.00001 to 0.01): the network"),
        ({"learning_rate": 1e-7}, "will learn slowly; try 0.001."),
        ({"optimizer": "sgd"}, "0.001 is low for SGD"),
        ({"optimizer": "sgd", "loss": "mse", "learning_rate": 0.01}, "squared error has small gradients"),
        ({"optimizer": "momentum", "learning_rate": 0.05, "momentum": 0.995}, "adds up about 200 steps"),
        ({"options": {"dropout": 1}}, "Dropout 1 switches everything off"),
        ({"model": "cnn", "options": {"dropout": 1}}, "Dropout 1 switches everything off"),
        ({"options": {"initialisation": "zeros"}}, "begin at zero"),
        ({"options": {"activation": "identity"}}, "one linear map"),
        ({"options": {"batch_norm": True}, "batch_size": 4}, "Batch norm takes its averages from only 4 images"),
        ({"model": "resnet", "batch_size": 2}, "Batch norm takes its averages from only 2 images"),
        ({"batch_size": 128, "subset": 100, "epochs": 200}, "a single step; try a batch size of 10."),
        ({"batch_size": 1}, "54,000 noisy steps"),
        ({"batch_size": 54_000}, "only 10 steps"),
        ({"batch_size": 54_000, "epochs": 1}, "only 1 step,"),
        ({"optimizer": "rprop"}, "compares the signs"),
        ({"optimizer": "rprop", "weight_decay": 0.1}, "takes no weight decay"),
        ({"ema": 0.9999, "epochs": 1}, "averages over about 10,000 steps, but the run has only 844 steps"),
        ({"weight_decay": 1}, "pulls the weights to zero"),
        ({"loss": "mse", "label_smoothing": 0.1}, "no effect with the squared error"),
        ({"label_smoothing": 0.9}, "less than half of its target"),
        ({"dataset": "mnist", "flip": True}, "mirrored digits are no digits"),
        ({"shift": 14}, "up to 14 pixels"),
        ({"erase": 1}, "part erased"),
        ({"adversarial": 0.5}, "an epsilon of 0.5"),
        ({"schedule": "step", "epochs": 5}, "drop after 5 epochs"),
        ({"patience": 10}, "will not stop early"),
        ({"threads": 200}, "200 threads on"),
    ],
)
def test_what_is_probably_not_meant(values, words):
    found = sentences(**values)
    assert any(words in sentence for sentence in found), found


@pytest.mark.parametrize(
    "values",
    [
        {"options": {"hidden": [], "initialisation": "zeros"}},
        {"options": {"hidden": [], "activation": "identity"}},
        {"model": "cnn", "options": {"dropout": 1, "leave_out": "dropout2d"}, "batch_size": 54_000, "epochs": 500},
        {"optimizer": "rprop", "batch_size": 54_000, "epochs": 20},
        {"options": {"batch_norm": True}, "batch_size": 32},
        {"flip": True, "shift": 2, "erase": 0.25},
        {"adversarial": 0.1},
        {"ema": 0.99},
        {"schedule": "step", "step_epochs": 3},
        {"patience": 3},
        {"optimizer": "adamw", "weight_decay": 0.1},
        {"threads": devices.cores()},
        {"optimizer": "sgd", "learning_rate": 0.1, "loss": "mse"},
    ],
)
def test_what_may_well_be_meant(values):
    expected = 1 if values.get("options", {}).get("dropout") == 1 else 0  # its other dropout layer is still there
    assert len(sentences(**values)) == expected


def test_every_sentence_says_what_to_try():
    found = sentences(
        optimizer="rprop",
        learning_rate=10,
        weight_decay=1,
        options={"dropout": 1, "batch_norm": True, "activation": "identity", "initialisation": "zeros"},
        batch_size=3,
        epochs=1,
        ema=0.99999,
        loss="mse",
        label_smoothing=0.3,
        shift=14,
        erase=1,
        adversarial=1,
        schedule="step",
        patience=4,
        threads=256,
    )
    assert len(found) > 12
    for sentence in found:
        assert "try" in sentence
        assert sentence.endswith(".")
        assert "e-" not in sentence
