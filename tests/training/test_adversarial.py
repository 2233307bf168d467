import pytest
import torch
from torch import nn

from explorer.analysis.adversarial.attacks import Attack
from explorer.data import catalog
from explorer.data.splits import load_split
from explorer.store.checkpoints import Classifier
from explorer.training.adversarial import with_examples
from explorer.training.records import Step
from explorer.training.seeds.loop import objection_to_vectorising

pytestmark = pytest.mark.usefixtures("quick")
SPEC = catalog.get("fashion-mnist")


@pytest.fixture
def network():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(784, 20), nn.BatchNorm1d(20), nn.ReLU(), nn.Dropout(0.5))
    network.append(nn.Linear(20, 10))
    return network.train()


@pytest.fixture
def batch():
    split = load_split("fashion-mnist", "test")
    pixels = torch.tensor(split.images[:31])[:, None] / 255
    return pixels, (pixels - SPEC.mean) / SPEC.std, torch.tensor(split.labels[:31])


def test_every_second_image_is_the_fgsm_example(network, batch):
    pixels, images, labels = batch
    before = images.clone()
    found = with_examples(network, images, labels, 0.1, SPEC)
    classifier = Classifier(network, SPEC.mean, SPEC.std)
    example = Attack("fgsm").run(classifier, pixels[::2].numpy(), labels[::2].numpy(), 0.1)
    torch.testing.assert_close(found[::2] * SPEC.std + SPEC.mean, torch.tensor(example.images), rtol=0, atol=1e-5)
    assert torch.equal(found[1::2], images[1::2])
    assert torch.equal(images, before)
    assert (found[::2] - images[::2]).abs().max().item() == pytest.approx(0.1 / SPEC.std, abs=1e-5)


def test_making_examples_leaves_no_trace(network, batch):
    _, images, labels = batch
    state = {name: value.clone() for name, value in network.state_dict().items()}
    random = torch.get_rng_state()
    with_examples(network, images, labels, 0.1, SPEC)
    assert all(module.training for module in network.modules())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in network.parameters())
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)


def test_epsilon_zero_is_off(network, batch):
    _, images, labels = batch
    assert with_examples(network, images, labels, 0, SPEC) is images


def test_a_batch_of_one_is_changed(network, batch):
    _, images, labels = batch
    assert not torch.equal(with_examples(network, images[:1], labels[:1], 0.1, SPEC), images[:1])


def test_the_loss_of_a_step_is_that_of_clean_and_changed_images(configure, training, batch):
    config = configure(options={"hidden": [12]}, adversarial=0.2)
    one = training(config)
    network = one.state.network
    images, labels = next(iter(_batches(config)))
    mixed = with_examples(network, images, labels, 0.2, SPEC)
    expected = nn.functional.cross_entropy(network(mixed), labels).item()
    assert expected > nn.functional.cross_entropy(network(images), labels).item() + 0.1
    step = next(record for record in one.records if isinstance(record, Step))
    assert step.loss.item() == pytest.approx(expected, rel=1e-6)


def _batches(config):
    from explorer.training.batches import Batches
    from explorer.training.plan import make_plan

    return Batches(config, make_plan(config), load_split("fashion-mnist", "train"), torch.device("cpu")).epoch(1)


def test_it_defends(configure, training):
    images = load_split("mnist", "validation")
    right = []
    for epsilon in (0.0, 0.1):
        config = configure(
            dataset="mnist", options={"hidden": [32]}, subset=2000, epochs=8, learning_rate=0.003, adversarial=epsilon
        )
        one = training(config)
        one.all()
        spec = catalog.get("mnist")
        classifier = Classifier(one.state.evaluated, spec.mean, spec.std)
        for method in ("fgsm", "pgd"):
            found = Attack(method).run(classifier, images.images[:300], images.labels[:300], 0.1)
            right.append((found.predicted_after == images.labels[:300]).mean())
    assert right[2] > right[0] + 0.2
    assert right[3] > right[1] + 0.2


def test_several_seeds_are_trained_one_after_the_other(configure):
    assert objection_to_vectorising(configure()) is None
    assert "one network at a time" in objection_to_vectorising(configure(adversarial=0.1))
