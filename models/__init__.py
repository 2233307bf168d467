"""The architectures. A new file here that registers one appears in every form and on the command line."""

from models.registry import Architecture, build, get, names, register

__all__ = ["Architecture", "build", "get", "names", "register"]
