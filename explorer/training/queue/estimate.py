"""How long an epoch takes on this computer: measured by a few steps in a process of its own, then kept on disk.

`EXPLORER_HOME/estimates/<key>.json` holds a result, `EXPLORER_HOME/estimates/requests/<key>.json` a configuration that
somebody wants to know about; the supervisor has it measured. The key hashes only what decides the time. Nothing here
imports PyTorch before it is needed, so that the supervisor starts quickly.
"""

import hashlib
import json
import os
import platform
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

import explorer
from explorer import devices
from explorer.errors import ConfigError
from explorer.files import write_bytes, write_json
from explorer.paths import home

if TYPE_CHECKING:
    from explorer.training.config import TrainConfig

KEPT = 500
"""Results on disk; the oldest go."""
WANTED_SECONDS = 30.0
"""A request that nobody has repeated for so long is dropped."""
REPEAT_SECONDS = 1.0
RETRY_SECONDS = 3600.0
"""A failure holds for so long, as memory may have become free since."""
_KEY = re.compile(r"[0-9a-f]{32}")


TIMED = ("dataset", "model", "options", "optimizer", "loss", "subset", "flip", "flip_order", "erase_fill", "precision")
"""What decides the time of a step, besides what `timed_config` computes."""


class Estimate(BaseModel):
    """The time of one epoch.

    Attributes
    ----------
    seconds_per_epoch, evaluation_seconds : float
        All steps of an epoch, and predicting the validation and test images at its end.
    low, high : float
        Seconds of the whole epoch at the pace of the quickest and of the slowest tenth of what was measured.
    steps : int
        Steps that were timed.
    images_per_second : float
        Training images, evaluation left aside.
    busy : bool
        Whether a run was being computed meanwhile, which makes an epoch slower than it is alone.
    device, versions
        Name for people; versions of the project, PyTorch and Python.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    seconds_per_epoch: float
    evaluation_seconds: float
    low: float
    high: float
    steps: int
    images_per_second: float
    busy: bool
    device: str
    versions: dict[str, str]

    @property
    def seconds(self) -> float:
        """One whole epoch: its steps and its evaluation."""
        return self.seconds_per_epoch + self.evaluation_seconds


class EstimateAnswer(BaseModel):
    """What a file of results holds: an estimate, or why there is none."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    estimate: Estimate | None = None
    failure: str = ""


def folder() -> Path:
    """Return the folder of the results."""
    return home() / "estimates"


def requests_folder() -> Path:
    """Return the folder of the requests."""
    return folder() / "requests"


def get(config: "TrainConfig") -> Estimate | None:
    """Return what was measured for such a configuration, None where nothing was.

    Raises
    ------
    DeviceError
        This machine has no such device.
    """
    entry = _read(key_of(config))
    return entry.estimate if entry else None


def problem(config: "TrainConfig") -> str:
    """Return why such a configuration could not be measured lately, empty where nothing went wrong."""
    entry = _read(key_of(config))
    return entry.failure if entry else ""


def request(config: "TrainConfig") -> bool:
    """Ask the supervisor to measure a configuration, unless that is done or asked for already.

    To be repeated while the answer is wanted. What was measured beside a run is measured again once none is computed.

    Returns
    -------
    bool
        Whether an answer is awaited.

    Raises
    ------
    DeviceError
        This machine has no such device.
    ConfigError
        The request cannot be saved.
    """
    key = key_of(config)
    if (found := _read(key)) and not _is_busy(found):
        return False
    path = requests_folder() / f"{key}.json"
    try:
        if not path.exists():
            write_bytes(path, timed_config(config).model_dump_json().encode())
        elif _age(path) > REPEAT_SECONDS:
            os.utime(path)
        return True
    except OSError as error:
        raise ConfigError(f"The time cannot be measured: {error.strerror or error}.") from None


def pending() -> list[str]:
    """Return the keys of what is asked for, the latest request first; requests that were given up are dropped."""
    found: list[tuple[float, str]] = []
    with suppress(FileNotFoundError):
        for entry in os.scandir(requests_folder()):
            key, path = entry.name.removesuffix(".json"), Path(entry.path)
            if _age(path) > WANTED_SECONDS:
                path.unlink(missing_ok=True)
            elif _KEY.fullmatch(key):
                found.append((_age(path), key))
    return [key for _, key in sorted(found)]


def next_request(busy: bool) -> str | None:
    """Return the key of the latest request that can be met now.

    Parameters
    ----------
    busy : bool
        Whether a run is being computed; then what was measured under such conditions is not measured again.
    """
    for key in pending():
        entry = _read(key)
        if entry is None or (_is_busy(entry) and not busy):
            return key
        if not _is_busy(entry):
            withdraw(key)
    return None


def withdraw(key: str) -> None:
    """Take a request back."""
    (requests_folder() / f"{key}.json").unlink(missing_ok=True)


def note_end(key: str, exitcode: int, too_long: bool = False) -> None:
    """Close a request whose process has ended, and say so where it ended without a word."""
    if too_long:
        keep(key, EstimateAnswer(failure="A single step takes so long that the time of an epoch was not measured."))
    elif exitcode and _read(key) is None:
        keep(key, EstimateAnswer(failure="The measurement ended without an answer, most likely for lack of memory."))
    withdraw(key)


def key_of(config: "TrainConfig") -> str:
    """Return the name under which the time of a configuration is kept on this computer with these versions."""
    import torch

    place = {"torch": torch.__version__, "explorer": explorer.__version__, "computer": platform.node()}
    text = json.dumps(timed_config(config).model_dump(mode="json") | place, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def timed_config(config: "TrainConfig") -> "TrainConfig":
    """Return the configuration with everything left out or made alike that does not change the time of a step.

    The learning rate is tiny, so that no measurement diverges.

    Raises
    ------
    DeviceError
        This machine has no such device.
    """
    from explorer.training.config import TrainConfig
    from explorer.training.threads import choose_threads

    values: dict[str, Any] = {name: getattr(config, name) for name in TIMED}
    values["batch_size"] = min(config.batch_size, config.subset)
    values["device"] = devices.resolve(config.device).type
    values["threads"] = choose_threads(config)
    values |= {"shift": 2 if config.shift else 0, "erase": 0.5 if config.erase else 0.0}
    values |= {"adversarial": 0.1 if config.adversarial else 0.0}
    values |= {"ema": 0.99 if config.ema else 0.0, "learning_rate": 1e-5}
    return TrainConfig.parse(values)


def _is_busy(entry: EstimateAnswer) -> bool:
    return entry.estimate is not None and entry.estimate.busy


def _result(key: str) -> Path:
    return folder() / f"{key}.json"


def _read(key: str) -> EstimateAnswer | None:
    """Return what a file says; one that is damaged, or a failure of long ago, says nothing."""
    try:
        entry = EstimateAnswer.model_validate_json(_result(key).read_bytes())
    except (OSError, ValidationError):
        return None
    recent = bool(entry.failure) and _age(_result(key)) < RETRY_SECONDS
    return entry if entry.estimate or recent else None


def keep(key: str, entry: EstimateAnswer) -> None:
    """Write a result and forget the oldest ones."""
    with suppress(OSError):
        write_json(_result(key), entry.model_dump(mode="json"))
        files = [path for path in folder().glob("*.json") if path.is_file()]
        for path in sorted(files, key=_age)[KEPT:]:
            path.unlink(missing_ok=True)


def _age(path: Path) -> float:
    """Return how many seconds ago a file was written or asked for again; infinite where it is gone."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return float("inf")
