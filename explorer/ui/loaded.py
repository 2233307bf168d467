"""Models in memory, shared by all sessions and never changed, and the gate through which heavy computing passes."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from explorer.store.checkpoints import Checkpoint, Classifier

_gate = threading.BoundedSemaphore(1)


@contextmanager
def computing() -> Iterator[None]:
    """Wait for the turn to compute; not to be nested."""
    with _gate:
        yield


def classifier(chosen: "Checkpoint") -> "Classifier":
    """Return the model of a checkpoint on this machine's fastest device; it is shared, so only read it."""
    return _classifier(chosen.digest, chosen)


@st.cache_resource(max_entries=8, show_spinner=False)
def _classifier(digest: str, _chosen: "Checkpoint") -> "Classifier":
    from explorer import devices

    return _chosen.classifier(devices.resolve("auto"))
