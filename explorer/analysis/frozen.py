"""Copies of a model that may be hooked, switched and differentiated while others use the original."""

import copy

import torch
from torch import nn


def frozen_copy(model: nn.Module, device: torch.device | str | None = None) -> nn.Module:
    """Copy a model in evaluation mode whose parameters need no gradient.

    The copy has modules of its own (modes, hooks, flags) but the same memory for weights and buffers, so it
    costs neither time nor memory worth counting, and nothing done to its modules reaches the original.

    Parameters
    ----------
    model : nn.Module
        The model; it is only read.
    device : torch.device or str, optional
        Where the copy shall compute; by default where the model is. Moving to another device copies the
        weights.

    Returns
    -------
    nn.Module
        The copy, `training` off in every module and `requires_grad` off in every parameter.
    """
    with torch.inference_mode(False):
        memo: dict[int, object] = {id(p): nn.Parameter(p.detach(), requires_grad=False) for p in model.parameters()}
        memo.update({id(b): b.detach() for b in model.buffers()})
        duplicate = copy.deepcopy(model, memo).eval()
        return duplicate if device is None else duplicate.to(device)


def evaluation_model(model: nn.Module, device: torch.device | str | None = None) -> nn.Module:
    """Return the model itself where it already evaluates on the device, a `frozen_copy` otherwise."""
    moves = device is not None and torch.device(device).type != placement(model)[0].type
    if moves or any(module.training for module in model.modules()):
        return frozen_copy(model, device)
    return model


def placement(model: nn.Module) -> tuple[torch.device, torch.dtype]:
    """Say where a model computes and in which floating-point type, by its first tensor of such a type."""
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.is_floating_point():
            return tensor.device, tensor.dtype
    return torch.device("cpu"), torch.float32
