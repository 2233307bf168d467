"""How quick the application is in a real browser: `python -m benchmarks.app`.

What a user waits for is compared with the least that Streamlit can do, measured in turns with it in the same run, both
inside the page: from the event that the browser reports to the frame in which the answer stands there.

- A click on a cell of the confusion matrix until its images are there, against a fragment that renews a text.
- The last movement of the pen on the page Draw until the bars have stopped changing, against a component whose value
  comes straight back.
"""

import itertools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.browser import ROOT, after, chromium, in_turns, opened, served, until
from benchmarks.measure import Timing, print_comparison, print_machine

WANTED_CLICK, WANTED_PEN = 2.0, 1.5
CELLS = 6
"""So many cells, those with the most errors, are clicked one after the other."""

CHART = ".st-key-figure-confusion-matrix"
RECTANGLES = f"{CHART} svg g.mark-rect.role-mark"
PANEL = ".st-key-matrix-panel"
BARS = "[...kept('.bars').querySelectorAll('.fill')].map((bar) => bar.style.transform).join()"


def main(
    repeats: Annotated[int, typer.Option(min=2, help="Rounds.")] = 20,
    checkpoint: Annotated[str, typer.Option(help="The model that is judged and that looks at the drawing.")] = (
        "fashion-mnist-lenet"
    ),
) -> None:
    """Measure and print."""
    print_machine()
    with (
        tempfile.TemporaryDirectory() as folder,
        served(ROOT / "benchmarks" / "floor.py", Path(folder)) as floor,
        served(ROOT / "explorer" / "app.py", Path(folder)) as app,
        chromium() as browser,
    ):
        least = opened(browser, floor)
        evaluate = opened(browser, f"{app}/evaluate?checkpoint={checkpoint}")
        clicks = {"empty fragment": _renewing(least), "cell to gallery": _cell(evaluate)}
        _print("From a click to the answer", in_turns(clicks, repeats), WANTED_CLICK)
        evaluate.close()
        draw = opened(browser, f"{app}/draw?checkpoint={checkpoint}")
        pen = Pen(draw)
        strokes = {"echo of a fragment": _echo(least), "pen, one movement": pen.one, "pen in motion": pen.many}
        _print("From the last movement of the pen to the bars", in_turns(strokes, repeats), WANTED_PEN)


def _print(title: str, timings: dict[str, Timing], wanted: float) -> None:
    print_comparison(f"{title} (ratio wanted: at most {wanted:g})", timings, next(iter(timings)))


def _renewing(page: Any) -> Callable[[], float]:
    button = page.get_by_role("button", name="Renew")
    text = page.get_by_text("Number ")
    text.wait_for()

    def measure() -> float:
        page.bring_to_front()
        number = int(text.inner_text().removeprefix("Number ")) + 1
        return until(page, "click", f"return document.body.textContent.includes('Number {number}')", button.click)

    return measure


def _echo(page: Any) -> Callable[[], float]:
    button = page.get_by_role("button", name="Echo")

    def measure() -> float:
        page.bring_to_front()
        number = int(page.evaluate("() => kept('output').textContent")) + 1
        return until(page, "click", f"return kept('output').textContent === '{number}'", button.click)

    return measure


def _cell(page: Any) -> Callable[[], float]:
    """Return what clicks another cell each time, until all images of its first page stand there."""
    page.locator(RECTANGLES).first.wait_for()
    cells = _largest(page)

    def measure() -> float:
        page.bring_to_front()
        place, count = next(cells)
        box = page.locator(RECTANGLES).first.locator("path").nth(place).bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        before = page.evaluate("() => kept('.tiles')?.querySelector('button')?.dataset.row ?? ''")
        done = (
            f"const shown = document.querySelector('{PANEL}').textContent.includes('{count} image');"
            "const rows = [...(kept('.tiles')?.querySelectorAll('button') ?? [])].map((one) => one.dataset.row);"
            f"return shown && rows.length === {min(count, 24)} && rows[0] !== '{before}';"
        )
        return until(page, "click", done, lambda: page.mouse.click(x, y))

    return measure


def _largest(page: Any) -> Iterator[tuple[int, int]]:
    """Go round the cells beside the diagonal that hold most images: place in the matrix, and number of images."""
    texts = page.locator(f"{CHART} svg g.mark-text.role-mark").first.locator("text").all_text_contents()
    numbers = [int(text.replace(",", "")) for text in texts]
    size = round(len(numbers) ** 0.5)
    errors = [(count, place) for place, count in enumerate(numbers) if place % size != place // size]
    return itertools.cycle([(place, count) for count, place in sorted(errors, reverse=True)[:CELLS]])


class Pen:
    """A mouse that draws on the canvas of the page Draw."""

    STEPS = 24
    STEP_SECONDS = 0.016

    def __init__(self, page: Any) -> None:
        self.page = page
        surface = page.locator("canvas").first
        surface.wait_for()
        self.box = surface.bounding_box()
        self.heights = itertools.cycle([0.2, 0.8, 0.35, 0.65, 0.5])

    def one(self) -> float:
        """Press, wait, and move once."""
        height = self._press()
        seconds = after(self.page, "pointermove", BARS, lambda: self._move(0.8, 1 - height))
        self._lift()
        return seconds

    def many(self) -> float:
        """Move on and on, and stop."""
        height = self._press()
        seconds = after(self.page, "pointermove", BARS, lambda: self._sweep(height))
        self._lift()
        return seconds

    def _press(self) -> float:
        self.page.bring_to_front()
        height = next(self.heights)
        self._move(0.2, height)
        self.page.mouse.down()
        self.page.wait_for_timeout(600)
        return height

    def _sweep(self, height: float) -> None:
        for step in range(1, self.STEPS + 1):
            self._move(0.2 + 0.6 * step / self.STEPS, height + (1 - 2 * height) * step / self.STEPS)
            self.page.wait_for_timeout(1000 * self.STEP_SECONDS)

    def _lift(self) -> None:
        """End the stroke and start anew with an empty canvas."""
        self.page.mouse.up()
        self.page.get_by_role("button", name="Clear").click()
        self.page.wait_for_timeout(600)

    def _move(self, x: float, y: float) -> None:
        self.page.mouse.move(self.box["x"] + x * self.box["width"], self.box["y"] + y * self.box["height"])


if __name__ == "__main__":
    typer.run(main)
