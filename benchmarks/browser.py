"""A server and a real browser, and a stopwatch inside the page."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.measure import Timing

ROOT = Path(__file__).resolve().parent.parent
LOCAL = "127.0.0.1"
PATIENCE_SECONDS = 90.0
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

STOPWATCH = """
// Everything of a kind in the page, components' own trees included.
window.deep = (selector, root = document) => [
  ...root.querySelectorAll(selector),
  ...[...root.querySelectorAll("*")].flatMap((one) => (one.shadowRoot ? deep(selector, one.shadowRoot) : [])),
];
// The first of a kind. To walk through a page in every frame would slow down what is measured: what is still there is
// not looked for again.
const seen = {};
window.kept = (selector) => (seen[selector]?.isConnected ? seen[selector] : (seen[selector] = deep(selector)[0]));
// Milliseconds from the next event of a type to the first frame in which `done` holds.
window.arm = (type, done) => {
  window.measured = new Promise((resolve, reject) => {
    let begin = null;
    const [armed, give] = [performance.now(), 30000];
    addEventListener(type, (event) => (begin = event.timeStamp), { capture: true, once: true });
    const look = () => {
      const now = performance.now();
      if (begin !== null && done()) return resolve(now - begin);
      return now - armed > give ? reject(new Error("No answer within 30 s.")) : requestAnimationFrame(look);
    };
    look();
  });
};
// Milliseconds from the last event of a type to the last change of `state`, once nothing has changed for `pause`.
window.follow = (type, state, pause) => {
  window.measured = new Promise((resolve) => {
    let [event, change, before] = [null, null, state()];
    const hear = ({ timeStamp }) => (event = timeStamp);
    addEventListener(type, hear, { capture: true });
    const look = () => {
      const now = state();
      if (now !== before) [before, change] = [now, performance.now()];
      const quiet = performance.now() - Math.max(event, change ?? 0);
      if (event === null || quiet < pause) return requestAnimationFrame(look);
      removeEventListener(type, hear, { capture: true });
      resolve(change === null ? -1 : change - event);
    };
    look();
  });
};
"""


@contextlib.contextmanager
def served(script: Path, home: Path) -> Iterator[str]:
    """Run a Streamlit script in a server of its own; the value is its address."""
    port = _free_port()
    command = [sys.executable, "-m", "streamlit", "run", str(script), f"--server.port={port}"]
    command += [f"--server.address={LOCAL}", "--server.headless=true", "--server.fileWatcherType=none"]
    command += ["--browser.gatherUsageStats=false"]
    quiet = subprocess.DEVNULL
    environment = {**os.environ, "EXPLORER_HOME": str(home)}
    process = subprocess.Popen(command, cwd=home, env=environment, stdin=quiet, stdout=quiet, stderr=quiet)
    try:
        _await_health(f"http://{LOCAL}:{port}", process)
        yield f"http://{LOCAL}:{port}"
    finally:
        process.terminate()
        process.wait(20)


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """Start a headless Chromium: the system's, or else the one that Playwright has installed."""
    from playwright.sync_api import sync_playwright

    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


def opened(browser: Any, url: str) -> Any:
    """Open a page of 1280 by 800 pixels, with the stopwatch in it."""
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.set_default_timeout(1000 * PATIENCE_SECONDS)
    page.add_init_script(STOPWATCH)
    page.goto(url)
    return page


def until(page: Any, event: str, done: str, act: Callable[[], object]) -> float:
    """Return the seconds from the event that an action sets off until `done`, the body of a function, holds."""
    page.evaluate(f"() => arm('{event}', () => {{ {done} }})")
    act()
    milliseconds: float = page.evaluate("() => measured")
    return milliseconds / 1000


def after(page: Any, event: str, state: str, act: Callable[[], object], pause: float = 0.8) -> float:
    """Return the seconds from the last event of an action to the last change of `state`, an expression.

    Raises
    ------
    RuntimeError
        The state did not change after that event.
    """
    page.evaluate(f"() => follow('{event}', () => {state}, {1000 * pause})")
    act()
    milliseconds: float = page.evaluate("() => measured")
    if milliseconds < 0:
        raise RuntimeError("Nothing changed on the page after the last event.")
    return milliseconds / 1000


def in_turns(candidates: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, Timing]:
    """Measure candidates in turns, the order reversed in every other round; each is run once before."""
    names = list(candidates)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for name in names:
        candidates[name]()
    for turn in range(repeats):
        for name in names if turn % 2 == 0 else reversed(names):
            seconds[name].append(candidates[name]())
    return {name: Timing(name, tuple(values)) for name, values in seconds.items()}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOCAL, 0))
        return int(probe.getsockname()[1])


def _await_health(url: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(urllib.error.URLError, OSError), urllib.request.urlopen(f"{url}/_stcore/health"):
            return
        time.sleep(0.1)
    raise RuntimeError(f"The server did not answer within {PATIENCE_SECONDS:.0f} s.")
