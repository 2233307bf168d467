import hashlib
import json
import pickle
import struct

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import models
from explorer.errors import CheckpointError
from explorer.store.checkpoints import KEY, Metadata, encode_checkpoint, load_checkpoint, save_checkpoint

CLASSES = tuple("abcdefghij")
DESCRIPTION = {
    "format": 1,
    "model": "mlp",
    "options": {"hidden": [6], "batch_norm": True},
    "classes": list(CLASSES),
    "mean": 0.25,
    "std": 0.5,
    "config": {"dataset": "mnist", "epochs": 3},
    "metrics": {"validation_accuracy": 0.5},
    "versions": {"torch": "2"},
}


class TouchesAFile:
    """What a malicious pickle holds: unpickling it would leave a trace."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.fixture
def network():
    torch.manual_seed(0)
    return models.build("mlp", DESCRIPTION["options"])


@pytest.fixture
def path(tmp_path, network):
    """A good checkpoint."""
    file = tmp_path / "good.safetensors"
    save_checkpoint(file, network, Metadata.model_validate(DESCRIPTION))
    return file


def _rewrite(path, tensors=None, description=None, text=None):
    """Write the file again with other tensors or another description, without this project's code."""
    document = json.dumps({**DESCRIPTION, **(description or {})}) if text is None else text
    save_file({**load_file(path)} if tensors is None else tensors, path, {KEY: document})


def test_round_trip_is_exact(path, network):
    checkpoint = load_checkpoint(path)
    classifier = checkpoint.classifier()
    for name, tensor in network.state_dict().items():
        assert torch.equal(classifier.network.state_dict()[name], tensor)
    pixels = torch.rand(4, 1, 28, 28)
    expected = network.eval()((pixels - 0.25) / 0.5)
    torch.testing.assert_close(classifier(pixels), expected, rtol=0, atol=0)
    assert not classifier.training
    assert (checkpoint.name, checkpoint.model, checkpoint.dataset) == ("good", "mlp", "mnist")
    assert (checkpoint.classes, checkpoint.mean, checkpoint.std) == (CLASSES, 0.25, 0.5)
    assert checkpoint.metrics == {"validation_accuracy": 0.5}
    assert checkpoint.versions == {"torch": "2"}
    assert checkpoint.parameters == sum(parameter.numel() for parameter in network.parameters())


def test_metadata_has_the_agreed_keys(path):
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    assert list(metadata) == ["explorer"]
    assert json.loads(metadata["explorer"]) == DESCRIPTION


def test_digest_is_that_of_the_file(path):
    assert load_checkpoint(path).digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_same_content_same_bytes(network):
    metadata = Metadata.model_validate(DESCRIPTION)
    one, two = (encode_checkpoint(network, metadata) for _ in range(2))
    assert one == two
    with torch.no_grad():
        network[1].bias[0] += 1e-3
    assert encode_checkpoint(network, metadata) != one


def test_half_precision(path, network):
    save_checkpoint(path, network, Metadata.model_validate(DESCRIPTION), half=True)
    stored = load_file(path)
    assert stored["1.weight"].dtype == torch.float16
    classifier = load_checkpoint(path).classifier()
    for name, tensor in network.state_dict().items():
        expected = tensor.half().float() if tensor.is_floating_point() else tensor
        assert torch.equal(classifier.network.state_dict()[name], expected)
        assert classifier.network.state_dict()[name].dtype == tensor.dtype


