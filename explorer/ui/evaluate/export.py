"""What the page judges, as files: every image's probabilities, and all figures."""

import json
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

from explorer.ui.evaluate.scope import Judged, Scope


def menu(scope: Scope) -> None:
    """Offer the files, each made only when it is asked for."""
    a, both = scope.a.selection, scope.b is not None
    place = f"{a.dataset}-{a.split}"
    with st.popover("Export", icon=":material/download:", key="export"), st.container(gap="xxsmall"):
        for letter, judged in zip("AB", scope.both, strict=False):
            label = f"Predictions of {letter} as CSV" if both else "Predictions as CSV"
            _button(label, partial(predictions_csv, judged), f"predictions-{_stem(judged)}-{place}.csv")
        stem = "-and-".join(_stem(judged) for judged in scope.both)
        name = f"{'comparison' if both else 'evaluation'}-{stem}-{place}.json"
        _button("All figures as JSON", lambda: json_text(document(scope)), name)
        st.caption(
            "The CSV has a line for each image: its place in the file of the set, its label, the answer and all "
            "probabilities. The JSON has what this page shows. On the command line: " + _commands(scope)
        )


def predictions_csv(judged: Judged) -> str:
    """Return the same table as `python -m explorer evaluate --csv`: numbers alone, so safe for any spreadsheet."""
    from explorer.analysis.summary import write_predictions_csv

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "predictions.csv"
        write_predictions_csv(path, judged.results.predictions)
        return path.read_text("utf-8")


def document(scope: Scope) -> dict[str, Any]:
    """Return all figures as on the command line.

    Returns
    -------
    dict
        The document of `evaluate --json`; with two checkpoints `{"a": ..., "b": ..., "comparison": ...}`, these two
        and that of `compare --json`.
    """
    from explorer.analysis.comparison import Comparison
    from explorer.analysis.summary import evaluation_document

    names = [str(judged.selection.reference) for judged in scope.both]
    found = [judged.results.predictions for judged in scope.both]
    documents = [evaluation_document(one, name) for one, name in zip(found, names, strict=True)]
    if scope.b is None:
        return documents[0]
    comparison = Comparison.from_predictions(*found).document(*names)
    return {"a": documents[0], "b": documents[1], "comparison": comparison}


def json_text(content: dict[str, Any]) -> str:
    """Write strict JSON."""
    return json.dumps(content, allow_nan=False, indent=2) + "\n"


def _commands(scope: Scope) -> str:
    where = f"--dataset {scope.a.selection.dataset} --split {scope.a.selection.split}"
    lines = [f"`evaluate {scope.a.selection.reference} {where} --json`"]
    if scope.b:
        names = f"{scope.a.selection.reference} {scope.b.selection.reference}"
        lines.append(f"`compare {names} {where} --json`")
    return " and ".join(lines) + "."


def _stem(judged: Judged) -> str:
    return str(judged.selection.reference).replace("@", "-epoch-")


def _button(label: str, content: Callable[[], str], file: str) -> None:
    mime = "application/json" if file.endswith(".json") else "text/csv"
    st.download_button(
        label,
        content,
        file,
        mime,
        key=f"export-{label}",
        on_click="ignore",
        type="tertiary",
        icon=":material/download:",
    )
