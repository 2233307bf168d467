import json
import subprocess
import sys
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import models
from explorer.errors import ConfigError
from explorer.paths import ROOT
from explorer.training.config import TrainConfig
from explorer.training.presets import presets
from explorer.ui.kit import training_form
from explorer.ui.kit.training_form import from_document, from_parameter, to_document, to_parameter

CHANGED = TrainConfig.parse(
    {
        "dataset": "mnist",
        "model": "lenet",
        "options": {"kernel": 3, "features": [8, 16]},
        "initial": "mnist-lenet",
        "learning_rate": 0.1,
        "flip": True,
        "time_budget": 60,
    }
)


def test_only_what_differs_from_the_defaults_is_written():
    assert to_parameter(TrainConfig()) == "{}"
    assert json.loads(to_parameter(CHANGED)) == {
        "dataset": "mnist",
        "model": "lenet",
        "options": {"kernel": 3, "features": [8, 16]},
        "initial": "mnist-lenet",
        "learning_rate": 0.1,
        "flip": True,
        "time_budget": 60.0,
    }
    assert " " not in to_parameter(CHANGED)


@pytest.mark.parametrize("config", [TrainConfig(), CHANGED, *(TrainConfig.parse(one.config) for one in presets())])
def test_both_texts_give_the_configuration_back(config):
    assert from_parameter(to_parameter(config)) == config
    assert from_document(to_document(config).encode()) == config
    assert set(json.loads(to_document(config))) == set(TrainConfig.model_fields)


def test_the_longest_configuration_fits():
    longest = {"options": {"hidden": [8192] * 32}, "initial": "\\" * 128, "learning_rate": 1 / 3}
    assert len(to_parameter(TrainConfig.parse(longest))) < training_form.MAX_LENGTH / 2


def test_a_link_carries_the_data_set_in_the_sidebars_parameter():
    assert training_form.parameters(TrainConfig()) == {"dataset": "fashion-mnist"}
    assert training_form.link(TrainConfig(), "/train") == "/train"
    address = urlsplit(training_form.link(CHANGED, "http://host:1/sub/train"))
    query = {name: values[0] for name, values in parse_qs(address.query).items()}
    assert (address.netloc, address.path, query["dataset"]) == ("host:1", "/sub/train", "mnist")
    rest = from_parameter(query["config"])
    assert "dataset" not in rest.model_fields_set
    assert rest.model_copy(update={"dataset": "mnist"}) == CHANGED


NONSENSE = {
    "": "not valid JSON",
    "{": "not valid JSON",
    "[1]": "must be a JSON object",
    "null": "must be a JSON object",
    '"x"': "must be a JSON object",
    '{"learning_rate":NaN}': "learning_rate",
    '{"learning_rate":1e999}': "learning_rate",
    '{"epochs":0}': "epochs",
    '{"epochs":' + "9" * 3900 + "}": "epochs",
    '{"seed":[' + "[" * 500 + "]" * 500 + "]}": "seed",
    "[" * 3900: "not valid JSON",
    '{"options":{"hidden":"x"}}': "hidden",
    '{"options":[]}': "options",
    '{"model":"vit"}': "vit",
    '{"dataset":"../mnist"}': "no data set",
    '{"surprise":1}': "surprise",
    '{"\\ud800":1}': "unicode",
    '{"dataset":"\\ud800"}': "unicode",
    '{"initial":"\\ud800"}': "unicode",
    '{"config":{"epochs":"many"}}': "epochs",
    "x" * 4001: "4,000 characters",
    '{"seed":1' + " " * 4000 + "}": "4,000 characters",
}


@pytest.mark.parametrize(("text", "reason"), NONSENSE.items(), ids=[text[:20] for text in NONSENSE])
def test_nonsense_is_one_short_message(text, reason):
    with pytest.raises(ConfigError) as raised:
        from_parameter(text)
    assert reason in str(raised.value)
    assert len(str(raised.value)) <= training_form.MAX_MESSAGE
    str(raised.value).encode()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from([*TrainConfig.model_fields, "config", "surprise"]) | st.text(max_size=5)


@settings(deadline=None)
@given(st.dictionaries(NAMES, VALUES, max_size=5) | VALUES)
def test_any_json_is_a_configuration_or_one_message(document):
    text = json.dumps(document)
    try:
        config = from_parameter(text)
    except ConfigError as error:
        str(error).encode()
    else:
        assert from_parameter(to_parameter(config)) == config


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_a_configuration_or_one_message(data):
    try:
        from_document(data)
    except ConfigError as error:
        str(error).encode()


def test_a_file_may_hold_more_than_the_configuration():
    values = CHANGED.model_dump(mode="json")
    run = {"name": "<b>", "config": values, "tags": []}
    assert from_document(json.dumps(run).encode()) == CHANGED
    assert from_document(b"\xef\xbb\xbf" + to_document(CHANGED).encode()) == CHANGED
    with pytest.raises(ConfigError, match="larger than 1 MB"):
        from_document(b" " * ((1 << 20) + 1))
    with pytest.raises(ConfigError, match="UTF-8"):
        from_document(b"\xff\xfe")


def test_the_file_trains_on_the_command_line(tmp_path, home):
    config = {"model": "mlp", "options": {"hidden": [4]}, "subset": 100, "batch_size": 50, "epochs": 1, "threads": 1}
    file = tmp_path / "config.json"
    file.write_text(to_document(TrainConfig.parse(config)))
    command = [sys.executable, "-m", "explorer", "train", "--config", str(file), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=150, check=True)
    run = json.loads(done.stdout)["run"]
    kept = json.loads((home / "runs" / run / "config.json").read_text())["config"]
    assert kept == TrainConfig.parse(config).model_dump(mode="json")
    assert from_document((home / "runs" / run / "config.json").read_bytes()) == TrainConfig.parse(config)


def test_every_option_of_every_model_comes_back():
    for name in models.names():
        options = models.get(name).options().model_dump(mode="json")
        assert to_parameter(TrainConfig.parse({"model": name, "options": options})).count("options") == 0
