"""Models in memory, shared by all sessions and never changed, and the gate through which heavy computing passes."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from explorer.store.checkpoints import Checkpoint, Classifier
import threading
from collections import deque


class Gate:
    """Lets one thread at a time pass, in the order of coming.

    A lock knows no order: who comes back at once, as work in parts does, finds it open before those who wait.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._line: deque[int] = deque()
        """Threads, the one inside first."""

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Wait for the turn, and hold the gate until the block ends; not to be nested."""
        self._enter()
        try:
            yield
        finally:
            self._leave()

    def give_way(self) -> None:
        """Let those who wait go first, where this thread is inside: long work does so between its parts."""
        if self._line and self._line[0] == threading.get_ident() and len(self._line) > 1:
            self._leave()
            self._enter()

    def _enter(self) -> None:
        me = threading.get_ident()
        with self._changed:
            self._line.append(me)
            self._changed.wait_for(lambda: self._line[0] == me)

    def _leave(self) -> None:
        with self._changed:
            self._line.popleft()
            self._changed.notify_all()


_long, _quick = Gate(), Gate()


@contextmanager
def computing(quick: bool = False) -> Iterator[None]:
    """Wait for the turn to compute; not to be nested.

    Parameters
    ----------
    quick : bool
        For what takes a few milliseconds, such as a single image: it waits for nothing but what is quick as well, and
        one thread does it. Several would have to wait for each other, ten times as long as the work itself where long
        work or the browser is busy on the same cores.
    """
    import torch

    with (_quick if quick else _long).passing():
        everything = _threads()
        torch.get_num_threads()  # or else this thread takes the number over, later, that another has set last
        torch.set_num_threads(1 if quick else everything)
        try:
            yield
        finally:
            torch.set_num_threads(everything)


def give_way(*_: object) -> None:
    """Let those go first who wait to compute, where this thread is computing."""
    _long.give_way()


def giving_way(model: "Classifier") -> "Classifier":
    """Return the same model, which from now on gives way before every pass, so that long work is done in parts."""
    model.register_forward_pre_hook(give_way)
    return model


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

    return giving_way(_chosen.classifier(devices.resolve("auto")))
