"""The page Evaluate as a whole, its confusion matrix, and the detail of an image."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support
from sklearn.neighbors import NearestNeighbors

from explorer.analysis.evaluation.prediction_files import save_predictions
from explorer.data.catalog import get
from explorer.data.splits import load_split
from explorer.store.catalog import imported_folder
from explorer.ui.evaluate import matrix as section
from explorer.ui.evaluate.scope import Results
from explorer.ui.kit import cache, state


@pytest.fixture
def judged(run):
    """Labels and probabilities of the test images, computed without the application's analysis."""
    spec, split = get("fashion-mnist"), load_split("fashion-mnist", "test")
    weights = load_file(imported_folder() / "small.safetensors")
    pixels = torch.tensor(split.images.reshape(10_000, 784) / 255.0, dtype=torch.float32)
    logits = (pixels - spec.mean) / spec.std @ weights["1.weight"].T + weights["1.bias"]
    return split.labels, torch.softmax(logits.double(), 1).numpy()


def expected_rows(judged, true, predicted):
    """Return the rows of a cell, the most confident first."""
    labels, probabilities = judged
    rows = np.flatnonzero((labels == true) & (probabilities.argmax(1) == predicted))
    return rows[np.argsort(-probabilities[rows].max(1), kind="stable")].tolist()


def grids(app):
    """Return what the browser is told of each grid of images."""
    sent = [json.loads(element.proto.json) for element in app.get("bidi_component") if element.proto.json]
    return [one["tiles"] for one in sent if "tiles" in one]


def shown_rows(app):
    return [tile["row"] for tile in grids(app)[0]]


def text(app):
    return "\n".join(element.value for element in (*app.markdown, *app.caption))


def test_the_elements_of_a_class_are_right(open_page, judged):
    labels, probabilities = judged
    app = open_page("evaluate", checkpoint="small")
    app.selectbox(key="class").set_value("Dress").run()
    assert not app.exception
    matrix = confusion_matrix(labels, probabilities.argmax(1))
    precision, recall, f1, _ = precision_recall_fscore_support(labels, probabilities.argmax(1))
    hits, row, column = matrix[3, 3], matrix[3].sum(), matrix[:, 3].sum()
    table = "".join(element.proto.body for element in app.get("html"))
    for count in (hits, row - hits, column - hits, 10_000 - row - column + hits):
        assert f"<strong>{count:,}</strong>" in table
    for name, value in (("Precision", precision[3]), ("Recall", recall[3]), ("F1", f1[3])):
        assert f"**{name} {value:.1%}**" in text(app)


def test_a_link_opens_a_cell_and_shows_its_images(open_page, judged):
    classes = get("fashion-mnist").classes
    for true, predicted in ((6, 0), (3, 3)):
        app = open_page("evaluate", checkpoint="small", cell=f"{true}-{predicted}")
        assert not app.exception
        expected = expected_rows(judged, true, predicted)
        assert shown_rows(app) == expected[:24]
        assert f"**{len(expected):,} images: " in text(app)
        first = grids(app)[0][0]
        assert first["title"] == classes[true]
        assert first["notes"][0]["text"] == f"{classes[predicted]} {judged[1][expected[0]].max():.1%}"
        assert first["notes"][0]["right"] is (true == predicted)


def test_the_keyboard_chooses_a_cell_and_takes_it_back(open_page, judged):
    app = open_page("evaluate", checkpoint="small")
    assert not grids(app)
    app.selectbox(key="cell").set_value("4-2").run()
    assert shown_rows(app) == expected_rows(judged, 4, 2)[:24]
    assert app.query_params["cell"] == "4-2"
    app.selectbox(key="cell").set_value(None).run()
    assert not app.exception
    assert not grids(app)
    assert "cell" not in app.query_params


