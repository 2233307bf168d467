"""Settings that are allowed but probably not meant: what will happen, and what to try instead."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import nn

from explorer import devices
from explorer.data import catalog
from explorer.training.config import TrainConfig
from explorer.training.plan import BATCH_NORMS, Plan, input_shape
from models.registry import build_meta

SMALL_BATCH = 8
FEW_STEPS = 100
MUCH_DECAY = {"adamw": 0.5}
"""Weight decay from which on it usually spoils the result; adamw takes it times the learning rate."""
MUCH_DECAY_ELSE = 0.05
SLOW_MSE_RATE = 0.05
MUCH_ADVERSARIAL = 0.3


@dataclass(frozen=True)
class _Usual:
    """The learning rates with which an optimizer usually works on small networks, and one to begin with."""

    title: str
    low: float
    high: float
    first: float


USUAL = {
    "sgd": _Usual("SGD", 0.002, 1.0, 0.1),
    "momentum": _Usual("SGD with momentum", 0.0005, 0.3, 0.05),
    "nesterov": _Usual("SGD with Nesterov momentum", 0.0005, 0.3, 0.05),
    "rmsprop": _Usual("RMSprop", 1e-5, 0.01, 0.001),
    "adam": _Usual("Adam", 1e-5, 0.01, 0.001),
    "adamw": _Usual("AdamW", 1e-5, 0.01, 0.001),
    "nadam": _Usual("NAdam", 1e-5, 0.01, 0.001),
    "radam": _Usual("RAdam", 1e-5, 0.02, 0.001),
    "adamax": _Usual("Adamax", 2e-5, 0.02, 0.002),
    "adagrad": _Usual("Adagrad", 0.001, 0.1, 0.01),
    "adadelta": _Usual("Adadelta", 0.02, 5.0, 1.0),
    "asgd": _Usual("ASGD", 0.002, 1.0, 0.1),
    "rprop": _Usual("Rprop", 1e-5, 0.05, 0.001),
}


def advice(config: TrainConfig, plan: Plan) -> tuple[str, ...]:
    """Return a sentence for each setting that is probably not meant, the gravest first.

    Parameters
    ----------
    config : TrainConfig
        Valid settings.
    plan : Plan
        What they amount to.

    Returns
    -------
    tuple of str
        Plain text, none where nothing stands out.
    """
    network = build_meta(config.model, config.options, input_shape(config), probe=False)
    case = _Case(config, plan, list(network.modules()))
    return tuple(sentence for check in CHECKS for sentence in check(case))


@dataclass(frozen=True)
class _Case:
    """What the checks look at."""

    config: TrainConfig
    plan: Plan
    layers: list[nn.Module]

    @property
    def batch(self) -> int:
        return min(self.config.batch_size, self.config.subset)

    @property
    def total_steps(self) -> int:
        return self.plan.steps * self.config.epochs

    def has(self, *kinds: type[nn.Module]) -> bool:
        return any(isinstance(layer, kinds) for layer in self.layers)

    def weighted_layers(self) -> int:
        return sum(isinstance(layer, nn.Linear | nn.Conv2d) for layer in self.layers)


def _network(case: _Case) -> Iterator[str]:
    dropouts = (nn.Dropout, nn.Dropout2d)
    if any(isinstance(layer, dropouts) and layer.p == 1 for layer in case.layers):
        yield (
            "Dropout 1 switches everything off in every step, so the network learns nothing but how frequent the "
            "classes are; try 0.5 or less."
        )
    hidden = case.weighted_layers() > 1
    if hidden and case.config.options.get("initialisation") == "zeros":
        yield (
            "Weights that all begin at zero get the same gradient and stay alike, so the hidden layers learn nothing; "
            "try He or Xavier."
        )
    if hidden and case.config.options.get("activation") == "identity" and not case.has(nn.MaxPool2d):
        yield (
            "Without an activation function all layers together are one linear map, no better than a single layer; "
            "try ReLU."
        )


def _rate(case: _Case) -> Iterator[str]:
    config, usual = case.config, USUAL[case.config.optimizer]
    rate = f"A learning rate of {_number(config.learning_rate)}"
    span = f"usual are {_number(usual.low)} to {_number(usual.high)}"
    if config.learning_rate > usual.high:
        yield (
            f"{rate} is high for {usual.title} ({span}): the loss will probably jump about or become infinite; "
            f"try {_number(usual.first)}."
        )
    elif config.learning_rate < usual.low:
        yield (f"{rate} is low for {usual.title} ({span}): the network will learn slowly; try {_number(usual.first)}.")
    elif config.loss == "mse" and config.optimizer in ("sgd", "asgd") and config.learning_rate < SLOW_MSE_RATE:
        yield (
            f"The squared error has small gradients, so {usual.title} with a learning rate of "
            f"{_number(config.learning_rate)} will learn slowly; try {_number(5 * usual.first)}, or cross entropy."
        )
    if config.optimizer in ("momentum", "nesterov") and config.momentum >= 0.99:
        factor = 1 / (1 - config.momentum)
        yield (
            f"A momentum of {_number(config.momentum)} adds up about {factor:,.0f} steps, so the weights overshoot for "
            "a long time; try 0.9."
        )


def _batches(case: _Case) -> Iterator[str]:
    config = case.config
    if config.batch_size > config.subset:
        yield (
            f"A batch of {config.batch_size:,} images is more than the {config.subset:,} to train on, so each epoch is "
            f"a single step; try a batch size of {max(1, config.subset // 10):,}."
        )
    elif case.batch == 1:
        yield (
            f"With one image a step an epoch has {case.plan.steps:,} noisy steps, which takes longer than fewer steps "
            "of more images; try a batch size of 32 or 64."
        )
    if case.has(*BATCH_NORMS) and case.batch < SMALL_BATCH:
        yield (
            f"Batch norm takes its averages from only {case.batch} images a step, which makes them very noisy; "
            "try a batch size of 32 or more."
        )
    if config.optimizer == "rprop" and case.plan.steps > 1:
        yield (
            "Rprop compares the signs of one gradient and the next, which between batches differ by chance, so it may "
            "learn badly; try a batch size as large as the training set, or Adam."
        )
    if case.total_steps < FEW_STEPS and config.optimizer != "rprop":
        yield (
            f"The whole run has only {_steps(case.total_steps)}, which is seldom enough to learn much; "
            "try more epochs or a smaller batch size."
        )


def _average(case: _Case) -> Iterator[str]:
    config = case.config
    span = 1 / (1 - config.ema)
    if config.ema and span > case.total_steps / 2:
        better = 1 - 10 / max(20, case.total_steps)
        yield (
            f"An EMA with decay {_number(config.ema)} averages over about {span:,.0f} steps, but the run has only "
            f"{_steps(case.total_steps)}, in which the decay, which grows, does not get there; try "
            f"{_number(round(better, 3))} or less."
        )


def _regularisation(case: _Case) -> Iterator[str]:
    config = case.config
    if config.weight_decay and config.optimizer == "rprop":
        yield "Rprop takes no weight decay, so it will have no effect; leave it at 0, or try another optimizer."
    elif config.weight_decay > MUCH_DECAY.get(config.optimizer, MUCH_DECAY_ELSE):
        yield (
            f"A weight decay of {_number(config.weight_decay)} pulls the weights to zero faster than they can learn; "
            "try 0.0001."
        )
    if config.label_smoothing and config.loss == "mse":
        yield "Label smoothing is a part of cross entropy and has no effect with the squared error; try 0."
    elif 1 - config.label_smoothing * (1 - 1 / len(catalog.get(config.dataset).classes)) < 0.5:
        yield (
            f"Label smoothing of {_number(config.label_smoothing)} leaves the true class less than half of its target, "
            "so all probabilities will be low; try 0.1."
        )


def _augmentation(case: _Case) -> Iterator[str]:
    config, spec = case.config, catalog.get(case.config.dataset)
    if config.flip and all(name.isdecimal() for name in spec.classes):
        yield "Most mirrored digits are no digits, so the network learns from wrong examples; try without flip."
    if config.shift > spec.size // 4:
        yield (
            f"A shift of up to {config.shift} pixels moves much of the object out of the {spec.size}x{spec.size} "
            "image; try 2 to 4."
        )
    if config.erase > 0.8:
        yield "Nearly every image will have a part erased, which it then never sees whole; try 0.25 to 0.5."
    if config.adversarial > MUCH_ADVERSARIAL:
        yield (
            f"Adversarial examples with an epsilon of {_number(config.adversarial)} can hide the object itself, so the "
            "network learns little from them; try 0.05 to 0.1."
        )


def _course(case: _Case) -> Iterator[str]:
    config = case.config
    if config.schedule == "step" and config.step_epochs >= config.epochs:
        yield (
            f"The learning rate is to drop after {_epochs(config.step_epochs)}, but the run has only "
            f"{config.epochs:,}, so it never drops; try every {max(1, config.epochs // 3):,}."
        )
    if config.patience is not None and config.patience >= config.epochs:
        yield (
            f"A patience of {_epochs(config.patience)} cannot run out in {_epochs(config.epochs)}, so the run will not "
            f"stop early; try {max(1, config.epochs // 4)}."
        )
    if config.threads > devices.cores():
        yield (
            f"{config.threads} threads on {devices.cores()} cores wait for one another and are slower; try 0, which "
            "chooses what suits the network."
        )


CHECKS: tuple[Callable[[_Case], Iterator[str]], ...] = (
    _network,
    _rate,
    _batches,
    _average,
    _regularisation,
    _augmentation,
    _course,
)


def _number(value: float) -> str:
    """Write a setting without an exponent, as it is typed into the form: 0.00001."""
    return f"{value:.10f}".rstrip("0").rstrip(".") if abs(value) >= 1e-9 else f"{value:g}"


def _epochs(count: int) -> str:
    return f"{count:,} epoch{'s' * (count != 1)}"


def _steps(count: int) -> str:
    return f"{count:,} step{'s' * (count != 1)}"
