import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from explorer.data.splits import load_split
from explorer.store.checkpoints import load_checkpoint


@pytest.fixture(scope="module")
def evaluated(trained, process):
    """`evaluate --json` in a process of its own, and the logits computed without the project's evaluation."""
    document, _, home = trained
    done = process(home, "evaluate", document["checkpoint"], "--json")
    assert done.returncode == 0, done.stderr
    split = load_split("fashion-mnist", "test")
    with torch.no_grad():
        pixels = torch.tensor(split.images).float().unsqueeze(1) / 255
        logits = load_checkpoint(document["checkpoint"]).classifier()(pixels).double()
    return json.loads(done.stdout), logits.softmax(1).numpy(), split.labels


def test_evaluate_agrees_with_scikit_learn(evaluated, trained):
    from sklearn import metrics

    document, probabilities, labels = evaluated
    predicted = probabilities.argmax(1)
    assert list(document) == [
        "checkpoint",
        "dataset",
        "split",
        "n",
        "accuracy",
        "misclassification_rate",
        "log_loss",
        "confusion_matrix",
        "auc",
        "precision",
        "recall",
        "f1",
        "average_precision",
        "expected_calibration_error",
        "intervals",
    ]
    assert (document["checkpoint"], document["dataset"], document["split"]) == (
        trained[0]["checkpoint"],
        "fashion-mnist",
        "test",
    )
    assert document["n"] == 10_000
    assert document["accuracy"] == metrics.accuracy_score(labels, predicted) == trained[0]["test_accuracy"]
    assert document["misclassification_rate"] == pytest.approx(1 - document["accuracy"], abs=1e-12)
    assert document["log_loss"] == pytest.approx(metrics.log_loss(labels, probabilities), abs=1e-6)
    assert document["confusion_matrix"] == metrics.confusion_matrix(labels, predicted).tolist()
    binary = np.eye(10)[labels]
    areas = [metrics.roc_auc_score(binary[:, k], probabilities[:, k]) for k in range(10)]
    assert list(document["auc"]) == ["macro", "micro", "per_class"]
    assert document["auc"]["per_class"] == pytest.approx(areas, abs=1e-6)
    micro = metrics.roc_auc_score(binary.ravel(), probabilities.ravel())
    assert document["auc"]["micro"] == pytest.approx(micro, abs=1e-6)
    assert document["f1"]["macro"] == pytest.approx(metrics.f1_score(labels, predicted, average="macro"))
    low, high = document["intervals"]["accuracy"]
    assert low < document["accuracy"] < high
    assert high - low == pytest.approx(
        2 * 1.96 * np.sqrt(document["accuracy"] * (1 - document["accuracy"]) / 1e4), rel=0.01
    )


def test_a_run_is_its_best_epoch_and_run_at_k_its_epoch_k(run, explorer):
    wanted = {run["run"]: run["best_checkpoint"], f"{run['run']}@2": run["checkpoint"]}
    for reference, path in wanted.items():
        documents = []
        for one in (reference, path):
            code, output, messages = explorer("evaluate", one, "--split", "validation", "--json")
            assert (code, messages) == (0, "")
            documents.append(json.loads(output))
        assert documents[0].pop("checkpoint") == reference
        assert documents[1].pop("checkpoint") == path
        assert documents[0] == documents[1]
        assert documents[0]["n"] == 6000


def test_evaluate_on_another_set_and_its_table(run, explorer, tmp_path):
    path = tmp_path / "out.csv"
    code, output, _ = explorer("evaluate", run["run"], "--dataset", "mnist", "--csv", path)
    assert code == 0
    assert "10,000 images of mnist (test)" in output
    assert "Confusion matrix" in output
    assert "expected calibration error" in output
    with path.open() as file:
        header, *rows = csv.reader(file)
    assert header == ["index", "label", "predicted", *(f"p_{k}" for k in range(10))]
    assert [int(row[0]) for row in rows] == list(range(10_000))
    assert [int(row[1]) for row in rows] == load_split("mnist", "test").labels.tolist()
    assert sum(map(float, rows[0][3:])) == pytest.approx(1, abs=1e-8)


