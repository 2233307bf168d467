import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from explorer.data import catalog
from explorer.data.splits import load_split
from explorer.errors import ConfigError, RunError
from explorer.training import plan
from explorer.training.batches import Batches
from explorer.training.loop import batch_loss, score, train
from explorer.training.plan import make_plan
from explorer.training.randomness import generator
from explorer.training.records import Cut, Done, Epoch, Step

pytestmark = pytest.mark.usefixtures("quick")


def _plain_epoch(config, network, optimizer, epoch, loss_of=F.cross_entropy):
    """The usual loop over the first images that the training uses, in its order of batches."""
    batches = Batches(config, make_plan(config), load_split(config.dataset, "train"), torch.device("cpu"))
    spec = catalog.get(config.dataset)
    images = (batches.images.reshape(-1, 1, 28, 28).float() / 255 - spec.mean) / spec.std
    order = torch.randperm(len(images), generator=generator(config.seed, "order", epoch))
    total = correct = 0.0
    network.train()
    for chosen in order.split(config.batch_size):
        optimizer.zero_grad()
        logits = network(images[chosen])
        loss = loss_of(logits, batches.labels[chosen])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(chosen)
        correct += (logits.argmax(1) == batches.labels[chosen]).sum().item()
    return total / len(images), correct / len(images)


