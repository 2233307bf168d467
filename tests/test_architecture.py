"""Imports run one way, pages stay thin, modules stay small."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from explorer.paths import ROOT

LAYERS = (
    "models",
    "explorer.data",
    "explorer.store",
    "explorer.analysis",
    "explorer.training",
    "explorer.studies",
    "explorer.ui",
    "pages",
)
LEAVES = ("explorer.errors", "explorer.paths", "explorer.files", "explorer.devices")
"""Helpers that any layer may import and that import no layer."""

TOP = ("explorer.app", "explorer.__main__", "explorer.cli")
"""What puts everything together, and is imported by nothing."""

ONLY_IN_UI = {"streamlit", "altair"}
NOT_IN_PAGES = {"torch", "numpy", "pandas", "altair", "sklearn", "captum", "torchvision"}
NOT_AT_THE_TOP = {"torchvision", "captum", "sklearn"}
PAGE_LINES, MODULE_LINES = 150, 300

FILES = sorted(path for folder in ("models", "explorer", "pages") for path in (ROOT / folder).rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {name_of(path) for path in FILES}


def imported(source: str, module: str, is_package: bool) -> Iterator[str]:
    """Yield the full name of everything that a module imports, wherever it stands in the module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = module.split(".") if is_package else module.split(".")[:-1]
                package = package[: len(package) - (node.level - 1)]
                base = ".".join([*package, base] if base else package)
            for alias in node.names:
                full = f"{base}.{alias.name}"
                yield full if full in NAMES else base


def layer(module: str) -> str | None:
    """Return the layer that a module belongs to."""
    return next((one for one in LAYERS if module == one or module.startswith(one + ".")), None)


def complaints(module: str, source: str, is_package: bool = False) -> list[str]:
    """List what a module imports but must not."""
    own, found = layer(module), []
    for target in imported(source, module, is_package):
        theirs, library = layer(target), target.partition(".")[0]
        if any(target == top or target.startswith(top + ".") for top in TOP) and not module.startswith(TOP):
            found.append(f"{module} imports {target}, which stands above everything")
        elif module in LEAVES and theirs:
            found.append(f"{module} is a leaf but imports {target}")
        elif own and theirs and LAYERS.index(theirs) > LAYERS.index(own):
            found.append(f"{module} imports {target}, which is above it")
        elif own == "pages" and theirs == "pages":
            found.append(f"{module} imports {target}: pages do not import each other")
        elif library in ONLY_IN_UI and own not in ("explorer.ui", "pages") and module != "explorer.app":
            found.append(f"{module} imports {library}, which is for explorer.ui")
        if own == "pages" and library in NOT_IN_PAGES:
            found.append(f"{module} imports {library}; a page only puts parts together")
    return found


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_run_one_way(path: Path) -> None:
    assert complaints(name_of(path), path.read_text("utf-8"), path.name == "__init__.py") == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("explorer.data.x", "from explorer.store import runs"),
        ("explorer.data.x", "from explorer import store"),
        ("explorer.data.x", "from ..store import runs"),
        ("explorer.data.x", "from .. import store"),
        ("explorer.analysis.x", "def f():\n    import explorer.training.loop"),
        ("explorer.store.x", "import streamlit as st"),
        ("explorer.studies.x", "from altair import Chart"),
        ("explorer.errors", "from explorer.data import catalog"),
        ("explorer.store.x", "import explorer.cli"),
        ("models.x", "from explorer.data import catalog"),
        ("pages.x", "import numpy as np"),
        ("pages.x", "from torch import nn"),
        ("pages.x", "from pages import home"),
    ],
)
def test_a_wrong_import_is_found(module: str, source: str) -> None:
    assert complaints(module, source)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("explorer.store.x", "from explorer.errors import RunError"),
        ("models.x", "from explorer.errors import ConfigError"),
        ("explorer.ui.x", "import altair, torch\nfrom explorer.training import loop"),
        ("pages.x", "import streamlit\nfrom explorer.analysis.evaluation.confusion import ConfusionMatrix"),
        ("explorer.app", "import streamlit\nfrom explorer.ui import state"),
    ],
)
def test_a_right_import_is_allowed(module: str, source: str) -> None:
    assert complaints(module, source) == []


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_stay_small(path: Path) -> None:
    lines = len(path.read_text("utf-8").splitlines())
    assert lines <= PAGE_LINES if path.parent.name == "pages" else lines < MODULE_LINES


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_heavy_libraries_are_imported_where_they_are_used(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    at_top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    source = "\n".join(ast.unparse(node) for node in at_top)
    libraries = {name.partition(".")[0] for name in imported(source, name_of(path), path.name == "__init__.py")}
    assert libraries & NOT_AT_THE_TOP == set()


def test_no_file_beside_the_entry_script_hides_a_standard_module() -> None:
    import sys

    names = {path.stem for path in (ROOT / "explorer").iterdir() if path.suffix == ".py" or path.is_dir()}
    assert names & set(sys.stdlib_module_names) - {"__main__"} == set()
