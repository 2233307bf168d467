import pytest

from explorer.data.own import sets
from explorer.data.own.export import publish
from explorer.data.splits import load_split
from explorer.store import runs
from explorer.store.catalog import imported_folder
from explorer.store.checkpoints import load_checkpoint, save_checkpoint
from explorer.store.runs import Status


def texts(app):
    return [element.value for element in (*app.markdown, *app.caption, *app.error, *app.warning)]


def test_an_empty_home_says_what_to_do_and_offers_it(open_page):
    app = open_page()
    assert not app.exception
    assert app.title[0].value == "Fashion-MNIST Explorer"
    assert any("There is no checkpoint yet" in text for text in texts(app))
    app.button(key="empty-train").click().run()
    assert not app.exception
    assert app.title[0].value == "Train"


def test_the_checkpoints_are_listed_with_their_figures(open_page, run):
    app = open_page()
    assert not app.exception
    table = app.dataframe[0].value
    assert list(table["Name"]) == ["small", f"{run.name} · {run.id[-6:]}"]
    assert list(table["From"]) == ["Imported", "Own run"]
    assert table["Test"][0] == 75.0
    assert table["Test"].isna()[1], "nobody is to choose among own runs by the test images"
    assert list(table["Validation"]) == [75.0, 75.0]
    assert list(table["Parameters"]) == [7850, 7850]
    assert table["Size"][0] == pytest.approx((imported_folder() / "small.safetensors").stat().st_size / 1e6)


def test_a_copy_tuned_on_drawings_has_its_set_and_its_few_images(open_page, run):
    drawn = sets.create("Mine", "fashion-mnist")
    for label in range(20):
        drawn.add(load_split("fashion-mnist", "train").images[label], label % 10)
    name = publish(drawn)
    network = load_checkpoint(imported_folder() / "small.safetensors")
    made = runs.create({"model": "mlp", "dataset": name, "epochs": 1}, "tuned")
    metrics = {"validation_accuracy": 1.0, "test_accuracy": 0.5}
    save_checkpoint(
        made.weights(1),
        network.classifier().network,
        network.metadata.model_copy(update={"config": {"dataset": name}, "metrics": metrics}),
    )
    made.write_status(Status(state="finished", epoch=1, epochs=1, best_epoch=1))
    app = open_page()
    assert not app.exception
    table = app.dataframe[0].value.set_index("Name")
    row = table.loc[f"tuned · {made.id[-6:]}"]
    assert row["Data set"] == "Mine"
    assert (row["Validation"], row["of"]) == (100.0, 2)
    assert table.loc["small", "of"] == 6000
    assert app.dataframe[0].proto.placeholder == "–"


def test_the_data_sets_are_listed_with_their_sizes(open_page):
    table = open_page().dataframe[0].value
    assert list(table["Name"]) == ["Fashion-MNIST", "MNIST"]
    assert list(table["Training"]) == [54_000, 54_000]
    assert list(table["Test"]) == [10_000, 10_000]


def test_a_damaged_checkpoint_is_named_and_the_others_stay(open_page, run):
    (imported_folder() / "broken.safetensors").write_bytes(b"no tensors here")
    app = open_page()
    assert not app.exception
    assert any("broken" in warning.value for warning in app.warning)
    assert len(app.dataframe[0].value) == 2


def test_buttons_open_the_pages(open_page, run):
    app = open_page()
    app.button(key="start-evaluate").click().run()
    assert not app.exception
    assert app.title[0].value == "Evaluate"


@pytest.mark.parametrize("dataset", ["mnist", "fashion-mnist"])
def test_a_digit_or_a_garment_is_drawn(open_page, run, dataset):
    app = open_page()
    app.button(key=f"start-draw-{dataset}").click().run()
    assert not app.exception
    assert app.title[0].value == "Draw"
    assert app.selectbox(key="dataset").value == dataset
