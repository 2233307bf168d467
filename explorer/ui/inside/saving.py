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
PARTS: "dict[Part, str]" = {"network": "Whole network", "first-layer": "First layer"}


@section
def show(subject: InspectedModel) -> None:
    """Offer the files."""
    from explorer.analysis.inside import saving

    files, contents = st.columns(2, gap="large")
    with files:
        for form in saving.ENDINGS:
            label, meaning = WORDS[form]
            st.markdown(f"**{label}**  \n:small[{meaning}]")
            with st.container(horizontal=True, gap="small"):
                for part in PARTS:
                    _offer(subject, part, form)
        if not saving.can_write_onnx():
            st.caption(f":material/info: {markdown(saving.MISSING)}")
        st.caption(_words(subject))
    with contents:
        _contents(subject)


def _offer(subject: InspectedModel, part: "Part", form: "Format") -> None:
    from explorer.analysis.inside import saving

    st.download_button(
        f"{PARTS[part]}, {saving.ENDINGS[form]}",
        partial(_encode, subject, part, form),
        f"{_stem(subject)}-{part}{saving.ENDINGS[form]}",
        "application/octet-stream",
        key=f"inside-save-{part}-{form}",
        on_click="ignore",
        icon=":material/download:",
        disabled=form == "onnx" and not saving.can_write_onnx(),
    )


def _contents(subject: InspectedModel) -> None:
    """List the tensors, and say which of them are the first layer's."""
    from explorer.analysis.inside import saving

    model = classifier(subject.checkpoint)
    whole, first = (saving.tensors(model, part) for part in PARTS)
    values = numbers.count(sum(tensor.numel() for tensor in whole.values()))
    st.markdown(f"**What is in them: {numbers.many(len(whole), 'tensor')}, {values} numbers**")
    rows = [
        {
            "Name": name,
            "Shape": " × ".join(map(str, tensor.shape)) or "one number",
            "Values": tensor.numel(),
            "First layer": name in first,
        }
        for name, tensor in whole.items()
    ]
    columns = {"Values": st.column_config.NumberColumn(format="localized")}
    st.dataframe(
        rows, hide_index=True, column_config=columns, height=min(460, 36 * len(rows) + 38), key="inside-tensors"
    )


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
