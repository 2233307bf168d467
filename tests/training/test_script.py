import ast
import contextlib
import io
import itertools
import os
import re
import subprocess
import sys
from dataclasses import replace
from typing import get_args

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

import models
from explorer.data import augmentation, catalog
from explorer.data.splits import load_split
from explorer.errors import ConfigError
from explorer.training import presets, script
from explorer.training.batches import Batches
from explorer.training.config import OptimizerName, Schedule, TrainConfig
from explorer.training.loop import train
from explorer.training.optimizers import learning_rate, make_optimizer
from explorer.training.plan import input_shape, make_plan
from explorer.training.randomness import generator
from explorer.training.records import Cut, Epoch, Step
from explorer.training.script import plain_script
from explorer.training.state import TrainingState
from models.cnn import AfterFirst, Layer
from models.layers import Activation, Initialisation

ALLOWED = {"gzip", "sys", "hashlib", "torch", "torchvision.models"}
REFUSED = ("numpy", "safetensors", "pandas", "pydantic", "scipy", "PIL", "explorer", "models", "torchvision")
GUARD = """
import runpy, sys
sys.modules.update(dict.fromkeys({refused!r}))  # None there makes an import fail as if the library were not installed
sys.argv = [{path!r}, {folder!r}]
runpy.run_path({path!r}, run_name="__main__")
"""
SMALL = {"subset": 3000, "epochs": 2, "device": "cpu", "threads": 1}
MOST_LINES = 110
TINY = {"features": [4, 8], "dense": 64}
"""Options of a quick lenet."""


def configure(**values):
    return TrainConfig.parse(SMALL | values)


def folder(config):
    return str(catalog.get(config.dataset).folder)


