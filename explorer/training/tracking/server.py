"""A real TensorBoard for chosen runs, on a free loopback port; one for each choice that somebody looks at, few at once.

All end with the application.
"""

import atexit
import importlib.util
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from explorer.errors import ExplorerError, RunError
from explorer.files import saying_what_fails
from explorer.paths import ROOT
from explorer.store.runs import Run
from explorer.training.tracking import reading

HOST = "127.0.0.1"
START_SECONDS = 60.0
STOP_SECONDS = 5.0
MOST = 4
"""So many at once; a further one ends the one that was started first."""
SAMPLES = "scalars=20000,histograms=200,images=50"
"""Points that are kept of each series; above that TensorBoard draws lots."""

OPTIONS = ("--host", HOST, "--port", "0", "--samples_per_plugin", SAMPLES, "--reload_interval", "5")
_UNSAFE = re.compile(r"[^\w.-]+")


@dataclass(frozen=True)
class Server:
    """A TensorBoard that answers at `url`, in the process `pid`, for the runs with these ids."""

    url: str
    port: int
    pid: int
    runs: tuple[str, ...]


@dataclass(frozen=True)
class _Process:
    server: Server
    process: subprocess.Popen[str]
    folder: Path


_lock = threading.Lock()
_processes: dict[tuple[str, ...], _Process] = {}
"""By the ids of the runs that they show, in the order of their start."""
_choices: dict[str, tuple[str, ...]] = {}
"""What each user looks at."""


def start(
    runs: Sequence[Run],
    seconds: float = START_SECONDS,
    user: str = "",
    labels: Mapping[str, str] | None = None,
) -> Server:
    """Start TensorBoard for these runs, or return the one that shows them already.

    What the user looked at before ends, unless others look at it too.

    Parameters
    ----------
    runs : sequence of Run
        Without events yet they appear as soon as they have some.
    seconds : float
        How long it may take until it answers.
    user : str
        Whoever asks, such as the id of a session.
    labels : mapping of str to str, optional
        What each run is called, by its id; by default its name.

    Raises
    ------
    RunError
        No run is chosen, TensorBoard is not installed, or it does not start.
    """
    ids = tuple(sorted({run.id for run in runs}))
    if not ids:
        raise RunError("No run is chosen for TensorBoard. Choose at least one.")
    if importlib.util.find_spec("tensorboard") is None:
        raise RunError("TensorBoard is not installed. Run: pip install -r requirements.txt")
    with _lock:
        if (found := _alive(ids)) is None:
            _end(ids)
            found = _launch({run.id: run for run in runs}, ids, seconds, labels or {})
            _processes[ids] = found
        _choices[user] = ids
        _end_unused()
        return found.server


def current(user: str = "") -> Server | None:
    """Return the server that this user looks at, if it runs."""
    found = _alive(_choices.get(user, ()))
    return found.server if found else None


def stop(user: str = "") -> None:
    """End the server that this user looks at, unless others look at it too."""
    with _lock:
        _choices.pop(user, None)
        _end_unused()


@atexit.register
def stop_all() -> None:
    """End all servers."""
    with _lock:
        _choices.clear()
        _end_unused()


def _alive(ids: tuple[str, ...]) -> _Process | None:
    found = _processes.get(ids)
    return found if found is not None and found.process.poll() is None else None


def _end_unused() -> None:
    wanted = [ids for ids in _processes if ids in _choices.values()][-MOST:]
    for ids in set(_processes) - set(wanted):
        _end(ids)


def _end(ids: tuple[str, ...]) -> None:
    """End a server's process by ending its standard input; by force if it does not go."""
    if (found := _processes.pop(ids, None)) is not None:
        _close(found.process)
        shutil.rmtree(found.folder, ignore_errors=True)


def _close(process: subprocess.Popen[str]) -> None:
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _launch(runs: dict[str, Run], ids: tuple[str, ...], seconds: float, labels: Mapping[str, str]) -> _Process:
    with saying_what_fails():
        folder = Path(tempfile.mkdtemp(prefix="explorer-tensorboard-"))
    try:
        where = _choice(folder, [runs[run_id] for run_id in ids], labels)
        with (folder / "log.txt").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "explorer.training.tracking.server_process", str(folder), *where, *OPTIONS],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise RunError(f"TensorBoard cannot be started: {error.strerror or error}.") from None
    end = time.monotonic() + seconds
    url = _first_line(process, seconds).strip().rstrip("/")
    port = url.rpartition(":")[2]
    if not port.isdigit() or not _answers(process, url, end):
        late = time.monotonic() >= end
        _close(process)
        reason = f" within {seconds:.0f} s" if late else _reason(folder / "log.txt")
        shutil.rmtree(folder, ignore_errors=True)
        raise RunError(f"TensorBoard did not start{reason}. Its curves can be seen inside the application as well.")
    return _Process(Server(url, int(port), process.pid, ids), process, folder)


def _choice(folder: Path, runs: Sequence[Run], labels: Mapping[str, str]) -> list[str]:
    """Return how TensorBoard is told of the runs: a folder of links, or where there are none, names and paths."""
    names = {run.id: f"{_safe_name(run, labels.get(run.id, ''))}-{run.id}" for run in runs}
    links = folder / "runs"
    links.mkdir()
    try:
        for run in runs:
            (links / names[run.id]).symlink_to(reading.folder(run).resolve(), target_is_directory=True)
    except (OSError, NotImplementedError):
        spec = ",".join(f"{names[run.id]}:{reading.folder(run).resolve()}" for run in runs)
        return ["--logdir_spec", spec]
    return ["--logdir", str(links)]


def _safe_name(run: Run, label: str = "") -> str:
    """Make a label, or else the display name, fit for a file name and for TensorBoard's list."""
    try:
        name = _UNSAFE.sub("-", label or run.name).strip("-.")[: 80 if label else 40]
    except ExplorerError:
        name = ""
    return name or "run"


def _first_line(process: subprocess.Popen[str], seconds: float) -> str:
    """Return what the process prints first; nothing if that takes too long."""
    lines: queue.Queue[str] = queue.Queue()
    stream = process.stdout
    assert stream is not None
    threading.Thread(target=lambda: lines.put(stream.readline()), daemon=True).start()
    try:
        return lines.get(timeout=seconds)
    except queue.Empty:
        process.kill()
        return ""


def _answers(process: subprocess.Popen[str], url: str, end: float) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy cannot reach the loopback
    while time.monotonic() < end and process.poll() is None:
        try:
            with opener.open(f"{url}/data/environment", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            time.sleep(0.1)
    return False


def _reason(log: Path) -> str:
    """Return the last thing that TensorBoard said of an error."""
    try:
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    except OSError:
        return ""
    return f": {lines[-1][:200].rstrip('.')}" if lines else ""
