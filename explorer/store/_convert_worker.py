"""Turns a PyTorch state dict into safetensors, in a process of its own whose memory and time are limited.

Started by `explorer.store.conversion` as `_convert_worker.py SOURCE TARGET MEMORY SECONDS`; it imports nothing of
the project and says how it went by its exit code alone, because what it reads is not to be trusted. The limits
are set after `torch` is imported: torch alone maps 0.5 to 3 GB of addresses, depending on the build.
"""

import json
import mmap
import pickle
import sys
from pathlib import Path
from typing import Any

DONE, NO_LIMITS, UNSAFE, NOT_WEIGHTS, TOO_LARGE, UNREADABLE = 0, 40, 41, 42, 43, 44
WRAPPERS = ("state_dict", "model_state_dict", "model")
ORDER = "order"
"""Metadata key under which the output notes the order of the tensors, which safetensors does not keep."""


def limit(memory: int, seconds: int) -> None:
    """Allow this process `memory` more bytes and `seconds` more of processor time, and see that it holds.

    Raises
    ------
    OSError, ImportError, ValueError
        This system has no such limits, or does not enforce them.
    """
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    used = resource.getrusage(resource.RUSAGE_SELF)
    wanted = {
        resource.RLIMIT_AS: pages * resource.getpagesize() + memory,
        resource.RLIMIT_CPU: int(used.ru_utime + used.ru_stime) + 1 + seconds,
        resource.RLIMIT_FSIZE: memory,
        resource.RLIMIT_CORE: 0,
    }
    for kind, value in wanted.items():
        hard = resource.getrlimit(kind)[1]
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (allowed, allowed))
    try:
        mmap.mmap(-1, memory + mmap.PAGESIZE).close()
    except OSError:
        return
    raise OSError("the memory limit is not enforced")


def state_dict(content: Any) -> dict[str, Any]:
    """Return the names and tensors in what was loaded, out of its wrapper if it has one, or raise `TypeError`."""
    if isinstance(content, dict):
        content = next((content[key] for key in WRAPPERS if isinstance(content.get(key), dict)), content)
    if not isinstance(content, dict) or not content:
        raise TypeError("not a state dict")
    return content


def convert(source: str, target: str, memory: int) -> None:
    """Read `source`, check that it holds nothing but plain tensors, and write them to `target`."""
    import torch
    from safetensors.torch import save_file

    content = state_dict(torch.load(source, map_location="cpu", weights_only=True))
    tensors, total = {}, 0
    for name, tensor in content.items():
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor) or tensor.device.type != "cpu":
            raise TypeError("not a tensor")
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_complex() or tensor.is_nested:
            raise TypeError("not a plain tensor")
        total += tensor.numel() * tensor.element_size()
        if total > memory // 4:  # the tensors, their separate copies and the bytes of the file are held at once
            raise MemoryError
        tensors[name] = tensor.detach().clone(memory_format=torch.contiguous_format)
    save_file(tensors, target, {ORDER: json.dumps(list(tensors))})


def main(source: str, target: str, memory: str, seconds: str) -> int:
    """Convert under limits and return the exit code."""
    import torch  # noqa: F401

    try:
        limit(int(memory), int(seconds))
    except (OSError, ImportError, ValueError):
        return NO_LIMITS
    try:
        convert(source, target, int(memory))
    except TypeError:
        return NOT_WEIGHTS
    except MemoryError:
        return TOO_LARGE
    except pickle.UnpicklingError as error:
        return UNSAFE if "global" in str(error).lower() else UNREADABLE
    except Exception as error:
        return TOO_LARGE if "alloc" in str(error) else UNREADABLE
    return DONE


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
