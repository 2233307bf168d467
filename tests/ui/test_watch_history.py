import json
import os

import pytest

from explorer.errors import RunError
from explorer.store.runs import Status
from explorer.ui import charts
from explorer.ui.kit.run_history import EPOCH_MARKS, STEP_MARKS, Reader, horizon


def step(epoch, number, steps=100, loss=1.0, rate=0.001):
    return {"kind": "step", "epoch": epoch, "step": number, "steps": steps, "loss": loss, "learning_rate": rate}


def epoch(number, accuracy=0.5):
    names = ("train_loss", "train_accuracy", "validation_loss", "learning_rate", "test_accuracy")
    return {"kind": "epoch", "epoch": number, "validation_accuracy": accuracy} | dict.fromkeys(names, 0.25)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "history.jsonl"


def write(path, lines, mode="a", end="\n"):
    with path.open(mode) as file:
        file.write("\n".join(json.dumps(line) for line in lines) + end)


def test_no_file_is_an_empty_history(path):
    history = Reader(path).read(10)
    assert (history.lines, history.step, history.epoch, history.best, history.damaged) == ((), None, None, None, 0)


def test_what_is_new_is_added(path):
    reader = Reader(path)
    write(path, [step(1, 1), step(1, 50)])
    assert [line["step"] for line in reader.read(10).lines] == [1, 50]
    write(path, [epoch(1, 0.7), step(2, 1, rate=0.5), epoch(2, 0.6)])
    history = reader.read(10)
    assert [line["kind"] for line in history.lines] == ["step", "step", "step", "epoch", "epoch"]
    assert history.epoch["epoch"] == 2
    assert history.best["epoch"] == 1
    assert history.step["learning_rate"] == 0.5


def test_what_an_earlier_version_called_the_loss_is_the_objective(path):
    write(path, [step(1, 1, loss=0.9), epoch(1)])
    history = Reader(path, "squared error").read(10)
    assert (history.step["loss"], history.step["objective"]) == (None, 0.9)
    found = {name: history.epoch[name] for name in history.epoch if "loss" in name or "objective" in name}
    expected = {"train_loss": None, "validation_loss": 0.25, "train_objective": 0.25, "validation_objective": None}
    assert found == expected
    assert history.damaged == 0
    for objective, series in (("", ["validation"]), ("squared error", ["training"])):
        rows = charts.loss_curve(history.lines, 10, objective)["datasets"]["epochs"]
        assert [(row["series"], row["loss"]) for row in rows] == [(name, 0.25) for name in series]


def test_only_what_is_new_is_read(path, monkeypatch):
    reader = Reader(path)
    write(path, [step(1, number) for number in range(1, 90)])
    reader.read(1)
    size = path.stat().st_size
    write(path, [step(1, 90)])
    read = []
    monkeypatch.setattr(
        "explorer.ui.kit.run_history.from_json", lambda text, **_: read.append(text) or json.loads(text)
    )
    assert reader.read(1).step["step"] == 90
    assert sum(map(len, read)) == path.stat().st_size - size - 1


def test_an_unfinished_last_line_waits_for_its_end(path):
    reader = Reader(path)
    text = json.dumps(step(1, 7))
    path.write_text(text[:30])
    assert reader.read(10).lines == ()
    path.write_text(text + "\n")
    os.utime(path)
    history = reader.read(10)
    assert history.step["step"] == 7
    assert history.damaged == 0


def test_a_torn_line_is_left_out_and_counted(path):
    write(path, [step(1, 1)])
    with path.open("a") as file:
        file.write('{"kind": "step", "ep\n')
    write(path, [step(1, 2)])
    history = Reader(path).read(10)
    assert history.step["step"] == 2
    assert history.damaged == 1


@pytest.mark.parametrize(
    "line",
    [
        [],
        3,
        {"kind": "step"},
        {"kind": "other", "epoch": 1},
        {"kind": ["step"]},
        step("1", 1),
        step(1, True),
        step(0, 1),
        step(1, 1, steps=0),
        step(1, 1, loss="much"),
        epoch(1, None),
        epoch(1, float("nan")),
    ],
)
def test_nonsense_is_left_out_and_counted(path, line):
    write(path, [step(1, 1), line, epoch(1)])
    history = Reader(path).read(10)
    assert len(history.lines) == 2
    assert history.damaged == 1


