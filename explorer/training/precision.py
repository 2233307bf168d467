"""The numbers that a step is computed with: float32, or bfloat16 where that is quicker.

With bf16 the layers compute under PyTorch's autocast. Weights, their average, batch-norm statistics, optimizer and loss
stay in float32 (Micikevicius et al., "Mixed precision training", ICLR 2018); bfloat16 has the range of float32, so the
loss needs no scaling (Kalamkar et al., "A study of BFLOAT16 for deep learning training", 2019).
"""

import json
import platform
import time
from contextlib import AbstractContextManager, nullcontext, suppress
from hashlib import sha256
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F

import models
from explorer import devices, files, paths
from explorer.training.config import TrainConfig
from explorer.training.plan import input_shape, make_plan

Resolved = Literal["float32", "bf16"]
REPEATS = 3
HOPELESS = 3.0
"""A bf16 step that takes so many times as long as one in float32 is not measured again."""


def autocast(config: TrainConfig, device: torch.device) -> AbstractContextManager[object]:
    """Return the context in which a network passes images forward; it can be entered again and again."""
    if resolve_precision(config) == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


def resolve_precision(config: TrainConfig) -> Resolved:
    """Return the precision that a configuration names; for `auto` the quicker one on this machine.

    It is measured once for a processor, version of PyTorch, number of threads, network and batch, and remembered
    under `EXPLORER_HOME`.

    Raises
    ------
    ConfigError
        The model cannot be built.
    DeviceError
        This machine has no such device.
    """
    if config.precision != "auto":
        return config.precision
    device = devices.resolve(config.device)
    known = paths.home() / "precision.json"
    try:
        answers: dict[str, dict[str, float]] = json.loads(known.read_bytes())
    except (OSError, ValueError):
        answers = {}
    key = _key(config, device)
    if key not in answers:
        answers[key] = measure(config, device)
        with suppress(OSError):  # then it is measured again next time
            files.write_json(known, answers)
    seconds = answers[key]
    return "bf16" if seconds.get("bf16", float("inf")) < seconds["float32"] else "float32"


def measure(config: TrainConfig, device: torch.device) -> dict[str, float]:
    """Return the seconds of a forward and backward pass in each precision that works; the best of three."""
    shape = input_shape(config)
    count = min(config.batch_size, config.subset, make_plan(config).piece)
    network = models.build(config.model, config.options, shape).to(device).to(memory_format=torch.channels_last)
    images = torch.zeros(count, shape.channels, shape.size, shape.size, device=device)
    labels = torch.zeros(count, dtype=torch.int64, device=device)

    def step(precision: Resolved) -> float:
        begun = time.perf_counter()
        with autocast(config.model_copy(update={"precision": precision}), device):
            logits = network(images).float()
        F.cross_entropy(logits, labels).backward()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - begun

    seconds = {"float32": min(step("float32") for _ in range(1 + REPEATS))}
    try:
        first = step("bf16")
        repeats = 0 if first > HOPELESS * seconds["float32"] + 1 else REPEATS
        seconds["bf16"] = min([first, *(step("bf16") for _ in range(repeats))])
    except RuntimeError:  # not every build of PyTorch has every kernel
        pass
    return seconds


def _key(config: TrainConfig, device: torch.device) -> str:
    """Name everything on which the time of a step depends."""
    work = config.model_dump_json(include={"dataset", "model", "options", "batch_size", "subset"})
    text = f"{_processor(device)} {torch.__version__} {torch.get_num_threads()} {work}"
    return sha256(text.encode()).hexdigest()[:16]


def _processor(device: torch.device) -> str:
    """Name the device, a CPU with its instruction sets, which its name alone does not tell on a virtual machine."""
    if device.type != "cpu":
        return devices.title(device)
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    return " ".join(line for line in lines if line.startswith(("model name", "flags", "Features")))
