import warnings

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR, StepLR

from explorer.training.config import TrainConfig
from explorer.training.optimizers import learning_rate, make_optimizer

CLASSES = {
    "sgd": (torch.optim.SGD, {"momentum": 0, "nesterov": False}),
    "momentum": (torch.optim.SGD, {"momentum": 0.8, "nesterov": False}),
    "nesterov": (torch.optim.SGD, {"momentum": 0.8, "nesterov": True}),
    "rmsprop": (torch.optim.RMSprop, {}),
    "adam": (torch.optim.Adam, {}),
    "adamw": (torch.optim.AdamW, {}),
    "nadam": (torch.optim.NAdam, {}),
    "adagrad": (torch.optim.Adagrad, {}),
    "adadelta": (torch.optim.Adadelta, {}),
    "adamax": (torch.optim.Adamax, {}),
    "radam": (torch.optim.RAdam, {}),
    "asgd": (torch.optim.ASGD, {}),
    "rprop": (torch.optim.Rprop, {}),
}
ASIDE = {"lr", "weight_decay", "fused", "foreach", "params", "momentum", "nesterov"}


@pytest.mark.parametrize("name", CLASSES)
def test_each_name_is_torchs_own_class_with_its_defaults(name):
    config = TrainConfig.parse({"optimizer": name, "learning_rate": 0.02, "weight_decay": 0.003, "momentum": 0.8})
    parameters = list(nn.Linear(3, 2).parameters())
    optimizer = make_optimizer(config, parameters)
    kind, own = CLASSES[name]
    assert type(optimizer) is kind
    (group,) = optimizer.param_groups
    assert group["params"] == parameters
    assert group["lr"] == 0.02
    assert group.get("weight_decay", 0) == (0 if name == "rprop" else 0.003)
    assert all(group[key] == value for key, value in own.items())
    defaults = kind(nn.Linear(3, 2).parameters(), lr=0.02).param_groups[0]
    assert {key: group[key] for key in defaults if key not in ASIDE} == {
        key: value for key, value in defaults.items() if key not in ASIDE
    }


def test_biases_and_normalisation_can_be_spared_from_decay():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3))
    config = TrainConfig.parse({"optimizer": "sgd", "learning_rate": 0.1, "weight_decay": 0.5, "decay_biases": False})
    before = {name: tensor.detach().clone() for name, tensor in network.named_parameters()}
    (network(torch.zeros(2, 1, 4, 4)) * 0).sum().backward()
    make_optimizer(config, network.parameters()).step()
    for name, tensor in network.named_parameters():
        factor = 0.95 if name in ("0.weight", "3.weight") else 1
        torch.testing.assert_close(tensor, before[name] * factor)


@pytest.mark.parametrize("name", CLASSES)
def test_steps_equal_those_of_the_plain_optimizer(name):
    config = TrainConfig.parse({"optimizer": name, "learning_rate": 0.01, "weight_decay": 0.1, "momentum": 0.8})
    torch.manual_seed(0)
    ours, plain = nn.Linear(5, 3), nn.Linear(5, 3)
    plain.load_state_dict(ours.state_dict())
    kind, own = CLASSES[name]
    decay = {} if name == "rprop" else {"weight_decay": 0.1}
    pairs = [(ours, make_optimizer(config, ours.parameters())), (plain, kind(plain.parameters(), 0.01, **own, **decay))]
    for inputs in torch.randn(6, 4, 5):
        for model, optimizer in pairs:
            optimizer.zero_grad()
            model(inputs).square().mean().backward()
            optimizer.step()
    torch.testing.assert_close(ours.weight, plain.weight, rtol=1e-6, atol=1e-7)
    assert not torch.equal(ours.weight, torch.zeros_like(ours.weight))


def _scheduled(make, steps, rate):
    """The rates that a scheduler of PyTorch gives, one a step."""
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=rate)
    scheduler = make(optimizer)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize(("every", "factor"), [(1, 0.5), (3, 0.1), (20, 0.3)])
def test_step_schedule(every, factor):
    config = TrainConfig.parse(
        {"schedule": "step", "step_epochs": every, "step_factor": factor, "learning_rate": 0.2, "epochs": 10}
    )
    expected = _scheduled(lambda optimizer: StepLR(optimizer, every, factor), 10, 0.2)
    ours = [learning_rate(config, step, 4) for step in range(40)]
    assert ours == pytest.approx([rate for rate in expected for _ in range(4)], rel=1e-12)


@pytest.mark.parametrize("epochs", [1, 2, 7])
def test_cosine_schedule(epochs):
    config = TrainConfig.parse({"schedule": "cosine", "learning_rate": 0.2, "epochs": epochs})
    expected = _scheduled(lambda optimizer: CosineAnnealingLR(optimizer, epochs), epochs, 0.2)
    ours = [learning_rate(config, step, 5) for step in range(5 * epochs)]
    assert ours == pytest.approx([rate for rate in expected for _ in range(5)], rel=1e-12)


@pytest.mark.parametrize("warmup", [0.01, 0.2, 0.3, 0.5, 0.75, 0.99])
@pytest.mark.parametrize(("epochs", "steps"), [(1, 1), (1, 3), (2, 5), (3, 7), (10, 84)])
def test_one_cycle_schedule(epochs, steps, warmup):
    config = TrainConfig.parse({"schedule": "one-cycle", "warmup": warmup, "learning_rate": 0.4, "epochs": epochs})
    total = epochs * steps
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = _scheduled(
            lambda optimizer: OneCycleLR(
                optimizer, 0.4, epochs=epochs, steps_per_epoch=steps, pct_start=warmup, cycle_momentum=False
            ),
            total,
            0.4,
        )[:total]
    ours = [learning_rate(config, step, steps) for step in range(total)]
    assert ours == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("total", "warmup"), [(2, 0.5), (4, 0.25), (10, 0.1)])
def test_one_cycle_may_begin_at_its_peak(total, warmup):
    """Here PyTorch's scheduler divides by zero."""
    config = TrainConfig.parse({"schedule": "one-cycle", "warmup": warmup, "learning_rate": 0.4, "epochs": 1})
    rates = [learning_rate(config, step, total) for step in range(total)]
    assert rates[0] == pytest.approx(0.4)
    assert rates[-1] == pytest.approx(0.4 / 25e4)
    assert rates == sorted(rates, reverse=True)


def test_constant_schedule():
    config = TrainConfig.parse({"learning_rate": 0.2})
    assert {learning_rate(config, step, 3) for step in range(30)} == {0.2}
