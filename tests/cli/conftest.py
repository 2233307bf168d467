import io
import json
import os
import subprocess
import sys

import pytest

from explorer import cli
from explorer.paths import ROOT

SETTINGS = ["--set", "subset=2000", "--set", "threads=1", "--set", "device=cpu", "--epochs", "2", "--seed", "5"]


@pytest.fixture
def explorer(monkeypatch, capsys):
    """Run a command in this process; return its exit code, standard output and standard error."""

    def call(*arguments, stdin=""):
        monkeypatch.setattr(sys, "argv", ["explorer", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        capsys.readouterr()
        code = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code or 0
        output = capsys.readouterr()
        return code, output.out, output.err

    return call


def command(*arguments):
    """The command line of a real process."""
    return [sys.executable, "-m", "explorer", *map(str, arguments)]


def surroundings(home):
    """The environment of a real process."""
    return os.environ | {"EXPLORER_HOME": str(home), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}


@pytest.fixture(scope="session")
def process():
    """Run a command in a process of its own, from another folder than the project's."""

    def call(home, *arguments, stdin=""):
        return subprocess.run(
            command(*arguments),
            input=stdin,
            cwd=ROOT,
            env=surroundings(home),
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )

    return call


@pytest.fixture(scope="session")
def spawn():
    """Start a command in a process of its own."""

    def call(home, *arguments):
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command(*arguments), cwd=ROOT, env=surroundings(home), **pipes)

    return call


@pytest.fixture(scope="session")
def trained(shared_home, process):
    """The document that `train --json` printed, the process's messages, and its home."""
    done = process(shared_home, "train", *SETTINGS, "--name", "[/shared]", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr, shared_home


@pytest.fixture
def run(trained, monkeypatch):
    """The document of a finished run, found under this test's `EXPLORER_HOME`."""
    document, _, home = trained
    monkeypatch.setenv("EXPLORER_HOME", str(home))
    return document
