import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from explorer.analysis.attribution import METHODS, Target
from explorer.analysis.evaluation.predictions import to_pixels
from explorer.analysis.faithfulness.deletion import CHANCE, perturbation_curves
from explorer.analysis.faithfulness.randomisation import Randomised, cascade, parametrised_layers, rank_correlations
from explorer.analysis.faithfulness.verdict import ALIKE, Examination, FaithfulnessVerdict, examine
from explorer.data.splits import load_split
from explorer.errors import CheckpointError, ConfigError
from explorer.store.catalog import resolve
from explorer.store.checkpoints import Classifier, load_checkpoint


@pytest.fixture
def image():
    return torch.rand((1, 1, 28, 28), generator=torch.Generator().manual_seed(4))


@pytest.fixture
def decided(linear):
    """The linear classifier with larger weights, so that probabilities move."""
    model, _ = linear
    with torch.no_grad():
        model.network[1].weight.mul_(3)
    return model


@pytest.fixture
def rectified():
    torch.manual_seed(2)
    network = nn.Sequential(
        nn.Conv2d(1, 3, 5, stride=2), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 144, 10)
    )
    for parameter in network[1].parameters():
        nn.init.uniform_(parameter, 0.5, 1.5)
    return Classifier(network, mean=0.3, std=0.35).eval()


def _edges(classifier, pixels, target):
    return (pixels - pixels.roll(1, dims=-1)).abs() + (pixels - pixels.roll(1, dims=-2)).abs()


def _contributions(classifier, pixels, target):
    return METHODS["input-x-gradient"].attribute(classifier, pixels, target)


def _fresh_noise(seed):
    generator = torch.Generator().manual_seed(seed)
    return lambda classifier, pixels, target: torch.randn(pixels.shape, generator=generator)


def _probability(model, image, k, against=None):
    """Probability of class k in float64, by NumPy and SciPy."""
    with torch.no_grad():
        logits = model(image)[0].double().numpy()
    if against is not None:
        logits = logits[[k, against]]
        k = 0
    return np.exp(logits - np.logaddexp.reduce(logits))[k]


@pytest.mark.parametrize("against", [None, 6])
def test_curves_equal_pixels_removed_one_step_after_the_other(decided, image, against):
    target = Target(torch.tensor([3]), None if against is None else torch.tensor([against]))
    scores = torch.rand((1, 1, 28, 28), generator=torch.Generator().manual_seed(8))
    start = torch.full_like(image, 0.4)
    curves = perturbation_curves(decided, image, target, scores, baseline=start, steps=8, repeats=3)
    np.testing.assert_allclose(curves.shares, np.arange(9) / 8)
    removed, added = image.clone(), start.clone()
    order = scores.flatten().argsort(descending=True)
    for step in range(9):
        if step:
            for pixel in order[98 * (step - 1) : 98 * step].tolist():
                removed.view(-1)[pixel] = 0.4
                added.view(-1)[pixel] = image.view(-1)[pixel]
        np.testing.assert_allclose(curves.deletion[step], _probability(decided, removed, 3, against), rtol=1e-4)
        np.testing.assert_allclose(curves.insertion[step], _probability(decided, added, 3, against), rtol=1e-4)
    assert curves.deletion_area == pytest.approx((curves.deletion[1:] + curves.deletion[:-1]).sum() / 16)
    assert curves.insertion_area == pytest.approx((curves.insertion[1:] + curves.insertion[:-1]).sum() / 16)


def test_removing_in_one_order_is_adding_in_the_opposite_order_backwards(decided, image):
    scores, target = torch.randn((1, 1, 28, 28), generator=torch.Generator().manual_seed(8)), torch.tensor([3])
    one = perturbation_curves(decided, image, target, scores, repeats=2)
    opposite = perturbation_curves(decided, image, target, -scores, repeats=2)
    np.testing.assert_allclose(one.insertion, opposite.deletion[::-1], rtol=1e-5)
    np.testing.assert_allclose(one.deletion, opposite.insertion[::-1], rtol=1e-5)


def test_random_orders_are_random_and_the_same_for_a_seed(decided, image):
    target, scores = torch.tensor([3]), torch.zeros(1, 1, 28, 28)
    first, again, other = (
        perturbation_curves(decided, image, target, scores, repeats=60, seed=seed).random for seed in (0, 0, 1)
    )
    assert first.shape == (60, 15)
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first[:, 1:-1], other[:, 1:-1])
    whole, none = (_probability(decided, one, 3) for one in (image, torch.zeros_like(image)))
    np.testing.assert_allclose(first[:, 0], whole, rtol=1e-4)
    np.testing.assert_allclose(first[:, -1], none, rtol=1e-4)
    curves = perturbation_curves(decided, image, target, scores, repeats=60)
    low, high = curves.band("deletion", 0.9)
    np.testing.assert_allclose(low, np.quantile(first, 0.05, axis=0))
    np.testing.assert_allclose(high, np.quantile(first, 0.95, axis=0))
    np.testing.assert_allclose(curves.band("insertion", 0.9)[0], low[::-1])


