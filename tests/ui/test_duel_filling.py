import pytest

from explorer.experiments import duels
from explorer.training.config import TrainConfig
from explorer.ui.experiments.filling import SUGGESTIONS, proposal


@pytest.mark.parametrize("model", ["mlp", "cnn", "lenet"])
def test_the_value_that_is_proposed_for_side_b_can_be_trained(model):
    config = TrainConfig(model=model)
    refused = []
    for field in duels.fields(config):
        other = proposal(config, field)
        assert other != duels.value(config, field)
        try:
            duels.rival(config, field, other)
        except duels.ConfigError:
            refused.append(field)
    assert refused == (["options.stride"] if model == "lenet" else []), "no stride but 1 fits without padding"


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("optimizer", "adam", "sgd"),
        ("learning_rate", 0.001, 0.01),
        ("batch_size", 54_000, 27_000),
        ("options.hidden", [], [100]),
        ("options.hidden", [8192], [4096]),
        ("options.dropout", 0.5, 0.1),
        ("options.batch_norm", True, False),
        ("patience", None, 3),
        ("ema", 0.0, 0.99),
    ],
)
def test_proposals(field, value, expected):
    own = {"options": {field.removeprefix("options."): value}} if field.startswith("options.") else {field: value}
    assert proposal(TrainConfig.parse(own), field) == pytest.approx(expected)


def test_each_suggestion_is_a_duel_in_one_setting():
    for one in SUGGESTIONS:
        config = TrainConfig.parse(one.config)
        assert duels.starting_point(config, duels.rival(config, one.setting, one.other)).same_weights
