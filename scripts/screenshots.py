"""Take the pictures of the README from the real application.

    python scripts/screenshots.py

starts the application with the shipped checkpoints, opens its pages in Chromium and writes `docs/*.png`.
"""

import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs"
SIZE = {"width": 1280, "height": 800}
PATIENCE_SECONDS = 60
PAGES = {
    "evaluate": "&cell=6-0",
    "explain": "&image=6",
    "inside": "&inside=activations&image=6",
    "draw": "",
    "train": "",
}
"""What is opened, with what is chosen there."""


@contextmanager
def application() -> Iterator[str]:
    """Serve the application with an empty home and yield its address."""
    with socket.socket() as free, tempfile.TemporaryDirectory() as home:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
        free.close()
        command = [sys.executable, "-m", "streamlit", "run", "explorer/app.py", f"--server.port={port}"]
        environment = {"PATH": "/usr/bin:/bin", "EXPLORER_HOME": home, "HOME": home}
        process = subprocess.Popen([*command, "--server.headless=true"], cwd=ROOT, env=environment)
        try:
            address = f"http://localhost:{port}"
            _wait(f"{address}/_stcore/health")
            yield address
        finally:
            process.terminate()
            process.wait()


def _wait(address: str) -> None:
    for _ in range(PATIENCE_SECONDS * 2):
        try:
            urllib.request.urlopen(address)
        except OSError:
            time.sleep(0.5)
        else:
            return
    raise TimeoutError("the application did not start")


def _settled(page: Page) -> None:
    """Wait until nothing runs any more."""
    page.wait_for_selector("h1", timeout=PATIENCE_SECONDS * 1000)
    page.wait_for_timeout(1500)
    page.wait_for_selector("[data-testid=stStatusWidget]", state="detached", timeout=PATIENCE_SECONDS * 1000)
    page.wait_for_timeout(1500)


def _draw_shoe(page: Page) -> None:
    """Draw the outline of a boot and fill it with broad strokes."""
    box = page.locator("canvas").first.bounding_box()
    assert box is not None

    def stroke(*points: tuple[float, float]) -> None:
        spots = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
        page.mouse.move(*spots[0])
        page.mouse.down()
        for spot in spots[1:]:
            page.mouse.move(*spot, steps=8)
        page.mouse.up()

    for shift in range(5):
        stroke((0.50 + shift * 0.06, 0.15), (0.50 + shift * 0.06, 0.78))
    for shift in range(4):
        stroke((0.14 + shift * 0.03, 0.80 - shift * 0.06), (0.78, 0.80 - shift * 0.06))


def main() -> None:
    """Take all pictures."""
    FOLDER.mkdir(exist_ok=True)
    with application() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE)
        for name, parameters in PAGES.items():
            page.goto(f"{address}/{name}?checkpoint=fashion-mnist-lenet{parameters}")
            _settled(page)
            if name == "draw":
                _draw_shoe(page)
                _settled(page)
            if name == "train":
                page.get_by_role("button", name="Start training").click()
                page.wait_for_timeout(20_000)
            page.screenshot(path=FOLDER / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
