"""The picture and the tables of the page Home."""

import base64
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any

import streamlit as st

from explorer.data import catalog
from explorer.data.catalog import DatasetSpec
from explorer.data.splits import load_split
from explorer.errors import DataError, ExplorerError
from explorer.ui.kit import checkpoints as kit_checkpoints
from explorer.ui.kit import numbers, run_text, state, theme
from explorer.ui.kit.checkpoints import KINDS, Entry
from explorer.ui.kit.images import img_tag
from explorer.ui.kit.text import html_text, markdown, shorten

NEWEST_RUNS = 10
DRAWN = {"fashion-mnist": "Draw a garment", "mnist": "Draw a digit"}
"""Sets whose things are drawn, by what is drawn."""
_SCALE, _IMAGES, _HEIGHT = 3, 2, 92
_NODES = ((3, 14), (5, 64), (5, 114), (4, 164))
"""Circles in each layer of the sketch of a network, and where they stand."""


def in_one_picture() -> None:
    """Show what this is: images, a network, its answers; under each what can be done with it."""
    chosen = state.selection()
    entry, found = kit_checkpoints.load().get(chosen.checkpoint) if chosen.checkpoint else None, None
    if entry is not None:
        with suppress(ExplorerError):  # what is wrong with it is said below the table
            found = entry.checkpoint
    spec = catalog.get(chosen.dataset)
    first, second, third = st.columns(3, gap="small")
    with first, st.container(border=True, gap="small", height="stretch"):
        said = f"{spec.size} × {spec.size} grey pixels: one of {spec.title}, or one that you draw."
        _panel("An image", said, _samples(chosen.dataset, chosen.split))
        for name in DRAWN:
            _start("draw", DRAWN[name], ":material/draw:", primary=name == chosen.dataset, dataset=name)
    with second, st.container(border=True, gap="small", height="stretch"):
        said = "Layers of weights that learn from images with known answers."
        if entry is not None and found is not None:
            said = f"{shorten(entry.title, 40)}: {numbers.count(found.parameters)} weights, learnt from images."
        _panel("A network", said, _sketch())
        _start("train", "Train a model", ":material/model_training:")
        _start("inside", "Look inside", ":material/hub:")
    with third, st.container(border=True, gap="small", height="stretch"):
        names = found.classes if found is not None else spec.classes
        words = "".join(f"<span>{html_text(shorten(name, 20))}</span>" for name in names[:10])
        _panel("Its answer", f"One of {numbers.count(len(names))} classes, and how sure it is.", _words(words))
        _start("evaluate", "See what it confuses", ":material/grid_on:")
        _start("explain", "See which pixels decide", ":material/visibility:")


def _panel(title: str, said: str, picture: str) -> None:
    st.html(f'<div style="height:{_HEIGHT}px;display:flex;align-items:center;gap:8px;overflow:hidden">{picture}</div>')
    st.markdown(f"**{title}**  \n:small[{markdown(said)}]")


def _start(page: state.PageName, label: str, icon: str, primary: bool = False, **parameters: str) -> None:
    if state.page_exists(page):
        kind: Any = "primary" if primary else "secondary"
        key = "-".join(["start", page, *parameters.values()])
        st.button(
            label, icon=icon, key=key, type=kind, width="stretch", on_click=state.go, args=(page,), kwargs=parameters
        )


def _samples(dataset: str, split: str) -> str:
    """Return the first images of different classes as HTML."""
    found, names = load_split(dataset, split), catalog.get(dataset).classes
    firsts = [int((found.labels == label).argmax()) for label in dict.fromkeys(found.labels[:200].tolist())][:_IMAGES]
    return "".join(img_tag(found.images[row], _SCALE, names[int(found.labels[row])]) for row in firsts)


