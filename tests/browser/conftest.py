"""A real browser and a real server for the tests of this folder."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pytest

from explorer.paths import ROOT
from explorer.store.catalog import imported_folder
from explorer.store.checkpoints import load_checkpoint, save_checkpoint
from explorer.training.queue import supervisor
from tests.browser.marks import NASTY, PATIENCE
from tests.pages import samples

LOCAL = "127.0.0.1"
APP = ROOT / "explorer" / "app.py"
FLAGS = "--no-sandbox", "--disable-dev-shm-usage"
CAMERA = "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"
"""Chromium then has a camera that films a moving test pattern, and lets pages use it."""


@dataclass
class Server:
    """A Streamlit server in its own process."""

    url: str
    process: subprocess.Popen[bytes]
    log: IO[bytes]
    home: Path = Path()
    run_id: str = ""

    def output(self) -> str:
        """Return what the server has printed so far."""
        return Path(self.log.name).read_text(errors="replace")

    def stop(self) -> None:
        """End the process, by force if it does not go by itself."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        self.log.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOCAL, 0))
        return int(probe.getsockname()[1])


def _await_health(server: Server, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if server.process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{server.url}/_stcore/health", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.1)
    raise RuntimeError(f"The server did not start within {seconds:.0f} s. It printed:\n{server.output()}")


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Start Streamlit servers: `serve(script, cwd=..., env=..., options=...)` returns once it answers.

    `script` is a path; `cwd` the folder to start in (by default the script's own); `env` is added to the
    environment; `options` are further arguments such as `--theme.base=dark`. All servers end with the
    session, or earlier by `.stop()`.
    """
    servers: list[Server] = []

    def start(
        script: Path | str,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        options: Sequence[str] = (),
        seconds: float = 60,
    ) -> Server:
        script = Path(script).resolve()
        port = _free_port()
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        command = [sys.executable, "-m", "streamlit", "run", str(script), f"--server.port={port}"]
        command += [f"--server.address={LOCAL}", "--server.headless=true", "--server.fileWatcherType=none"]
        command += ["--browser.gatherUsageStats=false", *options]
        log = (tmp_path_factory.mktemp("server") / "output.txt").open("wb")
        process = subprocess.Popen(
            command,
            cwd=cwd or script.parent,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1", **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        server = Server(f"http://{LOCAL}:{port}", process, log)
        servers.append(server)
        _await_health(server, seconds)
        return server

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def launch(serve: Callable[..., Server], shared_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Start the application from some other folder, with a home of its own, which `fill` may furnish before."""

    def start(fill: Callable[[], object] = lambda: None, **environment: str) -> Server:
        home = tmp_path_factory.mktemp("application-home")
        (home / "data").symlink_to(shared_home / "data", target_is_directory=True)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("EXPLORER_HOME", str(home))
            fill()
        elsewhere = tmp_path_factory.mktemp("elsewhere")
        server = serve(APP, cwd=elsewhere, env={"EXPLORER_HOME": str(home)} | environment, seconds=120)
        server.home = home
        return server

    return start


@pytest.fixture(scope="module")
def supervise() -> Iterator[Callable[[Path], None]]:
    """Start the process that takes runs from a home's queue; it ends with the module's tests."""
    started: list[subprocess.Popen[bytes]] = []

    def start(home: Path) -> None:
        environment = {**os.environ, "EXPLORER_HOME": str(home), "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
        command = [sys.executable, "-m", "explorer", "supervise"]
        with (home / "supervisor.log").open("wb") as log:
            started.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log))

    yield start
    for process in started:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="session")
def application(launch: Callable[..., Server]) -> Iterator[Server]:
    """The application for all tests that leave its home as it is.

    Besides the shipped checkpoints it has what `samples.fill` makes, the run's id in `run_id`, and the checkpoint
    `nasty`, whose seventh class has markup for a name.
    """
    run_ids, nobody = [], contextlib.ExitStack()

    def fill() -> None:
        run_ids.append(samples.fill().id)
        nobody.enter_context(supervisor._lock())  # takes runs from the queue
        small = load_checkpoint(imported_folder() / f"{samples.NAME}.safetensors")
        classes = (*small.classes[:6], NASTY, *small.classes[7:])
        metadata = small.metadata.model_copy(update={"classes": classes})
        save_checkpoint(imported_folder() / "nasty.safetensors", small.classifier().network, metadata)

    server = launch(fill)
    server.run_id = run_ids[0]
    with nobody:
        yield server


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless Chromium: the system's, or else the one that Playwright has installed."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed.")
    playwright.expect.set_options(timeout=PATIENCE)
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = next(filter(None, map(shutil.which, names)), None)
    with playwright.sync_playwright() as driver:
        if found is None and not Path(driver.chromium.executable_path).exists():
            missing = pytest.fail if os.environ.get("CI") else pytest.skip
            missing("There is no Chromium. Install it: python -m playwright install --with-deps chromium")
        browser = driver.chromium.launch(executable_path=found, args=[*FLAGS, *CAMERA])
        yield browser
        browser.close()


@dataclass
class Visit:
    """Open pages, closed when the test ends; `errors` holds what their scripts complained about."""

    browser: Any
    errors: list[str] = field(default_factory=list)
    contexts: list[Any] = field(default_factory=list)

    def __call__(self, url: str, **options: Any) -> Any:
        """Open `url` in a new context (its own session and storage); `options` go to the context."""
        context = self.browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        self.contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda entry: entry.type == "error" and self.errors.append(entry.text))
        page.goto(url)
        return page


@pytest.fixture
def visit(chromium: Any) -> Iterator[Visit]:
    """Open pages in Chromium: `visit(url, has_touch=True, ...)` returns a Playwright page."""
    visits = Visit(chromium)
    yield visits
    for context in visits.contexts:
        context.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Add to the report of a test that failed what its pages show and what its servers have printed."""
    report = yield
    if call.when == "call" and report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            if isinstance(value, Visit):
                report.sections += [section for context in value.contexts for section in map(_shown, context.pages)]
                report.sections.append(("errors in the browser", "\n".join(value.errors)))
            elif isinstance(value, Server):
                report.sections.append((f"printed by {name}", value.output()[-2000:]))
    return report


def _shown(page: Any) -> tuple[str, str]:
    try:
        return page.url, page.inner_text("body", timeout=2000)[:2000]
    except Exception as error:  # the report of the test must not be lost for it
        return page.url, f"cannot be read: {error}"
