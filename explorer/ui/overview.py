"""The tables of the page Home."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from explorer.data import catalog
from explorer.data.catalog import DatasetSpec
from explorer.errors import DataError, ExplorerError
from explorer.ui import formats, runs_words
from explorer.ui.listing import KINDS, Entry
from explorer.ui.text import markdown, shorten

NEWEST_RUNS = 10


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
        placeholder=formats.percent(None),
    )
    if len(runs) > NEWEST_RUNS:
        st.caption(f"The newest {NEWEST_RUNS} of {formats.count(len(runs))} own runs. The page Runs lists them all.")
    for problem in problems:
        st.warning(markdown(problem), icon=":material/warning:")


def _row(entry: Entry) -> dict[str, Any]:
    """Return a line of the table. The test accuracy of an own run is left out, so that nobody chooses by it."""
    found, spec = entry.checkpoint, _dataset(entry.dataset)
    return {
        "Name": shorten(entry.title, 60),
        "From": KINDS[entry.kind],
        "Data set": "unknown" if entry.dataset is None else shorten(runs_words.dataset(entry.dataset), 60),
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
    return formats.cell(value) if isinstance(value, float) and 0 <= value <= 1 else None
