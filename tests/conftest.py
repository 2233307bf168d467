"""Every test has an `EXPLORER_HOME` of its own; the unpacked data sets are shared, so that each is unpacked once."""

import functools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
# Is read when PyTorch is imported. Tests run in as many processes as there are cores; further threads would only wait.

import pytest
from hypothesis import settings
from streamlit.components.v2 import manifest_scanner

settings.register_profile("ci", derandomize=True)
"""The same examples every time; new ones are looked for on people's own machines."""
if os.environ.get("CI"):
    settings.load_profile("ci")

manifest_scanner.scan_component_manifests = functools.cache(manifest_scanner.scan_component_manifests)
"""Otherwise every run of an AppTest searches all installed packages for components, half of the time that it takes."""


@pytest.fixture(scope="session", autouse=True)
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of fixtures that outlive a test; no test ever touches the user's own."""
    home = tmp_path_factory.mktemp("home")
    (home / "data").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXPLORER_HOME", str(home))
        yield home


@pytest.fixture(autouse=True)
def home(shared_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This test's own `EXPLORER_HOME`, beside its `tmp_path`."""
    folder = tmp_path.with_name(f"{tmp_path.name}-home")
    folder.mkdir()
    (folder / "data").symlink_to(shared_home / "data", target_is_directory=True)
    monkeypatch.setenv("EXPLORER_HOME", str(folder))
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    # AppTest leaves its script there, and processes that a later test starts would run it.
    return folder


@pytest.fixture
def mount() -> Iterator[Callable[..., None]]:
    """Mount what only root can: `mount(folder, "size=4m")` a small disk, `mount(folder, "ro")` a closed one.

    A closed one shows what the folder held before.
    """
    mounted: list[Path] = []

    def attach(folder: Path, option: str) -> None:
        what = ["--bind", str(folder)] if option == "ro" else ["-t", "tmpfs", "-o", option, "tmpfs"]
        commands = [["mount", *what, str(folder)]]
        commands += [["mount", "-o", "remount,bind,ro", str(folder)]] if option == "ro" else []
        for command in commands:
            if sys.platform != "linux" or subprocess.run(command, capture_output=True, check=False).returncode:
                pytest.skip("Only root on Linux can mount a file system.")
            mounted.append(folder)

    yield attach
    for folder in dict.fromkeys(reversed(mounted)):
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def small_home(home: Path, mount: Callable[..., None]) -> Callable[[str], Path]:
    """Put this test's home on a disk of its own: `small_home("4m")`; the data sets lie elsewhere."""

    def put(size: str) -> Path:
        data = (home / "data").readlink()
        mount(home, f"size={size}")
        (home / "data").symlink_to(data, target_is_directory=True)
        return home

    return put


def fill_up(folder: Path) -> Path:
    """Leave no room at all on a disk; return the file to delete so that there is some again."""
    filler = folder / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        for size in (1 << 16, 1):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))
    return filler
