"""Self-describing checkpoints: one safetensors file from which the model is rebuilt alone.

The weights are ordinary safetensors entries; the metadata has one key, `explorer`, with everything else as JSON.
A checkpoint may come from anywhere, so nothing in it is believed before it has been checked: the options are
validated, the model is built without memory, and names, shapes and types are compared before any is taken.
"""

import hashlib
import json
import math
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

import explorer
import models
from explorer.errors import CheckpointError, ConfigError
from explorer.files import write_bytes
from models.registry import InputShape, build_meta, describe

FORMAT = 1
KEY = "explorer"
FLOATS = {"F16", "BF16", "F32", "F64"}
INTEGERS = {"U8", "I8", "I16", "I32", "I64"}
MAX_DEPTH = 20
"""How deeply lists and mappings may nest in a description."""


class Metadata(BaseModel):
    """What a checkpoint says of itself: the JSON under its key `explorer`."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    format: int = Field(ge=1, le=FORMAT)
    model: str = Field(max_length=64)
    options: dict[str, Any]
    classes: tuple[str, ...] = Field(min_length=2, max_length=1000)
    mean: float = Field(ge=-10, le=10)
    std: float = Field(gt=0, le=10)
    config: dict[str, Any] = {}
    metrics: dict[str, Any] = {}
    versions: dict[str, str] = {}


class Classifier(nn.Module):
    """A network with its normalisation in front: pixels in [0, 1] in, logits out.

    Gradients with respect to its input are therefore with respect to pixels in [0, 1].
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, mean: float, std: float) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(mean), persistent=False)
        self.register_buffer("std", torch.tensor(std), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Map pixels (N, C, H, W) in [0, 1] to logits (N, classes)."""
        logits: Tensor = self.network((pixels - self.mean) / self.std)
        return logits


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose description has been read and checked; the weights are read by `classifier`."""

    path: Path
    metadata: Metadata
    digest: str = field(repr=False)

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self.path.stem

    @property
    def model(self) -> str:
        """Name of the architecture."""
        return self.metadata.model

    @property
    def options(self) -> dict[str, Any]:
        """Options of the architecture."""
        return self.metadata.options

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the outputs."""
        return self.metadata.classes

    @property
    def mean(self) -> float:
        """Mean that the pixels in [0, 1] are normalised with."""
        return self.metadata.mean

    @property
    def std(self) -> float:
        """Standard deviation that the pixels in [0, 1] are normalised with."""
        return self.metadata.std

    @property
    def config(self) -> dict[str, Any]:
        """The training configuration, empty where it is not known."""
        return self.metadata.config

    @property
    def metrics(self) -> dict[str, Any]:
        """Figures noted at training time."""
        return self.metadata.metrics

    @property
    def versions(self) -> dict[str, str]:
        """Versions of the libraries that trained it."""
        return self.metadata.versions

    @property
    def dataset(self) -> str | None:
        """Name of the data set it was trained on, where it is known."""
        dataset = self.config.get("dataset")
        return dataset if isinstance(dataset, str) else None

    @cached_property
    def parameters(self) -> int:
        """Number of weights and biases."""
        return sum(parameter.numel() for parameter in _meta(self.path.name, self.metadata).parameters())

    def classifier(self, device: str | torch.device = "cpu") -> Classifier:
        """Rebuild the model in single precision and evaluation mode.

        Raises
        ------
        CheckpointError
            A weight is not a finite number, or the file has changed and is damaged.
        """
        network = models.build(self.model, self.options, InputShape(classes=len(self.classes)))
        with _open(self.path) as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        for name, tensor in tensors.items():
            if tensor.is_floating_point() and not torch.isfinite(tensor.float()).all():
                raise CheckpointError(
                    f"{self.path.name}: the weights {name!r} hold NaN or infinite values. "
                    "The training that wrote it has diverged; take an earlier checkpoint."
                )
        network.load_state_dict(tensors)
        return Classifier(network, self.mean, self.std).to(device).eval()


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read and check what a checkpoint file says of itself.

    Raises
    ------
    CheckpointError
        The file is missing, truncated, not safetensors, has no or nonsensical metadata, names an unknown
        architecture, or its tensors do not fit it (each is listed).
    """
    path = Path(path)
    with _open(path) as file:
        metadata = _metadata(path.name, file.metadata() or {})
        found = {}
        for name in file.keys():  # noqa: SIM118 (not a mapping)
            entry = file.get_slice(name)
            found[name] = (tuple(entry.get_shape()), entry.get_dtype())
    problems = mismatches(_meta(path.name, metadata), found)
    if problems:
        raise CheckpointError(f"{path.name} does not fit the model {metadata.model!r} it names: {'; '.join(problems)}.")
    return Checkpoint(path, metadata, hashlib.sha256(path.read_bytes()).hexdigest())


def encode_checkpoint(network: nn.Module, metadata: Metadata, *, half: bool = False) -> bytes:
    """Return the file content of a checkpoint; `half` stores floating point weights in half precision."""
    tensors = {}
    for name, tensor in network.state_dict().items():
        stored = tensor.detach().cpu().contiguous()
        tensors[name] = stored.half() if half and stored.is_floating_point() else stored
    return save(tensors, {KEY: json.dumps(metadata.model_dump(mode="json"), allow_nan=False)})


def save_checkpoint(path: Path, network: nn.Module, metadata: Metadata, *, half: bool = False) -> None:
    """Write a checkpoint in one step; the same weights and metadata give the same bytes."""
    write_bytes(path, encode_checkpoint(network, metadata, half=half))


def library_versions() -> dict[str, str]:
    """Return the versions that decide whether a run can be repeated bit for bit."""
    return {"explorer": explorer.__version__, "torch": torch.__version__, "python": platform.python_version()}


def mismatches(expected: nn.Module, found: Mapping[str, tuple[tuple[int, ...], str]]) -> list[str]:
    """List, tensor by tensor, how the names, shapes and types in a file differ from a model's."""
    wanted = expected.state_dict()
    problems = [f"{name} is missing" for name in wanted if name not in found]
    problems += [f"{name} is not part of the model" for name in found if name not in wanted]
    for name, tensor in wanted.items():
        if name not in found:
            continue
        shape, dtype = found[name]
        if shape != tuple(tensor.shape):
            problems.append(f"{name} has shape {list(shape)} instead of {list(tensor.shape)}")
        elif dtype not in (FLOATS if tensor.is_floating_point() else INTEGERS):
            problems.append(f"{name} has type {dtype}")
    return problems


def _open(path: Path) -> Any:
    try:
        return safe_open(path, framework="pt")
    except FileNotFoundError:
        raise CheckpointError(f"There is no checkpoint file {path.name!r}.") from None
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path.name} is not a readable safetensors file ({error}). It may be truncated, or of another format; "
            "a PyTorch .pt or .pth file can be converted on the page Home."
        ) from None


