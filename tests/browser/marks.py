"""What several tests of this folder look for and wait for."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

PATIENCE = 90_000
"""Milliseconds within which something must happen that no test measures: the machine may be busy."""

NASTY = "<img src=x onerror=alert(1)>"
"""The name of the seventh class of the checkpoint `nasty`."""

SILENT = """quiet => {
    const app = document.querySelector('[data-testid=stApp]');
    const busy = app?.dataset.testScriptState !== 'notRunning'
        || document.querySelector('[data-testid=stSpinner], [data-stale=true], [data-testid=stSkeleton]');
    window.silentSince = busy ? null : window.silentSince ?? performance.now();
    return !busy && performance.now() - window.silentSince >= quiet;
}"""

WATCHED = """() => {
    const charts = [...document.querySelectorAll('[data-testid=stVegaLiteChart]')];
    window.watched = {charts, pictures: charts.map(chart => chart.querySelector('svg')), places: [], ticks: 0};
    const note = () => {
        window.watched.ticks += 1;
        window.watched.places.push(JSON.stringify(charts.map(chart => {
            const box = chart.getBoundingClientRect();
            const plot = chart.querySelector('.background')?.getBoundingClientRect();
            return [box.top, box.height, plot?.top, plot?.left, plot?.width, plot?.height].map(Math.round);
        })));
    };
    window.watched.observer = new MutationObserver(note);
    charts.forEach(chart => window.watched.observer.observe(chart, {subtree: true, childList: true, attributes: true}));
    note();
}"""
CHARTS_KEPT = """() => {
    const {charts, pictures} = window.watched;
    return charts.length > 1 && charts.every((chart, i) => chart.isConnected && pictures[i].isConnected
        && chart.querySelector('svg') === pictures[i]);
}"""
"""Whether the charts that are watched are the elements that they were."""


def watch_charts(page: Any) -> None:
    """Note from now on where the charts of a page are whenever one changes: `window.watched.places` and `.ticks`."""
    page.evaluate(WATCHED)


def settled(page: Any, quiet: int = 400, timeout: int = PATIENCE) -> None:
    """Wait until the server has run nothing and nothing was awaited on the page for `quiet` milliseconds."""
    page.evaluate("window.silentSince = null")
    page.wait_for_function(SILENT, arg=quiet, timeout=timeout)


def becomes(page: Any, read: Callable[[], T], wanted: Callable[[T], object], seconds: float = 90) -> T:
    """Read until what is read is as wanted, and return it; the last reading must be, however long it took."""
    for _ in range(int(10 * seconds)):
        if wanted(read()):
            break
        page.wait_for_timeout(100)
    found = read()
    assert wanted(found), f"still {found!r} after {seconds:.0f} s"
    return found


def box_of(page: Any, element: Any) -> dict[str, float]:
    """Return where an element is; a chart whose data change has none for a moment."""
    box: dict[str, float] = becomes(page, element.bounding_box, lambda box: box)
    return box


def asked(page: Any, name: str) -> str | None:
    """Return a parameter of the address, as it stands there."""
    found = re.search(rf"[?&]{name}=([^&]*)", page.url)
    return found[1] if found else None