def test_the_page_of_a_gallery_is_that_of_the_link_until_other_images_are_chosen(open_page, judged):
    expected = expected_rows(judged, 6, 0)
    assert len(expected) > 48
    app = open_page("evaluate", checkpoint="small", **{"cell": "6-0", "page-cell": "2"})
    assert shown_rows(app) == expected[24:48]
    app.run()
    assert shown_rows(app) == expected[24:48]
    app.query_params["section"] = "Calibration"
    app.run()
    assert not grids(app)
    app.query_params["section"] = "Confusion matrix"
    app.run()
    assert not app.exception
    assert shown_rows(app) == expected[24:48]
    app.selectbox(key="cell").set_value("4-2").run()
    assert shown_rows(app) == expected_rows(judged, 4, 2)[:24]
    assert "page-cell" not in app.query_params


def test_an_element_leads_to_its_images(open_page, judged):
    labels, probabilities = judged
    app = open_page("evaluate", checkpoint="small")
    app.selectbox(key="class").set_value("Coat").run()
    app.button(key="elements-FP").click().run()
    assert not app.exception
    said = probabilities.argmax(1)
    rows = np.flatnonzero((labels != 4) & (said == 4))
    assert shown_rows(app) == rows[np.argsort(-probabilities[rows].max(1), kind="stable")][:24].tolist()
    assert app.query_params["cell"] == "x-4"


def test_a_forged_cell_is_refused_in_one_sentence(open_page, run):
    for cell in ("10-0", "6-0-0", "-1-0", "x-x", "<b>", "٦-٠"):
        app = open_page("evaluate", checkpoint="small", cell=cell)
        assert not app.exception, cell
        assert not app.error, cell
        assert not grids(app), cell
        assert "There is no cell" in text(app), cell
        assert "<b>" not in text(app)


@pytest.mark.parametrize(
    "sent",
    [
        None,
        {},
        {"selection": None},
        {"selection": {"click0": []}},
        {"selection": {"click0": [{"row": "6", "column": 0}]}},
        {"selection": {"click0": [{"row": 6.5, "column": True}]}},
        {"selection": {"click0": {"row": 1}}},
    ],
)
def test_a_forged_click_is_no_cell(monkeypatch, sent):
    monkeypatch.setattr(section.st, "session_state", {section.CHART: sent})
    assert section._held("click0") is None


def test_a_click_after_another_choice_counts_again(monkeypatch):
    """The browser reports a click only if it changes its own selection, so that must not be older than ours."""
    state = {section.CHART: {"selection": {"click0": [{"row": 6, "column": 0}]}}}
    monkeypatch.setattr(section.st, "session_state", state)
    assert section._held("click0") == (6, 0)
    assert section._clicks(section.Part(6, 0)) == "click0"
    assert section._clicks(section.Part(4, 2)) == "click1"
    assert section._clicks(section.Part(4, 2)) == "click1"
    state[section.CHART] = {"selection": {"click1": [{"row": 1, "column": 1}]}}
    assert section._clicks(None) == "click2"


def test_a_link_opens_an_image_with_everything_about_it(open_page, judged):
    probabilities = judged[1]
    rows = expected_rows(judged, 6, 0)
    row = rows[1]
    app = open_page("evaluate", checkpoint="small", cell="6-0", image=str(row))
    assert not app.exception
    assert not app.error
    said = text(app)
    assert f"2 of {len(rows):,}" in said
    assert "True: **Shirt**" in said
    assert f"× **T\\-shirt/top** with {probabilities[row].max():.1%}" in said
    assert f"Loss {-np.log(probabilities[row, 6]):.3f}" in said
    high, second = np.sort(probabilities[row])[::-1][:2]
    assert f"Margin {100 * (high - second):.1f} points" in said
    maps = [element.proto.body for element in app.get("html") if "Input gradient" in element.proto.body]
    assert len(maps) == 1
    train = load_split("fashion-mnist", "train")
    reference = NearestNeighbors(n_neighbors=8, algorithm="brute").fit(train.images.reshape(-1, 784) / 255)
    image = load_split("fashion-mnist", "test").images[row]
    distances, nearest = reference.kneighbors(image.reshape(1, 784) / 255)
    grid = grids(app)[-1]
    assert [tile["row"] for tile in grid] == nearest[0].tolist()
    assert [tile["notes"][0]["text"] for tile in grid] == [f"d = {distance:.2f}" for distance in distances[0]]
    assert [tile["title"] for tile in grid] == [get("fashion-mnist").classes[k] for k in train.labels[nearest[0]]]


