from datetime import datetime

import pytest

from explorer.store import bin as runs_bin
from explorer.store import runs, summaries
from explorer.store.runs import Status

CONFIG = {"model": "mlp", "dataset": "mnist", "epochs": 3}


@pytest.fixture
def run():
    made = runs.create(CONFIG, "first try")
    made.describe(note="a\nb", tags=["x"])
    made.write_status(Status(state="finished", epoch=3, epochs=3, best_epoch=2, best_accuracy=0.9, curve=(0.8, 0.9)))
    return made


def epoch(number, accuracy=0.5, **changes):
    figures = {"train_loss": 1.0, "train_accuracy": 0.5, "validation_loss": 1.1, "validation_accuracy": accuracy}
    return {"kind": "epoch", "epoch": number} | figures | changes


def only():
    (found,) = summaries.listing()
    return found


def test_nothing_there():
    assert summaries.listing() == ()


def test_it_says_what_the_files_say(run):
    found = only()
    assert (found.run, found.id, found.problem) == (run, run.id, "")
    assert (found.name, found.note, found.tags) == ("first try", "a\nb", ("x",))
    assert (found.model, found.dataset, found.config) == ("mlp", "mnist", CONFIG)
    assert found.status == run.status
    assert found.description == run.description
    assert found.started == datetime.strptime(run.id[:15], "%Y%m%d-%H%M%S")
    assert summaries.summarise(run) is found


def test_the_same_runs_as_the_store_lists_in_its_order(run, home):
    made = [runs.create(CONFIG) for _ in range(3)]
    (home / "runs" / "20260101-000008-abcdef").mkdir()
    (home / "runs" / "notes").mkdir()
    runs_bin.discard(made[1])
    assert [one.run for one in summaries.listing()] == runs.list_runs()


def test_what_has_not_changed_is_not_read_again(run, monkeypatch):
    before = only()

    def refuse(*_arguments):
        raise AssertionError("read again")

    monkeypatch.setattr(runs, "read_object", refuse)
    assert only() is before


def test_every_change_is_seen(run):
    assert only().name == "first try"
    run.describe(name="second try")
    assert only().name == "second try"
    for accuracy in (0.91, 0.92, 0.93):
        run.write_status(run.status.model_copy(update={"best_accuracy": accuracy}))
        assert only().status.best_accuracy == accuracy
    runs_bin.discard(run)
    assert summaries.listing() == ()
    runs_bin.restore(run.id)
    assert only().name == "second try"


def test_a_run_whose_process_dies_is_interrupted_without_any_file_changing(run):
    run.write_status(Status(state="running"))
    lock = run.lock()
    assert only().status.state == "running"
    lock.release()
    assert only().status.state == "interrupted"


@pytest.mark.parametrize(("file", "content"), [("status.json", b"{"), ("config.json", b"[]"), ("config.json", b"")])
def test_a_damaged_run_is_listed_with_its_problem(run, file, content):
    other = runs.create(CONFIG)
    (run.path / file).write_bytes(content)
    found = {one.run: one for one in summaries.listing()}
    assert "damaged" in found[run].problem
    assert found[other].problem == ""
    assert found[run].name == ("first try" if file == "status.json" else run.id)


def test_a_run_of_an_earlier_version_gets_its_curve_from_the_history(run):
    accuracies = [0.1 + 0.7 * k / 149 for k in range(150)]
    for number, accuracy in enumerate(accuracies, start=1):
        run.append_history(epoch(number, accuracy))
    run.write_status(Status(state="finished", epoch=150, epochs=150, best_epoch=150))
    status = only().status
    assert status.best_accuracy == max(accuracies)
    assert len(status.curve) <= 60
    assert status.curve[-1] == accuracies[-1]
    assert list(status.curve) == sorted(status.curve)


def test_lines_of_epochs_are_passed_over_where_they_are_not_whole(run):
    assert summaries.epochs(run) == ()
    good = [epoch(1), epoch(2)]
    with (run.path / "history.jsonl").open("w") as file:
        file.write('{"kind": "epoch", "epoch": 1}\n{"no": "kind"}\n[1]\n{"kind": "epoch", "ep')
    for line in (good[0], epoch("x"), epoch(3, None), {"kind": "step", "epoch": 1}, good[1]):
        run.append_history(line)
    with (run.path / "history.jsonl").open("a") as file:
        file.write('{"kind":"epoch","epoch":9,"train_loss":NaN,"train_accuracy":1,"validation_loss":1,')
        file.write('"validation_accuracy":1}\n')
    assert list(summaries.epochs(run)) == good
    run.append_history(epoch(4))
    assert len(summaries.epochs(run)) == 3


@pytest.mark.parametrize("run_id", ["99999999-999999-abcdef", "20260230-000000-abcdef", ""])
def test_an_id_that_is_no_time(run_id):
    assert summaries.made_at(run_id) is None
