import json
from dataclasses import replace

import numpy as np
import pandas
import pytest
import torch

from explorer.data.splits import load_split
from explorer.store.checkpoints import load_checkpoint


@pytest.fixture
def few(run, monkeypatch):
    """Thirty test images instead of all."""

    def load(dataset, name):
        split = load_split(dataset, name)
        return replace(split, **{field: getattr(split, field)[:30] for field in ("images", "labels", "indices")})

    monkeypatch.setattr("explorer.cli.analyse.load_split", load)
    return load("fashion-mnist", "test")


def expected(path, split, of):
    """The gradients by autograd, image by image."""
    classifier, rows = load_checkpoint(path).classifier(), []
    for image, label in zip(split.images, split.labels, strict=True):
        pixels = (torch.tensor(image, dtype=torch.float32)[None, None] / 255).requires_grad_()
        logits = classifier(pixels)
        value = torch.nn.functional.cross_entropy(logits, torch.tensor([label])) if of == "loss" else logits[0, of]
        rows.append(torch.autograd.grad(value, pixels)[0].numpy()[0, 0])
    return np.stack(rows).astype(np.float64)


@pytest.mark.parametrize(("of", "meant"), [("loss", "loss"), ("Shirt", 6), ("6", 6)])
def test_the_standard_deviation_of_a_run(few, run, explorer, of, meant):
    code, output, messages = explorer("gradients", run["run"], "--of", of, "--top", 5, "--json")
    assert (code, messages) == (0, "")
    document = json.loads(output)
    assert list(document) == ["dataset", "split", "of", "n", "trials", "top", "mean", "spread"]
    assert (document["dataset"], document["split"], document["of"]) == ("fashion-mnist", "test", meant)
    deviation = expected(run["best_checkpoint"], few, meant).std(axis=0)
    (trial,) = document["trials"]
    assert trial["checkpoint"] == run["run"]
    np.testing.assert_allclose(trial["standard_deviation"], deviation.ravel(), rtol=1e-4, atol=1e-7)
    assert [one["input"] for one in trial["top"]] == np.argsort(-deviation.ravel())[:5].tolist()
    assert [28 * one["row"] + one["column"] for one in trial["top"]] == [one["input"] for one in trial["top"]]
    assert document["spread"] == [None] * 784


def test_epochs_as_trials(few, run, explorer):
    names = [f"{run['run']}@1", f"{run['run']}@2"]
    code, output, _ = explorer("gradients", *names, "--json")
    assert code == 0
    document = json.loads(output)
    paths = [run["checkpoint"].replace("0002", "0001"), run["checkpoint"]]
    deviations = np.stack([expected(path, few, "loss").std(axis=0).ravel() for path in paths])
    assert [one["checkpoint"] for one in document["trials"]] == names
    np.testing.assert_allclose(document["mean"], deviations.mean(0), rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(document["spread"], deviations.std(0, ddof=1), rtol=1e-2, atol=1e-6)
    code, output, _ = explorer("gradients", *names)
    assert code == 0
    assert [f"{name}, 30 images" in output for name in names] == [True, True]
    assert "All 2 trials" in output


def test_files_are_written_on_the_way(few, run, explorer, tmp_path):
    paths = [tmp_path / "g.csv", tmp_path / "g.parquet"]
    options = ["--csv", paths[0], "--parquet", paths[1]]
    code, output, messages = explorer("gradients", run["run"], *options)
    assert (code, output) == (0, "")
    assert messages.count("Wrote 30 gradients") == 2
    table = pandas.read_parquet(paths[1])
    np.testing.assert_array_equal(pandas.read_csv(paths[0], dtype=dict(table.dtypes)), table)
    gradient = expected(run["best_checkpoint"], few, "loss").reshape(30, 784)
    np.testing.assert_allclose(table.to_numpy()[:, 3:], gradient, rtol=1e-4, atol=1e-6)
    code, output, _ = explorer("gradients", run["run"], *options, "--top", 2)
    assert code == 0
    assert len([line for line in output.splitlines() if line.startswith("│")]) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--of", "shirt[/]"], "Choose loss, predicted, true or a class: 0 (T-shirt/top)"),
        (["--of", "10"], "9 (Ankle boot)"),
        (["--of", "-1"], "nothing called '-1'"),
        (["--parquet", "/proc/g.parquet"], "Could not write"),
    ],
)
def test_bad_input_is_one_message(few, run, explorer, arguments, message):
    code, output, messages = explorer("gradients", run["run"], *arguments)
    assert (code, output) == (1, "")
    assert messages.startswith("Error: ")
    assert message in messages
    assert messages.count("\n") == 1


def test_wrong_usage(few, run, explorer, tmp_path):
    path = tmp_path / "g.csv"
    assert explorer("gradients", run["run"], run["run"], "--csv", path)[0] == 2
    assert explorer("gradients", run["run"], "--top", 0)[0] == 2
    assert explorer("gradients")[0] == 2
    assert not path.exists()


def test_trials_of_different_sets_need_a_set(few, run, explorer):
    code, _, messages = explorer("gradients", run["run"], "mnist-lenet")
    assert code == 1
    assert "--dataset" in messages
    code, output, _ = explorer("gradients", run["run"], "mnist-lenet", "--dataset", "mnist", "--json")
    assert code == 0
    assert json.loads(output)["dataset"] == "mnist"


def test_one_checkpoint_of_several_that_cannot_be_read(few, run, explorer, tmp_path):
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"no checkpoint")
    code, output, messages = explorer("gradients", run["run"], damaged, "nothing", "--json")
    assert code == 1
    document = json.loads(output)
    assert [one["checkpoint"] for one in document["trials"]] == [run["run"]]
    assert [one["checkpoint"] for one in document["errors"]] == [str(damaged), "nothing"]
    assert messages.count("Error: ") == messages.count("\n") == 2
    code, output, messages = explorer("gradients", damaged, "nothing", "--json")
    assert (code, output, messages.count("\n")) == (1, "", 1)
