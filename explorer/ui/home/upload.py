"""Bringing a checkpoint from elsewhere: the file, what it is, and what does not fit."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

import models
from explorer.data import catalog as datasets
from explorer.data.splits import load_split
from explorer.errors import CheckpointError, ExplorerError
from explorer.ui.kit import state
from explorer.ui.kit.messages import shown
from explorer.ui.kit.models import computing, giving_way
from explorer.ui.kit.numbers import percent
from explorer.ui.kit.options_form import options_form
from explorer.ui.kit.text import markdown, shorten

if TYPE_CHECKING:
    from torch import Tensor

    from explorer.store.recognition import Guess, WeightComparison

MAX_MEGABYTES = 64
PREVIEW = 500
"""Validation images that show whether the choices make sense."""
_UPLOAD, _COUNT, _DONE = "upload:read", "upload:count", "upload:done"
_OWN = "Other values"
_NORMALISATIONS = {
    "None: pixels from 0 to 1": (0.0, 1.0),
    "Pixels from −1 to 1 (mean 0.5, std 0.5)": (0.5, 0.5),
    "Pixels from 0 to 255": (0.0, 1 / 255),
    "Usual for MNIST (mean 0.1307, std 0.3081)": (0.1307, 0.3081),
    "Usual for Fashion-MNIST (mean 0.2860, std 0.3530)": (0.2860, 0.3530),
}


@dataclass(frozen=True)
class Upload:
    """A file that has been read: its tensors and what they may be, or what is wrong with it."""

    identity: str
    digest: str
    weights: "Mapping[str, Tensor]"
    described: bytes | None = None
    guesses: "tuple[Guess, ...]" = ()
    problem: str = ""


def upload_checkpoint() -> None:
    """Show the whole way from a file to a checkpoint: uploader, model, normalisation, name, button."""
    _show_done()
    count = st.session_state.setdefault(_COUNT, 0)
    allowed = int(st.get_option("server.maxUploadSize"))
    file = st.file_uploader(
        "A safetensors file, or a state dict of PyTorch (.pt, .pth)",
        type=["safetensors", "pt", "pth"],
        max_upload_size=min(MAX_MEGABYTES, allowed),
        key=f"upload-file-{count}",
    )
    if allowed < MAX_MEGABYTES:
        st.caption(f"Larger files, up to {MAX_MEGABYTES} MB: start with `--server.maxUploadSize {MAX_MEGABYTES}`.")
    if file is None:
        st.session_state.pop(_UPLOAD, None)
        return
    st.session_state.pop(_DONE, None)
    upload = st.session_state.get(_UPLOAD)
    if upload is None or upload.identity != file.file_id:
        with st.spinner("Reading the file …"):
            upload = st.session_state[_UPLOAD] = _read(file.file_id, file.getvalue(), file.name)
    with shown():
        if upload.problem:
            raise CheckpointError(upload.problem)
        name = file.name.rpartition(".")[0]
        _described(upload, name) if upload.described else _choices(upload, name)


def _read(identity: str, data: bytes, filename: str) -> Upload:
    from explorer.store import conversion
    from explorer.store.recognition import guess, shapes

    digest = hashlib.sha256(data).hexdigest()
    try:
        weights = conversion.read_weights(data, filename)
    except ExplorerError as error:
        return Upload(identity, digest, {}, problem=str(error))
    if filename.lower().endswith(".safetensors") and conversion.describes_itself(data):
        return Upload(identity, digest, {}, described=data)
    return Upload(identity, digest, weights, guesses=tuple(guess(shapes(weights))))


def _described(upload: Upload, filename: str) -> None:
    """Offer to keep a checkpoint of this project, which says itself what it is."""
    from explorer.store.importing import import_described

    st.markdown("This file is a checkpoint of this application and says itself which model it holds.")
    name = st.text_input("Name", value=shorten(filename, 60), max_chars=120, key=f"upload-name-{upload.digest[:8]}")
    if st.button("Add the checkpoint", type="primary", key="upload-add"):
        _finish(import_described(upload.described or b"", name).name)


def _choices(upload: Upload, filename: str) -> None:
    """Let the user say what the weights are, show how that fits, and offer to keep them."""
    from explorer.store.importing import import_checkpoint
    from explorer.store.recognition import compare, shapes

    key = f"upload-{upload.digest[:8]}"
    left, right = st.columns(2, gap="large")
    with left:
        model = _architecture(upload, key)
        dataset = st.selectbox(
            "Classes",
            datasets.names(),
            format_func=lambda name: datasets.get(name).title,
            key=f"{key}-dataset",
            help="The data set that the network was trained on; its classes are the outputs, in this order.",
        )
        mean, std = _normalisation(dataset, key)
        name = st.text_input("Name", value=shorten(filename, 60), max_chars=120, key=f"{key}-name")
        values = next((guess.options for guess in upload.guesses if guess.model == model), {})
        options = options_form(models.get(model).options, values, f"{key}-{model}")
    with right, shown():
        options = models.get(model).validate(options).model_dump(mode="json")
        comparison = compare(shapes(upload.weights), model, options, len(datasets.get(dataset).classes))
        _show_comparison(comparison)
        if not comparison.problems:
            settings = json.dumps([model, options, dataset, mean, std])
            accuracy = _accuracy(upload.digest, settings, upload.weights)
            st.metric(
                f"Right on {PREVIEW} validation images",
                percent(accuracy),
                help="Far too low? Then the normalisation, an option or the order of the classes is another one.",
            )
        if st.button("Add the checkpoint", type="primary", disabled=bool(comparison.problems), key="upload-add"):
            kept = import_checkpoint(
                upload.weights, model=model, options=options, dataset=dataset, mean=mean, std=std, name=name
            )
            _finish(kept.name)


def _architecture(upload: Upload, key: str) -> str:
    """Ask for the architecture, beginning with the best guess."""
    fitting = [guess.model for guess in upload.guesses]
    if not fitting:
        st.markdown("The names and shapes fit no model here as it stands. Choose the nearest to see what differs.")
    names = models.names()
    chosen: str = st.selectbox(
        "Model",
        names,
        index=names.index(fitting[0]) if fitting else 0,
        key=f"{key}-model",
        format_func=lambda name: models.get(name).title + (" (fits)" if name in fitting else ""),
        help="Guessed from the names and shapes in the file. What leaves no trace there, such as the activation "
        "or the kind of pooling, you have to know.",
    )
    return chosen


def _normalisation(dataset: str, key: str) -> tuple[float, float]:
    """Ask what the network expects its pixels to be normalised with."""
    spec = datasets.get(dataset)
    choices = {f"As here for {spec.title} (mean {spec.mean:.4f}, std {spec.std:.4f})": (spec.mean, spec.std)}
    choices |= _NORMALISATIONS
    chosen = st.selectbox(
        "Normalisation",
        [*choices, _OWN],
        key=f"{key}-normalisation-{dataset}",
        help="What was done to the pixels before training: (pixel - mean) / std, pixels from 0 to 1.",
    )
    if chosen != _OWN:
        return choices[chosen]
    columns = st.columns(2)
    mean = columns[0].number_input("Mean", -10.0, 10.0, spec.mean, 0.01, "%g", key=f"{key}-mean")
    std = columns[1].number_input("Standard deviation", 0.001, 10.0, spec.std, 0.01, "%g", key=f"{key}-std")
    return float(mean), float(std)


def _show_comparison(comparison: "WeightComparison") -> None:
    """Show the mismatches tensor by tensor, or else which tensor of the file becomes which."""
    if comparison.problems:
        st.markdown(f"**{len(comparison.problems)} tensors do not fit this model:**")
        st.dataframe({"Tensor": comparison.problems}, hide_index=True, height="auto", key="upload-mismatches")
        return
    st.markdown(f":material/check: All {len(comparison.renaming)} tensors fit.")
    if any(theirs != ours for theirs, ours in comparison.renaming.items()):
        table = {"In the file": list(comparison.renaming), "In the model": list(comparison.renaming.values())}
        st.dataframe(table, hide_index=True, height="auto", key="upload-renaming")


@st.cache_data(max_entries=64, show_spinner="Trying it on a few images …")
def _accuracy(digest: str, settings: str, _weights: "Mapping[str, Tensor]") -> float:
    """Return the accuracy on the first validation images with these settings."""
    from explorer.analysis.evaluation.predictions import predict
    from explorer.store.importing import assemble

    model, options, dataset, mean, std = json.loads(settings)
    split = load_split(dataset, "validation")
    with computing():
        classifier = assemble(_weights, model=model, options=options, dataset=dataset, mean=mean, std=std)
        logits = predict(giving_way(classifier), split.images[:PREVIEW])
    return float((logits.argmax(1) == split.labels[:PREVIEW]).mean())


def _finish(name: str) -> None:
    """Forget the file, remember the message, and start the page anew, so that the checkpoint is listed."""
    st.session_state[_DONE] = name
    st.session_state[_COUNT] += 1
    st.session_state.pop(_UPLOAD, None)
    st.rerun()


def _show_done() -> None:
    name = st.session_state.get(_DONE)
    if name is None:
        return
    st.success(f"**{markdown(name)}** is now a checkpoint like any other.", icon=":material/check_circle:")
    if state.page_exists("evaluate"):
        st.button(
            "Evaluate it", key="upload-evaluate", on_click=state.go, args=("evaluate",), kwargs={"checkpoint": name}
        )
