"""Where chance comes from: the order of batches from (seed, epoch), every other draw from (seed, epoch, step).

Nothing carries a random state from one step to the next, so a run that is resumed anywhere draws what the
uninterrupted one would have drawn.
"""

import hashlib

import torch


def derive(seed: int, *keys: int | str) -> int:
    """Return a 32-bit seed that depends on every key."""
    text = "/".join(str(key) for key in (seed, *keys))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big")


def generator(seed: int, *keys: int | str) -> torch.Generator:
    """Return a CPU generator for the keys."""
    return torch.Generator().manual_seed(derive(seed, *keys))


def seed_global(device: torch.device, seed: int, *keys: int | str) -> None:
    """Seed the generator that dropout on `device` draws from."""
    value = derive(seed, *keys)
    if device.type == "cuda":
        torch.cuda.manual_seed(value)
    elif device.type == "mps":
        torch.mps.manual_seed(value)
    else:
        torch.default_generator.manual_seed(value)