@pytest.mark.parametrize(
    ("values", "make"),
    [
        ({}, lambda weights: torch.optim.Adam(weights, 0.001)),
        (
            {"optimizer": "nesterov", "learning_rate": 0.05, "weight_decay": 0.01},
            lambda weights: torch.optim.SGD(weights, 0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
        ),
        (
            {"model": "lenet", "options": {"features": [4, 6], "dense": 20}, "dataset": "mnist"},
            lambda weights: torch.optim.Adam(weights, 0.001),
        ),
    ],
)
def test_epochs_equal_those_of_a_plain_loop(configure, training, values, make):
    config = configure(subset=100, batch_size=16, epochs=2, seed=7, **values)
    ours = training(config)
    network = training(config).state.network
    optimizer = make(network.parameters())
    epochs = [record for record in ours.all() if isinstance(record, Epoch)]
    for record in epochs:
        loss, accuracy = _plain_epoch(config, network, optimizer, record.epoch)
        assert record.train_loss == pytest.approx(loss, rel=1e-5)
        assert record.train_accuracy == pytest.approx(accuracy)
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(ours.state.network.state_dict()[name], tensor, rtol=1e-4, atol=1e-4)
    network.eval()
    split = load_split(config.dataset, "validation")
    spec = catalog.get(config.dataset)
    images = (torch.tensor(split.images[:100]).float().unsqueeze(1) / 255 - spec.mean) / spec.std
    with torch.no_grad():
        np.testing.assert_allclose(epochs[-1].logits["validation"], network(images).numpy(), rtol=1e-3, atol=1e-4)


def test_subset_holds_equal_parts_of_all_classes_and_stays_the_same(configure):
    split = load_split("fashion-mnist", "train")
    batches = [
        Batches(config, make_plan(config), split, torch.device("cpu"))
        for config in (configure(subset=200, seed=1), configure(subset=200, seed=2))
    ]
    assert torch.equal(batches[0].images, batches[1].images)
    assert np.bincount(batches[0].labels).tolist() == [20] * 10
    known = {image.tobytes() for image in split.images}
    assert all(image.numpy().tobytes() in known for image in batches[0].images)


def test_every_image_comes_once_in_an_order_of_seed_and_epoch(configure):
    config = configure(subset=3000, batch_size=64, seed=3)
    batches = Batches(config, make_plan(config), load_split("fashion-mnist", "train"), torch.device("cpu"))
    first, again, second = (list(batches.epoch(epoch)) for epoch in (1, 1, 2))
    assert [len(labels) for _, labels in first] == [64] * 46 + [56]
    pixels = torch.cat([images.flatten(1) for images, _ in first])
    stored = batches.images.float() * batches.scale + batches.black
    torch.testing.assert_close(pixels.sum(1).sort().values, stored.sum(1).sort().values)
    assert all(torch.equal(one[0], two[0]) for one, two in zip(first, again, strict=True))
    assert not torch.equal(first[0][0], second[0][0])
    for step in (1, 17, 33, 46):
        images, labels = next(batches.epoch(1, step))
        assert torch.equal(images, first[step][0])
        assert torch.equal(labels, first[step][1])
    assert list(batches.epoch(1, 47)) == []


@pytest.mark.parametrize(
    "values",
    [
        {"flip": True},
        {"shift": 3},
        {"erase": 0.5},
        {"erase": 0.5, "erase_fill": "random"},
        {"flip": True, "shift": 2, "erase": 1},
    ],
)
def test_augmentation_depends_on_seed_epoch_and_step_alone(configure, values):
    def batch(epoch, step, **more):
        config = configure(subset=64, **values, **more)
        batches = Batches(config, make_plan(config), load_split("mnist", "train"), torch.device("cpu"))
        return next(batches.epoch(epoch, step))[0]

    torch.manual_seed(0)
    one = batch(1, 2)
    torch.manual_seed(1)
    assert torch.equal(one, batch(1, 2))
    plain = configure(subset=64)
    batches = Batches(plain, make_plan(plain), load_split("mnist", "train"), torch.device("cpu"))
    assert not torch.equal(one, next(batches.epoch(1, 2))[0])
    batches.config = configure(subset=64, **values)
    (images, _), *_ = batches.epoch(1, 2)
    fresh = images.clone()
    places = torch.arange(len(fresh))
    one, other, third = (batches._augment(fresh, places, *key) for key in ((1, 2), (1, 3), (2, 2)))
    assert not torch.equal(one, other)
    assert not torch.equal(one, third)


def test_alternating_flips_mirror_each_image_in_every_second_epoch(configure):
    config = configure(subset=300, batch_size=64, flip=True, flip_order="alternating")
    batches = Batches(config, make_plan(config), load_split("fashion-mnist", "train"), torch.device("cpu"))
    plain = (batches.images.float() * batches.scale + batches.black).view(-1, 28, 28)
    mirrored = []
    for epoch in (1, 2, 3):
        shown = torch.cat([images for images, _ in batches.epoch(epoch)])[:, 0]
        same, other = ((shown[:, None] == images).flatten(2).all(2) for images in (plain, plain.flip(2)))
        assert (same | other).sum(0).eq(1).all(), "each image once, one way round"
        mirrored.append(other.any(0))
    assert torch.equal(mirrored[0], ~mirrored[1])
    assert torch.equal(mirrored[0], mirrored[2])
    assert 100 < mirrored[0].sum() < 200


def test_bf16_learns_alike_and_leaves_weights_and_results_in_float32(configure, training):
    def run(precision):
        config = configure(model="lenet", options={"features": [4, 8], "dense": 16}, subset=256, precision=precision)
        return training(config)

    exact, quick = run("float32"), run("bf16")
    losses = [[one.loss.item() for one in each.all() if isinstance(one, Step)] for each in (exact, quick)]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)
    assert losses[0] != losses[1]
    assert all(tensor.dtype == torch.float32 for tensor in quick.state.network.parameters())


def test_number_and_order_of_records(configure, training):
    records = training(configure(subset=40, batch_size=16, epochs=2)).all()
    assert [type(record) for record in records] == [*([Step] * 3 + [Epoch]) * 2, Done]
    steps = [record for record in records if isinstance(record, Step)]
    assert [(step.epoch, step.step, step.steps, step.images) for step in steps] == [
        (epoch, step, 3, images) for epoch in (1, 2) for step, images in ((1, 16), (2, 16), (3, 8))
    ]
    assert records[-1].reason == "epochs"
    assert records[-1].epoch == 2
    means = [sum(step.loss.item() * step.images for step in steps if step.epoch == epoch) / 40 for epoch in (1, 2)]
    assert [record.train_loss for record in records if isinstance(record, Epoch)] == pytest.approx(means)


