from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

from explorer.ui.kit import checkpoints, sidebar
from explorer.ui.kit.checkpoints import Entry, Listing


def entry(reference, dataset):
    return Entry(reference, "run", reference, Path(reference), dataset, "mlp", {})


def test_what_was_tuned_on_own_drawings_stands_with_the_set_they_are_like():
    sets = {"plain": "mnist", "tuned": "mnist-own-0123456789ab", "other": "fashion-mnist", "unknown": None}
    found = Listing(tuple(entry(name, dataset) for name, dataset in sets.items()), ())
    assert [one.reference for one in found.of_dataset("mnist")] == ["plain", "tuned", "unknown"]
    assert [one.reference for one in found.of_dataset("fashion-mnist")] == ["other", "unknown"]


def test_the_shipped_checkpoint_that_is_best_on_validation_is_the_default(monkeypatch):
    figures = {"a": 0.9, "b": 0.95, "c": None, "d": 0.94}
    found = {name: SimpleNamespace(metrics={"validation_accuracy": value}) for name, value in figures.items()}
    monkeypatch.setattr(checkpoints, "describe", lambda path: found[path.name])
    run, imported = entry("run", "mnist"), replace(entry("mine", "mnist"), kind="imported")
    shipped = [replace(entry(name, "mnist"), kind="shipped") for name in figures]
    assert sidebar._default((*shipped, run)).reference == "b"
    assert sidebar._default((imported, run)) is imported
