import pytest
from streamlit.testing.v1 import AppTest

from explorer import devices
from explorer.store import runs
from explorer.store.runs import Status
from explorer.training.queue import requests

CONFIG = {"model": "mlp", "dataset": "mnist", "epochs": 4}


@pytest.fixture(autouse=True)
def four_cores(monkeypatch):
    monkeypatch.setattr(devices, "cores", lambda: 4)


def _page():
    from explorer.ui.train import queue as train_queue

    train_queue.show()


def opened():
    app = AppTest.from_function(_page, default_timeout=60).run()
    assert not app.exception
    return app


def waiting(name):
    run = runs.create(CONFIG, name)
    requests.add(run)
    return run


def button(app, title, run):
    return app.button(key=f"queue-{title}-{run.id}")


def texts(app):
    return [element.value for element in (*app.markdown, *app.caption, *app.error)]


def test_an_empty_queue_is_one_line():
    app = opened()
    assert texts(app) == ["Nothing is being computed, and nothing waits."]
    assert len(app.button) == 0


def test_running_and_waiting_runs_in_their_order():
    first, second = waiting("one"), waiting("<img onerror=x> **two**")
    running = runs.create(CONFIG, "zero")
    with running.lock():
        running.write_status(Status(state="running", epoch=1, epochs=4, step=1, steps=2))
        app = opened()
        names = [element.value for element in app.markdown]
        assert ["zero" in names[0], "one" in names[1], "two" in names[2]] == [True] * 3
        assert "\\<img onerror\\=x\\> \\*\\*two\\*\\*" in names[2]
        assert [element.value for element in app.caption] == [
            "epoch 2 of 4, 37.5%",
            "waits, the next one",
            "waits behind 1",
        ]
        button(app, "Pause", running).click().run()
        assert running.stop_requested
        assert button(app, "Pause", running).disabled
    assert requests.pending() == [first.id, second.id]


def test_cancel_and_to_the_front():
    one, two, three = waiting("one"), waiting("two"), waiting("three")
    app = opened()
    with pytest.raises(KeyError):
        button(app, "To the front", one)
    button(app, "To the front", three).click().run()
    assert requests.pending() == [three.id, one.id, two.id]
    button(app, "Cancel", one).click().run()
    assert requests.pending() == [three.id, two.id]
    assert one.status.state == "stopped"
    assert not any("**one**" in text for text in texts(app))


def test_a_run_that_was_taken_meanwhile_cannot_be_moved():
    waiting("one")
    two = waiting("two")
    app = opened()
    requests.remove(two)
    button(app, "To the front", two).click().run()
    assert any("not waiting any more" in error.value for error in app.error)
    app.run()
    assert len(app.error) == 0


def test_a_long_queue_is_cut(monkeypatch):
    monkeypatch.setattr("explorer.ui.train.queue.MOST_ROWS", 2)
    for number in range(5):
        waiting(f"run {number}")
    app = opened()
    assert len(app.markdown) == 2
    assert "and 3 more that wait" in texts(app)


def test_slots_are_saved_and_follow_another_tab():
    app = opened()
    slots = app.number_input(key="queue-slots")
    assert (slots.value, slots.min, slots.max) == (2, 1, 4)
    slots.set_value(3).run()
    assert requests.slots() == 3
    requests.set_slots(1)
    app.run()
    assert app.number_input(key="queue-slots").value == 1


def test_damaged_runs_do_no_harm():
    run = waiting("one")
    (run.path / "config.json").unlink()
    app = opened()
    assert len(app.markdown) == 0