@pytest.mark.parametrize("batch_size", [1, 2, 39, 40, 54_000])
def test_every_batch_size_uses_every_image(configure, training, batch_size):
    steps = [record for record in training(configure(batch_size=batch_size)).all() if isinstance(record, Step)]
    assert sum(step.images for step in steps) == 40
    assert len(steps) == math.ceil(40 / batch_size)


def test_a_remainder_of_one_joins_its_predecessor_under_batch_norm(configure, training):
    config = configure(subset=33, batch_size=16, options={"hidden": [8], "batch_norm": True})
    steps = [record.images for record in training(config).all() if isinstance(record, Step)]
    assert steps == [16, 17]


def test_batch_norm_with_single_images_is_refused_before_the_first_step(configure):
    with pytest.raises(ConfigError, match="batch_size"):
        train(configure(batch_size=1, options={"batch_norm": True}))


@pytest.mark.parametrize("values", [{}, {"loss": "mse"}, {"label_smoothing": 0.2}])
def test_pieces_add_up_to_the_whole_batch(configure, training, monkeypatch, values):
    config = configure(subset=40, batch_size=40, epochs=3, optimizer="sgd", learning_rate=0.1, **values)
    whole = training(config)
    whole.state.network.double()
    monkeypatch.setattr(plan, "PIECE_BYTES", 9 * make_plan(config).bytes_per_image)
    assert make_plan(config).piece == 9
    pieces = training(config)
    pieces.state.network.double()
    calls = []
    pieces.state.network.register_forward_pre_hook(lambda module, inputs: calls.append(len(inputs[0])))
    for one in (whole, pieces):
        one.records = _in_double(one)
    losses = [[r.loss.item() for r in one.all() if isinstance(r, Step)] for one in (whole, pieces)]
    assert calls == [9, 9, 9, 9, 4] * 3
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)
    for name, tensor in whole.weights().items():
        torch.testing.assert_close(pieces.weights()[name], tensor, rtol=1e-10, atol=1e-12)


def _in_double(one):
    """Steps alone, with images in double precision."""
    from explorer.training.loop import Loop

    body = Loop(one.config, make_plan(one.config), one.state, None, {}, lambda: False, lambda: 0.0)
    for epoch in range(1, one.config.epochs + 1):
        for images, labels in body.batches.epoch(epoch):
            yield Step(epoch, 1, 1, len(labels), body._step(images.double(), labels), 0.0)


def test_labels_smoothed_by_the_formula(configure):
    torch.manual_seed(0)
    logits, labels = torch.randn(7, 10, dtype=torch.float64), torch.arange(7)
    target = torch.full((7, 10), 0.3 / 10, dtype=torch.float64)
    target[range(7), labels] += 0.7
    expected = -(target * (logits - logits.logsumexp(1, keepdim=True))).sum(1).mean()
    torch.testing.assert_close(batch_loss(configure(label_smoothing=0.3), logits, labels), expected)


def test_squared_error_on_softmax_by_the_formula(configure):
    torch.manual_seed(0)
    logits, labels = torch.randn(7, 10, dtype=torch.float64), torch.arange(7)
    shares = logits.exp() / logits.exp().sum(1, keepdim=True)
    expected = ((shares - torch.eye(10, dtype=torch.float64)[labels]) ** 2).sum(1).mean()
    torch.testing.assert_close(batch_loss(configure(loss="mse"), logits, labels), expected)