def test_the_contributions_of_a_linear_model_beat_every_order(decided, image):
    k = int(decided(image).argmax())
    target, against = torch.tensor([k]), torch.tensor([(k + 1) % 10])
    margin = Target(target, against)
    curves = perturbation_curves(decided, image, margin, _contributions(decided, image, margin), repeats=60)
    assert curves.deletion_area < curves.random_areas.min()
    assert curves.insertion_area > curves.random_areas.max()
    assert curves.p_deletion == curves.p_insertion == 1 / 61
    assert (np.diff(curves.deletion) <= 1e-6).sum() >= 7
    worst = perturbation_curves(decided, image, margin, -_contributions(decided, image, margin), repeats=60)
    assert worst.p_deletion == worst.p_insertion == 1
    assert not worst.better_than_chance


def test_of_random_maps_at_most_one_in_twenty_is_better_than_chance(decided, image):
    passed, sides = 0, []
    for seed in range(150):
        noise = _fresh_noise(seed)(decided, image, None)
        curves = perturbation_curves(decided, image, torch.tensor([3]), noise, steps=4, repeats=79, seed=1000 + seed)
        passed += curves.better_than_chance
        sides += [curves.p_deletion]
    assert passed <= stats.binom.ppf(0.999, 150, 2 * CHANCE)
    assert stats.kstest(sides, "uniform").pvalue > 0.001


def test_rank_correlations_equal_scipy():
    random = np.random.default_rng(2)
    values = random.integers(0, 5, (4, 50)).astype(float)
    expected = [stats.spearmanr(values[0], row).statistic for row in values[1:]]
    np.testing.assert_allclose(rank_correlations(values), expected)
    np.testing.assert_allclose(rank_correlations(np.stack([values[0], -values[0], values[0] ** 3])), [-1, 1])
    assert np.isnan(rank_correlations(np.stack([values[0], np.ones(50), np.ones(50) + 1e-9 * values[1]]))).all()


def test_the_cascade_randomises_a_copy_from_the_output_down(rectified, image):
    before = {name: (value.data_ptr(), value.clone()) for name, value in rectified.state_dict().items()}
    networks = []

    def explain(model, pixels, target):
        networks.append({name: value.clone() for name, value in model.state_dict().items()})
        return pixels

    assert parametrised_layers(rectified, (1, 28, 28)) == (("network.0", "network.1"), ("network.4",))
    stages = list(cascade(explain, rectified, image, torch.tensor([1]), image, draws=3))
    assert [(stage.layer, stage.kind) for stage in stages] == [
        ("network.4", "Linear"),
        ("network.0", "Conv2d"),
    ]
    assert len(networks) == 2 + 3
    for number, state in enumerate(networks):
        changed = {name.rpartition(".")[0] for name in state if not torch.equal(state[name], before[name][1])}
        assert changed == ({"network.4"} if number < 2 else {"network.0", "network.1", "network.4"})
    first, second = networks[0]["network.4.weight"], networks[1]["network.4.weight"]
    assert not torch.equal(first, second)
    assert torch.equal(first, networks[2]["network.4.weight"])
    trained = before["network.4.weight"][1]
    torch.testing.assert_close(first.square().mean(), trained.square().mean(), rtol=0.1, atol=0)
    assert abs(np.corrcoef(first.flatten(), trained.flatten())[0, 1]) < 0.1
    for name, value in rectified.state_dict().items():
        assert value.data_ptr() == before[name][0]
        assert torch.equal(value, before[name][1])
    np.testing.assert_allclose(np.concatenate([(stage.signed, stage.absolute) for stage in stages], axis=1), 1)


def test_a_stage_compares_the_maps_of_the_randomised_network(rectified, image):
    explain = METHODS["input-gradient"].with_options()
    original, seen = explain(rectified, image, torch.tensor([1])), []

    def noting(model, pixels, target):
        seen.append(explain(model, pixels, target))
        return seen[-1]

    *_, stage = cascade(noting, rectified, image, torch.tensor([1]), original, draws=3, seed=5)
    assert torch.equal(stage.example, seen[2])
    for draw, found in enumerate(seen[2:]):
        pair = original.flatten().numpy(), found.flatten().numpy()
        assert stage.signed[draw] == pytest.approx(stats.spearmanr(*pair).statistic)
        assert stage.absolute[draw] == pytest.approx(stats.spearmanr(*map(np.abs, pair)).statistic)


