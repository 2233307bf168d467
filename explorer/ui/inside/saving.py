"""The network, or its first layer alone, as files for other programs."""

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from explorer.ui.inside.results import InspectedModel, section
from explorer.ui.kit import numbers
from explorer.ui.kit.models import classifier, computing
from explorer.ui.kit.text import markdown

if TYPE_CHECKING:
    from explorer.analysis.inside.saving import Format, Part

WORDS: "dict[Format, tuple[str, str]]" = {
    "safetensors": (
        "safetensors",
        "Weights by name, safe to read. Of the whole network: a checkpoint of this application.",
    ),
    "pt": ("PyTorch .pt", "A state dict: `network.load_state_dict(torch.load(file, weights_only=True))`."),
    "onnx": ("ONNX", "The computation itself, for ONNX Runtime and others: pixels in [0, 1] in, normalisation inside."),
}


@section
def show(subject: InspectedModel) -> None:
    """Offer the files."""
    from explorer.analysis.inside import saving

    step = saving.first_layer(classifier(subject.checkpoint))
    parts: list[tuple[Part, str]] = [
        ("network", f"The whole network: {numbers.count(subject.checkpoint.parameters)} weights and biases"),
        ("first-layer", f"The first layer alone: {step.title}"),
    ]
    for place, (part, title) in zip(st.columns(2, gap="large"), parts, strict=True):
        with place:
            st.markdown(f"**{markdown(title)}**")
            for form in saving.ENDINGS:
                _offer(subject, part, form)
    if not saving.can_write_onnx():
        st.caption(f":material/info: {markdown(saving.MISSING)}")
    st.caption(_words(subject))


def _offer(subject: InspectedModel, part: "Part", form: "Format") -> None:
    from explorer.analysis.inside import saving

    label, meaning = WORDS[form]
    st.download_button(
        label,
        partial(_encode, subject, part, form),
        f"{_stem(subject)}-{part}{saving.ENDINGS[form]}",
        "application/octet-stream",
        key=f"inside-save-{part}-{form}",
        on_click="ignore",
        icon=":material/download:",
        disabled=form == "onnx" and not saving.can_write_onnx(),
    )
    st.caption(meaning)


def _encode(subject: InspectedModel, part: "Part", form: "Format") -> bytes:
    from explorer.analysis.inside import saving

    model = classifier(subject.checkpoint)
    with computing():
        return saving.encode(subject.checkpoint, model, part, form)


def _stem(subject: InspectedModel) -> str:
    """Return a name for the files: the checkpoint's, made of letters, digits and hyphens by its store."""
    reference = (subject.selection.reference or "network").replace("@", "-epoch-")
    return "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in reference)


def _words(subject: InspectedModel) -> str:
    chosen = subject.checkpoint
    return (
        "The weights in safetensors and .pt are for normalised pixels: from a pixel in [0, 1] subtract "
        f"{chosen.mean:.4f} and divide by {chosen.std:.4f}. ONNX does this by itself; its input is `pixels` "
        "(N, 1, 28, 28), its output "
        "`logits`, or `output` for the first layer."
    )
