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


def test_modules_load_once_and_nothing_heavy_before_the_first_page(home: Path, tmp_path: Path) -> None:
    folder = str(ROOT / "explorer")
    script = SCRIPT.format(folder=folder, script=str(ROOT / "explorer" / "app.py"), root=f"{ROOT}{os.sep}")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": "", "EXPLORER_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=170,
    )
    assert "RESULT" in done.stdout, done.stderr
    files, heavy, first, own_folder_there = json.loads(done.stdout.split("RESULT")[1])
    assert files
    assert {file: names for file, names in files.items() if len(names) > 1} == {}
    assert heavy == []
    assert first == str(ROOT)
    assert not own_folder_there
