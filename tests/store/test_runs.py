import json
import subprocess
import sys

import pytest
from filelock import FileLock

from explorer.errors import RunError
from explorer.store import runs
from explorer.store.runs import Status

CONFIG = {"model": "mlp", "dataset": "mnist", "epochs": 3}


@pytest.fixture
def run():
    return runs.create(CONFIG, "first try")


def test_a_new_run_is_queued_and_found_again(run, home):
    assert runs.RUN_ID.fullmatch(run.id)
    assert run.path == home / "runs" / run.id
    assert runs.get(run.id) == run
    assert runs.list_runs() == [run]
    assert (run.name, run.config) == ("first try", CONFIG)
    assert run.status == Status(state="queued", epochs=3)
    assert not run.is_locked


def test_names_are_data(home):
    for name in ("../../x", "a\0b", "[/red]", "<script>", "x" * 500, "", "é 漢"):
        run = runs.create(CONFIG, name)
        assert run.path.parent == home / "runs"
        assert run.name == (name[: runs.MAX_NAME] or "mlp on mnist")


@pytest.mark.parametrize(
    "run_id",
    [
        *(
            "",
            ".",
            "..",
            "../x",
            "20260101-000000-abcdef/../x",
            "/etc/passwd",
            "20260101-000000-abcdef\n",
            "x" * 10_000,
        ),
        *("20260101-000000-ABCDEF", "20260101-000000-abcde", "\0", "20260101-000000-abcdef\0"),
        "٢٠٢٦٠١٠١-000000-abcdef",
        "x" * 10_000,
    ],
)
def test_what_is_no_run_id_never_becomes_a_path(run_id, home):
    with pytest.raises(RunError, match="is not a run id"):
        runs.get(run_id)
    assert not (home / "runs").exists()


def test_a_run_that_is_not_there():
    with pytest.raises(RunError, match="There is no run '20260101-000000-abcdef'"):
        runs.get("20260101-000000-abcdef")


def test_newest_first_and_strangers_left_out(home, monkeypatch):
    assert runs.list_runs() == []
    made = []
    for second in ("20260101-000001-", "20260101-000003-", "20260101-000002-"):
        monkeypatch.setattr(runs.time, "strftime", lambda _format, second=second: second)
        made.append(runs.create(CONFIG))
    (home / "runs" / "notes").mkdir()
    (home / "runs" / "20260101-000009-abcdef").touch()
    (home / "runs" / "20260101-000008-abcdef").mkdir()
    assert runs.list_runs() == [made[1], made[2], made[0]]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"3", b"null", b"\xff\xfe", b'{"state": "flying"}', b'{"epoch": "x"}', b"[" * 10_000]
)
def test_a_damaged_status_is_a_run_error(run, content):
    (run.path / "status.json").write_bytes(content)
    with pytest.raises(RunError, match=rf"of run {run.id} is (missing or )?damaged"):
        _ = run.status


def test_a_missing_status_is_a_run_error(run):
    (run.path / "status.json").unlink()
    with pytest.raises(RunError, match="missing"):
        _ = run.status


@pytest.mark.parametrize(
    "content", [b"", b"{", b"{}", b"[]", b'{"name": 3, "config": {}}', b'{"name": "a", "config": [1]}', b"[" * 10_000]
)
def test_a_damaged_description_is_a_run_error(run, content):
    (run.path / "config.json").write_bytes(content)
    for read in (lambda: run.name, lambda: run.config, lambda: run.description):
        with pytest.raises(RunError, match=rf"config.json of run {run.id} is (missing or )?damaged"):
            read()


def test_a_full_disk_leaves_no_half_made_run(home, monkeypatch):
    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(runs, "write_json", full)
    with pytest.raises(RunError, match="No space left on device"):
        runs.create(CONFIG)
    assert list((home / "runs").iterdir()) == []


def test_a_running_run_whose_process_is_gone_is_interrupted(run):
    run.write_status(Status(state="running", epoch=1))
    assert run.status.state == "interrupted"
    assert "resumed" in run.status.message
    assert json.loads((run.path / "status.json").read_text())["state"] == "running"
    with run.lock():
        assert run.status.state == "running"
        assert run.is_locked
    assert run.status.state == "interrupted"


