from pathlib import Path

from explorer.ui.listing import Entry, Listing


def entry(reference, dataset):
    return Entry(reference, "run", reference, Path(reference), dataset, "mlp", {})


def test_what_was_tuned_on_own_drawings_stands_with_the_set_they_are_like():
    sets = {"plain": "mnist", "tuned": "mnist-own-0123456789ab", "other": "fashion-mnist", "unknown": None}
    found = Listing(tuple(entry(name, dataset) for name, dataset in sets.items()), ())
    assert [one.reference for one in found.of_dataset("mnist")] == ["plain", "tuned", "unknown"]
    assert [one.reference for one in found.of_dataset("fashion-mnist")] == ["other", "unknown"]
