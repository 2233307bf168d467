"""Weights and biases of a layer: how they are spread, and how that moved over the epochs of the run."""

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer.store import runs
from explorer.ui.charts import weights as charts
from explorer.ui.inside import results
from explorer.ui.inside.pictures import text
from explorer.ui.inside.results import InspectedModel, section
from explorer.ui.kit import address, controls, figure, messages
from explorer.ui.kit.models import computing
from explorer.ui.kit.numbers import count, percent

if TYPE_CHECKING:
    from explorer.analysis.inside.weights_over_epochs import Movement, WeightHistogram

EPOCHS = "epochs"
VIEWS = {"now": "At this epoch", EPOCHS: "Over the epochs"}
LAYER = "weights-of"
ONE_EPOCH = "Only one epoch's weights are kept, so there is no movement to show."
Files = tuple[tuple[int, str, int], ...]


@section
def show(subject: InspectedModel) -> None:
    """Show histograms of a layer's weights and biases, or how they moved."""
    left, right = controls.columns()
    with left, messages.shown():
        view = controls.segments("Weights", VIEWS, "weights", labelled=False)
        found = {one.name: one for one in _histograms(subject.checkpoint.digest, subject.checkpoint.path)}
        layer = _layer(found, subject)
        names = [name for name in found if name.rpartition(".")[0] == layer]
        files = _files(subject)
        if view == EPOCHS and len(files) < 2:
            st.info(ONE_EPOCH)
        with right:
            if view == EPOCHS and len(files) > 1:
                moved = _movements(files)
                for place, name in _places(right, [name for name in names if name in moved]):
                    with place:
                        _movement(moved[name], subject, _title(name))
            else:
                for place, name in _places(right, names):
                    with place:
                        _now(found[name], _title(name))
                _table(found)


def _places(right: DeltaGenerator, names: list[str]) -> list[tuple[DeltaGenerator, str]]:
    """Put weights and biases side by side."""
    places = st.columns(len(names), gap="small") if len(names) > 1 else [right]
    return list(zip(places, names, strict=False))


def _title(name: str) -> str:
    return f"{_kind(name).capitalize()} of layer {name.rpartition('.')[0]}"


def _layer(found: "dict[str, WeightHistogram]", subject: InspectedModel) -> str:
    layers = list(dict.fromkeys(name.rpartition(".")[0] for name in found))
    kinds = {one.name: one.kind for one in results.steps(subject)}
    address.adopt(LAYER, layers, layers[0])
    chosen = st.selectbox(
        "Layer",
        layers,
        format_func=lambda name: f"{name}: {kinds.get(str(name), 'weights')}",
        key=LAYER,
        on_change=address.touched,
        args=(LAYER,),
    )
    address.keep({LAYER: chosen}, {LAYER: layers[0]})
    return str(chosen)


def _kind(name: str) -> str:
    return "biases" if name.endswith("bias") else "weights"


def _axis(name: str) -> str:
    return name.rpartition(".")[2]


@st.cache_data(max_entries=16, show_spinner=False)
def _histograms(digest: str, _path: Path) -> "tuple[WeightHistogram, ...]":
    from explorer.analysis.inside.weights_over_epochs import histograms

    with computing():
        return histograms(_path)


def _files(subject: InspectedModel) -> Files:
    """Return the kept checkpoints of the run: epoch, file and when it was written."""
    reference = subject.selection.checkpoint or ""
    if not runs.RUN_ID.fullmatch(reference):
        return ()
    run = runs.get(reference)
    paths = ((epoch, run.weights(epoch)) for epoch in run.kept_epochs())
    return tuple((epoch, str(path), path.stat().st_mtime_ns) for epoch, path in paths)


@st.cache_data(max_entries=8, show_spinner="Reading the weights of every kept epoch …")
def _movements(files: Files) -> "dict[str, Movement]":
    from explorer.analysis.inside.weights_over_epochs import movements

    with computing():
        return movements({epoch: Path(path) for epoch, path, _ in files})


def _now(found: "WeightHistogram", title: str) -> None:
    kind = _kind(found.name)
    figure.figure(
        charts.weight_histogram(found, title, _axis(found.name)),
        name=f"histogram-{_kind(found.name)}",
        how_to_read=f"{count(found.n)} {kind}; their mean is {text(found.mean, 4)}, their standard deviation "
        f"{text(found.std, 4)}. {percent(found.near_zero)} are nearer to zero than a tenth of that.",
        table=lambda: charts.histogram_table(found),
    )


def _table(found: "dict[str, WeightHistogram]") -> None:
    """List all layers in numbers."""
    rows = [
        {
            "Layer": one.name.rpartition(".")[0],
            "What": _kind(one.name),
            "Number": one.n,
            "Mean": text(one.mean, 4),
            "Standard deviation": text(one.std, 4),
            "Lowest": text(float(one.edges[0]), 3),
            "Highest": text(float(one.edges[-1]), 3),
        }
        for one in found.values()
    ]
    right = st.column_config.TextColumn(alignment="right")
    numbers = dict.fromkeys(("Mean", "Standard deviation", "Lowest", "Highest"), right)
    columns = {"Number": st.column_config.NumberColumn(format="localized"), **numbers}
    st.dataframe(rows, hide_index=True, column_config=columns, height=min(300, 40 + 36 * len(rows)))


def _movement(found: "Movement", subject: InspectedModel, title: str) -> None:
    kind = _kind(found.name)
    first, last = found.epochs[0], found.epochs[-1]
    epoch = subject.selection.epoch if subject.selection.epoch in found.epochs else None
    figure.figure(
        charts.movement_bands(found, epoch, title, _axis(found.name)),
        name=f"movement-{kind}",
        how_to_read="The dark band holds the middle half of the values, the next 90%, the palest all; the line is the "
        f"median. Their standard deviation was {found.std[0]:.4f} after epoch {first} and is {found.std[-1]:.4f} after "
        f"epoch {last}. {len(found.epochs)} epochs are kept, marked by points.",
        table=lambda: charts.movement_table(found),
    )
