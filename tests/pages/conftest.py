"""The application in `AppTest`, with a home of its own and no shipped checkpoints."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from explorer.paths import ROOT
from explorer.store import catalog
from explorer.store.runs import Run
from explorer.training.queue import supervisor


def _samples() -> ModuleType:
    path = Path(__file__).with_name("samples.py")
    spec = importlib.util.spec_from_file_location("samples", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


samples = _samples()


@pytest.fixture(autouse=True)
def alone(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the shipped checkpoints away, start no process, forget what earlier tests have cached."""
    monkeypatch.setattr(catalog, "SHIPPED_CHECKPOINTS", tmp_path)
    monkeypatch.setattr(supervisor, "ensure", lambda: None)
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture
def run(alone: None) -> Run:
    """A home with the imported checkpoint `small` and this run."""
    return samples.fill()


@pytest.fixture
def other_run(run: Run) -> Run:
    """A second run in the same home."""
    return samples.fill()


@pytest.fixture
def open_page() -> Callable[..., AppTest]:
    """Open a page as a link would: `open_page("evaluate", split="validation")`."""

    def start(page: str = "home", /, **parameters: str) -> AppTest:
        app = AppTest.from_file(str(ROOT / "explorer" / "app.py"), default_timeout=120)
        app.query_params.update(parameters)
        app.run()
        if page != "home":
            app.switch_page(str(ROOT / "pages" / f"{page}.py")).run()
        return app

    return start
