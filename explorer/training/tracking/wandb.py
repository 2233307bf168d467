"""A run as one of Weights & Biases: configuration and figures of each epoch. Optional; nothing is sent unasked.

Everything that `wandb` writes lies in `wandb/` of the run's directory. Source code, Git, requirements, console, machine
and system statistics are not recorded.
"""

import configparser
import importlib.util
import netrc
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from explorer.errors import ConfigError
from explorer.store.runs import Run
from explorer.training.config import TrainConfig
from explorer.training.records import Epoch, Step
from explorer.training.tracking.figures import epoch_scalars
from explorer.training.tracking.tracker import TrackedState

if TYPE_CHECKING:
    import wandb

PROJECT = "fashion-mnist-explorer"
WITHOUT_LOGIN = ("offline", "disabled", "dryrun")
"""Modes in which nothing is sent."""

SERVER = "https://api.wandb.ai"
INIT_SECONDS, FINISH_SECONDS = 30.0, 60.0
PRIVATE = {
    "console": "off",
    "silent": True,
    "disable_git": True,
    "disable_code": True,
    "disable_job_creation": True,
    "host": "",
    "save_code": False,
    "symlink": False,
    "init_timeout": INIT_SECONDS,
    "finish_timeout": FINISH_SECONDS,
    "x_disable_meta": True,
    "x_disable_machine_info": True,
    "x_disable_stats": True,
    "x_save_requirements": False,
}


def mode() -> str:
    """Return the mode that the user has chosen for `wandb`: in `WANDB_MODE`, or by `wandb offline`."""
    return os.environ.get("WANDB_MODE") or _setting("mode") or "online"


def check(mode: str) -> None:
    """See whether Weights & Biases can be used in a mode, without asking it.

    Raises
    ------
    ConfigError
        The package is missing, or nobody is logged in.
    """
    if importlib.util.find_spec("wandb") is None:
        raise ConfigError("Weights & Biases is not installed. Run: pip install -r requirements-wandb.txt")
    if mode not in WITHOUT_LOGIN and not _logged_in():
        raise ConfigError(
            "Nobody is logged in to Weights & Biases. Run `wandb login`, set WANDB_API_KEY, or set WANDB_MODE=offline "
            "to log to files in the run's directory that `wandb sync` can send later."
        )


class WandbTracker:
    """Logs the configuration and the scalars of each epoch under the run's id, so that a resumed run goes on there.

    Parameters
    ----------
    run : Run
    config : TrainConfig
    mode : str
        `online`, `offline` or `disabled`; `WANDB_MODE` overrules it.
    """

    def __init__(self, run: Run, config: TrainConfig, mode: str) -> None:
        self.run, self.config = run, config
        self.mode: Any = os.environ.get("WANDB_MODE") or mode
        self.session: wandb.Run | None = None

    def on_step(self, step: Step, loss: float) -> None:
        """Do nothing: Weights & Biases is told of epochs."""

    def on_epoch(self, epoch: Epoch, state: TrackedState) -> None:
        """Log the scalars of an epoch; the connection is made with the first."""
        if self.session is None:
            self.session = self._start()
        self.session.log(epoch_scalars(self.run, self.config, epoch), step=epoch.epoch)

    def close(self) -> None:
        """Send what is left, for at most `FINISH_SECONDS`, and end `wandb`'s own process."""
        if self.session is not None:
            import wandb

            self.session.finish()
            wandb.teardown()
            self.session = None

    def _start(self) -> "wandb.Run":
        folder = self.run.path / "wandb"
        folder.mkdir(exist_ok=True)
        os.environ["WANDB_ERROR_REPORTING"] = "false"
        for name in ("CACHE", "DATA", "ARTIFACT"):
            os.environ[f"WANDB_{name}_DIR"] = str(folder / name.lower())
        import wandb

        known = wandb.Settings.model_fields
        settings: dict[str, Any] = {name: value for name, value in PRIVATE.items() if name in known}
        return wandb.init(
            project=os.environ.get("WANDB_PROJECT") or PROJECT,
            id=self.run.id,
            name=self.run.name,
            config=self.config.model_dump(mode="json"),
            dir=str(self.run.path),
            mode=self.mode,
            resume="allow",
            settings=wandb.Settings(**settings),
        )


def _logged_in() -> bool:
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE") or _setting("api_key"):
        return True
    server = urlsplit(os.environ.get("WANDB_BASE_URL") or _setting("base_url") or SERVER).netloc
    names = ("_netrc", ".netrc") if os.name == "nt" else (".netrc",)
    places = [Path(os.environ["NETRC"])] if os.environ.get("NETRC") else [Path.home() / name for name in names]
    return any(_has_password(place.expanduser(), server) for place in places)


def _has_password(path: Path, server: str) -> bool:
    try:
        found = netrc.netrc(path).authenticators(server)
    except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
        return False
    return bool(found and found[2])


def _setting(name: str) -> str:
    """Return a value of the user's settings for `wandb`, empty where there is none."""
    folder = Path(os.environ.get("WANDB_CONFIG_DIR") or Path.home() / ".config" / "wandb").expanduser()
    settings = configparser.ConfigParser(interpolation=None)
    try:
        settings.read(folder / "settings", encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):
        return ""
    return settings.get("default", name, fallback="")
