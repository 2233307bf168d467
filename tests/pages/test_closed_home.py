"""A home that can be read and not written to: every page shows what there is, and says once what cannot be done."""

import os

import pytest

from explorer.store import runs
from explorer.store.runs import Status
from explorer.training.queue import requests, supervisor

PAGES = ("home", "train", "runs", "duel", "evaluate", "explain", "inside", "draw")
_ensure = supervisor.ensure


@pytest.fixture
def closed(home, run, mount, monkeypatch):
    """Close the home, in which a run waits and another was being computed when its process was killed."""
    monkeypatch.setattr(supervisor, "ensure", _ensure)
    config = {"model": "mlp", "dataset": "fashion-mnist", "epochs": 4}
    requests.add(runs.create(config, "waits"))
    killed = runs.create(config, "killed")
    killed.write_status(Status(state="running", epoch=1, epochs=4))
    (killed.path / "lock").touch()
    if os.geteuid():
        for path in home.rglob("*"):
            path.chmod(0o555 if path.is_dir() else 0o444)
        home.chmod(0o555)
    else:
        mount(home, "ro")
    yield killed
    if os.geteuid():
        for path in (home, *home.rglob("*")):
            path.chmod(0o755)


@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_shown(open_page, closed, page):
    app = open_page(page)
    assert not app.exception
    said = [error.value for error in app.error]
    assert len(said) == (page in ("train", "duel"))
    assert all("cannot be written to" in text and "EXPLORER\\_HOME" in text for text in said)


@pytest.mark.parametrize("view", ["Network", "Training", "Queue"])
def test_what_cannot_be_done_is_said(open_page, closed, view):
    app = open_page("train", run=closed.id)
    app.segmented_control(key="train-view").set_value(view).run()
    assert not app.exception
    buttons = [button.key for button in app.button if "tune" not in button.key and not button.disabled]
    for key in buttons:
        app = open_page("train", run=closed.id)
        app.segmented_control(key="train-view").set_value(view).run()
        if key in [button.key for button in app.button]:
            app.button(key=key).click().run()
            assert not app.exception, key
