"""Weights from elsewhere: what is read, what is refused, and that nothing in a file is ever executed."""

import io
import os
import pickle
import random
import resource
import struct
import sys
import zipfile

import pytest
import torch
import torchvision
from safetensors.torch import save
from torch import nn
from torch.nn import functional as F

import models
from explorer.errors import CheckpointError, ConfigError, DataError
from explorer.store import _convert_worker as worker
from explorer.store import catalog, conversion
from explorer.store.checkpoints import Metadata, encode_checkpoint, load_checkpoint
from explorer.store.conversion import describes_itself, read_weights
from explorer.store.importing import import_checkpoint, import_described, slug
from explorer.store.recognition import compare, guess, shapes


class TouchesAFile:
    """Unpickling this would create a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


class Tutorial(nn.Module):
    """The network of the usual first MNIST lesson, with names of its own."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 10, 5), nn.Conv2d(10, 20, 5)
        self.fc1, self.fc2 = nn.Linear(320, 50), nn.Linear(50, 10)

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.relu(F.max_pool2d(self.conv2(x), 2))
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


class Quickstart(nn.Module):
    """Two hidden layers of the same size: only their order tells them from each other."""

    def __init__(self):
        super().__init__()
        self.stack = nn.Sequential(
            nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)
        )

    def forward(self, x):
        return self.stack(x.flatten(1))


class Padded(nn.Module):
    """Convolutions with padding and batch norm, in containers of their own."""

    def __init__(self):
        super().__init__()
        self.features = nn.ModuleDict({"b": nn.Conv2d(1, 6, 5, padding=2), "a": nn.Conv2d(6, 16, 5, padding=2)})
        self.classifier = nn.Sequential(nn.Linear(16 * 49, 32), nn.ReLU(), nn.Linear(32, 10))

    def forward(self, x):
        for layer in self.features.values():
            x = F.max_pool2d(F.relu(layer(x)), 2)
        return self.classifier(x.flatten(1))


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture
def weights():
    return dict(models.build("mlp", {"hidden": [8]}).state_dict())


def _torch_file(content, **options):
    buffer = io.BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()


