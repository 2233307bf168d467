"""A network, or its first layer alone, as a file for other programs."""

import importlib.util
import io
import json
from typing import Literal

import torch
from safetensors.torch import save
from torch import Tensor, nn

from explorer.analysis.frozen import frozen_copy
from explorer.analysis.inside.kernels import weighted
from explorer.analysis.inside.steps import LayerCall, steps
from explorer.analysis.trace import IMAGE_SHAPE
from explorer.errors import ConfigError
from explorer.store.checkpoints import Checkpoint, Classifier, encode_checkpoint

Part = Literal["network", "first-layer"]
Format = Literal["safetensors", "pt", "onnx"]

ENDINGS: dict[Format, str] = {"safetensors": ".safetensors", "pt": ".pt", "onnx": ".onnx"}
NEEDS = ("onnx", "onnxscript")
"""Packages without which PyTorch cannot write ONNX."""
MISSING = "ONNX needs packages that are not installed. Run: pip install -r requirements-onnx.txt"
INPUT, OUTPUT = "pixels", {"network": "logits", "first-layer": "output"}
"""Names of what an ONNX file takes and returns."""


class FirstLayer(nn.Module):
    """Everything up to the output of the first layer with weights: pixels in [0, 1] in, its values out."""

    mean: Tensor
    std: Tensor

    def __init__(self, layer: nn.Module, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.layer = layer
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def forward(self, pixels: Tensor) -> Tensor:
        """Map pixels (N, 1, H, W) to the layer's output, before any activation function."""
        values = (pixels - self.mean) / self.std
        answer: Tensor = self.layer(values.flatten(1) if isinstance(self.layer, nn.Linear) else values)
        return answer


def can_write_onnx() -> bool:
    """Whether the packages that ONNX needs are installed."""
    return all(importlib.util.find_spec(name) is not None for name in NEEDS)


def first_layer(classifier: nn.Module) -> LayerCall:
    """Return the first layer with weights.

    Raises
    ------
    ConfigError
        The network has none.
    """
    found = weighted(steps(classifier))
    if not found:
        raise ConfigError("This network has no layer with weights to save.")
    return found[0]


def encode(checkpoint: Checkpoint, classifier: Classifier, part: Part, form: Format) -> bytes:
    """Return the content of a file.

    Parameters
    ----------
    checkpoint : Checkpoint
        What the file tells of itself is from here.
    classifier : Classifier
        Of that checkpoint; it is only read.
    part : {'network', 'first-layer'}
    form : {'safetensors', 'pt', 'onnx'}
        The first two hold weights by name, in single precision, for normalised pixels: safetensors of the network is
        a checkpoint of this application, `pt` a plain PyTorch state dict. ONNX holds the computation as well, with the
        normalisation: it takes `pixels` (N, 1, 28, 28) in [0, 1] and returns `logits`, or the first layer's `output`.

    Raises
    ------
    ConfigError
        The packages for ONNX are missing, or PyTorch cannot express this network in it.
    """
    if form == "onnx":
        return _onnx(classifier, part)
    if form == "safetensors" and part == "network":
        return encode_checkpoint(classifier.network, checkpoint.metadata)
    found = tensors(classifier, part)
    if form == "safetensors":
        layer = {"part": part, "model": checkpoint.model, "mean": checkpoint.mean, "std": checkpoint.std}
        return save(found, {"layer": json.dumps(layer)})
    stream = io.BytesIO()
    torch.save(found, stream)
    return stream.getvalue()


def tensors(classifier: Classifier, part: Part) -> dict[str, Tensor]:
    """Return weights, biases and running statistics by name, on the CPU, as they are written.

    Raises
    ------
    ConfigError
        The first layer is wanted, and no layer has weights.
    """
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in classifier.network.state_dict().items()}
    if part == "network":
        return state
    name = first_layer(classifier).name
    return {key: state[key] for key in (f"{name}.weight", f"{name}.bias") if key in state}


def _onnx(classifier: Classifier, part: Part) -> bytes:
    if not can_write_onnx():
        raise ConfigError(MISSING)
    model = frozen_copy(classifier).cpu()
    if part == "first-layer":
        layer = model.get_submodule(f"network.{first_layer(classifier).name}")
        model = FirstLayer(layer, classifier.mean.detach().cpu(), classifier.std.detach().cpu()).eval()
    try:
        program = torch.onnx.export(
            model,
            (torch.zeros((2, *IMAGE_SHAPE)),),
            dynamo=True,
            input_names=[INPUT],
            output_names=[OUTPUT[part]],
            dynamic_shapes=({0: torch.export.Dim("n", min=1)},),
            external_data=False,
            verbose=False,
        )
    except torch.onnx.OnnxExporterError as error:
        raise ConfigError(f"PyTorch cannot express this network in ONNX: {str(error).splitlines()[0]}") from None
    assert program is not None
    content: bytes = program.model_proto.SerializeToString()
    return content
