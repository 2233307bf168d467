import pytest

from explorer.errors import ConfigError
from explorer.training.config import TrainConfig
from explorer.training.settings import apply_settings


@pytest.mark.parametrize(
    ("setting", "field", "value"),
    [
        ("epochs=3", "epochs", 3),
        (" epochs = 3 ", "epochs", 3),
        ("learning_rate=1e-2", "learning_rate", 0.01),
        ("optimizer=sgd", "optimizer", "sgd"),
        ('optimizer="sgd"', "optimizer", "sgd"),
        ("flip=true", "flip", True),
        ("flip=True", "flip", True),
        ("time_budget=null", "time_budget", None),
        ("dataset=mnist", "dataset", "mnist"),
    ],
)
def test_fields(setting, field, value):
    assert getattr(TrainConfig.parse(apply_settings({}, [setting])), field) == value


@pytest.mark.parametrize(
    ("setting", "option", "value"),
    [
        ("model.hidden=200,100", "hidden", [200, 100]),
        ("model.hidden=[200,100]", "hidden", [200, 100]),
        ("hidden=200", "hidden", [200]),
        ("hidden=[]", "hidden", []),
        ("hidden=7,", "hidden", [7]),
        ("dropout=0.5", "dropout", 0.5),
        ("model.activation=tanh", "activation", "tanh"),
        ("batch_norm=true", "batch_norm", True),
    ],
)
def test_options(setting, option, value):
    assert TrainConfig.parse(apply_settings({}, [setting])).options[option] == value


def test_later_settings_and_settings_over_the_file_win_and_the_file_stays():
    given = {"epochs": 1, "options": {"dropout": 0.1, "hidden": [3]}}
    values = apply_settings(given, ["epochs=2", "epochs=4", "dropout=0.3"])
    assert values["epochs"] == 4
    assert values["options"] == {"dropout": 0.3, "hidden": [3]}
    assert given == {"epochs": 1, "options": {"dropout": 0.1, "hidden": [3]}}


def test_options_belong_to_the_model_chosen_anywhere():
    config = TrainConfig.parse(apply_settings({"model": "mlp"}, ["width=2", "model=cnn"]))
    assert config.options["width"] == 2


@pytest.mark.parametrize("setting", ["epochs", "=3", "", "  =3"])
def test_what_is_no_setting(setting):
    with pytest.raises(ConfigError, match="Write key=value"):
        apply_settings({}, [setting])


@pytest.mark.parametrize(
    "setting", ["colour=red", "options={}", "model.epochs=3", "model.kernel=3", "kernel=3", "__class__=1", "Epochs=3"]
)
def test_unknown_keys_are_refused_and_the_known_ones_named(setting):
    with pytest.raises(ConfigError, match=r"There is no setting .*epochs.*model\.hidden"):
        apply_settings({}, [setting])


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", "", "[[1]", "9" * 5000, "[" * 5000])
def test_values_that_make_no_sense_are_refused_by_the_configuration(value):
    with pytest.raises(ConfigError, match="learning_rate"):
        TrainConfig.parse(apply_settings({}, [f"learning_rate={value}"]))


@pytest.mark.parametrize("options", [5, [1, 2], "ab", None])
def test_options_in_a_file_must_be_an_object(options):
    with pytest.raises(ConfigError, match="'options'"):
        apply_settings({"options": options}, [])


@pytest.mark.parametrize("model", [5, None, ["mlp"], {"a": 1}])
def test_a_model_that_is_no_name(model):
    with pytest.raises(ConfigError, match="There is no model called"):
        apply_settings({"model": model}, ["epochs=3"])