def _repacked(data, change):
    """Write the zip file of `torch.save` again, compressed, its entries passed through `change`."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new,
    ):
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return buffer.getvalue()


# reading


@pytest.fixture
def here(monkeypatch, tmp_path):
    """Convert in this process, without limits: the same code, but no interpreter to start."""

    def convert(data):
        source, target = tmp_path / "source", tmp_path / "target"
        source.write_bytes(data)
        code = worker.main(str(source), str(target), str(conversion.MEMORY), "30")
        if code != worker.DONE:
            raise CheckpointError(conversion._PROBLEMS[code])
        return target.read_bytes()

    monkeypatch.setattr(worker, "limit", lambda memory, seconds: None)
    monkeypatch.setattr(conversion, "_convert", convert)


def _check_round_trip(weights, data, filename):
    read = read_weights(data, filename)
    assert list(read) == list(weights)
    for name, tensor in weights.items():
        assert torch.equal(read[name], tensor)
        assert read[name].dtype == tensor.dtype


def test_tensors_come_out_of_the_process_as_they_went_in(weights):
    _check_round_trip(weights, _torch_file(weights), "Net.PT")


def test_tensors_come_out_of_safetensors_as_they_went_in(weights):
    _check_round_trip({name: weights[name] for name in sorted(weights)}, save(weights), "net.safetensors")


@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", None])
@pytest.mark.parametrize("zipped", [True, False])
def test_wrappers_and_the_old_format(weights, key, zipped, here):
    content = weights if key is None else {"epoch": 3, key: weights, "loss": 0.5}
    _check_round_trip(weights, _torch_file(content, _use_new_zipfile_serialization=zipped), "net.pth")


def test_order_of_the_file_survives_conversion(here):
    names = ["z", "a", "layer10", "layer9"]
    tensors = {f"{name}.weight": torch.full((2,), float(number)) for number, name in enumerate(names)}
    assert list(read_weights(_torch_file(tensors), "x.pt")) == list(tensors)
    assert list(read_weights(save(tensors), "x.safetensors")) == [
        f"{n}.weight" for n in ("a", "layer9", "layer10", "z")
    ]


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "model.", "network."])
def test_prefixes_of_wrappers_are_taken_away(weights, prefix):
    read = read_weights(save({prefix + name: tensor for name, tensor in weights.items()}), "x.safetensors")
    assert set(read) == set(weights)


def test_prefix_of_some_names_stays(weights):
    named = {f"module.{name}" if name.startswith("1") else name: tensor for name, tensor in weights.items()}
    assert set(read_weights(save(named), "x.safetensors")) == set(named)


def test_tied_and_half_and_strided_tensors_can_be_read(here):
    base = torch.randn(4, 6).half()
    read = read_weights(_torch_file({"a": base, "b": base, "c": base.t(), "d": base[1:, ::2]}), "x.pth")
    for name, expected in {"a": base, "b": base, "c": base.t(), "d": base[1:, ::2]}.items():
        assert torch.equal(read[name], expected)


def test_missing_step_counters_are_added():
    norm = nn.BatchNorm1d(3).state_dict()
    del norm["num_batches_tracked"]
    read = read_weights(save({f"n.{name}": tensor for name, tensor in norm.items()}), "x.safetensors")
    assert read["n.num_batches_tracked"].item() == 0


# refusing


def _refused(data, filename, part):
    with pytest.raises(CheckpointError, match=part) as raised:
        read_weights(data, filename)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 400


def _evil_files(evil):
    yield from (pickle.dumps({"1.weight": evil}, protocol=protocol) for protocol in range(6))
    yield _torch_file({"1.weight": evil})
    yield _torch_file({"1.weight": evil}, _use_new_zipfile_serialization=False)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("filename", ["evil.pt", "evil.safetensors"])
def test_pickle_that_would_run_something(tmp_path, filename, here):
    trace = tmp_path / "touched"
    part = "readable as safetensors" if filename.endswith("safetensors") else "could run code|not a readable PyTorch"
    for data in _evil_files(TouchesAFile(trace)):
        _refused(data, filename, part)
        assert not trace.exists()


def test_pickle_that_would_run_something_in_the_process(tmp_path):
    trace = tmp_path / "touched"
    evil = TouchesAFile(trace)
    _refused(_torch_file({"1.weight": evil}), "evil.pt", "could run code")
    assert not trace.exists()
    pickle.loads(pickle.dumps(evil))
    assert trace.exists()


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (nn.Linear(3, 3), "could run code"),
        ([torch.zeros(2)], "other than a state dict"),
        ({}, "other than a state dict"),
        ({"lr": 0.1, "weight": torch.zeros(2)}, "other than a state dict"),
        ({1: torch.zeros(2)}, "other than a state dict"),
        ({"a": {"b": torch.zeros(2)}}, "other than a state dict"),
        ({"a": torch.zeros(2, 2).to_sparse()}, "other than a state dict|not a readable"),
        ({"a": torch.zeros(2, dtype=torch.complex64)}, "other than a state dict"),
        ({"a": torch.zeros(2, device="meta")}, "other than a state dict|not a readable"),
        ({"a": torch.zeros(1).expand(1 << 36)}, "more than 128 MB"),
        ({"a": torch.zeros(1).expand(1 << 26)}, "more than 128 MB"),
    ],
    ids=["module", "list", "empty", "number", "keys", "nested", "sparse", "complex", "meta", "huge", "large"],
)
def test_other_content(content, part, here):
    _refused(_torch_file(content), "x.pt", part)


def test_zip_bombs_are_not_unpacked(weights, monkeypatch):
    monkeypatch.setattr(conversion, "MEMORY", 128 << 20)
    zeros = bytes(160 << 20)
    small = _torch_file(weights)
    data = _repacked(small, lambda name, content: zeros if name.endswith("/data/0") else content)
    assert len(data) < 2 << 20
    _refused(data, "bomb.pt", "more than 128 MB|not a readable|stopped")
    _refused(_repacked(small, lambda name, content: zeros if "data.pkl" in name else content), "bomb.pt", "128 MB|stop")


def test_endless_pickle_is_stopped(monkeypatch):
    monkeypatch.setattr(conversion, "CPU_SECONDS", 1)
    operations = b"\x80\x02" + b"]q\x00" * (8 << 20)
    _refused(operations, "long.pt", "not a readable|stopped|128 MB")


def test_slow_process_is_stopped(monkeypatch, weights):
    monkeypatch.setattr(conversion, "WALL_SECONDS", 0.05)
    _refused(_torch_file(weights), "x.pt", "took longer")


def test_system_without_limits_refuses(monkeypatch, weights):
    monkeypatch.setitem(sys.modules, "resource", None)
    _refused(_torch_file(weights), "x.pt", "cannot limit what they use.*safetensors")
    assert set(read_weights(save(weights), "x.safetensors")) == set(weights)


def test_limit_that_is_not_enforced_is_noticed(monkeypatch):
    monkeypatch.setattr(resource, "setrlimit", lambda *arguments: None)
    with pytest.raises(OSError, match="not enforced"):
        worker.limit(64 << 20, 10)
    assert worker.main("", "", str(64 << 20), "10") == worker.NO_LIMITS


@pytest.mark.parametrize("ending", [".pt", ".safetensors"])
def test_truncated_and_random_files(weights, ending, here):
    good = _torch_file(weights) if ending == ".pt" else save(weights)
    part = "not a readable PyTorch|other than" if ending == ".pt" else "not readable as safetensors"
    for data in (b"", good[:4], good[: len(good) // 2], random.Random(0).randbytes(3000)):
        _refused(data, f"x{ending}", part)


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("<Q", 1 << 40),
        struct.pack("<Q", (4 << 20) + 1) + b" " * ((4 << 20) + 1),
        struct.pack("<Q", 2) + b"{}",
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 40_000) + b"[" * 40_000,
        struct.pack("<Q", 61) + b'{"a":{"dtype":"F32","shape":[9999999999],"data_offsets":[0,4]}}'[:61],
        struct.pack("<Q", 55) + b'{"a":{"dtype":"Q7","shape":[1],"data_offsets":[0,4]}}  ' + bytes(4),
    ],
)
def test_nonsense_headers(data):
    _refused(data, "x.safetensors", "safetensors|between 1 and")


def test_other_endings_and_sizes(weights, monkeypatch):
    for filename in ("net.h5", "net", "", "../../net.pt.exe"):
        _refused(save(weights), filename, r"\.safetensors, \.pt, \.pth")
    monkeypatch.setattr(conversion, "MAX_BYTES", 1000)
    _refused(save(weights), "x.safetensors", "larger than")


def test_crowd_of_tensors(monkeypatch):
    monkeypatch.setattr(conversion, "MAX_TENSORS", 5)
    _refused(save({str(number): torch.zeros(1) for number in range(6)}), "x.safetensors", "6 tensors")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300])
def test_weights_that_are_no_numbers(weights, value):
    weights["3.bias"] = weights["3.bias"].double()
    weights["3.bias"][4] = value
    _refused(save(weights), "x.safetensors", r"'3\.bias' hold NaN")


# guessing


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("mlp", {"hidden": []}),
        ("mlp", {"hidden": [100]}),
        ("mlp", {"hidden": [64, 64, 32], "batch_norm": True}),
        ("lenet", {}),
        ("lenet", {"features": [4, 6], "dense": 12, "kernel": 3}),
        ("lenet", {"features": [4, 6], "dense": 12, "padding": 2}),
        ("cnn", {}),
        ("cnn", {"width": 0.33}),
        ("cnn", {"width": 2.5, "extra_conv": True}),
        *(
            ("cnn", {"leave_out": layer})
            for layer in ("conv1", "pool1", "conv2", "dropout2d", "pool2", "dense", "dropout")
        ),
        *(("cnn", {"after_first": after}) for after in ("batch-norm", "batch-norm-dropout", "dropout-batch-norm")),
        ("resnet", {"width": 4, "depth": 3}),
        ("resnet", {"width": 6, "depth": 8}),
        ("resnet", {"stages": [4, 4, 7, 9], "blocks": [2, 1, 1, 3]}),
        ("resnet18", {}),
    ],
)
def test_own_architectures_are_recognised(model, options):
    network = models.build(model, options).eval()
    best = guess(shapes(network.state_dict()))[0]
    assert best.model == model
    assert best.exact
    rebuilt = models.build(best.model, best.options).eval()
    rebuilt.load_state_dict(network.state_dict())
    images = torch.randn(2, 1, 28, 28)
    assert torch.equal(rebuilt(images), network(images))


@pytest.mark.parametrize("model", ["mlp", "lenet"])
def test_dropout_shifts_the_numbers_and_is_noticed(model):
    network = models.build(model, {"dropout": 0.2})
    best = guess(shapes(network.state_dict()))[0]
    assert best.exact
    assert best.options["dropout"] > 0


def test_number_of_classes_is_given():
    network = models.build("mlp", {"hidden": [9]}, models.registry.InputShape(classes=4))
    assert guess(shapes(network.state_dict()), classes=4)[0].options["hidden"] == [9]
    assert guess(shapes(network.state_dict()), classes=10) == []


@pytest.mark.parametrize("network", [Tutorial, Quickstart, Padded], ids=lambda network: network.__name__)
@pytest.mark.parametrize("ending", [".pt", ".safetensors"])
def test_foreign_networks_are_mapped_and_compute_the_same(network, ending, here):
    foreign = network().eval()
    data = _torch_file(foreign.state_dict()) if ending == ".pt" else save(dict(foreign.state_dict()))
    weights = read_weights(data, f"x{ending}")
    best = guess(shapes(weights))[0]
    assert not best.exact
    checkpoint = import_checkpoint(
        weights, model=best.model, options=best.options, dataset="mnist", mean=0.1, std=0.3, name="foreign"
    )
    pixels = torch.rand(3, 1, 28, 28)
    expected = foreign((pixels - 0.1) / 0.3)
    torch.testing.assert_close(checkpoint.classifier()(pixels), expected, rtol=1e-5, atol=1e-5)


def test_torchvision_resnet18_with_one_channel_is_exact():
    network = torchvision.models.resnet18(weights=None, num_classes=10)
    network.conv1 = nn.Conv2d(1, 64, 7, 2, 3, bias=False)
    best = guess(shapes(network.state_dict()))[0]
    assert (best.model, best.exact) == ("resnet18", True)


def test_torchvision_resnet18_with_three_channels_differs_in_one_tensor():
    network = torchvision.models.resnet18(weights=None, num_classes=10)
    assert guess(shapes(network.state_dict())) == []
    problems = compare(shapes(network.state_dict()), "resnet18", {}).problems
    assert problems == ["conv1.weight has shape [64, 3, 7, 7] instead of [64, 1, 7, 7]"]


def test_alphabetical_names_are_put_into_the_order_of_the_layers():
    layers = {"input": nn.Linear(784, 60), "middle": nn.Linear(60, 40), "exit": nn.Linear(40, 10)}
    weights = {f"{name}.{part}": t for name, layer in layers.items() for part, t in layer.state_dict().items()}
    best = guess(shapes(dict(sorted(weights.items()))))[0]
    assert best.options["hidden"] == [60, 40]
    assert best.renaming["exit.weight"] == "5.weight"


@pytest.mark.parametrize(
    "tensors",
    [
        {},
        {"x": torch.zeros(3)},
        {"weight": torch.zeros(10, 784)},
        {"a.weight": torch.zeros(10, 783), "a.bias": torch.zeros(10)},
        {"a.weight": torch.zeros(0, 0, 0, 0), "b.weight": torch.zeros(3, 0, 0, 0), "c.weight": torch.zeros(10, 0)},
        {f"c{k}.weight": torch.zeros(2, 2, 1, 1) for k in range(25)},
        {"": torch.zeros(1), ".weight": torch.zeros(2, 2), "a..weight": torch.zeros(2, 2)},
    ],
)
def test_what_fits_nothing_gives_no_guess(tensors):
    assert guess(shapes(tensors)) == []


def test_foreign_names_with_other_shapes_are_compared_layer_by_layer():
    problems = compare(shapes(Tutorial().state_dict()), "lenet", {"features": [10, 20], "dense": 64}).problems
    assert problems == [
        "7.weight has shape [50, 320] instead of [64, 320]",
        "7.bias has shape [50] instead of [64]",
        "9.weight has shape [10, 50] instead of [10, 64]",
    ]


# keeping

AS = {"model": "mlp", "options": {"hidden": [8]}, "dataset": "fashion-mnist", "mean": 0.2, "std": 0.4}


def test_import_is_a_checkpoint_like_any_other(weights):
    checkpoint = import_checkpoint(weights, **AS, name="My first net")
    assert checkpoint.path == catalog.imported_folder() / "my-first-net.safetensors"
    assert catalog.resolve("my-first-net") == checkpoint.path
    loaded = load_checkpoint(checkpoint.path)
    assert (loaded.mean, loaded.std, loaded.dataset) == (0.2, 0.4, "fashion-mnist")
    assert loaded.classes[9] == "Ankle boot"
    assert loaded.options == models.get("mlp").validate({"hidden": [8]}).model_dump(mode="json")
    pixels = torch.rand(2, 1, 28, 28)
    hidden = F.relu(F.linear(((pixels - 0.2) / 0.4).flatten(1), weights["1.weight"], weights["1.bias"]))
    expected = F.linear(hidden, weights["3.weight"], weights["3.bias"])
    torch.testing.assert_close(loaded.classifier()(pixels), expected)


def test_names_are_never_taken_twice(weights, tmp_path, monkeypatch):
    monkeypatch.setattr(catalog, "SHIPPED_CHECKPOINTS", tmp_path / "shipped")
    (tmp_path / "shipped").mkdir()
    (tmp_path / "shipped" / "net.safetensors").write_bytes(b"")
    names = [import_checkpoint(weights, **AS, name=name).name for name in ("net", "NET", "net!", "net 2")]
    assert names == ["net-2", "net-3", "net-4", "net-2-2"]


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "/",
        "..",
        "",
        "a\0b",
        "x" * 500,
        "日本",
        "Ünïcode",
        "20250101-000000-abcdef",
        "-rf",
        "con.",
        "![](x)",
    ],
)
def test_any_name_is_a_safe_file_that_is_found_again(weights, name):
    path = import_checkpoint(weights, **AS, name=name).path
    assert path.parent == catalog.imported_folder()
    assert catalog.resolve_name(path.stem) == path
    assert path.stem == slug(name)


@pytest.mark.parametrize(
    ("change", "error", "part"),
    [
        ({"model": "vgg"}, ConfigError, "vgg"),
        ({"options": {"hidden": [0]}}, ConfigError, "hidden"),
        ({"options": {"hidden": [9]}}, CheckpointError, r"1\.weight has shape \[8, 784\] instead of \[9, 784\]"),
        ({"model": "lenet", "options": {}}, CheckpointError, r"0\.weight is missing.*1\.weight is not part"),
        ({"dataset": "cifar"}, DataError, "cifar"),
        ({"std": 0}, CheckpointError, "NaN"),
        ({"std": -1}, ConfigError, "std"),
        ({"mean": 99}, ConfigError, "mean"),
    ],
)
def test_choices_that_do_not_fit_save_nothing(weights, change, error, part):
    with pytest.raises(error, match=part):
        import_checkpoint(weights, **{**AS, **change}, name="x")
    assert catalog.imported() == []


def test_negative_variance_is_noticed():
    weights = dict(models.build("mlp", {"hidden": [4], "batch_norm": True}).state_dict())
    weights["2.running_var"] = -torch.ones(4)
    with pytest.raises(CheckpointError, match="negative variance"):
        import_checkpoint(weights, **{**AS, "options": {"hidden": [4], "batch_norm": True}}, name="x")


def test_full_disk(weights, monkeypatch):
    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("explorer.store.importing.write_bytes", full)
    with pytest.raises(CheckpointError, match="No space left on device"):
        import_checkpoint(weights, **AS, name="x")


def _own(options=None):
    network = models.build("mlp", {"hidden": [8]})
    metadata = Metadata(
        format=1,
        model="mlp",
        options=options or {"hidden": [8]},
        classes=tuple("abcdefghij"),
        mean=0.1,
        std=0.2,
        config={"dataset": "mnist", "epochs": 4},
        metrics={"validation_accuracy": 0.9},
    )
    return encode_checkpoint(network, metadata, half=True)


def test_own_checkpoints_say_what_they_are(weights):
    assert describes_itself(_own())
    for data in (save(weights), b"", b"short", struct.pack("<Q", 5) + b"[1,2]", struct.pack("<Q", 2**62)):
        assert not describes_itself(data)


def test_own_checkpoints_are_kept_byte_for_byte():
    data = _own()
    checkpoint = import_described(data, "Shared by a friend")
    assert checkpoint.path.name == "shared-by-a-friend.safetensors"
    assert checkpoint.path.read_bytes() == data
    assert checkpoint.metrics == {"validation_accuracy": 0.9}


def test_own_checkpoint_that_lies_is_refused():
    with pytest.raises(CheckpointError, match=r"1\.weight has shape \[8, 784\] instead of \[9, 784\]"):
        import_described(_own({"hidden": [9]}), "x")
    assert catalog.imported() == []