def test_a_loss_that_is_not_a_number_is_noted_as_none_and_not_drawn(path):
    write(path, [step(1, 1), step(1, 90, loss=None)])
    history = Reader(path).read(10)
    assert [line["step"] for line in history.lines] == [1]
    assert history.step["step"] == 90
    assert history.damaged == 0


@pytest.mark.parametrize("replace", [True, False], ids=["another file", "the same file"])
def test_a_history_that_was_cut_back_is_read_anew(path, replace):
    reader = Reader(path)
    write(path, [step(1, 1), step(1, 50), epoch(1), step(2, 30)])
    reader.read(10)
    target = path.with_suffix(".new") if replace else path
    write(target, [step(1, 1), step(1, 50, loss=0.5), epoch(1), step(2, 40), step(2, 90)], mode="w")
    if replace:
        target.replace(path)
    for _ in range(3):
        history = reader.read(10)
        assert [line["step"] for line in history.lines if line["kind"] == "step"] == [1, 50, 40, 90]
        assert history.lines[1]["loss"] == 0.5


def test_the_file_of_a_deleted_run_leaves_nothing_behind(path):
    reader = Reader(path)
    write(path, [step(1, 1), epoch(1)])
    reader.read(10)
    path.unlink()
    assert reader.read(10).lines == ()


def test_a_file_that_cannot_be_read_is_named(path):
    path.mkdir()
    with pytest.raises(RunError, match="cannot be read"):
        Reader(path).read(10)


def test_a_hundred_thousand_lines_are_thinned_evenly_and_stay_where_they_are(path):
    lines = [line for e in range(1, 1001) for line in [*(step(e, s) for s in range(1, 101)), epoch(e, e / 2000)]]
    reader = Reader(path)
    write(path, lines[: len(lines) // 2])
    before = reader.read(1000)
    write(path, lines[len(lines) // 2 :])
    history = reader.read(1000)
    steps = [line for line in history.lines if line["kind"] == "step"]
    epochs = [line["epoch"] for line in history.lines if line["kind"] == "epoch"]
    assert len(steps) == STEP_MARKS
    assert max(line["epoch"] for line in steps) > 990
    kept = [line for line in before.lines if line["kind"] == "step"]
    assert steps[: len(kept)] == kept
    assert len(kept) >= STEP_MARKS // 2
    assert len(epochs) <= EPOCH_MARKS + 2 == charts.learning_curves.MAX_EPOCHS
    assert (epochs[0], epochs[-1]) == (1, 1000)
    assert history.best["epoch"] == 1000


@pytest.mark.parametrize("epochs", [1, 2, 10, 10_000])
def test_at_most_two_hundred_steps_of_an_epoch_and_four_hundred_marks_are_sent(path, epochs):
    write(path, [step(e, s, 844) for e in range(1, min(epochs, 50) + 1) for s in range(1, 845, 2)])
    write(path, [epoch(e) for e in range(1, epochs + 1)])
    history = Reader(path).read(horizon(Status(epoch=epochs, epochs=epochs)))
    steps = [line for line in history.lines if line["kind"] == "step"]
    assert max(sum(line["epoch"] == e for line in steps) for e in range(1, epochs + 1)) <= 200
    drawn = charts.loss_curve(history.lines, history.horizon)["datasets"]
    assert len(drawn["steps"]) + len(drawn["epochs"]) <= 400


def test_the_newest_epoch_is_always_there(path):
    write(path, [epoch(number) for number in range(1, 1008)])
    history = Reader(path).read(2000)
    assert history.lines[-1]["epoch"] == 1007


def test_the_test_set_stays_out(path):
    write(path, [epoch(1)])
    assert "test_accuracy" not in json.dumps(Reader(path).read(3).lines)


@pytest.mark.parametrize(
    ("status", "end"),
    [
        (Status(epochs=4), 4),
        (Status(epochs=20, epoch=20), 20),
        (Status(epochs=10_000), 20),
        (Status(epochs=10_000, epoch=19, step=5), 20),
        (Status(epochs=10_000, epoch=20, step=5), 40),
        (Status(epochs=10_000, epoch=20), 20),
        (Status(epochs=50, epoch=45), 50),
        (Status(), 1),
    ],
)
def test_the_axis_of_a_long_run_doubles_when_it_is_full(status, end):
    assert horizon(status) == end


def test_an_axis_that_has_doubled_is_thinned_anew(path):
    write(path, [step(1, number) for number in range(1, 101)])
    reader = Reader(path)
    assert len(reader.read(1).lines) == 100
    assert len(reader.read(20).lines) == 11
    assert len(reader.read(1).lines) == 100
