import pytest
import torch

from explorer.errors import ConfigError
from explorer.store import runs
from explorer.store.catalog import resolve
from explorer.store.checkpoints import load_checkpoint
from explorer.training.plan import make_plan
from explorer.training.queue.execution import execute
from explorer.training.seeds.state import SeedsState
from explorer.training.settings import apply_settings
from explorer.training.state import TrainingState

pytestmark = pytest.mark.usefixtures("quick")
MODEL = {"options": {"hidden": [12]}, "epochs": 1}


@pytest.fixture
def first(configure):
    run = runs.create(configure(**MODEL).model_dump(mode="json"))
    execute(run)
    return run


def test_a_run_starts_from_the_weights_of_another(first, configure):
    config = configure(**MODEL, initial=first.id, dataset="mnist", learning_rate=1e-12)
    run = runs.create(config.model_dump(mode="json"))
    execute(run)
    before, after = (load_checkpoint(one.weights(1)).classifier().network.state_dict() for one in (first, run))
    for name, weights in before.items():
        torch.testing.assert_close(after[name], weights, rtol=0, atol=1e-8)


def test_the_average_starts_there_too(first, configure):
    state = TrainingState(configure(**MODEL, ema=0.9), torch.device("cpu"))
    state.start_from(load_checkpoint(first.weights(1)))
    assert state.average is not None
    for mean, weights in zip(state.average.parameters(), state.network.parameters(), strict=True):
        assert torch.equal(mean, weights)


def test_what_has_no_weights_may_differ(configure):
    plain = runs.create(configure(options={"hidden": [12, 7]}, epochs=1).model_dump(mode="json"))
    execute(plain)
    source = load_checkpoint(plain.weights(1))
    values = apply_settings({"initial": plain.id}, ["dropout=0.5"])
    assert (values["model"], values["options"]) == ("mlp", source.options | {"dropout": 0.5})
    config = configure(**values)
    expected = list(source.classifier().network.state_dict().values())
    single = TrainingState(config, torch.device("cpu"))
    several = SeedsState(config, (0, 1), torch.device("cpu"))
    for state in (single, several):
        state.start_from(source)
    assert single.network.state_dict().keys() != source.classifier().network.state_dict().keys()
    for found in (single.network.state_dict(), several.network.single(1)):
        assert all(torch.equal(one, other) for one, other in zip(found.values(), expected, strict=True))


@pytest.mark.parametrize(
    ("values", "settings", "expected"),
    [
        ({"initial": "fashion-mnist-cnn", "model": "cnn"}, [], {"model": "cnn", "dropout": None}),
        ({"initial": "fashion-mnist-cnn"}, ["model.dropout=0.3"], {"model": "cnn", "dropout": 0.3}),
        ({}, ["initial=fashion-mnist-cnn", "extra_conv=true"], {"model": "cnn", "dropout": None}),
    ],
)
def test_model_and_options_are_those_of_the_checkpoint_unless_given(values, settings, expected):
    shipped = load_checkpoint(resolve("fashion-mnist-cnn"))
    found = apply_settings(values, settings)
    dropout = shipped.options["dropout"] if expected["dropout"] is None else expected["dropout"]
    assert (found["model"], found["options"]["dropout"]) == (expected["model"], dropout)
    assert found["options"].keys() == shipped.options.keys()


def test_a_checkpoint_that_is_gone_does_not_matter_where_all_options_are_given(configure):
    values = configure(options={"hidden": [3]}, initial="gone").model_dump(mode="json")
    assert apply_settings(values, ["epochs=2"])["options"] == values["options"]
    with pytest.raises(ConfigError, match="no checkpoint 'gone'"):
        apply_settings({"initial": "gone"}, [])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"initial": "nonesuch"}, "there is no checkpoint 'nonesuch'"),
        ({"initial": "../../etc/passwd"}, "there is no checkpoint"),
        ({"options": {"hidden": [13]}}, "weights of the same shapes"),
        ({"model": "cnn", "options": {}}, "are those of a 'mlp'"),
    ],
)
def test_what_does_not_fit_is_refused_before_the_run(first, configure, values, message):
    config = configure(**({**MODEL, "initial": first.id} | values))
    with pytest.raises(ConfigError, match=message):
        make_plan(config)
