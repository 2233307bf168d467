"""The panel in AppTest: the server is a stand-in, the events are real."""

from types import SimpleNamespace

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from explorer.errors import RunError
from explorer.store import runs
from explorer.training.tracking import events, reading, server
from explorer.ui.charts.learning_curves import scalar_curves, scalar_table
from explorer.ui.charts.weights import epoch_histogram_table, histogram_map, quantile
from explorer.ui.runs import tensorboard
from explorer.ui.runs import tensorboard as panel

CONFIG = {"model": "mlp", "dataset": "fashion-mnist", "epochs": 2}


@pytest.fixture(autouse=True)
def fresh():
    """Forget the events of earlier tests."""
    st.cache_resource.clear()


@pytest.fixture
def started(monkeypatch):
    """Note what would be started."""
    found = []

    def start(chosen, user="", labels=None):
        found.append(server.Server("http://127.0.0.1:6006", 6006, 1, tuple(sorted(run.id for run in chosen))))
        return found[-1]

    monkeypatch.setattr(server, "start", start)
    monkeypatch.setattr(server, "current", lambda user: found[-1] if found else None)
    monkeypatch.setattr(server, "stop", lambda user: found.clear())
    return found


def made(name="one", accuracies=(0.5, 0.75), values=((-1.0, 1.0), (-2.0, 2.0))):
    """Make a run with two epochs of events."""
    from tensorboard.compat.proto.histogram_pb2 import HistogramProto
    from tensorboard.compat.proto.summary_pb2 import Summary

    run = runs.create(CONFIG, name)
    file = events.EventFile(reading.folder(run))
    for epoch, (accuracy, (low, high)) in enumerate(zip(accuracies, values, strict=True), 1):
        middle = (low + high) / 2
        histogram = HistogramProto(min=low, max=high, num=4, bucket_limit=[middle, high], bucket=[1, 3])
        tags = ("weights/1.weight", "gradients/1.weight")
        file.append(
            [
                events.scalars({"accuracy/validation": accuracy, "loss/step": 1 / epoch}, epoch),
                events.event([Summary.Value(tag=tag, histo=histogram) for tag in tags], epoch),
            ]
        )
    return run


def app(*chosen):
    def page(ids):
        from explorer.store import runs
        from explorer.ui.runs import tensorboard

        tensorboard.show([runs.get(run_id) for run_id in ids])

    return AppTest.from_function(page, default_timeout=60, kwargs={"ids": [run.id for run in chosen]})


@pytest.fixture
def here(monkeypatch):
    monkeypatch.setattr(panel, "reachable", lambda: True)


@pytest.fixture
def far(monkeypatch):
    monkeypatch.setattr(panel, "reachable", lambda: False)


def charts(test):
    return [element.proto for element in test.get("vega_lite_chart")]


def texts(test):
    return " ".join(element.value for element in (*test.caption, *test.markdown, *test.error, *test.warning))


@pytest.mark.usefixtures("here")
def test_the_button_starts_the_server_and_embeds_it(started):
    run, other = made(), made("two")
    test = app(run, other).run()
    assert not test.exception
    assert not test.get("iframe")
    test.button(key="tensorboard-open").click().run()
    assert [set(one.runs) for one in started] == [{run.id, other.id}]
    (frame,) = test.get("iframe")
    assert frame.proto.src == "http://127.0.0.1:6006"
    (link,) = test.get("link_button")
    assert link.proto.url == "http://127.0.0.1:6006"
    test.button(key="tensorboard-stop").click().run()
    assert not test.get("iframe")
    assert test.button(key="tensorboard-open")


@pytest.mark.usefixtures("here")
def test_a_server_for_other_runs_is_not_shown(started):
    run, other = made(), made("two")
    server.start([other], {})
    test = app(run).run()
    assert not test.get("iframe")
    assert "open for other runs" in texts(test)


@pytest.mark.usefixtures("here")
def test_what_goes_wrong_is_said(started, monkeypatch):
    def refuse(chosen, user, labels):
        raise RunError("TensorBoard did not start: <b>no</b>.")

    monkeypatch.setattr(server, "start", refuse)
    test = app(made()).run()
    test.button(key="tensorboard-open").click().run()
    assert not test.exception
    assert [error.value for error in test.error] == ["TensorBoard did not start\\: \\<b\\>no\\</b\\>\\."]


@pytest.mark.usefixtures("here")
def test_the_curves_are_also_shown_inside(started):
    test = app(made()).run()
    assert not charts(test)
    test.segmented_control(key="tensorboard-view").select("Inside").run()
    assert not test.exception
    assert len(charts(test)) == 2
    assert started == []


@pytest.mark.usefixtures("far")
def test_another_machine_gets_the_curves_and_no_server(started):
    test = app(made("Ann's *first* <b>", (0.5, 0.625)), made("two", (0.5, 0.75))).run()
    assert not test.exception
    assert started == []
    assert not test.get("iframe")
    assert not test.button
    assert len(charts(test)) == 2
    assert "can only be opened on the computer" in texts(test)
    assert "Highest at its end is **two** with 75.0%" in texts(test)
    assert "half of them lie between 0 and 1.3" in texts(test)
    test.selectbox(key="tensorboard-run").select("Ann's *first* <b>").run()
    test.selectbox(key="tensorboard-parameter").select("gradients/1.weight").run()
    test.selectbox(key="tensorboard-scalar").select("loss/step").run()
    assert not test.exception
    assert "gradients of the epoch's last step" in texts(test)