def test_gradient_is_with_respect_to_pixels(path, network):
    classifier = load_checkpoint(path).classifier().double()
    pixels = torch.rand(1, 1, 28, 28, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(classifier(pixels)[0, 3], pixels)
    step, where = 1e-6, (0, 0, 9, 17)
    moved = pixels.detach().clone()
    moved[where] += step
    difference = (classifier(moved)[0, 3] - classifier(pixels)[0, 3]) / step
    assert gradient[where].item() == pytest.approx(difference.item(), rel=1e-4)
    assert gradient.abs().max() > 0


def _pickled(tmp_path):
    return pickle.dumps({"weights": TouchesAFile(tmp_path / "touched")})


@pytest.mark.parametrize(
    "content",
    [
        lambda good: b"",
        lambda good: good[:5],
        lambda good: good[: len(good) // 2],
        lambda good: good[:-1],
        lambda good: good + b"\0",
        lambda good: struct.pack("<Q", 2**63) + good[8:],
        lambda good: struct.pack("<Q", 100_000_000) + bytes(1000),
        lambda good: struct.pack("<Q", 4) + b"nope" + good,
        lambda good: struct.pack("<Q", 2) + b"[]",
        lambda good: struct.pack("<Q", 60_000) + b"[" * 60_000,
        lambda good: good[:8] + b"\xff" * 20 + good[28:],
    ],
)
def test_damaged_files(path, content):
    path.write_bytes(content(path.read_bytes()))
    with pytest.raises(CheckpointError, match=r"good\.safetensors "):
        load_checkpoint(path)


def test_pickle_in_disguise_runs_nothing(path, tmp_path):
    path.write_bytes(_pickled(tmp_path))
    with pytest.raises(CheckpointError, match="not a readable safetensors file"):
        load_checkpoint(path)
    torch.save({"weights": TouchesAFile(tmp_path / "touched")}, path)
    with pytest.raises(CheckpointError, match="not a readable safetensors file"):
        load_checkpoint(path)
    assert not (tmp_path / "touched").exists()


def test_missing_file(tmp_path):
    with pytest.raises(CheckpointError, match="no checkpoint file 'none'"):
        load_checkpoint(tmp_path / "none")


def test_directory(tmp_path):
    with pytest.raises(CheckpointError):
        load_checkpoint(tmp_path)


def test_file_without_description(path):
    save_file(load_file(path), path)
    with pytest.raises(CheckpointError, match="does not describe its model"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("description", "part"),
    [
        ({"model": "transformer"}, "no model called 'transformer'"),
        ({"model": "../mlp"}, "no model called"),
        ({"options": {"hidden": [0]}}, "hidden"),
        ({"options": {"layers": 3}}, "layers"),
        ({"options": {"hidden": [8192] * 32}}, "parameters"),
        ({"options": {"hidden": [10**30]}}, "hidden"),
        ({"options": {"hidden": "6"}}, "hidden"),
        ({"options": [1]}, "options"),
        ({"options": {"hidden": [7], "batch_norm": True}}, r"1\.weight has shape \[6, 784\] instead of \[7, 784\]"),
        ({"options": {"hidden": [6]}}, r"2\.running_mean is not part of the model"),
        ({"model": "lenet", "options": {}}, r"7\.weight is missing"),
        ({"classes": ["only one"]}, "classes"),
        ({"classes": ["x"] * 1001}, "classes"),
        ({"classes": list("abc")}, r"4\.weight has shape \[10, 6\] instead of \[3, 6\]"),
        ({"std": 0}, "std"),
        ({"std": -1}, "std"),
        ({"mean": "a lot"}, "mean"),
        ({"format": 2}, "format"),
        ({"versions": {"torch": [1]}}, "versions"),
    ],
)
def test_description_that_cannot_be_right(path, description, part):
    _rewrite(path, description=description)
    with pytest.raises(CheckpointError, match=part) as raised:
        load_checkpoint(path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("key", ["model", "options", "classes", "mean", "std", "format"])
def test_description_without_a_key(path, key):
    _rewrite(path, text=json.dumps({name: value for name, value in DESCRIPTION.items() if name != key}))
    with pytest.raises(CheckpointError, match=f"'{key}'"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        "3",
        "[" * 100_000,
        '{"format": ' * 5000,
        "1" * 10_000,
        json.dumps(DESCRIPTION).replace("0.25", "NaN"),
        json.dumps(DESCRIPTION).replace("0.25", "Infinity"),
        json.dumps(DESCRIPTION).replace("0.25", "1e999"),
        json.dumps(DESCRIPTION).replace("0.5", "1e-999"),
        json.dumps(DESCRIPTION).replace('"epochs": 3', '"epochs": NaN'),
        json.dumps(DESCRIPTION).replace('"epochs": 3', '"epochs": 1e999'),
        json.dumps(DESCRIPTION).replace('"epochs": 3', '"epochs": ' + "[" * 900 + "]" * 900),
    ],
)
def test_nonsense_in_the_description(path, text):
    _rewrite(path, text=text)
    with pytest.raises(CheckpointError):
        load_checkpoint(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*DESCRIPTION, "x"]), inner),
        max_leaves=6,
    ),
    st.sampled_from(sorted(DESCRIPTION)),
)
def test_any_json_is_loaded_or_refused_with_one_message(path, value, key):
    _rewrite(path, description={key: value})
    try:
        checkpoint = load_checkpoint(path)
        checkpoint.classifier()
        json.dumps(checkpoint.metadata.model_dump(mode="json"), allow_nan=False)
    except CheckpointError as error:
        message = str(error)
        assert message.startswith("good.safetensors")


