"""Parts of the judged split, computed once for each way to divide it."""

from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from explorer.data import catalog
from explorer.ui.evaluate.names import true_names
from explorer.ui.evaluate.scope import Scope

if TYPE_CHECKING:
    from explorer.analysis.mistakes import Kind, Slices


def slices(scope: Scope, by: "Kind") -> "Slices":
    """Divide the judged images and count the errors of A."""
    found = scope.a.results.predictions
    rounded = found.exact_predicted is not None
    return _slices(found.checkpoint, catalog.get(found.dataset).checksum, found.split, rounded, by, scope)


@st.cache_resource(max_entries=48, show_spinner=False)
def _slices(digest: str, checksum: str, split: str, rounded: bool, by: "Kind", _scope: Scope) -> "Slices":
    from explorer.analysis.mistakes import Slices

    found = Slices.from_predictions(_scope.a.results.predictions, by, _scope.images.images)
    if by != "class":
        return found
    named = [replace(part, name=name) for part, name in zip(found.parts, true_names(_scope), strict=True)]
    return replace(found, parts=tuple(named))
