"""Runs that are killed at random moments, as by `kill -9` or a power cut."""

import multiprocessing
import os
import random
import time

import pytest
import torch

from explorer.experiments import seeds
from explorer.store import groups, runs
from explorer.training.queue.execution import execute
from explorer.training.queue.worker import compute

pytestmark = pytest.mark.usefixtures("quick")

WORKER = """
import os, sys
from dataclasses import replace
os.environ["EXPLORER_HOME"] = home
import torch
from explorer.data import splits
from explorer.training import loop
from explorer.training.queue import execution, keeping, worker
from explorer.training.seeds import loop as seeds_loop
def load(dataset, name):
    split = splits.load_split(dataset, name)
    if name == "train":
        return split
    return replace(split, **{field: getattr(split, field)[:100] for field in ("images", "labels", "indices")})
seeds_loop.load_split = keeping.load_split = loop.load_split = load
execution.STATE_SECONDS = 0.02
worker.work(run)
"""
KILLS = 6


@pytest.fixture(scope="module")
def context():
    """Processes that start at once, as those of the supervisor do."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "torch.optim", "torch._dynamo", "explorer.training.queue.worker"])
    return context


@pytest.fixture
def begin(context, home):
    """Start a process that computes a run."""

    def start(run):
        process = context.Process(target=exec, args=(WORKER, {"home": str(home), "run": run.id}))
        process.start()
        return process

    return start


def _files(run):
    folders = ("weights", "predictions")
    return {
        str(path.relative_to(run.path)): path.read_bytes() for name in folders for path in (run.path / name).iterdir()
    }


CONFIGS = {
    "mlp": {
        "subset": 600,
        "batch_size": 4,
        "epochs": 2,
        "options": {"hidden": [32], "dropout": 0.3},
        "ema": 0.9,
        "shift": 2,
        "erase": 0.5,
    },
    "cnn": {
        "model": "cnn",
        "options": {"after_first": "batch-norm-dropout"},
        "subset": 300,
        "batch_size": 13,
        "epochs": 4,
        "optimizer": "nesterov",
        "schedule": "one-cycle",
        "learning_rate": 0.05,
    },
    "lenet": {
        "model": "lenet",
        "options": {"features": [4, 8], "dense": 16},
        "subset": 300,
        "batch_size": 10,
        "epochs": 3,
        "optimizer": "nesterov",
        "learning_rate": 0.02,
    },
}
SEEDS = {"subset": 600, "batch_size": 4, "epochs": 2, "options": {"hidden": [32], "dropout": 0.3}, "ema": 0.9}


def _kill_again_and_again(run, begin, name, within):
    """Start a process that computes the run and kill it within so many seconds, a few times."""
    draws = random.Random(name)
    kills = 0
    for _ in range(KILLS):
        process = begin(run)
        deadline = time.monotonic() + 60
        while run.status.state != "running" and process.is_alive() and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(draws.uniform(0, within))
        process.kill()
        process.join()
        kills += process.exitcode == -9
        process.close()
        if run.status.state == "finished":
            break
        assert run.status.state == "interrupted"
    assert kills >= 2


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
@pytest.mark.parametrize("name", CONFIGS)
def test_killed_many_times_it_ends_with_the_same_bytes(name, configure, begin, same):
    config = configure(**CONFIGS[name]).model_dump(mode="json")
    whole, run = runs.create(config), runs.create(config)
    execute(whole)
    _kill_again_and_again(run, begin, name, whole.status.seconds / 5)
    assert execute(run).state == "finished"
    assert _files(run) == _files(whole)
    saved = [torch.load(one.state_file, weights_only=True) for one in (run, whole)]
    assert same(*saved)
    assert [line["epoch"] for line in run.epochs()] == list(range(1, config["epochs"] + 1))
    places = [(line["epoch"], line["step"]) for line in run.history() if line["kind"] == "step"]
    assert places == sorted(set(places))
    assert not list(run.path.rglob("*.tmp"))


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_seeds_at_once_that_are_killed_many_times_end_with_the_same_bytes(configure, begin, same):
    whole, killed = (seeds.create(configure(**SEEDS), 3) for _ in range(2))
    compute(whole[0])
    _kill_again_and_again(killed[0], begin, "seeds", whole[0].status.seconds / 5)
    compute(killed[0])
    for run, other in zip(killed, whole, strict=True):
        assert run.status.state == "finished"
        assert _files(run) == _files(other)
        assert [line["epoch"] for line in run.epochs()] == [1, 2]
    assert same(*(torch.load(groups.state_file(runs[0]), weights_only=True) for runs in (killed, whole)))


def test_two_processes_on_one_run(configure, begin):
    run = runs.create(configure(epochs=10_000).model_dump(mode="json"))
    first = begin(run)
    deadline = time.monotonic() + 60
    while run.status.epoch < 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    second = begin(run)
    second.join()
    assert second.exitcode == 0
    assert run.status.state == "running"
    run.request_stop()
    first.join()
    assert first.exitcode == 0
    assert run.status.state == "stopped"
    epochs = [line["epoch"] for line in run.epochs()]
    assert epochs == list(range(1, len(epochs) + 1))
    for process in (first, second):
        process.close()
