"""Collect and Challenges on the page Draw: what is kept, what is played, and who knows of it."""

import numpy as np
import pytest

from explorer.analysis.drawings.challenges import changed_pixels
from explorer.analysis.evaluation.intervals import wilson
from explorer.data import catalog
from explorer.data.own import sets
from explorer.data.preparation.pipeline import prepare_drawing
from explorer.data.splits import load_split
from explorer.experiments import fine_tuning
from explorer.store import runs, scores
from explorer.store.catalog import imported_folder
from explorer.store.checkpoints import load_checkpoint
from explorer.training.queue import supervisor
from explorer.ui.canvas import SIDE, Drawing
from explorer.ui.draw import challenges
from explorer.ui.kit import reference

KEY = "canvas:draw"
NASTY = "<img src=x> *b*"


class Waiting:
    result = problem = None
    is_over = False


@pytest.fixture(autouse=True)
def unhurried(monkeypatch):
    monkeypatch.setattr(reference, "job", lambda model, dataset: Waiting)


@pytest.fixture
def drawing():
    pixels = np.zeros((SIDE, SIDE), np.uint8)
    pixels[60:220, 100:180] = 255
    return Drawing(pixels, revision=1)


def texts(app):
    elements = (*app.markdown, *app.caption, *app.error, *app.success, *app.info, *app.warning)
    return [element.value.replace("\\", "") for element in elements]


def said(app, part):
    return next((text for text in texts(app) if part in text), "")


def button(app, key):
    return next(button for button in app.button if button.key == key)


def press(app, key):
    button(app, key).click().run()
    assert not app.exception
    return app


@pytest.fixture
def page(open_page, run, drawing):
    def start(**parameters):
        app = open_page("draw", checkpoint="small", **parameters)
        app.session_state[KEY] = drawing
        app.run()
        assert not app.exception
        return app

    return start


def test_a_drawing_is_kept_under_its_right_name_and_undone(page, drawing):
    app = press(page(part="collect", meant="Bag"), "collect-keep")
    (own,) = sets.list_sets("fashion-mnist")
    kept = own.read()
    assert kept.labels.tolist() == [8]
    assert np.array_equal(kept.images[0], prepare_drawing(drawing.pixels, "fashion-mnist").image)
    assert said(app, "Kept as Bag in My drawings.")
    press(app, "collect-undo")
    assert own.counts() == (0,) * 10
    assert said(app, "Undone: a drawing of Bag was kept.")


def test_nothing_is_kept_without_a_name(page):
    app = press(page(part="collect"), "collect-keep")
    assert said(app, "Say first what it is.")
    assert sets.list_sets() == ()


@pytest.fixture
def filled(run):
    own = sets.create(NASTY, "fashion-mnist")
    test = load_split("fashion-mnist", "test")
    for row in range(16):
        own.add(test.images[row], int(test.labels[row]))
    return own


def test_the_model_is_judged_on_the_drawings(page, filled):
    from explorer.analysis.evaluation.predictions import predict

    app = page(part="collect", set=filled.id)
    classifier = load_checkpoint(imported_folder() / "small.safetensors").classifier()
    split = filled.split()
    right = int((predict(classifier, split.images).argmax(1) == split.labels).sum())
    values = {metric.label: metric.value for metric in app.metric}
    low, high = wilson(right, 16)
    assert values == {
        "Drawings": "16",
        "Accuracy of small": f"{right / 16:.1%}",
        "95% interval": f"{100 * low:.1f} to {high:.1%}",
    }


def test_the_drawings_are_judged_on_the_page_evaluate(open_page, page, filled):
    from sklearn.metrics import accuracy_score

    from explorer.analysis.evaluation.predictions import predict

    app = press(page(part="collect", set=filled.id), "collect-evaluate")
    assert app.title[0].value == "Evaluate"
    (name,) = catalog.own_names()
    assert app.query_params["on"] == name
    assert app.query_params["checkpoint"] == "small"
    split = load_split(name, "test")
    said_by = predict(load_checkpoint(imported_folder() / "small.safetensors").classifier(), split.images).argmax(1)
    assert len(split) == 3
    assert any("on 3 test images" in element.value for element in app.markdown)
    assert app.metric[0].value.startswith(f"{accuracy_score(split.labels, said_by):.1%} ")
    assert not [text for text in texts(app) if "judged by a network" in text]
    for section in ("ROC and precision-recall", "Calibration", "Mistakes"):
        app = open_page("evaluate", checkpoint="small", on=name, section=section)
        assert not app.exception
        assert not app.error


def test_one_drawing_can_be_deleted_and_brought_back(page, filled):
    app = page(part="collect", set=filled.id)
    number = int(filled.read().ids[3])
    app.session_state["collect:picked"] = number
    app.run()
    press(app, "collect-delete")
    assert number not in filled.read().ids
    press(app, "collect-undo")
    assert number in filled.read().ids


