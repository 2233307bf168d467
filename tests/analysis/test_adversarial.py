import contextlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from explorer.analysis.adversarial.attacks import Attack
from explorer.analysis.adversarial.robustness import RobustPoint, SmallestEpsilon, robust_accuracy, sampled
from explorer.analysis.evaluation.intervals import wilson
from explorer.data.splits import load_split
from explorer.errors import CheckpointError, ConfigError
from explorer.store.checkpoints import Classifier

ATTACKS = [
    Attack("fgsm"),
    Attack("pgd", steps=4),
    Attack("fgsm", target=3),
    Attack("pgd", steps=4, target=3),
    Attack("pgd", steps=3, step_size=0.5, random_start=False),
]


@pytest.fixture(scope="module")
def digits():
    """Two hundred digits."""
    return sampled(load_split("mnist", "test"), 200)


@pytest.fixture(scope="module")
def trained():
    """A small network that has learned digits."""
    split = sampled(load_split("mnist", "train"), 2000)
    torch.manual_seed(0)
    model = Classifier(nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 10)), 0.13, 0.31)
    optimizer = torch.optim.Adam(model.parameters(), 0.003)
    images, labels = torch.tensor(split.images)[:, None] / 255, torch.tensor(split.labels)
    for _ in range(40):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
    return model.eval()


def _formula(classifier, split, epsilon, target=None):
    """FGSM as in the paper, by autograd."""
    pixels = (torch.tensor(split.images, dtype=torch.float64)[:, None] / 255).requires_grad_()
    labels = torch.tensor(split.labels) if target is None else torch.full((len(split),), target)
    nn.functional.cross_entropy(classifier(pixels), labels, reduction="sum").backward()
    way = 1 if target is None else -1
    return (pixels + way * epsilon * pixels.grad.sign()).clamp(0, 1).detach().numpy()


@pytest.mark.parametrize("target", [None, 4])
@pytest.mark.parametrize("epsilon", [0.01, 0.3])
def test_fgsm_is_the_formula(classifier, split, epsilon, target):
    found = Attack("fgsm", target).run(classifier.double(), split.images, split.labels, epsilon, batch_size=16)
    expected = _formula(classifier.eval(), split, epsilon, target)
    np.testing.assert_array_equal(found.images, expected.astype(np.float32))
    assert np.abs(found.perturbation).max() == pytest.approx(epsilon, abs=1e-6)
    assert (found.images.dtype, found.images.shape) == (np.dtype(np.float32), (40, 1, 28, 28))
    with torch.no_grad():
        after = classifier(torch.tensor(expected)).numpy()
    np.testing.assert_allclose(found.logits_after, after, atol=1e-5)
    np.testing.assert_array_equal(found.predicted_after, after.argmax(1))
    np.testing.assert_allclose(found.probabilities_after.sum(1), 1)


def test_a_model_that_is_too_sure_for_a_gradient_is_attacked_all_the_same(digits, trained):
    sure = Classifier(nn.Sequential(*trained.network), 0.13, 0.31).eval()
    sure.network.append(nn.Linear(10, 10, bias=False))
    sure.network[-1].weight.data = 1000 * torch.eye(10)
    predicted = Attack().run(sure, digits.images, epsilon=0).predicted_before
    own = replace(digits, labels=predicted)
    pixels = (torch.tensor(digits.images)[:, None] / 255).requires_grad_()
    nn.functional.cross_entropy(sure(pixels), torch.tensor(predicted)).backward()
    assert (pixels.grad.abs().amax(dim=(1, 2, 3)) == 0).float().mean() > 0.9
    found = Attack().run(sure, digits.images, epsilon=0.15)
    calm = Attack().run(trained, own.images, own.labels, epsilon=0.15)
    assert found.flipped.mean() == pytest.approx(calm.flipped.mean(), abs=0.1)
    assert found.flipped.mean() > 0.5


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("epsilon", [0.02, 0.4, 1])
def test_nothing_leaves_the_ball_or_the_range_of_pixels(classifier, split, attack, epsilon):
    found = attack.run(classifier, split.images, split.labels, epsilon)
    assert np.abs(found.perturbation).max() <= epsilon + 1e-6
    assert np.abs(found.perturbation).max() > 0.9 * epsilon * (attack.step_size is None)
    assert found.images.min() >= 0
    assert found.images.max() <= 1
    np.testing.assert_array_equal(found.originals[:, 0], (split.images / np.float32(255)).astype(np.float32))


@pytest.mark.parametrize("attack", ATTACKS)
def test_epsilon_zero_changes_nothing(classifier, split, attack):
    found = attack.run(classifier, split.images, split.labels, 0)
    np.testing.assert_array_equal(found.images, found.originals)
    np.testing.assert_allclose(found.logits_after, found.logits_before, atol=1e-5)
    assert not found.flipped.any()