def _metadata(name: str, entries: Mapping[str, str]) -> Metadata:
    if KEY not in entries:
        raise CheckpointError(
            f"{name} does not describe its model (no {KEY!r} in its metadata). "
            "Open it on the page Home, where you can say which model it is."
        )
    try:
        document = json.loads(entries[KEY], parse_constant=_refuse, parse_float=_finite)
        _check_depth(document, MAX_DEPTH)
        return Metadata.model_validate(document)
    except ValidationError as error:
        raise CheckpointError(f"{name}: {describe(error, 'its description', 'field', Metadata)}") from None
    except (ValueError, RecursionError):
        raise CheckpointError(f"{name}: its description is not valid JSON. Take another copy of the file.") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        _refuse(text)
    return number


def _check_depth(value: Any, left: int) -> None:
    if left == 0:
        raise ValueError("nested too deeply")
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_depth(inner, left - 1)


def _meta(name: str, metadata: Metadata) -> nn.Module:
    if not math.isfinite(metadata.std):
        raise CheckpointError(f"{name}: its normalisation is not a finite number.")
    try:
        return build_meta(metadata.model, metadata.options, InputShape(classes=len(metadata.classes)), probe=False)
    except ConfigError as error:
        raise CheckpointError(f"{name}: {error}") from None
