"""Giving memory back to the system."""

import ctypes
import sys
from functools import cache


def release() -> None:
    """Give back what the C library keeps of memory that is free; without effect where it is not glibc.

    Tensors of one size leave holes that tensors of another size do not fit into, so a process that trains and evaluates
    in turn grows to the sum of both. It takes some milliseconds.
    """
    if trim := _trim():
        trim(0)


@cache
def _trim() -> "ctypes._NamedFuncPointer | None":
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
