"""Histograms of weights and gradients, quick enough for every epoch."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

BINS = 64


@dataclass(frozen=True)
class Histogram:
    """How the values of a tensor are spread.

    Attributes
    ----------
    low, high : float
        The smallest and the greatest value.
    counts : list of float
        Values in each of `BINS` equal parts of [low, high]; one part where all values are the same.
    total, squares : float
        Sum of the values and of their squares.
    """

    low: float
    high: float
    counts: list[float]
    total: float
    squares: float

    @property
    def n(self) -> float:
        """Number of values."""
        return sum(self.counts)

    @property
    def limits(self) -> list[float]:
        """The upper end of each part."""
        width = (self.high - self.low) / len(self.counts)
        return [self.low + width * number for number in range(1, len(self.counts))] + [self.high]


def histogram(values: Tensor) -> Histogram | None:
    """Count values in equal bins, infinite and undefined ones aside; `None` where nothing is left.

    Parameters
    ----------
    values : Tensor
        Of any shape, type and device.
    """
    flat = values.detach().to("cpu", torch.float32).reshape(-1)
    if not flat.numel():
        return None
    low, high = (bound.item() for bound in flat.aminmax())
    if not (abs(low) < float("inf") and abs(high) < float("inf")):
        finite = flat[flat.isfinite()]
        return histogram(finite) if finite.numel() else None
    counts = torch.histc(flat, BINS, low, high).tolist() if low < high else [float(flat.numel())]
    return Histogram(low, high, counts, flat.sum(dtype=torch.float64).item(), torch.dot(flat, flat).item())


def histograms(network: nn.Module, gradients: nn.Module) -> dict[str, Histogram]:
    """Return the histogram of every weight, bias and gradient.

    Parameters
    ----------
    network : nn.Module
        Its parameters, biases among them, are `weights/<name>`.
    gradients : nn.Module
        The network that is trained, of the same architecture: what stands in `parameter.grad`, the gradient of the
        last step, is `gradients/<name>`.
    """
    tensors: dict[str, Tensor] = {f"weights/{name}": parameter for name, parameter in network.named_parameters()}
    tensors |= {
        f"gradients/{name}": parameter.grad
        for name, parameter in gradients.named_parameters()
        if parameter.grad is not None
    }
    found = {name: histogram(tensor) for name, tensor in tensors.items()}
    return {name: value for name, value in found.items() if value is not None}
