"""`streamlit run` puts the script's own folder on the path; nothing may be loaded from there a second time."""

import json
import os
import subprocess
import sys
from pathlib import Path

from explorer.paths import ROOT

SCRIPT = """
import json, sys
from streamlit.testing.v1 import AppTest
sys.path.insert(0, {folder!r})
app = AppTest.from_file({script!r}, default_timeout=150).run()
assert not app.exception, app.exception
files = {{}}
for name, module in list(sys.modules.items()):
    file = getattr(module, "__file__", None)
    own = file and file.startswith({root!r}) and "site-packages" not in file
    if own and name not in ("__main__", "__mp_main__"):
        files.setdefault(file, []).append(name)
heavy = [name for name in ("torchvision", "captum", "sklearn", "altair") if name in sys.modules]
print("RESULT" + json.dumps([files, heavy, sys.path[0], {folder!r} in sys.path]))
"""


HALF_LOADED = """
import builtins, sys, threading, time
from streamlit.testing.v1 import AppTest

from explorer.store import runs
from explorer.training.queue import supervisor
from explorer.training.config import TrainConfig

supervisor.ensure = lambda: None
run = runs.create(TrainConfig().model_dump(mode="json"))
app = AppTest.from_file({script!r}, default_timeout=150)
app.query_params["run"] = run.id
app.switch_page({page!r})
assert "pandas" not in sys.modules

half, real = threading.Event(), builtins.__import__

def slow(name, *arguments, **others):
    if name == "pandas.core.api" and not half.is_set():
        half.set()
        time.sleep(5)
    return real(name, *arguments, **others)

builtins.__import__ = slow
other = threading.Thread(target=lambda: __import__("pandas"))
other.start()
assert half.wait(60)
app.run()
assert not app.exception, app.exception
assert len(app.get("vega_lite_chart")) == 2, app.main
print("RESULT")
"""


def test_modules_load_once_and_nothing_heavy_before_the_first_page(home: Path, tmp_path: Path) -> None:
    folder = str(ROOT / "explorer")
    script = SCRIPT.format(folder=folder, script=str(ROOT / "explorer" / "app.py"), root=f"{ROOT}{os.sep}")
    files, heavy, first, own_folder_there = json.loads(_result(script, tmp_path, home))
    assert files
    assert {file: names for file, names in files.items() if len(names) > 1} == {}
    assert heavy == []
    assert first == str(ROOT)
    assert not own_folder_there


def test_a_chart_waits_until_pandas_is_loaded_in_another_session(home: Path, tmp_path: Path) -> None:
    script = HALF_LOADED.format(script=str(ROOT / "explorer" / "app.py"), page=str(ROOT / "pages" / "train.py"))
    assert _result(script, tmp_path, home, PYTHONPATH=str(ROOT)) == "\n"


def _result(script: str, folder: Path, home: Path, **environment: str) -> str:
    """Return what a script prints after the word RESULT, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": "", "EXPLORER_HOME": str(home)} | environment,
        capture_output=True,
        text=True,
        timeout=170,
    )
    assert "RESULT" in done.stdout, done.stderr
    return done.stdout.split("RESULT")[1]