@pytest.mark.parametrize("values", [{}, {"loss": "mse"}, {"label_smoothing": 0.2}])
def test_one_definition_of_the_loss_whatever_is_minimised(configure, training, values):
    """With one batch an epoch, the figures of training are those of the initial weights on the images."""
    from sklearn.metrics import log_loss
    from sklearn.preprocessing import label_binarize

    config = configure(batch_size=40, options={"hidden": [6]}, **values)
    one = training(config)
    batches = Batches(config, make_plan(config), load_split(config.dataset, "train"), torch.device("cpu"))
    images = batches.images.reshape(-1, 1, 28, 28).float() * batches.scale + batches.black
    with torch.no_grad():
        shares = one.state.network(images).double().softmax(1).numpy()
    step, epoch, _ = one.all()
    labels = load_split(config.dataset, "validation").labels[:100]
    later = torch.from_numpy(epoch.logits["validation"]).double().softmax(1).numpy()
    for split, found, truth in (("train", shares, batches.labels.numpy()), ("validation", later, labels)):
        expected = log_loss(truth, found, labels=range(10))
        assert getattr(epoch, f"{split}_loss") == pytest.approx(expected, rel=1e-5)
        targets = label_binarize(truth, classes=range(10))
        smoothed = -((0.8 * targets + 0.02) * np.log(found)).sum(1).mean()
        squared = ((found - targets) ** 2).sum(1).mean()
        objective = squared if "loss" in values else smoothed if values else None
        assert getattr(epoch, f"{split}_objective") == (pytest.approx(objective, rel=1e-5) if values else None)
    assert step.loss.item() == pytest.approx(epoch.train_loss)
    assert (step.objective.item() if values else None) == (pytest.approx(epoch.train_objective) if values else None)


def test_score_against_scikit_learn():
    from sklearn.metrics import accuracy_score, log_loss

    random = np.random.default_rng(0)
    logits = random.normal(0, 3, (50, 10)).astype(np.float32)
    labels = np.arange(50) % 10
    exact = np.exp(logits.astype(np.float64))
    loss, accuracy = score(logits, labels)
    assert loss == pytest.approx(log_loss(labels, exact / exact.sum(1, keepdims=True)), rel=1e-12)
    assert accuracy == accuracy_score(labels, logits.argmax(1))


def test_average_of_weights_follows_the_recursion(configure, training):
    options = {"hidden": [6], "batch_norm": True}
    one = training(configure(epochs=5, ema=0.6, options=options, learning_rate=0.05))
    mean = {name: tensor.double().clone() for name, tensor in one.state.network.state_dict().items()}
    count = 0
    for record in one.records:
        if isinstance(record, Step):
            count += 1
            decay = min(0.6, (1 + count) / (10 + count))
            for name, tensor in one.state.network.state_dict().items():
                mean[name] = decay * mean[name] + (1 - decay) * tensor.double()
    assert count == 15
    for name, tensor in one.state.average.state_dict().items():
        if tensor.is_floating_point():
            torch.testing.assert_close(tensor.double(), mean[name], rtol=1e-4, atol=1e-6)
    assert one.state.evaluated is one.state.average
    assert not torch.equal(one.weights()["1.weight"], one.state.network.state_dict()["1.weight"])


def test_the_average_is_what_is_evaluated(configure, training):
    one = training(configure(ema=0.9, learning_rate=0.1))
    epoch = next(record for record in one.records if isinstance(record, Epoch))
    split, spec = load_split("fashion-mnist", "test"), catalog.get("fashion-mnist")
    images = (torch.tensor(split.images[:100]).float().unsqueeze(1) / 255 - spec.mean) / spec.std
    with torch.no_grad():
        average, raw = (network.eval()(images).numpy() for network in (one.state.average, one.state.network))
    np.testing.assert_allclose(epoch.logits["test"], average, rtol=1e-4, atol=1e-4)
    assert np.abs(epoch.logits["test"] - raw).max() > 1e-3


def test_closing_stops_and_leaves_the_state_usable(configure, training, same):
    config = configure(epochs=2)
    one = training(config)
    list(itertools.islice(one.records, 4))
    one.records.close()
    assert list(one.records) == []
    assert (one.state.epoch, one.state.step) == (1, 0)
    assert not same(one.saved(), training(config).saved())


def test_nothing_is_written(configure, training, home, tmp_path):
    training(configure(epochs=2)).all()
    assert [path.name for path in home.iterdir()] == ["data"]
    assert list(tmp_path.iterdir()) == []