def test_epsilons_image_by_image(classifier, split):
    sizes = np.linspace(0, 1, 40)
    for attack in ATTACKS[:2]:
        found = attack.run(classifier, split.images, split.labels, sizes)
        np.testing.assert_array_equal(found.epsilon, sizes)
        assert (np.abs(found.perturbation).max(axis=(1, 2, 3)) <= sizes + 1e-6).all()


@pytest.mark.parametrize("attack", [Attack("fgsm", target=1), Attack("pgd", target=1, steps=5)])
def test_a_linear_model_has_a_known_answer(split, attack):
    torch.manual_seed(1)
    model = Classifier(nn.Sequential(nn.Flatten(), nn.Linear(784, 2)), 0.3, 0.25).eval()
    slope = (model.network[1].weight[1] - model.network[1].weight[0]).detach().numpy().reshape(28, 28)
    found = attack.run(model, split.images, epsilon=0.05)
    expected = np.clip(split.images / 255 + 0.05 * np.sign(slope), 0, 1)
    np.testing.assert_allclose(found.images[:, 0], expected, atol=1e-6)
    assert found.targeted
    np.testing.assert_array_equal(found.reached, found.predicted_after == 1)


def test_pgd_is_at_least_as_strong_as_fgsm(trained, digits):
    errors = []
    for epsilon in (0.03, 0.06, 0.1):
        fast, many = (Attack(method).run(trained, digits.images, digits.labels, epsilon) for method in ("fgsm", "pgd"))
        right = [(one.predicted_after == digits.labels).sum() for one in (fast, many)]
        assert right[1] <= right[0]
        errors.append(right)
    assert errors[0][0] > errors[2][0]
    assert sum(fast for fast, _ in errors) > sum(many for _, many in errors)


def test_what_pgd_returns_is_what_the_model_sees(trained, digits):
    found = Attack("pgd").run(trained, digits.images, digits.labels, 0.05)
    with torch.no_grad():
        np.testing.assert_allclose(trained(torch.tensor(found.images)).numpy(), found.logits_after, atol=1e-4)


def test_the_random_start_has_a_generator_of_its_own(trained, digits):
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first = Attack("pgd", steps=1).run(trained, digits.images, epsilon=0.1)
    assert torch.equal(torch.get_rng_state(), state)
    again = Attack("pgd", steps=1).run(trained, digits.images, epsilon=0.1, batch_size=7)
    np.testing.assert_allclose(first.images, again.images, atol=1e-5)
    other = Attack("pgd", steps=1, seed=1).run(trained, digits.images, epsilon=0.1)
    assert np.abs(first.images - other.images).max() > 0.05


