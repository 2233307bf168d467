import pytest
import torch

from explorer.errors import ConfigError
from explorer.store import runs
from explorer.store.checkpoints import load_checkpoint
from explorer.training.execution import execute
from explorer.training.plan import make_plan
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


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"initial": "nonesuch"}, "there is no checkpoint 'nonesuch'"),
        ({"initial": "../../etc/passwd"}, "there is no checkpoint"),
        ({"options": {"hidden": [13]}}, "choose the same model and options"),
        ({"model": "cnn", "options": {}}, "is a 'mlp'"),
    ],
)
def test_what_does_not_fit_is_refused_before_the_run(first, configure, values, message):
    config = configure(**({**MODEL, "initial": first.id} | values))
    with pytest.raises(ConfigError, match=message):
        make_plan(config)