@pytest.mark.parametrize(
    ("explain", "expected"),
    [
        (_contributions, FaithfulnessVerdict.FOLLOWS),
        (METHODS["integrated-gradients"].with_options(), FaithfulnessVerdict.FOLLOWS),
        (_fresh_noise(3), FaithfulnessVerdict.CHANCE),
        (_edges, FaithfulnessVerdict.INDEPENDENT),
        (lambda classifier, pixels, target: pixels.clone(), FaithfulnessVerdict.INDEPENDENT),
    ],
    ids=["contributions", "integrated", "noise", "edges", "image"],
)
def test_verdicts_on_a_linear_model(decided, image, explain, expected):
    target = decided(image).argmax(dim=1)
    *before, last = examine(explain, decided, image, target)
    assert [one.verdict for one in before] == [None]
    assert [one.complete for one in (*before, last)] == [False, True]
    assert last.verdict == expected
    assert last.layers == ("network.1",)
    assert torch.equal(last.attribution, before[0].attribution)


@pytest.mark.parametrize("value", [0.0, 0.25])
def test_a_constant_map_is_refused(decided, image, value):
    with pytest.raises(ConfigError, match="Nothing to examine"):
        next(examine(lambda model, pixels, target: torch.full_like(pixels, value), decided, image, torch.tensor([1])))


def test_constant_maps_of_random_networks_are_not_another_map(decided, image):
    """A method that answers for the trained network alone: nothing can be said of what its map depends on."""
    explain = lambda classifier, pixels, target: pixels * (classifier is decided)  # noqa: E731
    *_, last = examine(explain, decided, image, torch.tensor([1]))
    assert last.verdict == FaithfulnessVerdict.UNKNOWN
    assert np.isnan(last.similarity)
    assert last.indifferent_to == last.layers
    some = Examination(image, last.curves, ("a",), (_stage("a", np.nan, 0.9, np.nan, 0.8, np.nan),))
    assert some.similarity == pytest.approx(0.85)
    assert some.verdict == FaithfulnessVerdict.INDEPENDENT


def _stage(layer, *signed):
    return Randomised(layer, "Linear", np.array(signed), np.array(signed), torch.zeros(1))


def test_the_rule_of_the_verdict(decided, image):
    curves = perturbation_curves(decided, image, torch.tensor([1]), torch.zeros_like(image), repeats=2)
    found = Examination(image, curves, ("c", "b", "a"), (_stage("c", 0.9, 0.8, 0.7), _stage("b", 0.2, 0.6, 0.55)))
    assert found.similarity is None
    assert found.verdict is None
    assert found.indifferent_to == ("c", "b")
    opposite = Examination(image, curves, ("c", "a"), (_stage("c", -0.9, -0.8, -0.7), _stage("a", -0.9, 0.6, 0.1)))
    assert opposite.indifferent_to == ()
    assert opposite.similarity == pytest.approx(0.6)
    assert opposite.verdict == FaithfulnessVerdict.INDEPENDENT
    limit = Examination(image, curves, ("a",), (_stage("a", ALIKE - 0.01),))
    assert limit.verdict == FaithfulnessVerdict.CHANCE
    assert Examination(image, curves, ()).verdict == FaithfulnessVerdict.INDEPENDENT


def test_an_examination_can_be_cancelled(rectified, image):
    calls = []

    def explain(model, pixels, target):
        calls.append(1)
        return _contributions(model, pixels, target)

    running = examine(explain, rectified, image, torch.tensor([1]), draws=2)
    assert next(running).stages == ()
    assert len(next(running).stages) == 1
    running.close()
    assert len(calls) == 3
    assert not any(module._forward_hooks for module in rectified.modules())


def test_what_cannot_be_examined(decided, image):
    with pytest.raises(ConfigError, match="10 classes"):
        perturbation_curves(decided, image, torch.tensor([10]), image)
    with torch.no_grad():
        decided.network[1].bias[2] = float("nan")
    with pytest.raises(CheckpointError, match="not finite"):
        perturbation_curves(decided, image, torch.tensor([1]), image)
    with pytest.raises(CheckpointError, match="not finite"):
        next(examine(_contributions, decided, image, torch.tensor([1])))


def test_a_trained_network():
    classifier = load_checkpoint(resolve("fashion-mnist-lenet")).classifier()
    pixels = to_pixels(load_split("fashion-mnist", "test").images[:1])
    target = classifier(pixels).argmax(dim=1)
    *_, faithful = examine(METHODS["deep-lift"].with_options(), classifier, pixels, target, repeats=39, draws=2)
    assert faithful.verdict == FaithfulnessVerdict.FOLLOWS
    assert faithful.indifferent_to == ()
    guided = METHODS["guided-backpropagation"].with_options()
    *_, last = examine(guided, classifier, pixels, target, repeats=2, draws=3)
    assert last.indifferent_to[:2] == ("network.10", "network.7")
    *_, image = examine(_edges, classifier, pixels, target, repeats=2, draws=1)
    assert image.verdict == FaithfulnessVerdict.INDEPENDENT
    assert image.indifferent_to == ("network.10", "network.7", "network.3", "network.0")
