"""A real TensorBoard: it starts, shows the chosen runs only, is reused, and ends with its application."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from explorer.errors import RunError
from explorer.paths import ROOT
from explorer.store import runs
from explorer.training.tracking import events, reading
from explorer.training.tracking import server as tracking_server

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
CONFIG = {"model": "mlp", "dataset": "fashion-mnist", "epochs": 2}


@pytest.fixture(autouse=True)
def ended():
    """No server outlives a test."""
    yield
    tracking_server.stop_all()


@pytest.fixture
def run():
    return made("first *run* <img onerror=x>", 0.5)


def made(name, loss):
    run = runs.create(CONFIG, name)
    events.EventFile(reading.folder(run)).append([events.scalars({"loss/train": loss}, 1)])
    return run


def alive(pid):
    """Whether a process lives; one that has ended but is not yet fetched does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(*pids, seconds=90):
    end = time.monotonic() + seconds
    while any(map(alive, pids)) and time.monotonic() < end:
        time.sleep(0.05)
    return not any(map(alive, pids))


def ask(server, path):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(server.url + path, timeout=60) as answer:
        return json.loads(answer.read())


def await_runs(server, count, seconds=90):
    end = time.monotonic() + seconds
    while len(found := ask(server, "/data/runs")) < count and time.monotonic() < end:
        time.sleep(0.2)
    return found


def test_it_shows_the_chosen_runs_and_ends(run):
    other, left_out = made("first *run* <img onerror=x>", 0.25), made("left out", 0.1)
    server = tracking_server.start([run, other])
    assert server.url == f"http://127.0.0.1:{server.port}"
    names = await_runs(server, 2)
    assert sorted(names) == sorted(f"first-run-img-onerror-x-{one.id}" for one in (run, other))
    assert not [name for name in names if left_out.id in name]
    tag = f"/data/plugin/scalars/scalars?tag=loss%2Ftrain&run=first-run-img-onerror-x-{other.id}"
    assert [point[1:] for point in ask(server, tag)] == [[1, 0.25]]
    with socket.socket() as elsewhere:  # answers on every address would reach this one too
        assert elsewhere.connect_ex(("127.0.0.2", server.port)) != 0
    assert tracking_server.start([other, run]) == server
    assert tracking_server.current() == server
    tracking_server.stop()
    assert tracking_server.current() is None
    assert gone(server.pid)
    with pytest.raises(OSError, match="refused"):
        ask(server, "/data/runs")


def test_another_choice_replaces_the_server_of_the_one_who_makes_it(run):
    first = tracking_server.start([run], user="ann")
    assert tracking_server.start([run], user="bob") == first
    second = tracking_server.start([run, made("other", 1.0)], user="bob")
    assert second.pid != first.pid
    assert (tracking_server.current("ann"), tracking_server.current("bob")) == (first, second)
    assert len(await_runs(second, 2)) == 2
    assert len(await_runs(first, 1)) == 1
    tracking_server.stop("ann")
    assert gone(first.pid)
    assert tracking_server.start([run, made("third", 1.0)], user="bob").pid != second.pid
    assert gone(second.pid)


def test_the_one_that_was_started_first_ends_for_one_too_many(run, monkeypatch):
    monkeypatch.setattr(tracking_server, "MOST", 1)
    first = tracking_server.start([run], user="ann")
    second = tracking_server.start([made("other", 1.0)], user="bob")
    assert gone(first.pid)
    assert (tracking_server.current("ann"), tracking_server.current("bob")) == (None, second)


def test_a_server_that_died_is_started_again(run):
    first = tracking_server.start([run])
    os.kill(first.pid, 9)
    end = time.monotonic() + 90
    while tracking_server.current() and time.monotonic() < end:
        time.sleep(0.05)
    assert tracking_server.start([run]).pid != first.pid


def test_it_ends_when_its_application_is_killed(run, tmp_path):
    code = (
        "import os, sys\n"
        "from explorer.store import runs\n"
        "from explorer.training.tracking import server\n"
        "print(server.start([runs.get(sys.argv[1])]).pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", code, run.id],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as application:
        server = int(application.stdout.readline())
        children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
        assert list(tmp_path.glob("explorer-tensorboard-*"))
        application.kill()
        application.wait()
        assert gone(server, *children)
    assert not list(tmp_path.glob("explorer-tensorboard-*"))


def test_runs_without_events_appear_when_they_have_some(run):
    later = runs.create(CONFIG, "later")
    server = tracking_server.start([run, later])
    await_runs(server, 1)
    events.EventFile(reading.folder(later)).append([events.scalars({"loss/train": 2.0}, 1)])
    assert len(await_runs(server, 2)) == 2


def test_without_links_names_and_paths_are_given(run, monkeypatch):
    def refuse(*arguments, **keywords):
        raise OSError("a required privilege is not held by the client")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    (name,) = await_runs(tracking_server.start([run]), 1)
    assert name.removesuffix("/.") == f"first-run-img-onerror-x-{run.id}"


def test_what_does_not_start_is_said(run, monkeypatch):
    monkeypatch.setattr(tracking_server, "OPTIONS", ("--no_such_option",))
    with pytest.raises(RunError, match=r"did not start.*no_such_option"):
        tracking_server.start([run])
    assert tracking_server.current() is None


def test_what_takes_too_long_is_ended(run):
    with pytest.raises(RunError, match="did not start within 0 s"):
        tracking_server.start([run], seconds=0.05)
    assert tracking_server.current() is None


def test_no_choice_and_no_package_are_said(run, monkeypatch):
    with pytest.raises(RunError, match="at least one"):
        tracking_server.start([])
    monkeypatch.setattr(tracking_server.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RunError, match="not installed"):
        tracking_server.start([run])


@pytest.mark.parametrize(
    ("name", "safe"),
    [("../../etc", "etc"), ("=1+1", "1-1"), ("x" * 300, "x" * 40), ("...", "run"), ("größe 2", "größe-2"), ("", "run")],
)
def test_names_are_made_safe(name, safe):
    run = runs.create(CONFIG, "n")
    (run.path / "config.json").write_text(json.dumps({"name": name, "config": CONFIG}))
    assert tracking_server._safe_name(run) == safe
