import pytest

import models
from explorer.errors import CheckpointError, RunError
from explorer.store import catalog, runs
from explorer.store.checkpoints import Metadata, save_checkpoint
from explorer.store.runs import Status


def _write(path):
    network = models.build("mlp", {"hidden": [2]})
    metadata = Metadata(format=1, model="mlp", options={"hidden": [2]}, classes=tuple("0123456789"), mean=0, std=1)
    save_checkpoint(path, network, metadata)
    return path


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A folder of shipped checkpoints with two in it."""
    monkeypatch.setattr(catalog, "SHIPPED_CHECKPOINTS", tmp_path / "shipped")
    return [_write(tmp_path / "shipped" / f"mnist-{model}.safetensors") for model in ("cnn", "mlp")]


@pytest.fixture
def run(shipped):
    """A run of three epochs that keeps the second and the third; the second is its best."""
    run = runs.create({"model": "mlp", "dataset": "mnist", "epochs": 3})
    for epoch in (2, 3):
        _write(run.weights(epoch))
    run.write_status(Status(state="finished", epoch=3, epochs=3, best_epoch=2))
    return run


def test_shipped_name(shipped):
    assert catalog.shipped() == shipped
    assert catalog.resolve("mnist-mlp") == shipped[1]


def test_imported_name(shipped):
    mine = _write(catalog.imported_folder() / "mine.safetensors")
    assert catalog.imported() == [mine]
    assert catalog.resolve("mine") == mine


def test_shipped_goes_before_imported(shipped):
    _write(catalog.imported_folder() / "mnist-mlp.safetensors")
    assert catalog.resolve("mnist-mlp") == shipped[1]


def test_file(tmp_path, shipped, monkeypatch):
    path = _write(tmp_path / "anywhere" / "some file.bin")
    assert catalog.resolve(str(path)) == path
    monkeypatch.chdir(path.parent)
    assert catalog.resolve("some file.bin") == path
    assert catalog.resolve("./some file.bin") == path


def test_run_is_its_best_epoch(run):
    assert catalog.resolve(run.id) == run.weights(2)


def test_epoch_of_a_run(run):
    assert catalog.resolve(f"{run.id}@3") == run.weights(3)
    assert catalog.resolve(f"{run.id}@003") == run.weights(3)


@pytest.mark.parametrize("epoch", ["1", "4", "0", "99999"])
def test_epoch_that_is_not_kept(run, epoch):
    with pytest.raises(CheckpointError, match=r"not kept; these are: 2, 3"):
        catalog.resolve(f"{run.id}@{epoch}")


def test_run_without_an_epoch(shipped):
    run = runs.create({"model": "mlp", "dataset": "mnist", "epochs": 3})
    with pytest.raises(CheckpointError, match="no epoch is complete"):
        catalog.resolve(run.id)


def test_run_that_is_not_there(shipped):
    with pytest.raises(RunError, match="no run '20200101-000000-abcdef'"):
        catalog.resolve("20200101-000000-abcdef")


@pytest.mark.parametrize(
    "reference",
    [
        "nothing",
        "",
        ".",
        "..",
        "/",
        "~",
        "mnist-mlp.safetensors",
        "MNIST-MLP",
        "mnist-mlp@1",
        "mnist-ml?",
        "*",
        "mnist-mlp\n",
        "nul\0byte",
        "x" * 5000,
        "é",
        "~nobody-of-this-name",
        "~nobody/x",
    ],
)
def test_anything_else_names_what_there_is(shipped, reference):
    with pytest.raises(CheckpointError, match=r"no checkpoint .*mnist-cnn, mnist-mlp") as raised:
        catalog.resolve(reference)
    assert len(str(raised.value)) < 400


def test_names_are_never_paths(run, tmp_path):
    outside = _write(catalog.imported_folder().parent / "outside.safetensors")
    weights = run.weights(2)
    for reference in (
        "../outside",
        "../outside.safetensors",
        str(outside),
        str(weights),
        f"../runs/{run.id}",
        f"{run.id}/../{run.id}",
        f"{run.id}@../3",
        f"{run.id}@-1",
        f"{run.id}@+3",
        f"{run.id}@³",
    ):
        assert catalog.resolve_name(reference) is None


@pytest.mark.parametrize("reference", ["../{}", "{}/..", "{}@2/..", "../../runs/{}"])
def test_paths_around_a_run_are_refused(run, reference, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match="no checkpoint"):
        catalog.resolve(reference.format(run.id))


def test_empty_folders_say_none(tmp_path, monkeypatch):
    monkeypatch.setattr(catalog, "SHIPPED_CHECKPOINTS", tmp_path / "empty")
    with pytest.raises(CheckpointError, match="none yet"):
        catalog.resolve("x")
