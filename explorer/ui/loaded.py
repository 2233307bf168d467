"""Models in memory, shared by all sessions and never changed, and the gate through which heavy computing passes."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

import streamlit as st

from explorer.ui.gate import Gate

if TYPE_CHECKING:
    from explorer.store.checkpoints import Checkpoint, Classifier

_gate = Gate()


@contextmanager
def computing(quick: bool = False) -> Iterator[None]:
    """Wait for the turn to compute; not to be nested.

    Parameters
    ----------
    quick : bool
        For what takes a few milliseconds, such as a single image: it goes before all else that waits, and one thread
        does it. Several would have to wait for each other, ten times as long as the work itself where the browser
        draws on the same cores.
    """
    import torch

    with _gate.passing(haste=quick):
        everything = _threads()
        torch.set_num_threads(1 if quick else everything)
        try:
            yield
        finally:
            torch.set_num_threads(everything)


@cache
def _threads() -> int:
    """Return how many threads PyTorch began with; asked before they are first changed."""
    import torch

    return torch.get_num_threads()


def classifier(chosen: "Checkpoint") -> "Classifier":
    """Return the model of a checkpoint on this machine's fastest device; it is shared, so only read it."""
    return _classifier(chosen.digest, chosen)


@st.cache_resource(max_entries=8, show_spinner=False)
def _classifier(digest: str, _chosen: "Checkpoint") -> "Classifier":
    from explorer import devices

    return _chosen.classifier(devices.resolve("auto"))