def test_two_epochs_are_compared_image_by_image(run, explorer):
    from scipy.stats import binomtest
    from sklearn import metrics

    first, second = f"{run['run']}@1", run["checkpoint"]
    code, output, messages = explorer("compare", first, second, "--split", "validation", "--json")
    assert (code, messages) == (0, "")
    document = json.loads(output)
    assert (document["a"], document["b"]) == (first, second)
    assert (document["dataset"], document["split"], document["n"]) == ("fashion-mnist", "validation", 6000)
    split = load_split("fashion-mnist", "validation")
    with torch.no_grad():
        pixels = torch.tensor(split.images).float().unsqueeze(1) / 255
        paths = (run["checkpoint"].replace("0002", "0001"), run["checkpoint"])
        predicted = [load_checkpoint(path).classifier()(pixels).argmax(1).numpy() for path in paths]
    a, b = (one == split.labels for one in predicted)
    assert document["accuracy"] == pytest.approx({"a": a.mean(), "b": b.mean(), "difference": b.mean() - a.mean()})
    counts = [int((x & y).sum()) for x, y in ((a, b), (a, ~b), (~a, b), (~a, ~b))]
    assert [document[key] for key in ("both_right", "only_a", "only_b", "both_wrong")] == counts
    p = binomtest(counts[1], counts[1] + counts[2]).pvalue
    assert document["mcnemar_p"] == pytest.approx(p, rel=1e-6)
    assert document["distinguishable"] == (p < 0.05)
    matrices = [metrics.confusion_matrix(split.labels, one) for one in predicted]
    assert document["matrix_difference"] == (matrices[1] - matrices[0]).tolist()


def test_a_comparison_for_people(run, explorer):
    code, output, _ = explorer("compare", run["run"], run["run"], "--dataset", "mnist", "--split", "validation")
    assert code == 0
    assert "not distinguishable on these 6,000 images" in output
    assert "Agreement" in output
    assert "Confusion matrix of B less that of A" in output


def test_comparisons_that_make_no_sense(run, explorer):
    for arguments in (
        ["mnist-lenet"],
        ["mnist-lenet", "--dataset", "mnist", "--split", "validation"],
        ["nothing"],
        [run["run"], "--split", "all"],
        [run["run"], "--dataset", "cifar"],
    ):
        code, output, messages = explorer("compare", run["run"], *arguments, "--json")
        assert (code, output) == (1, "")
        assert messages.startswith("Error: ")
        assert messages.count("\n") == 1


def test_gradients_of_a_run_against_autograd(run, explorer, tmp_path, monkeypatch):
    split = load_split("fashion-mnist", "validation")
    few = replace(split, **{name: getattr(split, name)[:12] for name in ("images", "labels", "indices")})
    monkeypatch.setattr("explorer.cli.analyse.load_split", lambda dataset, name: few)
    path = tmp_path / "gradients.csv"
    code, output, messages = explorer("gradients", f"{run['run']}@1", "--split", "validation", "--csv", path)
    assert (code, output) == (0, "")
    assert "12 gradients" in messages
    table = np.loadtxt(path, delimiter=",", skiprows=1)
    header = path.read_text().partition("\n")[0].split(",")
    assert header == ["index", "label", "predicted", *(f"g_{k}" for k in range(784))]
    assert table[:, 0].tolist() == few.indices.tolist()
    assert table[:, 1].tolist() == few.labels.tolist()
    classifier = load_checkpoint(run["checkpoint"].replace("0002", "0001")).classifier()
    pixels = (torch.tensor(few.images).float().unsqueeze(1) / 255).requires_grad_()
    losses = torch.nn.functional.cross_entropy(classifier(pixels), torch.tensor(few.labels), reduction="none")
    (gradient,) = torch.autograd.grad(losses.sum(), pixels)
    np.testing.assert_allclose(table[:, 3:], gradient.flatten(1).numpy(), rtol=1e-4, atol=1e-6)