def test_a_lock_dies_with_its_process(run):
    run.write_status(Status(state="running"))
    script = (
        f"import sys, filelock; lock = filelock.FileLock({str(run.path / 'lock')!r}); lock.acquire(); "
        "print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "held\n"
        assert run.status.state == "running"
        with pytest.raises(RunError, match="being computed by another process"):
            run.lock()
        process.kill()
        process.wait()
    assert run.status.state == "interrupted"
    run.lock().release()


def test_looking_whether_a_run_is_locked_does_not_lock_others_out(run):
    assert not run.is_locked
    lock = FileLock(run.path / "lock")
    lock.acquire(blocking=False)
    lock.release()
    assert not run.is_locked


def test_history_is_read_back_and_broken_lines_passed_over(run):
    assert run.history() == []
    run.append_history({"kind": "step", "epoch": 1, "step": 5, "loss": None})
    run.append_history({"kind": "epoch", "epoch": 1})
    with (run.path / "history.jsonl").open("ab") as file:
        file.write(b'{"kind": "step", "epo')
    assert [line["kind"] for line in run.history()] == ["step", "epoch"]
    run.append_history({"kind": "epoch", "epoch": 2})
    assert [line["epoch"] for line in run.epochs()] == [1, 2]
    with (run.path / "history.jsonl").open("ab") as file:
        file.write(b"3\n\xff\n[1]\n")
    assert [line["epoch"] for line in run.epochs()] == [1, 2]


def test_an_event_after_a_cut_off_line_is_not_lost(run):
    (run.path / "events.jsonl").write_bytes(b'{"kind": "cu')
    run.append_event({"kind": "cut", "epoch": 2, "step": 7})
    assert run.events() == [{"kind": "cut", "epoch": 2, "step": 7}]


def test_history_takes_no_nan(run):
    with pytest.raises(ValueError, match="JSON"):
        run.append_history({"loss": float("nan")})
    assert run.history() == []


@pytest.mark.parametrize(
    ("position", "kept"),
    [
        ((0, 0), []),
        ((0, 1), ["s1.1"]),
        ((0, 3), ["s1.1", "s1.3"]),
        ((1, 0), ["s1.1", "s1.3", "e1"]),
        ((1, 2), ["s1.1", "s1.3", "e1", "s2.1", "s2.2"]),
        ((2, 0), ["s1.1", "s1.3", "e1", "s2.1", "s2.2", "s2.3", "e2"]),
    ],
)
def test_history_is_cut_back_to_a_position(run, position, kept):
    for epoch, steps in ((1, (1, 3)), (2, (1, 2, 3)), (3, (1,))):
        for step in steps:
            run.append_history({"kind": "step", "epoch": epoch, "step": step})
        run.append_history({"kind": "epoch", "epoch": epoch})
    run.truncate_history(*position)
    names = [
        f"e{line['epoch']}" if line["kind"] == "epoch" else f"s{line['epoch']}.{line['step']}" for line in run.history()
    ]
    assert names == kept


def test_what_a_killed_process_began_is_removed(run):
    (run.path / "weights").mkdir()
    for name in (".state.pt.abc.tmp", "weights/.epoch-0001.safetensors.abc.tmp"):
        (run.path / name).write_bytes(b"half")
    run.weights(1).write_bytes(b"whole")
    (run.path / ".status.json.killed.tmp").write_text("{")
    run.discard_unfinished()
    left = {str(path.relative_to(run.path)) for path in run.path.rglob("*") if path.is_file()}
    assert left == {"config.json", "status.json", "weights/epoch-0001.safetensors"}
    assert run.kept_epochs() == [1]


def test_requests_to_stop(run):
    assert not run.stop_requested
    run.request_stop()
    run.request_stop()
    assert run.stop_requested
    run.clear_stop()
    run.clear_stop()
    assert not run.stop_requested


@pytest.mark.parametrize(
    ("status", "progress"),
    [
        (Status(), 0.0),
        (Status(epochs=4, epoch=1), 0.25),
        (Status(epochs=4, epoch=1, step=5, steps=10), 0.375),
        (Status(epochs=4, epoch=4, state="finished"), 1.0),
        (Status(epochs=4, epoch=2, state="finished"), 1.0),
        (Status(epochs=2, epoch=2, step=5, steps=5), 1.0),
    ],
)
def test_progress(status, progress):
    assert status.progress == progress
