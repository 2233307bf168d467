"""Ctrl+C and SIGTERM while a run is computed."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Self

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """A context in which the first signal is only noted, and a second one raises `KeyboardInterrupt`.

    A step that is cut off in the middle has changed some weights and not others, so its state must not be saved;
    a run therefore looks at `noted` between steps. Outside the main thread signals are left alone.
    """

    def __init__(self) -> None:
        self.noted = False

    def __enter__(self) -> Self:
        here = threading.current_thread() is threading.main_thread()
        self._previous = {number: signal.signal(number, self._note) for number in SIGNALS} if here else {}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler or signal.SIG_DFL)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        if self.noted:
            raise KeyboardInterrupt
        self.noted = True