def test_predict_prints_one_document(run, explorer, tmp_path):
    from PIL import Image

    split = load_split("fashion-mnist", "test")
    paths = [tmp_path / f"{k}.png" for k in range(3)]
    for path, image in zip(paths, split.images, strict=False):
        Image.fromarray(image).save(path)
    code, output, messages = explorer("predict", run["run"], *paths, "--json")
    assert (code, messages) == (0, "")
    documents = json.loads(output)
    keys = ["image", "predicted", "class", "probabilities", "out_of_distribution"]
    assert [list(one) for one in documents] == [keys] * 3
    assert {tuple(one["out_of_distribution"]) for one in documents} == {("score", "flagged")}
    assert [one["image"] for one in documents] == list(map(str, paths))
    code, output, _ = explorer("predict", run["run"], paths[0])
    assert code == 0
    assert output.startswith(f"{paths[0]}: {documents[0]['class']} (")
    (tmp_path / "bad.png").write_text("no picture")
    code, output, messages = explorer("predict", run["run"], paths[0], tmp_path / "bad.png", paths[1], "--json")
    assert code == 1
    assert json.loads(output)[::2] == documents[:2]
    assert list(json.loads(output)[1]) == ["image", "error"]
    assert messages.startswith("Error: bad.png")
    assert messages.count("\n") == 1


@pytest.mark.parametrize("command", [["evaluate"], ["predict"], ["gradients"]])
@pytest.mark.parametrize("reference", ["nothing", "../x", "20260101-000000-abcdef", "RUN@9", "/etc", "x\0y"])
def test_checkpoints_that_are_not_there(run, explorer, command, reference, tmp_path):
    rest = {"evaluate": ["--json"], "predict": ["x.png", "--json"], "gradients": ["--csv", tmp_path / "g.csv"]}
    code, output, messages = explorer(*command, reference.replace("RUN", run["run"]), *rest[command[0]])
    assert (code, output) == (1, "")
    assert messages.startswith("Error: ")
    assert messages.count("\n") == 1
    assert not (tmp_path / "g.csv").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate", "CHECKPOINT", "--split", "all"],
        ["evaluate", "CHECKPOINT", "--dataset", "cifar"],
        ["evaluate", "CHECKPOINT", "--csv", "/proc/out.csv"],
        ["gradients", "CHECKPOINT", "--csv", "/proc/out.csv"],
        ["predict", "CHECKPOINT", "/nowhere/a.png"],
        ["predict", "CHECKPOINT", "/etc/passwd"],
        ["predict", "CHECKPOINT", "/"],
    ],
)
def test_bad_input_is_one_message(run, explorer, arguments):
    code, output, messages = explorer(*(one.replace("CHECKPOINT", run["checkpoint"]) for one in arguments))
    assert (code, output) == (1, "")
    assert messages.startswith("Error: ")
    assert messages.count("\n") == 1


def _truncated(content):
    return content[:1000]


def _longer_header(content):
    return b"\xff" * 8 + content[8:]


def _no_number(content):
    return content[:-4] + np.array([np.nan], np.float32).tobytes()


def _other_model(content):
    return content.replace(b'\\"model\\": \\"mlp\\"', b'\\"model\\": \\"vgg\\"')


def _pickle(_content):
    return b"\x80\x04\x95cos\nsystem\n(S'touch owned'\ntR."