@pytest.mark.parametrize("context", [contextlib.nullcontext, torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("attack", ATTACKS[:2])
def test_the_classifier_is_only_read_whatever_mode_the_caller_is_in(classifier, split, context, attack):
    weights = {name: value.clone() for name, value in classifier.state_dict().items()}
    with context():
        found = attack.run(classifier, split.images, split.labels, 0.1)
    np.testing.assert_array_equal(found.images, attack.run(classifier, split.images, split.labels, 0.1).images)
    assert all(module.training for module in classifier.modules())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in classifier.parameters())
    assert all(torch.equal(value, weights[name]) for name, value in classifier.state_dict().items())


def test_a_drawing_needs_no_label(trained):
    drawing = np.zeros((1, 28, 28), np.uint8)
    drawing[0, 4:24, 13:16] = 255
    found = Attack("pgd").run(trained, drawing, epsilon=0.3)
    assert found.aims.tolist() == found.predicted_before.tolist()
    assert found.flipped.tolist() == found.reached.tolist() == [True]
    same = Attack("pgd").run(trained, drawing[:, None].astype(np.float32) / 255, epsilon=0.3)
    np.testing.assert_array_equal(same.images, found.images)


@pytest.mark.parametrize("attack", [Attack(), Attack("pgd", steps=5), Attack(target=2), Attack("pgd", target=2)])
def test_the_smallest_epsilon_flips_the_class_and_the_one_before_does_not(trained, digits, attack):
    image = digits.images[digits.labels != 2][3]
    found = SmallestEpsilon.find(trained, image, attack, limit=0.4, grid=8)
    epsilons, place = found.tried.epsilon, found.place
    assert epsilons[0] == 0
    assert (np.diff(epsilons) > 0).all()
    assert found.epsilon == epsilons[place]
    assert epsilons[place] - epsilons[place - 1] == pytest.approx(0.4 / 64)
    assert found.tried.reached.tolist()[: place + 1] == [False] * place + [True]
    again = attack.run(trained, image[None], epsilon=found.epsilon)
    if attack.method == "fgsm":
        np.testing.assert_allclose(again.images[0], found.image, atol=1e-6)
        assert again.reached.all()


def test_the_smallest_epsilon_of_a_linear_model_follows_from_its_margin():
    torch.manual_seed(0)
    model = Classifier(nn.Sequential(nn.Flatten(), nn.Linear(784, 2)), 0.0, 1.0).eval().double()
    pixels = np.full((1, 28, 28), 0.5)
    with torch.no_grad():
        first, second = model(torch.tensor(pixels)[None])[0].tolist()
        reach = (model.network[1].weight[0] - model.network[1].weight[1]).abs().sum().item()
    found = SmallestEpsilon.find(model, pixels)
    assert found.epsilon == pytest.approx(abs(first - second) / reach, abs=0.5 / 32**2)


def test_an_image_that_nothing_fools_or_that_is_there_already(trained, digits):
    image, predicted = digits.images[0], int(Attack().run(trained, digits.images[:1]).predicted_before[0])
    there = SmallestEpsilon.find(trained, image, Attack(target=predicted))
    assert there.epsilon == 0
    np.testing.assert_array_equal(there.image[0], image.astype(np.float32) / 255)
    never = SmallestEpsilon.find(trained, image, limit=1e-6)
    assert (never.epsilon, never.place, never.image) == (None, None, None)
    for limit in (0, 1.1):
        with pytest.raises(ConfigError, match="largest epsilon"):
            SmallestEpsilon.find(trained, image, limit=limit)


def test_accuracy_against_epsilon(trained, digits):
    attacks = (Attack("fgsm"), Attack("pgd", steps=4))
    points = list(robust_accuracy(trained, digits.images, digits.labels, (0, 0.1), attacks, batch_size=128))
    assert [(p.epsilon, p.method, p.n, p.complete) for p in points] == [
        (epsilon, method, n, n == 200) for epsilon in (0, 0.1) for method in ("fgsm", "pgd") for n in (128, 200)
    ]
    complete = {(p.epsilon, p.method): p for p in points if p.complete}
    with torch.no_grad():
        clean = (trained(torch.tensor(digits.images)[:, None] / 255).argmax(1).numpy() == digits.labels).mean()
    assert complete[0, "fgsm"].accuracy == complete[0, "pgd"].accuracy == clean
    expected = attacks[0].run(trained, digits.images, digits.labels, 0.1).predicted_after == digits.labels
    assert complete[0.1, "fgsm"].correct == expected.sum()
    assert complete[0.1, "pgd"].accuracy <= complete[0.1, "fgsm"].accuracy < clean
    assert complete[0.1, "fgsm"].interval == wilson(int(expected.sum()), 200)
    assert RobustPoint("fgsm", 0.1, 100, 200, 200).interval == pytest.approx((0.4313, 0.5687), abs=1e-4)


def test_a_sample_has_the_classes_in_proportion_and_is_always_the_same():
    split = load_split("fashion-mnist", "test")
    some = sampled(split, 100)
    assert np.bincount(some.labels).tolist() == [10] * 10
    np.testing.assert_array_equal(some.images, split.images[some.indices])
    np.testing.assert_array_equal(some.indices, sampled(split, 100).indices)
    assert sampled(split, 20_000) is split


@pytest.mark.parametrize("epsilon", [-0.1, 1.5, float("nan")])
def test_epsilons_out_of_range_are_refused(classifier, split, epsilon):
    with pytest.raises(ConfigError, match="between 0 and 1"):
        Attack().run(classifier, split.images, epsilon=epsilon)


@pytest.mark.parametrize("attack", [Attack("pgd", steps=0), Attack("pgd", step_size=0)])
def test_settings_that_go_nowhere_are_refused(classifier, split, attack):
    with pytest.raises(ConfigError, match="at least one step"):
        attack.run(classifier, split.images)


@pytest.mark.parametrize("target", [-1, 10])
def test_a_class_that_the_model_lacks_is_refused(classifier, split, target):
    with pytest.raises(ConfigError, match="10 classes"):
        Attack(target=target).run(classifier, split.images)
    with pytest.raises(ConfigError, match="10 classes"):
        Attack().run(classifier, split.images, np.full(40, target))


@pytest.mark.parametrize(
    "pixels", [np.full((1, 1, 28, 28), 1.2), np.full((1, 1, 28, 28), np.nan), np.zeros((1, 28, 28))]
)
def test_what_are_no_pixels_is_refused(classifier, pixels):
    with pytest.raises(ConfigError, match="between 0 and 1"):
        Attack().run(classifier, pixels)


def test_no_image_is_refused(classifier):
    with pytest.raises(ConfigError, match="no image"):
        Attack().run(classifier, np.zeros((0, 28, 28), np.uint8))


@pytest.mark.parametrize("attack", ATTACKS[:2])
def test_weights_that_are_not_finite_are_refused(classifier, split, attack):
    with torch.no_grad():
        classifier.network[-1].weight[3, 4] = float("nan")
    with pytest.raises(CheckpointError, match="not finite"):
        attack.run(classifier, split.images)
