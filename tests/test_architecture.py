"""Imports run one way and in no circles, pages stay thin, files stay small, and a name means one thing."""

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from explorer.paths import ROOT

LAYERS = (
    "models",
    "explorer.data",
    "explorer.store",
    "explorer.analysis",
    "explorer.training",
    "explorer.experiments",
    "explorer.ui",
    "pages",
)
SHARED_BY_PAGES = ("kit", "canvas", "charts")
"""Rooms of `explorer.ui` that belong to no page; the others import them and never each other."""
LEAVES = ("explorer.errors", "explorer.paths", "explorer.files", "explorer.devices")
"""Helpers that any layer may import and that import no layer."""
TOP = ("explorer.app", "explorer.__main__", "explorer.cli")
"""What puts everything together, and is imported by nothing."""
ONLY_IN_UI = {"streamlit", "altair"}
NOT_IN_PAGES = {"torch", "numpy", "pandas", "altair", "sklearn", "captum", "torchvision"}
NOT_AT_THE_TOP = {"torchvision", "captum", "sklearn", "scipy"}
PAGE_LINES, CODE_LINES = 150, 450

FILES = sorted(path for folder in ("models", "explorer", "pages") for path in (ROOT / folder).rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in FILES}


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def imported(tree: ast.AST, module: str, is_package: bool) -> Iterator[str]:
    """Yield the full name of everything that a module imports, wherever it stands in the module."""
    for node in ast.walk(tree):
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
                yield full if full in MODULES else base


def layer(module: str) -> str | None:
    """Return the layer that a module belongs to."""
    return next((one for one in LAYERS if module == one or module.startswith(one + ".")), None)


def room(module: str) -> str | None:
    """Return the folder of `explorer.ui` in which a module stands."""
    parts = module.split(".")
    return parts[2] if parts[:2] == ["explorer", "ui"] and len(parts) > 3 else None


def is_across(here: str | None, there: str | None) -> bool:
    """Whether a room of `explorer.ui` must not import another."""
    if not here or not there or here == there:
        return False
    return there not in SHARED_BY_PAGES or here == "kit" or (here in SHARED_BY_PAGES and there != "kit")


def complaints(module: str, tree: ast.AST, is_package: bool = False) -> list[str]:
    """List what a module imports but must not."""
    own, found = layer(module), []
    for target in imported(tree, module, is_package):
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
        elif is_across(room(module), room(target)):
            found.append(f"{module} imports {target}: page -> charts, canvas -> kit")
        if own == "pages" and library in NOT_IN_PAGES:
            found.append(f"{module} imports {library}; a page only puts parts together")
    return found


def test_imports_run_one_way() -> None:
    assert [
        one for name, path in MODULES.items() for one in complaints(name, parsed(path), path.name == "__init__.py")
    ] == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("explorer.data.x", "from explorer.store import runs"),
        ("explorer.data.x", "from ..store import runs"),
        ("explorer.analysis.x", "def f():\n    import explorer.training.loop"),
        ("explorer.store.x", "import streamlit as st"),
        ("explorer.experiments.x", "from altair import Chart"),
        ("explorer.errors", "from explorer.data import catalog"),
        ("explorer.store.x", "import explorer.cli"),
        ("models.x", "from explorer.data import catalog"),
        ("pages.x", "from torch import nn"),
        ("pages.x", "from pages import home"),
        ("explorer.ui.runs.x", "from explorer.ui.train import form"),
        ("explorer.ui.kit.x", "from explorer.ui.charts import matrix"),
    ],
)
def test_a_wrong_import_is_found(module: str, source: str) -> None:
    assert complaints(module, ast.parse(source))


def test_a_right_import_is_allowed() -> None:
    right = {
        "explorer.store.x": "from explorer.errors import RunError",
        "explorer.ui.runs.x": "import altair\nfrom explorer.ui.charts import matrix\nfrom explorer.ui.kit import text",
        "pages.x": "import streamlit\nfrom explorer.analysis.evaluation.confusion import ConfusionMatrix",
        "explorer.app": "import streamlit\nfrom explorer.ui.kit import state",
    }
    assert [one for module, source in right.items() for one in complaints(module, ast.parse(source))] == []


def test_no_circles() -> None:
    """Every module can be imported before those that import it."""
    left = {
        name: {one for one in imported(parsed(path), name, path.name == "__init__.py") if one in MODULES} - {name}
        for name, path in MODULES.items()
    }
    while free := [name for name, needs in left.items() if not needs & left.keys()]:
        for name in free:
            del left[name]
    assert left == {}


def test_files_stay_small() -> None:
    def code_lines(path: Path) -> int:
        texts = [node for node in ast.walk(parsed(path)) if isinstance(node, ast.Expr) and _is_text(node.value)]
        described = {line for node in texts for line in range(node.lineno, (node.end_lineno or 0) + 1)}
        lines = enumerate(path.read_text("utf-8").splitlines(), start=1)
        return sum(
            number not in described and not line.strip().startswith(("#",)) for number, line in lines if line.strip()
        )

    limits = {path: PAGE_LINES if path.parent.name == "pages" else CODE_LINES for path in FILES}
    assert {name_of(path): found for path, most in limits.items() if (found := code_lines(path)) > most} == {}


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def test_heavy_libraries_are_imported_where_they_are_used() -> None:
    found = set()
    for name, path in MODULES.items():
        top = ast.Module([one for one in parsed(path).body if isinstance(one, ast.Import | ast.ImportFrom)], [])
        found |= {(name, one) for one in imported(top, name, False) if one.partition(".")[0] in NOT_AT_THE_TOP}
    assert found == set()


def test_no_two_public_classes_share_a_name() -> None:
    where = defaultdict(list)
    for name, path in MODULES.items():
        for node in parsed(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                where[node.name].append(name)
    assert {name: modules for name, modules in where.items() if len(modules) > 1} == {}


def test_no_file_beside_the_entry_script_hides_a_standard_module() -> None:
    names = {path.stem for path in (ROOT / "explorer").iterdir() if path.suffix == ".py" or path.is_dir()}
    assert names & set(sys.stdlib_module_names) - {"__main__"} == set()