def test_another_set_is_begun(page, filled):
    app = page(part="collect")
    app.text_input(key="collect-name").set_value("  Second  one ").run()
    press(app, "collect-create")
    assert [one.name for one in sets.list_sets()] == [NASTY, "Second one"]
    assert said(app, "The set Second one is empty so far")
    app.text_input(key="collect-name").set_value(" ").run()
    press(app, "collect-create")
    assert said(app, "The name of a set has 1 to 120 characters")


@pytest.mark.parametrize("number", ["20260101-00000000", "../../x", "x" * 3000])
def test_a_set_that_is_not_there_is_said(open_page, run, number):
    app = open_page("draw", checkpoint="small", part="collect", set=number)
    assert not app.exception
    assert said(app, "The set in the link is not here")


def test_a_copy_is_tuned_as_a_run(page, filled, monkeypatch):
    submitted = []
    monkeypatch.setattr(supervisor, "submit", submitted.append)
    app = press(page(part="collect", set=filled.id), "collect-tune")
    (made,) = submitted
    assert made.config["initial"] == "small"
    assert [found.id for found in fine_tuning.tuned_on(filled)] == [made.id]
    assert said(app, "The copy is in the queue")
    made.write_status(runs.Status(state="failed", message="Out of *memory*"))
    app.run()
    assert said(app, "Out of *memory*")


def test_the_classes_of_the_round_are_drawn_against_the_servers_clock(page, drawing, monkeypatch):
    now, shares = [1000.0], _probabilities(prepare_drawing(drawing.pixels, "fashion-mnist").image)
    label = int(shares.argmax())
    name = catalog.get("fashion-mnist").classes[label]
    monkeypatch.setattr(challenges.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(challenges.random, "randrange", lambda _n: label)
    app = press(page(part="challenges"), "challenge-start")
    assert app.session_state[KEY].is_blank
    assert said(app, f"Draw **{name}**.")
    blank = app.session_state[KEY]
    now[0] += 10
    app.session_state[KEY] = Drawing(drawing.pixels, blank.revision + 1, blank.generation, strokes=-5)
    app.run()
    points = round(100 * float(shares[label]) * 0.875)
    assert f"**{points} points**, after 10 s" in said(app, "Best so far")
    now[0] += 1000
    app.run()
    assert said(app, f"points.** {name} with").startswith(f"**{points} points.**")
    (board,) = app.dataframe
    assert board.value["Points"].tolist() == [str(points)]
    app.run()
    assert len(app.dataframe[0].value) == 1


def _probabilities(image):
    from scipy.special import softmax

    from explorer.analysis.evaluation.predictions import predict

    classifier = load_checkpoint(imported_folder() / "small.safetensors").classifier()
    return softmax(predict(classifier, image[None])[0].astype(np.float64))


def test_a_flip_is_held_against_the_machine(page):
    app = page(part="challenges", challenge="flip")
    press(app, "challenge-start")
    found = app.session_state[challenges._ROUND]
    drawing = app.session_state[KEY]
    assert int(_probabilities(found.start).argmax()) == found.label
    job = challenges.search(_model(app), found.start)
    assert job.wait(60)
    assert job.result.flipped
    other = np.kron(job.result.image, np.ones((10, 10), np.uint8)).astype(np.uint8)
    app.session_state[KEY] = Drawing(other, drawing.revision + 1, drawing.generation, placed=True)
    app.run()
    pixels = changed_pixels(found.start, job.result.image)
    press(app, "challenge-done")
    assert said(app, "**100 points.**")
    assert f"You needed {pixels} pixel" in said(app, "You needed")


def _model(app):
    return type("Model", (), {"checkpoint": load_checkpoint(imported_folder() / "small.safetensors")})


def test_another_picture_on_the_canvas_ends_the_round(page):
    app = press(page(part="challenges", challenge="keep"), "challenge-start")
    app.session_state["sketch:beginnings"] += 1
    app.run()
    assert said(app, "something else was put on the canvas")
    assert not app.dataframe


def test_no_challenge_with_steps_left_out(page):
    app = press(page(part="challenges", off="polarity"), "challenge-start")
    assert said(app, "Take all steps under Glass box first")
    assert challenges._ROUND not in app.session_state


def test_two_models_are_needed_to_fool_one(page, run):
    assert button(page(part="challenges", challenge="fool"), "challenge-start").disabled
    app = press(page(part="challenges", challenge="fool", models=run.id), "challenge-start")
    found = app.session_state[challenges._ROUND]
    assert found.kind == "fool"
    assert len(found.models) == 3


def test_the_room_learns_only_what_is_published(page, home):
    app = press(page(part="challenges", challenge="keep"), "challenge-start")
    press(app, "challenge-done")
    assert not (home / "scores.json").exists()
    scores.add("Another", "keep", 7, "")
    app.toggle(key="board-room").set_value(True).run()
    assert not [one for one in app.button if one.key == "board-clear"]
    scores.clear()
    press(app, "board-publish")
    assert said(app, "Say who you are")
    app.text_input(key="board-name").set_value(NASTY).run()
    press(app, "board-publish")
    (score,) = scores.read()
    assert (score.name, score.challenge) == (NASTY, "keep")
    assert button(app, "board-publish").disabled
    press(app, "board-clear")
    assert scores.read() == ()