def _changed(path, name, tensor):
    tensors = load_file(path)
    tensors[name] = tensor
    _rewrite(path, tensors)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", ["1.weight", "4.bias", "2.running_var"])
def test_weights_that_are_no_numbers(path, name, value):
    tensor = load_file(path)[name]
    tensor.view(-1)[-1] = value
    _changed(path, name, tensor)
    with pytest.raises(CheckpointError, match=f"'{name}' hold NaN or infinite"):
        load_checkpoint(path).classifier()


def test_double_precision_beyond_single(path):
    _changed(path, "4.bias", torch.full((10,), 1e300, dtype=torch.float64))
    with pytest.raises(CheckpointError, match=r"4\.bias"):
        load_checkpoint(path).classifier()


@pytest.mark.parametrize(
    ("name", "tensor", "problem"),
    [
        ("1.weight", torch.zeros(784, 6), r"1\.weight has shape \[784, 6\] instead of \[6, 784\]"),
        ("1.weight", torch.zeros(6, 784, 1), r"1\.weight has shape"),
        ("1.weight", torch.zeros(0), r"1\.weight has shape \[0\]"),
        ("1.weight", torch.zeros(6, 784, dtype=torch.int32), r"1\.weight has type I32"),
        ("2.num_batches_tracked", torch.tensor(1.5), r"2\.num_batches_tracked has type F32"),
        ("2.num_batches_tracked", torch.tensor(1j), r"2\.num_batches_tracked has type C64"),
        ("1.weight", torch.zeros(6, 784, dtype=torch.complex64), r"1\.weight has type C64"),
        ("extra", torch.zeros(2), "extra is not part of the model"),
    ],
)
def test_tensors_that_do_not_fit(path, name, tensor, problem):
    _changed(path, name, tensor)
    with pytest.raises(CheckpointError, match=problem):
        load_checkpoint(path).classifier()


def test_every_mismatch_is_listed(path):
    tensors = load_file(path)
    tensors["first"] = tensors.pop("1.weight")
    tensors["4.weight"] = torch.zeros(10, 7)
    _rewrite(path, tensors)
    with pytest.raises(CheckpointError) as raised:
        load_checkpoint(path)
    for part in ("1.weight is missing", "first is not part", "4.weight has shape [10, 7] instead of [10, 6]"):
        assert part in str(raised.value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(st.data())
def test_any_damage_gives_one_message(path, network, data):
    good = encode_checkpoint(network, Metadata.model_validate(DESCRIPTION))
    header = 8 + struct.unpack("<Q", good[:8])[0]
    damaged = bytearray(good)
    for position in data.draw(st.lists(st.integers(0, header - 1), min_size=1, max_size=4)):
        damaged[position] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(damaged))
    try:
        logits = load_checkpoint(path).classifier()(torch.zeros(1, 1, 28, 28))
    except CheckpointError as error:
        assert str(error)  # noqa: PT017 (both ways are right)
    else:
        assert logits.ndim == 2
