import io
import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from explorer.analysis.evaluation.predictions import predict
from explorer.data import catalog, splits
from explorer.devices import resolve
from explorer.errors import ConfigError, RunError
from explorer.store import runs
from explorer.store.checkpoints import Classifier, load_checkpoint
from explorer.training import loop
from explorer.training.batches import Batches
from explorer.training.config import TrainConfig
from explorer.training.loop import batch_loss, train
from explorer.training.plan import make_plan
from explorer.training.queue.execution import execute
from explorer.training.records import Cut, Done, Epoch, SeedEpochs, Step
from explorer.training.seeds import loop as seeds_loop
from explorer.training.seeds.loop import SeedsState, losses_and_gradient, objection_to_vectorising, train_seeds
from explorer.training.seeds.state import SeedBatches
from explorer.training.state import TrainingState

CPU = resolve("cpu")
SEEDS = (3, 0, 8)
SMALL = {"hidden": [12, 9], "dropout": 0.4}
NORMED = SMALL | {"batch_norm": True}
CNN = {"model": "cnn"}
OPTIMIZERS = {
    "sgd": {"learning_rate": 0.1},
    "momentum": {"learning_rate": 0.05, "weight_decay": 0.01},
    "nesterov": {"learning_rate": 0.05, "schedule": "one-cycle"},
    "rmsprop": {},
    "adam": {"weight_decay": 0.01},
    "adamw": {"weight_decay": 0.1},
    "nadam": {"schedule": "cosine"},
    "adagrad": {"learning_rate": 0.01},
    "adadelta": {"learning_rate": 1.0},
    "adamax": {},
    "radam": {"weight_decay": 0.01},
    "asgd": {"learning_rate": 0.1},
    "rprop": {},
}
PLAIN = {"optimizer": "momentum", "learning_rate": 0.05}
"""Adam's step is as long for a gradient that is rounding alone, such as that of a bias before batch norm, which has
no effect; two ways to add up the same numbers then differ by 1e-9 in such a bias. Momentum leaves it alone."""
LIKE_SINGLE = {
    "mlp": {"options": NORMED, "subset": 19 * 64 + 27, "batch_size": 64},
    "no dropout": {"options": {"hidden": [12]}},
    "ema": {"options": SMALL, "ema": 0.9},
    "ema of batch norm": {"options": NORMED, "ema": 0.9} | PLAIN,
    "mse": {"options": SMALL, "loss": "mse"},
    "smoothing": {"options": SMALL, "label_smoothing": 0.1},
    "augmentation": {"options": SMALL, "flip": True, "shift": 2, "erase": 0.5},
    "lenet": {"model": "lenet", "options": {"features": [4, 6], "dense": 20, "dropout": 0.5}},
    "lenet average": {"model": "lenet", "options": {"features": [4, 6], "dense": 20, "pooling": "average"}, "ema": 0.5},
    "cnn": CNN | {"shift": 1},
    "cnn without dropout": CNN | {"options": {"dropout": 0.0, "extra_conv": True}},
} | {
    f"cnn {after}": CNN | PLAIN | {"options": {"after_first": after}, "ema": 0.8}
    for after in ("batch-norm", "batch-norm-dropout", "dropout-batch-norm")
}


@pytest.fixture(autouse=True)
def _quick(quick, monkeypatch):
    monkeypatch.setattr(seeds_loop, "load_split", loop.load_split)


@pytest.fixture
def double(monkeypatch):
    """Everything in double precision, images too."""

    def doubled(function):
        def epoch(self, *arguments):
            for images, labels in function(self, *arguments):
                yield images.double(), labels

        return epoch

    for one in (SeedBatches, Batches):
        monkeypatch.setattr(one, "epoch", doubled(one.epoch))
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def of(records, kind):
    return [record for record in records if isinstance(record, kind)]


