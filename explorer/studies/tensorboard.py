"""A real TensorBoard for chosen runs, on a free loopback port; at most one for an application, ending with it."""

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
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from explorer.errors import ExplorerError, RunError
from explorer.paths import ROOT
from explorer.store.runs import Run
from explorer.training.tracking import reading

HOST = "127.0.0.1"
START_SECONDS = 60.0
STOP_SECONDS = 5.0
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
_current: _Process | None = None


def start(runs: Sequence[Run], seconds: float = START_SECONDS) -> Server:
    """Start TensorBoard for these runs, or return the one that shows them already.

    Parameters
    ----------
    runs : sequence of Run
        Without events yet they appear as soon as they have some.
    seconds : float
        How long it may take until it answers.

    Raises
    ------
    RunError
        No run is chosen, TensorBoard is not installed, or it does not start.
    """
    global _current
    ids = tuple(sorted({run.id for run in runs}))
    if not ids:
        raise RunError("No run is chosen for TensorBoard. Choose at least one.")
    if importlib.util.find_spec("tensorboard") is None:
        raise RunError("TensorBoard is not installed. Run: pip install -r requirements.txt")
    with _lock:
        if (found := _alive()) and found.server.runs == ids:
            return found.server
        _end()
        _current = _launch({run.id: run for run in runs}, ids, seconds)
        return _current.server


def current() -> Server | None:
    """Return the server that runs now, if any."""
    found = _alive()
    return found.server if found else None


def stop() -> None:
    """End the server, if there is one."""
    with _lock:
        _end()


def _alive() -> _Process | None:
    return _current if _current is not None and _current.process.poll() is None else None


def _end() -> None:
    """End the server's process by ending its standard input; by force if it does not go."""
    global _current
    if _current is not None:
        _close(_current.process)
        shutil.rmtree(_current.folder, ignore_errors=True)
        _current = None


def _close(process: subprocess.Popen[str]) -> None:
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _launch(runs: dict[str, Run], ids: tuple[str, ...], seconds: float) -> _Process:
    folder = Path(tempfile.mkdtemp(prefix="explorer-tensorboard-"))
    try:
        where = _choice(folder, [runs[run_id] for run_id in ids])
        with (folder / "log.txt").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "explorer.studies._tensorboard_process", str(folder), *where, *OPTIONS],
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


def _choice(folder: Path, runs: Sequence[Run]) -> list[str]:
    """Return how TensorBoard is told of the runs: a folder of links, or where there are none, names and paths."""
    names = {run.id: f"{_safe_name(run)}-{run.id}" for run in runs}
    links = folder / "runs"
    links.mkdir()
    try:
        for run in runs:
            (links / names[run.id]).symlink_to(reading.folder(run).resolve(), target_is_directory=True)
    except (OSError, NotImplementedError):
        spec = ",".join(f"{names[run.id]}:{reading.folder(run).resolve()}" for run in runs)
        return ["--logdir_spec", spec]
    return ["--logdir", str(links)]


def _safe_name(run: Run) -> str:
    """Make a display name fit for a file name and for TensorBoard's list."""
    try:
        name = _UNSAFE.sub("-", run.name).strip("-.")[:40]
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


atexit.register(stop)
