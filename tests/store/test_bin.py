import pytest

from explorer.errors import RunError
from explorer.store import bin as runs_bin
from explorer.store import runs
from explorer.store.runs import Status

CONFIG = {"model": "mlp", "dataset": "mnist", "epochs": 3}


@pytest.fixture
def run():
    made = runs.create(CONFIG, "first try")
    made.write_status(Status(state="finished", epoch=3, epochs=3))
    made.append_history({"kind": "epoch", "epoch": 1})
    made.weights(3).parent.mkdir()
    made.weights(3).write_bytes(b"weights")
    return made


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_there_and_back_nothing_is_changed(run, home):
    before = files(run.path)
    gone = runs_bin.discard(run)
    assert runs.list_runs() == []
    assert runs_bin.binned() == [gone]
    assert gone.path == home / "bin" / run.id
    assert gone.name == "first try"
    assert runs_bin.restore(run.id) == run
    assert runs_bin.binned() == []
    assert runs.list_runs() == [run]
    assert {name: content for name, content in files(run.path).items() if name.name != "lock"} == before


def test_a_run_that_is_computed_stays(run):
    with run.lock(), pytest.raises(RunError, match=f"Run {run.id} is being computed. Pause it first"):
        runs_bin.discard(run)
    assert runs.list_runs() == [run]
    assert runs_bin.binned() == []
    runs_bin.discard(run)


def test_an_interrupted_run_and_a_damaged_one_can_be_thrown_away(run):
    other = runs.create(CONFIG)
    run.write_status(Status(state="running"))
    (other.path / "status.json").write_bytes(b"{")
    for one in (run, other):
        runs_bin.discard(one)
        runs_bin.restore(one.id)
    assert len(runs.list_runs()) == 2
    assert run.status.state == "interrupted"


def test_a_waiting_run_comes_back_as_one_that_can_be_resumed(run):
    run.write_status(Status(state="queued", epochs=3))
    runs_bin.discard(run)
    assert runs_bin.restore(run.id).status == Status(state="stopped", epochs=3)


def test_a_run_that_is_gone_is_said_to_be(run):
    runs_bin.discard(run)
    with pytest.raises(RunError, match="There is no run"):
        runs_bin.discard(run)
    assert not run.path.exists()
    runs_bin.restore(run.id)
    with pytest.raises(RunError, match=r"no run .* in the bin"):
        runs_bin.restore(run.id)


@pytest.mark.parametrize("run_id", ["", ".", "..", "../runs", "/etc", "x" * 500, "20260101-000000-abcdef\n"])
def test_what_is_no_run_id_never_becomes_a_path(run_id):
    with pytest.raises(RunError, match="is not a run id"):
        runs_bin.restore(run_id)


def test_a_lock_file_left_by_a_look_at_the_old_place_does_not_bar_the_way_back(run):
    runs_bin.discard(run)
    assert not run.is_locked  # this makes the folder and the file anew
    assert run.path.is_dir()
    assert runs.list_runs() == []
    assert runs_bin.restore(run.id) == run


def test_an_id_that_is_taken_by_now(run):
    """An archive of a run that lies in the bin may be imported, and thrown away too."""
    runs_bin.discard(run)
    run.path.mkdir()
    for name in ("config.json", "status.json"):
        (run.path / name).write_bytes((runs_bin.folder() / run.id / name).read_bytes())
    back = runs_bin.restore(run.id)
    assert back.id != run.id
    assert back.id[:16] == run.id[:16]
    assert set(runs.list_runs()) == {run, back}
    first = runs_bin.discard(back)
    first.path.rename(runs_bin.folder() / run.id)
    second = runs_bin.discard(run)
    assert second.id != run.id
    assert {one.id for one in runs_bin.binned()} == {run.id, second.id}


def test_emptying(run, home):
    assert runs_bin.empty() == 0
    other = runs.create(CONFIG)
    kept = runs.create(CONFIG)
    for one in (run, other):
        runs_bin.discard(one)
    (home / "bin" / ".half-deleted").mkdir()
    (home / "bin" / "stray").write_text("x")
    target = home / "elsewhere"
    target.mkdir()
    (target / "precious").touch()
    (home / "bin" / "link").symlink_to(target)
    assert runs_bin.empty() == 2
    assert list((home / "bin").iterdir()) == []
    assert (target / "precious").exists()
    assert runs.list_runs() == [kept]


def test_a_bin_that_is_emptied_in_two_tries(run, monkeypatch):
    runs_bin.discard(run)

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(runs_bin.shutil, "rmtree", refuse)
        with pytest.raises(RunError, match="could not be emptied: Permission denied"):
            runs_bin.empty()
    assert runs_bin.binned() == [], "no half of a run may be left to be restored"
    runs_bin.empty()
    assert list(runs_bin.folder().iterdir()) == []


def test_a_disk_that_refuses(run, monkeypatch):
    def refuse(self, target):
        raise OSError(18, "Invalid cross-device link")

    with monkeypatch.context() as patch:
        patch.setattr(type(run.path), "replace", refuse)
        with pytest.raises(RunError, match="could not be moved: Invalid cross-device link"):
            runs_bin.discard(run)
    assert runs.list_runs() == [run]
    assert not run.is_locked