def compare(config, tolerance):
    """Train the seeds at once and one after the other, and compare every step, the weights and the figures."""
    state = SeedsState(config, SEEDS, CPU)
    together = list(train_seeds(config, SEEDS, state))
    for index, seed in enumerate(SEEDS):
        single = config.model_copy(update={"seed": seed})
        alone = TrainingState(single, CPU)
        records = list(train(single, alone))
        for one, many in zip(of(records, Step), of(together, Step), strict=True):
            assert many.loss[index].item() == pytest.approx(one.loss.item(), abs=tolerance)
            if one.objective is not None:
                assert many.objective[index].item() == pytest.approx(one.objective.item(), abs=tolerance)
            assert (one.epoch, one.step, one.images, one.learning_rate) == (
                many.epoch,
                many.step,
                many.images,
                many.learning_rate,
            )
        found = state.network_of(index).state_dict()
        for name, value in alone.evaluated.state_dict().items():
            torch.testing.assert_close(found[name], value, rtol=0, atol=tolerance)
        for one, many in zip(of(records, Epoch), of(together, SeedEpochs), strict=True):
            same_epoch(many.epochs[index], one, tolerance)


def same_epoch(found, expected, tolerance):
    for name in ("epoch", "train_accuracy", "validation_accuracy", "test_accuracy", "learning_rate"):
        assert getattr(found, name) == getattr(expected, name)
    assert found.train_loss == pytest.approx(expected.train_loss, abs=tolerance)
    for name in ("train_objective", "validation_objective"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), abs=max(tolerance, 1e-6))
    assert found.validation_loss == pytest.approx(expected.validation_loss, abs=1e-6)
    for split, logits in expected.logits.items():
        assert found.logits[split].flags.c_contiguous
        np.testing.assert_allclose(found.logits[split], logits, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", LIKE_SINGLE)
def test_in_double_precision_each_seed_is_its_single_run(name, configure, double):
    """Twenty steps, the last of fewer images."""
    config = configure(**{"subset": 155, "batch_size": 8} | LIKE_SINGLE[name])
    assert make_plan(config).steps == 20
    compare(config, 1e-9)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_works_on_all_seeds_as_on_one(optimizer, configure, double):
    config = configure(subset=80, batch_size=8, epochs=2, options=SMALL, optimizer=optimizer, **OPTIMIZERS[optimizer])
    compare(config, 1e-9)


def test_batches_are_those_of_the_single_runs(configure):
    """Bit for bit, from any step on, whatever the chunks."""
    config = configure(subset=300, batch_size=16, flip=True, erase=0.5)
    plan, split = make_plan(config), splits.load_split("fashion-mnist", "train")
    for values in ({}, {"flip": False, "erase": 0.0}):
        chosen = config.model_copy(update=values)
        for first in (0, 7, plan.steps):
            together = list(SeedBatches(chosen, SEEDS, plan, split, CPU).epoch(2, first))
            assert len(together) == plan.steps - first
            for index, seed in enumerate(SEEDS):
                alone = Batches(chosen.model_copy(update={"seed": seed}), plan, split, CPU).epoch(2, first)
                for (many, labels), (images, truth) in zip(together, alone, strict=True):
                    assert torch.equal(many[:, index], images)
                    assert torch.equal(labels[:, index], truth)


def test_the_training_set_is_there_once(configure):
    config = configure()
    batches = SeedBatches(config, SEEDS, make_plan(config), splits.load_split("fashion-mnist", "train"), CPU)
    assert {single.images.data_ptr() for single in batches.singles} == {batches.images.data_ptr()}


@pytest.mark.parametrize(
    "values", [{}, {"label_smoothing": 0.3}, {"loss": "mse"}, {"loss": "mse", "label_smoothing": 0.3}]
)
def test_losses_and_gradients_are_those_of_the_batch_loss(values, configure):
    config = configure(**values)
    logits, labels = torch.randn(3, 10, 7, dtype=torch.float64), torch.randint(0, 10, (3, 7))
    sums, gradient = losses_and_gradient(config, logits, labels)
    single = logits.clone().requires_grad_()
    losses = torch.stack([batch_loss(config, single[index].t(), labels[index]) for index in range(3)])
    losses.sum().backward()
    torch.testing.assert_close(sums, 7 * losses.detach(), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradient, single.grad, rtol=1e-12, atol=1e-12)


def test_in_single_precision_the_mean_accuracy_is_that_of_single_runs(monkeypatch, configure):
    """Five seeds, two epochs of 2,000 images, the whole validation set; within 0.2 points."""

    def whole(dataset, name):
        split = splits.load_split(dataset, name)
        if name != "test":
            return split
        return replace(split, **{field: getattr(split, field)[:10] for field in ("images", "labels", "indices")})

    monkeypatch.setattr(loop, "load_split", whole)
    monkeypatch.setattr(seeds_loop, "load_split", whole)
    config = configure(subset=2000, batch_size=64, epochs=2, options={"hidden": [100], "dropout": 0.2})
    last = of(train_seeds(config, range(5)), SeedEpochs)[-1]
    together = [epoch.validation_accuracy for epoch in last.epochs]
    singles = [of(train(config.model_copy(update={"seed": seed})), Epoch)[-1] for seed in range(5)]
    alone = [epoch.validation_accuracy for epoch in singles]
    assert np.mean(alone) > 0.7
    assert len(set(together)) > 1
    assert abs(np.mean(together) - np.mean(alone)) <= 0.002


def saved(state):
    """The state as it comes back from disk."""
    file = io.BytesIO()
    torch.save(state.tensors(), file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@pytest.mark.parametrize(
    "values",
    [
        {"options": NORMED, "ema": 0.5, "erase": 0.5},
        {"options": SMALL, "optimizer": "asgd", "weight_decay": 0.1},
        {"options": SMALL, "optimizer": "adagrad", "schedule": "one-cycle"},
        CNN | {"options": {"after_first": "batch-norm-dropout"}},
    ],
)
def test_resuming_within_an_epoch_and_between_epochs_ends_bit_for_bit_alike(values, configure, same, figures):
    config = configure(epochs=2, **values)
    state = SeedsState(config, SEEDS, CPU)
    records, states = [], [saved(state)]
    for record in train_seeds(config, SEEDS, state):
        records.append(record)
        states.append(saved(state))
    assert isinstance(records[-1], Done)
    for position in (1, 4, 6):
        torch.manual_seed(position)
        resumed = SeedsState(config, SEEDS, CPU)
        resumed.restore(states[position])
        rest = list(train_seeds(config, SEEDS, resumed))
        assert same(saved(resumed), states[-1]), position
        for one, many in zip(of(rest, SeedEpochs), of(records[position:], SeedEpochs), strict=True):
            assert figures(one.epochs) == figures(many.epochs)
        losses = [[step.loss.tolist() for step in of(some, Step)] for some in (rest, records[position:])]
        assert losses[0] == losses[1]


def test_number_and_order_of_records(configure):
    records = list(train_seeds(configure(subset=40, batch_size=16, epochs=2), SEEDS))
    assert [type(record) for record in records] == [*([Step] * 3 + [SeedEpochs]) * 2, Done]
    assert [step.images for step in of(records, Step)] == [16, 16, 8] * 2
    assert all(step.loss.shape == (3,) and not step.loss.requires_grad for step in of(records, Step))
    assert records[-1].reason == "epochs"
    for epoch in of(records, SeedEpochs):
        assert epoch.failures == ("", "", "")
        steps = [step for step in of(records, Step) if step.epoch == epoch.epoch]
        means = sum(step.loss.double() * step.images for step in steps) / 40
        assert [one.train_loss for one in epoch.epochs] == pytest.approx(means.tolist())


def test_a_cut_ends_all_seeds_and_is_repeated_on_resume(configure, same):
    config, asked = configure(epochs=3), itertools.count(1)
    state = SeedsState(config, SEEDS, CPU)
    records = list(train_seeds(config, SEEDS, state, finish=lambda: next(asked) == 5))
    (cut,) = of(records, Cut)
    assert (cut, cut.reason) == (Cut(2, 1), "user")
    assert [record.epoch for record in of(records, SeedEpochs)] == [1, 2]
    again = SeedsState(config, SEEDS, CPU)
    list(train_seeds(config, SEEDS, again, cut=cut))
    assert same(saved(again), saved(state))


def test_the_network_of_a_seed_gives_the_logits_of_its_record(configure):
    config = configure(options=NORMED, ema=0.5)
    state = SeedsState(config, SEEDS, CPU)
    (record,) = of(train_seeds(config, SEEDS, state), SeedEpochs)
    spec = catalog.get(config.dataset)
    for index, epoch in enumerate(record.epochs):
        network = state.network_of(index)
        assert not network.training
        images = loop.load_split(config.dataset, "validation").images
        logits = predict(Classifier(network, spec.mean, spec.std).eval(), images)
        np.testing.assert_allclose(epoch.logits["validation"], logits, rtol=1e-4, atol=1e-5)


def test_all_seeds_start_from_the_weights_of_a_checkpoint(configure):
    values = {"options": SMALL, "ema": 0.5}
    run = runs.create(configure(**values).model_dump(mode="json"))
    execute(run)
    config = configure(initial=run.id, **values)
    checkpoint = load_checkpoint(run.weights(1))
    state = SeedsState(config, SEEDS, CPU)
    state.start_from(checkpoint)
    for name, value in checkpoint.classifier().network.state_dict().items():
        for index in range(len(SEEDS)):
            assert torch.equal(state.network.single(index)[name], value)
            assert torch.equal(state.average.single(index)[name], value)
    (record,) = of(train_seeds(config, SEEDS), SeedEpochs)
    for seed, epoch in zip(SEEDS, record.epochs, strict=True):
        (single,) = of(train(config.model_copy(update={"seed": seed})), Epoch)
        assert epoch.train_loss == pytest.approx(single.train_loss, rel=1e-5)


def test_a_seed_that_diverges_leaves_the_others_as_they_are(configure, figures):
    config = configure(subset=400, batch_size=8, epochs=2, options=NORMED, ema=0.5)

    def start(harm):
        state = SeedsState(config, SEEDS, CPU)
        if harm:
            state.network.load(1, {name: value * float("nan") for name, value in state.network.single(1).items()})
        return state

    harmed = start(True)
    records = list(train_seeds(config, SEEDS, harmed))
    whole = of(train_seeds(config, SEEDS, start(False)), SeedEpochs)
    for found, expected in zip(of(records, SeedEpochs), whole, strict=True):
        assert found.epochs[1] is None
        assert "epoch 1, step 25" in found.failures[1]
        assert "learning rate" in found.failures[1]
        assert (found.failures[0], found.failures[2]) == ("", "")
        assert figures(found.epochs[::2]) == figures(expected.epochs[::2])
    resumed = SeedsState(config, SEEDS, CPU)
    resumed.restore(saved(harmed))
    assert resumed.failures == harmed.failures
    assert isinstance(records[-1], Done)


def test_a_seed_that_diverges_in_the_last_step_fails_with_its_outputs(configure):
    config = configure()
    state = SeedsState(config, SEEDS, CPU)
    records = train_seeds(config, SEEDS, state)
    for record in records:
        if isinstance(record, Step) and record.step == record.steps:
            state.network.tail[0].weight.data[2] = float("inf")
        if isinstance(record, SeedEpochs):
            assert [epoch is None for epoch in record.epochs] == [False, False, True]


def test_when_all_seeds_diverge_the_run_fails(configure):
    config = configure(subset=400, batch_size=8, optimizer="sgd", learning_rate=100.0, weight_decay=10)
    with pytest.raises(RunError, match=r"infinite or undefined in epoch 1, step \d+.*learning rate"):
        list(train_seeds(config, SEEDS))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"model": "resnet"}, "ResidualBlock"),
        ({"model": "resnet18"}, "plain sequence"),
        ({"patience": 3}, "patience"),
        ({"time_budget": 5.0}, "time_budget"),
        ({"model": "lenet", "batch_size": 2000, "subset": 2000}, "2,000 images is too large"),
        ({"options": {"hidden": [4000, 4000]}}, "GB of memory"),
    ],
)
def test_what_cannot_be_trained_at_once_says_why(values, words, configure):
    config = configure(**values)
    assert words in objection_to_vectorising(config)
    with pytest.raises(ConfigError, match="one after the other"):
        train_seeds(config, range(5))


def test_what_can_be_trained_at_once(configure):
    assert objection_to_vectorising(TrainConfig()) is None
    assert objection_to_vectorising(configure(model="cnn", batch_size=64, subset=2000)) is None
    assert objection_to_vectorising(configure(model="lenet", batch_size=64, subset=2000)) is None
    assert objection_to_vectorising(configure(model="lenet", batch_size=64, subset=2000), seeds=30)


@pytest.mark.parametrize("seeds", [[], [-1], [2**31]])
def test_seeds_out_of_range_are_refused(seeds, configure):
    with pytest.raises(ConfigError, match="seed"):
        train_seeds(configure(), seeds)