@pytest.mark.parametrize("damage", [_truncated, _longer_header, _no_number, _other_model, _pickle])
def test_damaged_checkpoints(run, explorer, damage, tmp_path, monkeypatch):
    from pathlib import Path

    monkeypatch.chdir(tmp_path)
    content = Path(run["checkpoint"]).read_bytes()
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(damage(content))
    assert path.read_bytes() != content
    code, output, messages = explorer("evaluate", path, "--json")
    assert (code, output) == (1, "")
    assert messages.startswith("Error: damaged.safetensors")
    assert list(tmp_path.iterdir()) == [path]


def test_data_lists_the_sets(explorer):
    code, output, messages = explorer("data", "--json")
    assert (code, messages) == (0, "")
    documents = {one["name"]: one for one in json.loads(output)}
    assert set(documents) >= {"fashion-mnist", "mnist"}
    keys = {"name", "classes", "channels", "train", "validation", "test", "checksum", "licence"}
    for document in documents.values():
        assert set(document) == keys
        assert (document["train"], document["validation"], document["test"]) == (54_000, 6_000, 10_000)
    assert documents["mnist"]["classes"] == list("0123456789")
    assert documents["fashion-mnist"]["classes"][9] == "Ankle boot"
    code, output, _ = explorer("data")
    assert code == 0
    assert "fashion-mnist" in output


def test_checkpoints_lists_all_that_can_be_read(run, trained, explorer, home, monkeypatch):
    from pathlib import Path

    monkeypatch.setenv("EXPLORER_HOME", str(home))
    folder = home / "checkpoints"
    folder.mkdir()
    content = Path(run["checkpoint"]).read_bytes()
    (folder / "mine.safetensors").write_bytes(content)
    (folder / "odd.safetensors").write_bytes(content.replace(b'\\"test_accuracy\\": 0.', b'\\"test_accuracy\\": {}#'))
    (folder / "damaged.safetensors").write_bytes(content[:500])
    code, output, messages = explorer("checkpoints", "--json")
    assert code == 0
    documents = {one["name"]: one for one in json.loads(output)}
    assert set(documents["mine"]) == {
        "name", "path", "dataset", "model", "validation_accuracy", "test_accuracy", "parameters", "bytes"
    }  # fmt: skip
    assert documents["mine"]["test_accuracy"] == run["test_accuracy"]
    assert documents["mine"]["parameters"] == 784 * 100 + 100 + 1000 + 10
    assert documents["mine"]["bytes"] == len(content)
    assert "damaged" not in documents
    assert messages.count("Left out: damaged.safetensors") == 1
    code, output, _ = explorer("checkpoints")
    assert code == 0
    assert "mine" in output


def test_figures_from_elsewhere_that_are_no_numbers(run, explorer, home, monkeypatch):
    from explorer.store.checkpoints import Metadata, save_checkpoint

    checkpoint = load_checkpoint(run["checkpoint"])
    metadata = Metadata(**checkpoint.metadata.model_dump() | {"metrics": {"test_accuracy": "[red]high"}})
    monkeypatch.setenv("EXPLORER_HOME", str(home))
    save_checkpoint(home / "checkpoints" / "odd.safetensors", checkpoint.classifier().network, metadata)
    code, output, _ = explorer("checkpoints", "--json")
    assert code == 0
    assert json.loads(output)[-1]["test_accuracy"] is None
    assert explorer("checkpoints")[0] == 0


def test_names_that_are_no_unicode_are_printed_as_valid_json(run, explorer, tmp_path):
    import os

    from PIL import Image

    path = tmp_path / os.fsdecode(b"p\xffcture.png")
    Image.fromarray(load_split("mnist", "test").images[0]).save(path, "PNG")
    code, output, _ = explorer("predict", run["run"], path, "--json")
    assert code == 0
    assert output.isascii()
    assert json.loads(output)[0]["image"] == str(path)


def test_help_lists_every_command_and_hides_the_supervisor(explorer):
    code, output, _ = explorer("--help")
    assert code == 0
    for name in ("data", "train", "resume", "runs", "checkpoints", "evaluate", "compare", "predict", "gradients"):
        assert f"  {name}" in output
    assert "supervise" not in output