@pytest.mark.usefixtures("far")
def test_a_running_run_is_read_again_when_it_has_grown():
    run = made(accuracies=(0.5,), values=((-1.0, 1.0),))
    test = app(run).run()
    assert "at epoch 1 it is 50.0%" in texts(test)
    events.EventFile(reading.folder(run)).append([events.scalars({"accuracy/validation": 0.9}, 2)])
    assert "at epoch 2 it is 90.0%" in texts(test.run())


@pytest.mark.usefixtures("far")
def test_without_events_it_says_when_they_begin():
    test = app(runs.create(CONFIG, "new")).run()
    assert not test.exception
    assert "begin with the first epoch" in texts(test)


def test_without_a_choice_it_asks_for_one():
    assert "Choose at least one run" in texts(app().run())


@pytest.mark.parametrize(
    ("url", "address", "expected"),
    [
        ("http://localhost:8501/train", None, True),
        ("http://127.0.0.1:8501", "::ffff:127.0.0.1", True),
        ("http://[::1]:8501", None, False),
        ("http://explorer.localhost", None, True),
        ("http://192.168.1.5:8501", None, False),
        ("https://lab.example.org/x", None, False),
        ("http://localhost:8501", "172.17.0.1", False),
        ("http://localhost.example.org", None, False),
        (None, None, False),
    ],
)
def test_who_can_reach_the_loopback(url, address, expected, monkeypatch):
    monkeypatch.setattr(panel, "st", SimpleNamespace(context=SimpleNamespace(url=url, ip_address=address)))
    assert panel.reachable() is expected


@pytest.mark.parametrize(
    ("page", "frame"),
    [
        ("http://localhost:8501/runs", "http://localhost:6006"),
        ("http://127.0.0.1:8501/runs", "http://127.0.0.1:6006"),
        ("http://lab.localhost:8501", "http://lab.localhost:6006"),
    ],
)
def test_the_frame_has_the_host_name_of_the_page(page, frame, monkeypatch):
    monkeypatch.setattr(panel, "st", SimpleNamespace(context=SimpleNamespace(url=page)))
    assert panel._url(server.Server("http://127.0.0.1:6006", 6006, 1, ())) == frame


@pytest.mark.usefixtures("here")
def test_a_browser_that_does_not_reach_the_server_gets_the_curves(started, monkeypatch):
    run = made()
    server.start([run], {})
    monkeypatch.setattr(panel, "_probe", lambda **_: {"reached": False})
    test = app(run).run()
    assert not test.exception
    assert not test.get("iframe")
    assert len(charts(test)) == 2
    assert any("does not reach" in info.value for info in test.info)


def test_runs_of_one_name_are_told_apart():
    titles = tensorboard._titles([made("same"), made("same"), made("x" * 120)])
    assert len(titles) == 3
    assert all(len(title) < 60 for title in titles)


def test_charts_hold_every_number_of_their_tables(exported):
    read = reading.read(made())
    series = read.histogram("weights/1.weight", bins=4)
    assert series.edges.tolist() == [-2, -1, 0, 1, 2]
    assert series.shares.tolist() == [[0, 0.25, 0.75, 0], [0.125, 0.125, 0.375, 0.375]]
    spec = histogram_map(series, "title", "value")
    exported(spec)
    cells = spec["datasets"]["cells"]
    assert [(cell["epoch"], cell["left"], cell["right"], cell["low"], cell["share"]) for cell in cells[:3]] == [
        (1, 0.5, 1.5, -1, 0.25),
        (1, 0.5, 1.5, 0, 0.75),
        (2, 1.5, 2.5, -2, 0.125),
    ]
    assert epoch_histogram_table(series)[1][4] == [2, -2.0, -1.0, 0.125]
    assert quantile(series, 1, 0.25) == 0
    curves = {"=1+1": read.scalars["accuracy/validation"]}
    spec = scalar_curves("accuracy/validation", curves)
    exported(spec)
    points = spec["datasets"]["points"]
    assert points == [{"run": "=1+1", "step": 1, "value": 0.5}, {"run": "=1+1", "step": 2, "value": 0.75}]
    assert scalar_table("accuracy/validation", curves) == (
        ["run", "epoch", "accuracy/validation"],
        [["=1+1", 1, 0.5], ["=1+1", 2, 0.75]],
    )


def test_long_curves_are_thinned_and_infinite_values_left_out():
    curve = reading.ScalarSeries(tuple(range(5000)), (float("inf"), *[1.0] * 4999))
    points = scalar_curves("loss/step", {"a": curve})["datasets"]["points"]
    assert len(points) <= 1000
    assert points[0]["step"] == 1
