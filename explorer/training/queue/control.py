"""What reaches a run from outside while it is computed: requests of the user, signals, and its own past events."""

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Self

from explorer.store.runs import Run
from explorer.training.records import Cut

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


LOOK_SECONDS = 0.05


class Control:
    """Looks for requests between steps, and notes on disk what takes effect before it does.

    Attributes
    ----------
    rates : dict
        From which epoch on the learning rate is another one; replayed from the run's events, so that a run that is
        resumed changes it where the uninterrupted one did.
    """

    def __init__(self, run: Run, interruption: Interruption) -> None:
        self.run, self.interruption = run, interruption
        self.rates: dict[int, float] = {}
        self.cut: Cut | None = None
        for event in run.events():
            if event["kind"] == "learning_rate":
                self.rates[event["epoch"]] = event["value"]
            elif event["kind"] == "cut":
                self.cut = Cut(event["epoch"], event["step"], event.get("reason", "time"))
        self._looked = time.monotonic()
        self._stop = self._finish = False

    def stop(self) -> bool:
        """Whether the run is to stand still now."""
        self._look()
        return self._stop or self.interruption.noted

    def finish(self) -> bool:
        """Whether the run is to end here and keep what it has."""
        self._look()
        return self._finish

    def note_cut(self, cut: Cut) -> None:
        """Put on disk where the run ends."""
        self.run.append_event({"kind": "cut", "epoch": cut.epoch, "step": cut.step, "reason": cut.reason})

    def begin_epoch(self, epoch: int) -> None:
        """Take over the learning rate that is asked for, from this epoch on; its first step is not yet done."""
        rate = self.run.requests.value("rate")
        if rate is not None:
            self.run.append_event({"kind": "learning_rate", "epoch": epoch, "value": rate})
            self.rates[epoch] = rate
        self.run.requests.withdraw("rate")

    def look_now(self) -> None:
        """Look at the requests without waiting for the next turn."""
        self._stop = self.run.requests.asked("stop")
        self._finish = self.run.requests.asked("finish")

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            self.look_now()
