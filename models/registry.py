"""The registry of architectures and their typed options."""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import nn

from explorer.errors import ConfigError

MAX_PARAMETERS = 50_000_000
"""Above this a model is refused: it would not train on the machines this project is for, and an untrusted
checkpoint must not be able to ask for any amount of memory."""


@dataclass(frozen=True)
class InputShape:
    """What a network is built for: `channels` planes of `size` x `size` pixels, `classes` outputs."""

    channels: int = 1
    size: int = 28
    classes: int = 10


class Options(BaseModel):
    """Base of every architecture's options: unknown names and out-of-range values are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Builder(Protocol):
    """Builds a network from validated options."""

    def __call__(self, options: Any, shape: InputShape) -> nn.Module:
        """Return the network, its weights freshly initialised."""
        ...


@dataclass(frozen=True)
class Architecture:
    """One registered architecture.

    `options` is the Pydantic model from which forms and the command line are made; every field carries a
    one-sentence description.
    """

    name: str
    title: str
    summary: str
    options: type[Options]
    builder: Builder

    def validate(self, options: Mapping[str, Any]) -> Options:
        """Return the typed options, defaults filled in.

        Raises
        ------
        ConfigError
            Names the option and the values it may take.
        """
        try:
            return self.options.model_validate(dict(options))
        except ValidationError as error:
            raise ConfigError(describe(error, f"model {self.name!r}", "option", self.options)) from None


_REGISTRY: dict[str, Architecture] = {}


def register(name: str, *, title: str, summary: str, options: type[Options]) -> Callable[[Builder], Builder]:
    """Register the decorated builder under `name`."""

    def decorate(builder: Builder) -> Builder:
        _REGISTRY[name] = Architecture(name, title, summary, options, builder)
        return builder

    return decorate


@cache
def _discover() -> None:
    for module in pkgutil.iter_modules(importlib.import_module("models").__path__):
        importlib.import_module(f"models.{module.name}")


def names() -> tuple[str, ...]:
    """Return the registered names, simplest architecture first."""
    _discover()
    order = ("mlp", "lenet", "cnn", "resnet", "resnet18")
    known = [name for name in order if name in _REGISTRY]
    return (*known, *sorted(set(_REGISTRY) - set(order)))


def get(name: str) -> Architecture:
    """Return the architecture called `name`, or raise `ConfigError` naming those that exist."""
    _discover()
    if name not in _REGISTRY:
        raise ConfigError(f"There is no model called {name!r}. Choose one of: {', '.join(names())}.")
    return _REGISTRY[name]


def build(name: str, options: Mapping[str, Any], shape: InputShape | None = None) -> nn.Module:
    """Build a network that maps normalised images (N, channels, size, size) to logits (N, classes).

    The network is first built without memory (on the `meta` device) to check its size and that an image
    passes through it.

    Raises
    ------
    ConfigError
        An option is unknown, out of range or impossible for this input, or the network is too large.
    """
    architecture = get(name)
    shape = shape or InputShape()
    validated = architecture.validate(options)
    _check(architecture, validated, shape)
    return architecture.builder(validated, shape)


def build_meta(
    name: str, options: Mapping[str, Any], shape: InputShape | None = None, *, probe: bool = True
) -> nn.Module:
    """Build the network on the `meta` device: names, shapes and dtypes, but no memory.

    Without `probe` no image is passed through it, which saves two seconds of imports the first time.
    """
    architecture = get(name)
    shape = shape or InputShape()
    return _check(architecture, architecture.validate(options), shape, probe)


def _check(architecture: Architecture, options: Options, shape: InputShape, probe: bool = True) -> nn.Module:
    try:
        with torch.device("meta"):
            network = architecture.builder(options, shape)
            count = sum(parameter.numel() for parameter in network.parameters())
            if count > MAX_PARAMETERS:
                raise ConfigError(
                    f"Model {architecture.name!r} with these options has {count:,} parameters; at most "
                    f"{MAX_PARAMETERS:,} are allowed. Choose fewer layers or units."
                )
            if probe:
                network.eval()(torch.empty(1, shape.channels, shape.size, shape.size))
    except ConfigError:
        raise
    except (RuntimeError, ValueError) as error:
        raise ConfigError(f"Model {architecture.name!r} cannot be built with these options: {error}") from None
    return network


def describe(error: ValidationError, owner: str, kind: str, model: type[BaseModel]) -> str:
    """Turn a Pydantic error into one message that names each field and what it may be."""
    parts = []
    for item in error.errors(include_url=False, include_context=False):
        field = ".".join(str(part) for part in item["loc"] if not str(part).startswith(("function", "constrained")))
        if item["type"] == "extra_forbidden":
            known = ", ".join(model.model_fields)
            parts.append(f"{owner} has no {kind} {field!r} (it has: {known})")
        elif item["type"] == "value_error":
            reason = item["msg"].removeprefix("Value error, ")
            parts.append(f"{kind} {field!r} of {owner}: {reason}" if field else f"{owner}: {reason}")
        else:
            shown = repr(item["input"])
            reason = item["msg"][0].lower() + item["msg"][1:]
            parts.append(f"{kind} {field!r} of {owner}: {reason}, but got {shown[:60]}")
    return "; ".join(parts) + "."