def ours(config):
    """The validation accuracies of the project's own run, in percent."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    found = [100 * record.validation_accuracy for record in train(config) if isinstance(record, Epoch)]
    torch.set_num_threads(threads)
    return found


def accuracies(output):
    return [float(number) for number in re.findall(r"validation accuracy ([0-9.]+)%", output)]


def executed(text, config, until="for epoch in "):
    """Run the beginning of a script, up to a line, and return its names."""
    lines = list(itertools.takewhile(lambda line: not line.startswith(until), text.splitlines()))
    names, argv = {}, sys.argv
    sys.argv = ["train.py", folder(config), "start.pt"]
    try:
        exec(compile("\n".join(lines), "train.py", "exec"), names)
    finally:
        sys.argv = argv
    return names


def run_here(text, config, *arguments):
    """Run a whole script in this process and return what it prints."""
    argv, threads = sys.argv, torch.get_num_threads()
    sys.argv = ["train.py", folder(config), *arguments]
    output = io.StringIO()
    try:
        with contextlib.redirect_stdout(output):
            exec(compile(text, "train.py", "exec"), {})
    finally:
        sys.argv = argv
        torch.set_num_threads(threads)
    return output.getvalue()


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"model": "lenet", "subset": 1000, "options": TINY | {"dropout": 0.2}, "flip": True, "shift": 2, "erase": 0.5},
    ],
    ids=["mlp", "lenet"],
)
def test_with_pytorch_alone_it_reaches_the_same_accuracies(tmp_path, values):
    config = configure(**values)
    path = tmp_path / "train.py"
    path.write_text(plain_script(config))
    code = GUARD.format(refused=REFUSED, path=str(path), folder=folder(config))
    environment = {"OMP_NUM_THREADS": "1", "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert accuracies(done.stdout) == pytest.approx(ours(config), abs=0.5)


@pytest.mark.parametrize(
    "values",
    [
        {"dataset": "mnist", "options": {"batch_norm": True, "dropout": 0.3}, "batch_size": 1000, "schedule": "cosine"},
        {"model": "cnn", "subset": 800, "options": {"after_first": "batch-norm-dropout"}, "ema": 0.9},
        {"model": "resnet", "subset": 300, "epochs": 1, "options": {"width": 2, "depth": 3}},
        {"optimizer": "nesterov", "learning_rate": 0.05, "loss": "mse", "schedule": "step", "step_epochs": 1},
        {"schedule": "one-cycle", "label_smoothing": 0.1, "weight_decay": 0.01, "optimizer": "adamw", "seed": 9},
        {"options": {"hidden": [30, 20, 10, 10, 10, 10], "initialisation": "he"}, "batch_size": 2, "subset": 400},
        {"subset": 54_000, "epochs": 1, "batch_size": 500},
        {"adversarial": 0.1, "options": {"batch_norm": True, "dropout": 0.3}},
        {
            "flip": True,
            "flip_order": "alternating",
            "optimizer": "nesterov",
            "weight_decay": 0.01,
            "decay_biases": False,
        },
        {"precision": "bf16", "model": "resnet", "options": {"stages": [2, 4], "blocks": [1, 1]}, "subset": 300},
        {"adversarial": 0.05, "model": "lenet", "options": TINY, "subset": 500, "batch_size": 16, "flip": True},
    ],
)
def test_every_kind_of_configuration_reaches_the_same_accuracies(values):
    config = configure(**values)
    text = plain_script(config)
    assert "blake2b" in text
    assert accuracies(run_here(text, config)) == pytest.approx(ours(config), abs=0.5)


@pytest.mark.parametrize(("dataset", "subset"), [("fashion-mnist", 54_000), ("mnist", 54_000), ("mnist", 333)])
def test_the_division_is_that_of_the_project(dataset, subset):
    config = configure(dataset=dataset, subset=subset)
    names = executed(plain_script(config), config)
    assert sorted(names["validation"]) == load_split(dataset, "validation").indices.tolist()
    split = load_split(dataset, "train")
    batches = Batches(config, make_plan(config), split, torch.device("cpu"))
    train_images = names["images"][names["train"]]
    expected = batches.images.reshape(-1, 1, 28, 28).float().mul_(batches.scale).add_(batches.black)
    assert torch.equal(train_images, expected)
    assert torch.equal(names["labels"][names["train"]], batches.labels)


NETWORKS = [
    ("mlp", {"hidden": []}),
    ("mlp", {"hidden": [20, 7], "activation": "gelu", "dropout": 0.2, "batch_norm": True, "initialisation": "normal"}),
    ("mlp", {"hidden": [9] * 12, "activation": "leaky-relu", "initialisation": "xavier"}),
    ("mlp", {"hidden": [8, 9] * 14, "activation": "softplus", "batch_norm": True, "dropout": 0.5}),
    ("lenet", {"features": [3, 5], "dense": 11, "kernel": 3, "stride": 2, "padding": 2, "pooling": "average"}),
    ("lenet", {"features": [3, 5], "dense": 11, "initialisation": "he", "activation": "tanh", "dropout": 0.3}),
    *(("cnn", {"leave_out": layer}) for layer in get_args(Layer)),
    *(("cnn", {"after_first": kind, "width": 0.5, "extra_conv": True}) for kind in get_args(AfterFirst)),
    ("resnet", {"width": 3, "depth": 4}),
    ("resnet", {"stages": [2, 3, 3, 5], "blocks": [1, 4, 1, 2]}),
    ("resnet18", {}),
]


@pytest.mark.parametrize(("model", "options"), NETWORKS)
def test_the_network_begins_with_the_same_weights_and_answers_alike(model, options):
    config = configure(model=model, options=options, seed=3, epochs=1)
    text = plain_script(config)
    start = text.index('seed("3/weights")')
    head = text[: text.index("images = read(")]
    names = executed(head + text[start:], config, until="optimizer = ")
    network, expected = names["network"], TrainingState(config, torch.device("cpu")).network
    pairs = zip(network.state_dict().values(), expected.state_dict().values(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
    images = torch.rand(4, 1, 28, 28)
    for module in (network, expected):
        module.eval()
    torch.testing.assert_close(network(images), expected(images))
    network.train(), expected.train()
    torch.manual_seed(0)
    trained = network(images)
    torch.manual_seed(0)
    torch.testing.assert_close(trained, expected(images))


@pytest.mark.parametrize("name", get_args(OptimizerName))
@pytest.mark.parametrize("weight_decay", [0.0, 0.03])
def test_the_optimizer_has_the_same_settings(name, weight_decay):
    config = configure(optimizer=name, weight_decay=weight_decay, momentum=0.7, learning_rate=0.0123)
    network = nn.Linear(2, 2)
    names = {"optim": torch.optim, "network": network}
    exec(re.search(r"^optimizer = optim\..*?\)$", plain_script(config), re.MULTILINE | re.DOTALL)[0], names)
    made = names["optimizer"]
    expected = make_optimizer(config, network.parameters())
    assert type(made) is type(expected)
    without = [
        {key: value for key, value in one.param_groups[0].items() if key != "params"} for one in (made, expected)
    ]
    assert without[0] == without[1]


SCHEDULES = [
    {"schedule": "constant"},
    {"schedule": "step", "step_epochs": 2, "step_factor": 0.3},
    {"schedule": "cosine"},
    {"schedule": "one-cycle"},
    {"schedule": "one-cycle", "warmup": 0.05},
    {"schedule": "one-cycle", "epochs": 1, "batch_size": 30, "warmup": 0.5},
    {"schedule": "one-cycle", "epochs": 1, "batch_size": 60, "warmup": 0.5},
]


@pytest.fixture
def recorded(monkeypatch):
    """The learning rates that a script uses, step by step, on a hundredth of the validation images."""

    def record(text, config):
        rates = []
        handle = register_optimizer_step_pre_hook(
            lambda optimizer, _arguments, _keywords: rates.append(optimizer.param_groups[0]["lr"])
        )
        try:
            run_here(text, config)
        finally:
            handle.remove()
        return rates

    return record


@pytest.mark.parametrize("values", SCHEDULES)
def test_the_learning_rate_is_the_same_at_every_step(recorded, values):
    config = configure(**{"subset": 60, "batch_size": 16, "epochs": 5, "learning_rate": 0.02} | values)
    steps = make_plan(config).steps
    expected = [learning_rate(config, step, steps) for step in range(config.epochs * steps)]
    assert recorded(plain_script(config), config) == pytest.approx(expected, rel=1e-9, abs=1e-10)


@pytest.mark.parametrize("schedule", get_args(Schedule))
def test_learning_rates_set_on_the_way_and_an_early_end_are_repeated(recorded, schedule):
    config = configure(subset=60, batch_size=16, epochs=6, learning_rate=0.02, schedule=schedule, step_epochs=2)
    rates, cut = {2: 0.1, 5: 0.004}, Cut(5, 3)
    text = plain_script(config, rates=rates, cut=cut)
    assert "was ended in epoch 5" in text
    expected = [record.learning_rate for record in train(config, rates=rates, cut=cut) if isinstance(record, Step)]
    assert len(expected) == 4 * 4 + 3
    assert recorded(text, config) == pytest.approx(expected, rel=1e-9, abs=1e-10)


def test_an_end_after_a_whole_epoch_needs_no_break(recorded):
    config = configure(subset=60, batch_size=16, epochs=6)
    text = plain_script(config, cut=Cut(2, 4))
    assert "break" not in text
    assert len(recorded(text, config)) == 8


@pytest.mark.parametrize("fill", ["mean", "random"])
def test_augmented_images_are_those_of_the_project(fill):
    config = configure(flip=True, shift=3, erase=0.7, erase_fill=fill, seed=5)
    text = plain_script(config)
    lines = [line.strip() for line in text.splitlines()]
    chosen = lines[lines.index("x = images[batch]") + 1 : lines.index("optimizer.zero_grad()")]
    images = torch.randn(300, 1, 28, 28)
    draws = generator(5, "augmentation", 2, 7)
    expected = augmentation.flip(images, draws)
    expected = augmentation.shift(expected, 3, -0.28622 / 0.35309, draws)
    expected = augmentation.erase(expected, 0.7, 0.0 if fill == "mean" else None, draws)
    names = {"torch": torch, "nn": nn, "x": images}
    torch.default_generator.manual_seed(generator(5, "augmentation", 2, 7).initial_seed())
    exec("\n".join(chosen), names)
    torch.testing.assert_close(names["x"], expected, rtol=0, atol=0)
    assert 'seed(f"5/augmentation/{epoch}/{step}")' in text


def test_it_stops_without_progress_as_the_run_does():
    config = configure(subset=50, epochs=30, patience=2, learning_rate=0.02)
    expected = ours(config)
    assert 2 < len(expected) < 30
    assert accuracies(run_here(plain_script(config), config)) == pytest.approx(expected, abs=0.01)


def test_a_batch_too_large_for_the_memory_is_added_up_in_pieces(monkeypatch):
    monkeypatch.setattr("explorer.training.plan.PIECE_BYTES", 4 * 2 * (784 + 784 + 100 + 100 + 10) * 128)
    for extra in ({"loss": "mse"}, {"flip": True}, {"adversarial": 0.1, "flip": True}):
        config = configure(batch_size=500, **extra)
        text = plain_script(config)
        assert ".split(128)" in text
        assert accuracies(run_here(text, config)) == pytest.approx(ours(config), abs=0.1)


def test_a_single_image_at_the_end_joins_the_others_under_batch_norm():
    config = configure(subset=129, batch_size=64, options={"batch_norm": True, "hidden": [10]}, epochs=1)
    text = plain_script(config)
    assert "tensor_split" in text
    assert accuracies(run_here(text, config)) == pytest.approx(ours(config), abs=0.5)


def test_a_run_that_began_with_a_checkpoint_begins_with_its_weights(tmp_path):
    config = configure(initial="fashion-mnist-mlp", subset=500, epochs=1)
    weights = tmp_path / "start.pt"
    torch.save(TrainingState(config.model_copy(update={"seed": 8}), torch.device("cpu")).network.state_dict(), weights)
    text = plain_script(config)
    assert "python train.py FOLDER START.pt" in text
    expected = ours(config.model_copy(update={"initial": "", "seed": 8}))
    found = accuracies(run_here(text, config, str(weights)))
    assert found == pytest.approx(expected, abs=3)
    assert found != pytest.approx(ours(config.model_copy(update={"initial": ""})), abs=0.01)


@pytest.mark.parametrize(("initial", "arguments"), [("", 0), ("x", 1)])
def test_without_its_arguments_it_says_how_it_is_run_and_where_the_data_lies(monkeypatch, initial, arguments):
    text = plain_script(configure(initial=initial, epochs=1))
    monkeypatch.setattr(sys, "argv", ["train.py", "nowhere"][: 1 + arguments])
    with pytest.raises(SystemExit) as ended:
        exec(compile(text, "train.py", "exec"), {})
    assert ended.value.code == ast.get_docstring(ast.parse(text), clean=False)
    assert f"python train.py FOLDER{' START.pt' * bool(initial)}" in ended.value.code
    assert "github.com/zalandoresearch/fashion-mnist" in ended.value.code


@pytest.mark.parametrize("depth", [3, 4])
def test_the_weights_of_a_residual_network_are_taken_in_order(tmp_path, depth):
    config = configure(model="resnet", options={"width": 2, "depth": depth}, initial="x", subset=50, epochs=1)
    expected = TrainingState(configure(**config.model_dump(exclude={"seed"}), seed=8), torch.device("cpu")).network
    torch.save(expected.state_dict(), tmp_path / "start.pt")
    line = next(line for line in plain_script(config).splitlines() if "load_state_dict" in line)
    names = executed(plain_script(config), config, until="network.load_state_dict")
    argv, sys.argv = sys.argv, ["train.py", "", str(tmp_path / "start.pt")]
    exec(line, names)
    sys.argv = argv
    pairs = zip(names["network"].state_dict().values(), expected.state_dict().values(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


@pytest.mark.parametrize("text", ['"""\nimport os\n"""', "'''", "\\", "a\nb", "{x}"])
def test_no_text_of_a_user_reaches_the_script(text):
    config = configure(initial=text)
    assert plain_script(config) == plain_script(configure(initial="other"))


def test_a_fork_says_that_the_script_starts_from_random_weights():
    text = plain_script(configure(), parent={"run": '"""x', "epoch": 3})
    assert "went on from epoch 3 of another one; this starts from random weights." in " ".join(text.split())
    assert '"""x' not in text
    assert "prints the run's accuracies" in " ".join(plain_script(configure()).split())
    assert "accuracies" not in text