def test_the_next_image_and_the_way_to_the_canvas(open_page, judged):
    rows = expected_rows(judged, 6, 0)
    app = open_page("evaluate", checkpoint="small", cell="6-0", image=str(rows[0]))
    assert app.button(key="detail-Previous").disabled
    app.button(key="detail-Next").click().run()
    assert not app.exception
    assert app.query_params["image"] == str(rows[1])
    app.button(key="detail-edit").click().run()
    assert app.title[0].value == "Draw"
    pixels = app.session_state["canvas:draw"].pixels
    np.testing.assert_array_equal(pixels[::10, ::10], load_split("fashion-mnist", "test").images[rows[1]])


def test_the_nearest_by_the_features_of_the_network(open_page, judged):
    row = expected_rows(judged, 6, 0)[0]
    app = open_page("evaluate", checkpoint="small", cell="6-0", image=str(row))
    app.segmented_control(key="nearest").set_value("Features of the network").run()
    assert not app.exception
    sample = np.arange(0, 54_000, 10)
    train, image = load_split("fashion-mnist", "train"), load_split("fashion-mnist", "test").images[row]
    distances = np.linalg.norm(train.images[sample].reshape(-1, 784) / 255 - image.reshape(784) / 255, axis=1)
    assert [tile["row"] for tile in grids(app)[-1]] == sample[np.argsort(distances, kind="stable")[:8]].tolist()
    assert "5,400 training images" in text(app)


def test_a_forged_image_opens_nothing(open_page, run):
    for image in ("10000", "-1", "1.5", "٣", "9" * 99):
        app = open_page("evaluate", checkpoint="small", cell="6-0", image=image)
        assert not app.exception, image
        assert not app.error, image
        assert len(grids(app)) == 1, image


def test_without_weights_the_detail_says_what_is_missing(open_page, run):
    for split in ("validation", "test"):
        found = cache.predictions(state.Selection("fashion-mnist", run.id, 1, split))
        run.predictions(split, 1).parent.mkdir(parents=True, exist_ok=True)
        save_predictions(run.predictions(split, 1), found, full=False)
    run.weights(1).unlink()
    cell = f"{found.labels[3]}-{found.predicted[3]}"
    app = open_page("evaluate", checkpoint=run.id, epoch="1", cell=cell, image="3")
    assert not app.exception
    assert not app.error
    assert "The weights of this epoch are not kept, only its predictions, so there is no saliency map." in text(app)
    app.segmented_control(key="nearest").set_value("Features of the network").run()
    assert not app.exception
    assert "so the network cannot be asked for its features" in text(app)


def test_hidden_sections_do_not_compute(open_page, run, monkeypatch):
    for name in ("roc", "precision_recall", "reliability", "coverage"):
        monkeypatch.setattr(Results, name, property(lambda self: pytest.fail("computed while hidden")))
    app = open_page("evaluate", checkpoint="small", section="Mistakes")
    assert not app.exception


def test_without_a_checkpoint_the_page_says_what_to_do(open_page):
    app = open_page("evaluate")
    assert not app.exception
    assert any("No checkpoint for Fashion" in element.value for element in app.markdown)
    app.button(key="empty-train").click().run()
    assert app.title[0].value == "Train"


def test_a_damaged_file_gives_one_message_and_the_application_lives_on(open_page, run):
    app = open_page("evaluate", checkpoint="small")
    run.weights(1).write_bytes(b"cut off")
    app.selectbox(key="checkpoint").set_value(run.id).run()
    app.select_slider(key="epoch").set_value(1).run()
    assert not app.exception
    assert len(app.error) == 1
    assert "epoch" in app.error[0].value
    app.select_slider(key="epoch").set_value(2).run()
    assert not app.error
    assert app.metric


def test_the_epoch_changes_the_numbers(open_page, run):
    app = open_page("evaluate", checkpoint=run.id)
    best = app.metric[0].value
    app.select_slider(key="epoch").set_value(1).run()
    assert not app.exception
    assert app.metric[0].value != best
    assert app.query_params["epoch"] == "1"
