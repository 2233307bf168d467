"""Reading weights from elsewhere: a safetensors file, or a PyTorch state dict that is turned into one.

Nothing in such a file is believed. safetensors holds no code and is read here; a `.pt` or `.pth` file is a pickle
and is read by a process of its own, restricted to weights, with limited memory and time (`_convert_worker`).
"""

import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor

from explorer.errors import CheckpointError
from explorer.store import _convert_worker as worker
from explorer.store.checkpoints import KEY

MAX_BYTES = 64 << 20
MAX_HEADER = 4 << 20
MAX_TENSORS = 10_000
MEMORY = 512 << 20
"""Bytes that reading a PyTorch file may use beyond those of the bare interpreter and torch."""
CPU_SECONDS = 30
WALL_SECONDS = 90
"""Time for the whole process, in which importing torch is most; measured 4 to 5 s on two busy cores."""

SUFFIXES = (".safetensors", ".pt", ".pth")
PREFIXES = ("module.", "_orig_mod.", "model.", "network.", "net.")
"""What wrappers (data parallel, torch.compile, Lightning, our own) put in front of every name."""
_one_at_a_time = threading.Semaphore(1)
_ADVICE = "Save the weights alone with torch.save(model.state_dict(), 'weights.pt'), or better as safetensors."
_PROBLEMS = {
    worker.NO_LIMITS: "PyTorch files are not opened on this system, because it cannot limit what they use. "
    "Save the weights as safetensors with safetensors.torch.save_file and bring that file.",
    worker.UNSAFE: f"The file holds Python objects, not only weights, and was not opened: it could run code. {_ADVICE}",
    worker.NOT_WEIGHTS: f"The file holds something other than a state dict (names with one tensor each). {_ADVICE}",
    worker.TOO_LARGE: f"The file claims more than {MEMORY >> 22:,} MB of weights, which is more than is accepted here. "
    "Bring a smaller model, or store it in half precision.",
    worker.UNREADABLE: f"The file is not a readable PyTorch state dict: truncated, damaged or another kind. {_ADVICE}",
}


def read_weights(data: bytes, filename: str) -> dict[str, Tensor]:
    """Return the tensors in a file from elsewhere, in the file's order, common prefixes removed.

    Parameters
    ----------
    data : bytes
        The file's content.
    filename : str
        Only its ending is used: `.safetensors`, `.pt` or `.pth`.

    Raises
    ------
    CheckpointError
        The file is too large, of another kind, damaged, holds more than weights, or a weight is NaN or infinite.
    """
    suffix = Path(filename).suffix.lower()
    if suffix not in SUFFIXES:
        raise CheckpointError(f"A checkpoint's file ends in {', '.join(SUFFIXES)}; this one does not.")
    if len(data) > MAX_BYTES:
        raise CheckpointError(f"The file is larger than {MAX_BYTES >> 20} MB, the most that is accepted here.")
    weights = _read_safetensors(data if suffix == ".safetensors" else _convert(data))
    weights = _without_prefixes(weights)
    for name, tensor in weights.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor.float()).all():
            raise CheckpointError(
                f"The weights {name[:80]!r} hold NaN or values beyond single precision: "
                "the training has diverged. Bring an earlier checkpoint."
            )
    return weights


def describes_itself(data: bytes) -> bool:
    """Whether a file is one of this project's own checkpoints, which say themselves what they are."""
    header = int.from_bytes(data[:8], "little")
    try:
        return header <= MAX_HEADER and KEY in json.loads(data[8 : 8 + header]).get("__metadata__", {})
    except (ValueError, RecursionError, AttributeError, TypeError):
        return False


def _read_safetensors(data: bytes) -> dict[str, Tensor]:
    try:
        size = int.from_bytes(data[:8], "little")
        if size > MAX_HEADER:
            raise ValueError("its header is too long")
        weights = load_safetensors(data)
        header = json.loads(data[8 : 8 + size]).get("__metadata__", {})
        order = json.loads(header.get(worker.ORDER, "[]"))
    except (
        SafetensorError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
        RuntimeError,
    ) as error:
        raise CheckpointError(
            f"The file is not readable as safetensors: {str(error)[:120]}. It may be truncated or damaged; "
            "a file of torch.save ends in .pt or .pth."
        ) from None
    if not weights or len(weights) > MAX_TENSORS:
        raise CheckpointError(f"The file holds {len(weights):,} tensors; between 1 and {MAX_TENSORS:,} are expected.")
    names = order if isinstance(order, list) and set(order) == set(weights) else sorted(weights, key=_natural)
    return {name: weights[name] for name in names}


def _convert(data: bytes) -> bytes:
    """Return the content of a PyTorch file as safetensors, read by a limited process of its own."""
    if importlib.util.find_spec("resource") is None:
        raise CheckpointError(_PROBLEMS[worker.NO_LIMITS])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1", "CUDA_VISIBLE_DEVICES": ""}
    try:
        with _one_at_a_time, tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "source", Path(folder) / "target"
            source.write_bytes(data)
            command = [
                sys.executable,
                "-P",
                worker.__file__,
                str(source),
                str(target),
                str(MEMORY),
                str(CPU_SECONDS),
            ]
            code = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
                timeout=WALL_SECONDS,
                check=False,
            ).returncode
            if code == worker.DONE:
                return target.read_bytes()
    except subprocess.TimeoutExpired:
        raise CheckpointError(
            f"Reading the file took longer than {WALL_SECONDS} s and was stopped. {_ADVICE}"
        ) from None
    except OSError as error:
        raise CheckpointError(f"The file cannot be converted: {error.strerror}. Free some space.") from None
    raise CheckpointError(
        _PROBLEMS.get(code, f"Reading the file took more time or memory than allowed and was stopped. {_ADVICE}")
    )


def _without_prefixes(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Take away the prefixes that wrappers add to all names; add the step counters that old files lack."""
    while prefix := next((p for p in PREFIXES if all(name.startswith(p) for name in weights)), None):
        weights = {name.removeprefix(prefix): tensor for name, tensor in weights.items()}
    complete: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        complete[name] = tensor
        counter = name.removesuffix("running_var") + "num_batches_tracked"
        if name.endswith("running_var") and counter not in weights:
            complete[counter] = torch.tensor(0)
    return complete


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a sorting key under which `layer10` follows `layer9`."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d{1,9})", name)]
