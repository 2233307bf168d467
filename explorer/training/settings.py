"""Settings given as text, `key=value`, as on the command line."""

import json
from collections.abc import Iterable
from typing import Any

import models
from explorer.errors import ConfigError
from explorer.training.config import TrainConfig
from explorer.training.initial import inherited

MODEL_PREFIX = "model."


def apply_settings(values: dict[str, Any], settings: Iterable[str]) -> dict[str, Any]:
    """Return the configuration values with settings applied.

    Parameters
    ----------
    values : dict
        Fields of `TrainConfig`.
    settings : iterable of str
        Each `key=value`. A key is a field of `TrainConfig`, `model.<option>`, or a bare option of the model
        where no field has its name. A value is JSON, a list with commas, or plain text. With `initial`, model and
        options are those of the checkpoint unless they are given.

    Raises
    ------
    ConfigError
        There is no `=`, neither a field nor an option of that name, or no checkpoint to start from.
    """
    options = values.get("options", {})
    if not isinstance(options, dict):
        raise ConfigError("Field 'options' of the configuration must be an object of names and values.")
    values = {**values, "options": dict(options)}
    pairs = [_pair(setting) for setting in settings]
    values |= {key: value for key, value in pairs if key in ("model", "initial")}
    values = inherited(values)
    model = str(values.get("model", TrainConfig.model_fields["model"].default))
    known = models.get(model).options.model_fields
    fields = set(TrainConfig.model_fields) - {"options"}
    for key, value in pairs:
        option = key.removeprefix(MODEL_PREFIX)
        if key in fields:
            values[key] = value
        elif option in known:
            values["options"][option] = value
        else:
            raise ConfigError(
                f"There is no setting {key!r}. Fields: {', '.join(sorted(fields))}. "
                f"Options of {model!r}: {', '.join(MODEL_PREFIX + name for name in known) or 'none'}."
            )
    return values


def _pair(setting: str) -> tuple[str, Any]:
    key, separator, text = setting.partition("=")
    if not separator or not key.strip():
        raise ConfigError(f"{setting!r} is not a setting. Write key=value, for example learning_rate=0.01.")
    return key.strip(), _value(text.strip())


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    if "," in text:
        return [_value(part.strip()) for part in text.split(",") if part.strip()]
    return text
