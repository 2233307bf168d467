"""A training configuration as text: in a link, and as a JSON file, which `explorer train --config` takes too."""

import json
from typing import Any
from urllib.parse import quote, urlencode

import models
from explorer.errors import ConfigError
from explorer.training.config import TrainConfig
from explorer.ui.text import shorten

PARAMETER = "config"
MAX_LENGTH = 4_000
"""Characters of a configuration in a link; the longest possible one has less than half as many."""
MAX_MEGABYTES = 1
MAX_MESSAGE = 400
_DATASET = TrainConfig.model_fields["dataset"].default


def differences(config: TrainConfig) -> dict[str, Any]:
    """Return the fields whose values are not the defaults, of the options too, in their order."""
    values, defaults = config.model_dump(mode="json"), TrainConfig().model_dump(mode="json")
    own = models.get(config.model).options().model_dump(mode="json")
    values["options"] = {name: value for name, value in config.options.items() if value != own[name]}
    defaults["options"] = {}
    return {name: value for name, value in values.items() if value != defaults[name]}


def to_parameter(config: TrainConfig) -> str:
    """Return what differs from the defaults as compact JSON; `from_parameter` gives the configuration back."""
    return json.dumps(differences(config), separators=(",", ":"), ensure_ascii=False)


def from_parameter(text: str) -> TrainConfig:
    """Return the configuration in a link.

    Raises
    ------
    ConfigError
        It is too long, not a JSON object, or a field is unknown or out of range.
    """
    if len(text) > MAX_LENGTH:
        raise ConfigError(f"The configuration in the link has more than {MAX_LENGTH:,} characters. Copy the link anew.")
    return _parse(text, "The configuration in the link")


def parameters(config: TrainConfig) -> dict[str, str]:
    """Return the URL parameters of the page Train that stand for a configuration.

    The data set stands in the sidebar's own parameter alone, so that the two cannot contradict each other.
    """
    rest = to_parameter(config.model_copy(update={"dataset": _DATASET}))
    return {"dataset": config.dataset} | ({PARAMETER: rest} if rest != "{}" else {})


def link(config: TrainConfig, page: str) -> str:
    """Return the address that opens a page with this configuration."""
    query = {name: value for name, value in parameters(config).items() if (name, value) != ("dataset", _DATASET)}
    return f"{page}?{urlencode(query, quote_via=quote, safe=':,')}".removesuffix("?")


def to_document(config: TrainConfig) -> str:
    """Return all fields as JSON for people."""
    return json.dumps(config.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"


def from_document(data: bytes) -> TrainConfig:
    """Return the configuration in a JSON file: the fields themselves, or a document with them under `config`.

    Raises
    ------
    ConfigError
        The file is too large, not a JSON object, or a field is unknown or out of range.
    """
    if len(data) > MAX_MEGABYTES << 20:
        raise ConfigError(f"The file is larger than {MAX_MEGABYTES} MB. A configuration has a few lines of JSON.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError("The file is not text in UTF-8. Choose a JSON file.") from None
    return _parse(text, "The file")


def _parse(text: str, what: str) -> TrainConfig:
    try:
        document = json.loads(text)
        if not isinstance(document, dict):
            raise ConfigError(f"{what} must be a JSON object of fields and values.")
        inner = document.get("config")
        return TrainConfig.parse(inner if isinstance(inner, dict) else document)
    except ConfigError as error:
        raise ConfigError(shorten(str(error), MAX_MESSAGE)) from None
    except (ValueError, RecursionError):
        raise ConfigError(f"{what} is not valid JSON.") from None