def _sketch() -> str:
    """Return a network as a picture, every circle tied to those of the next layer."""
    layers = [[(x, (at + 0.5) * _HEIGHT / count) for at in range(count)] for count, x in _NODES]
    lines = "".join(
        f'<line x1="{a}" y1="{b:.0f}" x2="{c}" y2="{d:.0f}"/>'
        for left, right in pairwise(layers)
        for a, b in left
        for c, d in right
    )
    dots = "".join(f'<circle cx="{x}" cy="{y:.0f}" r="6"/>' for layer in layers for x, y in layer)
    ink = theme.colour("textColor")
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="178" height="{_HEIGHT}" fill="{ink}">'
        f'<g stroke="{ink}" stroke-opacity="0.3">{lines}</g>{dots}</svg>'
    )
    data = base64.b64encode(svg.encode()).decode()
    return f'<img src="data:image/svg+xml;base64,{data}" alt="A network of layers" width="178" height="{_HEIGHT}">'


def _words(spans: str) -> str:
    return f'<div style="display:flex;flex-wrap:wrap;gap:.1rem .7rem;font-size:.85rem">{spans}</div>'


def checkpoints(entries: Sequence[Entry]) -> None:
    """Show the checkpoints with their accuracy and size, of own runs only the newest."""
    runs = [entry for entry in entries if entry.kind == "run"]
    shown = [entry for entry in entries if entry.kind != "run"] + runs[:NEWEST_RUNS]
    rows, problems = [], []
    for entry in shown:
        try:
            rows.append(_row(entry))
        except ExplorerError as error:
            problems.append(str(error))
    number = st.column_config.NumberColumn
    columns = {
        "Validation": number(format="%.1f%%", help="Accuracy on the validation images of the data set."),
        "of": number(format="localized", help="So many validation images."),
        "Test": number(format="%.1f%%", help="Accuracy on the test images; that of an own run stands on Evaluate."),
        "Parameters": number(format="localized", help="Number of weights and biases."),
        "Size": number(format="%.2f MB", help="Size of the file."),
    }
    st.dataframe(
        rows,
        hide_index=True,
        column_config=columns,
        width="stretch",
        height="content",
        placeholder=numbers.percent(None),
    )
    if len(runs) > NEWEST_RUNS:
        st.caption(f"The newest {NEWEST_RUNS} of {numbers.count(len(runs))} own runs. The page Runs lists them all.")
    for problem in problems:
        st.warning(markdown(problem), icon=":material/warning:")


def _row(entry: Entry) -> dict[str, Any]:
    """Return a line of the table. The test accuracy of an own run is left out, so that nobody chooses by it."""
    found, spec = entry.checkpoint, _dataset(entry.dataset)
    return {
        "Name": shorten(entry.title, 60),
        "From": KINDS[entry.kind],
        "Data set": "unknown" if entry.dataset is None else shorten(run_text.dataset(entry.dataset), 60),
        "Model": entry.model,
        "Validation": _percent(entry, "validation_accuracy"),
        "of": spec.validation if spec else None,
        "Test": None if entry.kind == "run" else _percent(entry, "test_accuracy"),
        "Parameters": found.parameters,
        "Size": entry.bytes / 1e6,
    }


def datasets(specs: Sequence[DatasetSpec]) -> None:
    """Show the data sets with their sizes."""
    rows = [
        {
            "Name": spec.title,
            "Training": spec.train,
            "Validation": spec.validation,
            "Test": spec.test,
            "Pixels": f"{spec.size} × {spec.size}",
            "Classes": len(spec.classes),
            "Licence": spec.licence,
        }
        for spec in specs
    ]
    images = {name: st.column_config.NumberColumn(format="localized") for name in ("Training", "Validation", "Test")}
    st.dataframe(rows, hide_index=True, column_config=images, width="stretch", height="content")
    for spec in specs:
        st.caption(f"{markdown(spec.title)}: {markdown(', '.join(spec.classes))}. From {markdown(spec.source)}.")


def device() -> str:
    """Return the name of the device that is used."""
    from explorer import devices

    return devices.title(devices.resolve("auto"))


def _dataset(name: str | None) -> DatasetSpec | None:
    try:
        return catalog.get(name or "")
    except DataError:
        return None


def _percent(entry: Entry, metric: str) -> float | None:
    value = entry.checkpoint.metrics.get(metric)
    return numbers.cell(value) if isinstance(value, float) and 0 <= value <= 1 else None