class Clock:
    """Each look at it takes a second."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 1
        return self.now


def test_time_budget_ends_within_an_epoch_with_an_evaluation(configure, training):
    one = training(configure(epochs=3, time_budget=5.5), clock=Clock())
    records = one.all()
    assert [type(record) for record in records] == [Step, Step, Step, Epoch, Step, Step, Cut, Epoch, Done]
    assert records[6] == Cut(2, 2)
    assert (records[-1].reason, records[-1].epoch) == ("time", 2)
    assert records[-1].seconds == one.state.seconds == 7
    assert [record.seconds for record in records if isinstance(record, Epoch)] == [4, 7]
    assert [record.train_seconds for record in records if isinstance(record, Epoch)] == [3, 2]


def test_time_budget_may_end_with_an_epoch(configure, training):
    records = training(configure(epochs=3, time_budget=3.5), clock=Clock()).all()
    assert [type(record) for record in records] == [Step, Step, Step, Epoch, Cut, Done]
    assert records[4] == Cut(1, 3)


@pytest.mark.parametrize("budget", [3.5, 5.5, 6.5])
def test_a_cut_that_was_noted_ends_the_resumed_run_at_the_same_place(configure, training, same, budget, figures):
    config = configure(epochs=3, time_budget=budget)
    whole = training(config, clock=Clock())
    records = whole.all()
    cut = next(record for record in records if isinstance(record, Cut))
    for position in range(records.index(cut) + 1):
        first = training(config, clock=Clock())
        list(itertools.islice(first.records, position))
        resumed = training(config, first.saved(), cut=cut, clock=lambda: 0.0)
        rest = resumed.all()
        assert not any(isinstance(record, Cut) for record in rest)
        assert rest[-1].reason == "time"
        assert same(resumed.saved(), whole.saved())
        assert figures(rest) == figures(records[position:])


def test_diverging_is_an_error_with_advice(configure, training):
    config = configure(optimizer="sgd", learning_rate=100, weight_decay=10, subset=1000, batch_size=10)
    with pytest.raises(RunError, match=r"infinite or undefined in epoch 1, step 25.*lower learning rate"):
        training(config).all()


@pytest.mark.parametrize("images", range(10, 31))
def test_diverging_in_the_last_step_is_noticed_too(configure, training, images):
    config = configure(optimizer="sgd", learning_rate=100, weight_decay=10, subset=images, batch_size=1)
    message = ""
    try:
        epoch = next(record for record in training(config).records if isinstance(record, Epoch))
        finite = math.isfinite(epoch.validation_loss) and math.isfinite(epoch.train_loss)
    except RunError as error:
        finite, message = False, str(error)
    assert finite or "lower learning rate" in message


def test_dropout_is_off_in_the_evaluation_and_on_in_training(configure, training):
    one = training(configure(epochs=1, options={"hidden": [50], "dropout": 0.5}))
    modes = []
    (dropout,) = (layer for layer in one.state.network.modules() if isinstance(layer, nn.Dropout))
    dropout.register_forward_hook(lambda layer, _inputs, _output: modes.append(layer.training))
    one.all()
    assert modes == [True, True, True, False, False]


def test_the_same_seed_gives_the_same_run_and_another_seed_another(configure, training, same):
    saved = []
    for seed in (1, 1, 2):
        one = training(configure(seed=seed, options={"dropout": 0.3}, flip=True))
        torch.manual_seed(len(saved))
        one.all()
        saved.append(one.saved())
    assert same(saved[0], saved[1])
    assert not same(saved[0], saved[2])


def test_every_optimizer_lowers_the_loss(configure, training):
    from typing import get_args

    from explorer.training.config import OptimizerName

    for name in get_args(OptimizerName):
        rate = {"adadelta": 1.0, "sgd": 0.05, "asgd": 0.05, "momentum": 0.02, "nesterov": 0.02, "radam": 0.02}.get(
            name, 0.001
        )
        config = configure(optimizer=name, learning_rate=rate, epochs=6, batch_size=40)
        losses = [r.train_loss for r in training(config).all() if isinstance(r, Epoch)]
        assert losses[-1] < 0.95 * losses[0], name