def test_a_network_of_another_kind_is_refused_with_a_sentence(monkeypatch):
    class Other(nn.Module):
        def forward(self, x):
            return x.flatten(1)[:, :10]

    for network in (Other(), nn.Sequential(nn.Flatten(), nn.Bilinear(784, 3, 10))):
        changed = replace(script.make_recipe(configure(), {}, None), network=network)
        monkeypatch.setattr(script, "make_recipe", lambda *_arguments, changed=changed: changed)
        with pytest.raises(ConfigError, match="cannot be written as a"):
            plain_script(configure())


def rarely(values):
    return st.one_of(st.just(None), st.just(None), values)


@st.composite
def configurations(draw):
    pick = lambda *values: draw(st.sampled_from(values))  # noqa: E731
    model = pick(*models.names())
    options = {
        "mlp": {
            "hidden": draw(st.lists(st.integers(1, 60), max_size=12)),
            "activation": pick(*get_args(Activation)),
            "dropout": pick(0.0, 0.25),
            "batch_norm": pick(True, False),
            "initialisation": pick(*get_args(Initialisation)),
        },
        "lenet": {
            "features": [draw(st.integers(1, 9)), draw(st.integers(1, 9))],
            "kernel": pick(3, 5),
            "padding": pick(0, 2),
            "pooling": pick("max", "average"),
            "activation": pick(*get_args(Activation)),
            "dropout": pick(0.0, 0.1),
            "initialisation": pick(*get_args(Initialisation)),
        },
        "cnn": {
            "width": pick(0.2, 1.0),
            "after_first": pick(*get_args(AfterFirst)),
            "extra_conv": pick(True, False),
            "leave_out": pick(*get_args(Layer)),
        },
        "resnet": {"stages": pick([2, 4], [24, 48, 96], [3, 3, 3, 5]), "blocks": None},
        "resnet18": {},
    }[model]
    if model == "resnet":
        options["blocks"] = [draw(st.integers(1, 4)) for _ in options["stages"]]
    values = {
        "model": model,
        "options": options,
        "dataset": pick("mnist", "fashion-mnist"),
        "optimizer": pick(*get_args(OptimizerName)),
        "learning_rate": draw(st.floats(1e-5, 1, exclude_min=True)),
        "schedule": pick(*get_args(Schedule)),
        "weight_decay": pick(0.0, 0.0005),
        "loss": pick("cross-entropy", "cross-entropy", "mse"),
        "label_smoothing": pick(0.0, 0.1),
        "batch_size": pick(2, 64, 128),
        "epochs": draw(st.integers(1, 100)),
        "subset": pick(54_000, 54_000, 5_000, 4_321),
        "seed": draw(st.integers(0, 2**31 - 1)),
        "device": pick("auto", "auto", "cpu", "cuda"),
        "decay_biases": pick(True, False),
        "precision": pick("float32", "float32", "bf16"),
        "flip": draw(rarely(st.just(True))),
        "flip_order": pick("random", "alternating"),
        "erase_fill": pick("mean", "random"),
        "shift": draw(rarely(st.integers(1, 14))),
        "erase": draw(rarely(st.just(0.5))),
        "ema": draw(rarely(st.just(0.99))),
        "patience": draw(rarely(st.integers(1, 9))),
        "threads": draw(rarely(st.just(2))),
    }
    return {key: value for key, value in values.items() if value is not None}


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    """A folder that collects scripts, whose format is looked at once for all."""
    place = tmp_path_factory.mktemp("scripts")
    yield place
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", "100", "--diff", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[:2000]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=configurations())
def test_any_configuration_makes_a_short_tidy_script(scripts, values):
    try:
        config = TrainConfig.parse(values)
        text = plain_script(config)
    except ConfigError as error:
        assume("Batch norm needs" not in str(error) and "map is only" not in str(error))
        raise
    (scripts / f"{len(list(scripts.iterdir()))}.py").write_text(text)
    assert len(text.splitlines()) <= MOST_LINES
    assert all(len(line) <= 100 for line in text.splitlines())
    tree = ast.parse(text)
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert imported <= ALLOWED
    assert ("torchvision.models" in imported) == (config.model == "resnet18")
    assert text == plain_script(config)


def test_the_usual_ones_have_a_layer_a_line():
    text = plain_script(TrainConfig())
    assert "    nn.Linear(784, 100),\n    nn.ReLU(),\n    nn.Linear(100, 10),\n" in text
    assert len(text.splitlines()) <= 65


def test_every_run_of_the_coursework_makes_a_script_of_at_most_eighty_lines():
    configs = [preset.config for preset in presets.presets() if preset.group == presets.COURSEWORK]
    assert max(len(plain_script(TrainConfig.parse(config)).splitlines()) for config in configs) <= 80


def test_input_shape_is_what_the_script_reshapes_to():
    shape = input_shape(TrainConfig())
    assert f".view(-1, {shape.channels}, {shape.size}, {shape.size})" in plain_script(TrainConfig())
