"""The gate of heavy computing: one at a time, in the order of coming, and long work in parts."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from explorer.data.splits import load_split
from explorer.store.catalog import imported_folder
from explorer.store.checkpoints import Classifier, load_checkpoint
from explorer.ui.draw import challenges
from explorer.ui.draw.predictions import Model
from explorer.ui.kit import answers, cache, models
from explorer.ui.kit.models import Gate
from explorer.ui.kit.state import Selection


@pytest.fixture
def gate():
    return Gate()


def enter(gate, seen, name):
    """Begin to wait in another thread, and return it once it does."""

    def run():
        with gate.passing():
            seen.append(name)

    waiting = len(gate._line)
    thread = threading.Thread(target=run)
    thread.start()
    while len(gate._line) == waiting:
        time.sleep(0.001)
    return thread


def test_the_order_is_that_of_coming(gate):
    seen = []
    with gate.passing():
        threads = [enter(gate, seen, name) for name in "abcd"]
        assert seen == []
    for thread in threads:
        thread.join()
    assert seen == ["a", "b", "c", "d"]


def test_one_at_a_time(gate):
    inside, most = 0, 0

    def run():
        nonlocal inside, most
        for _ in range(100):
            with gate.passing():
                for _ in range(3):
                    inside += 1
                    most = max(most, inside)
                    time.sleep(0)
                    inside -= 1
                    gate.give_way()

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (inside, most) == (0, 1)


def test_who_comes_back_at_once_waits_for_those_who_wait(gate):
    parts, seen = [], []
    with gate.passing():
        thread = enter(gate, seen, "waiting")
    for _ in range(3):
        with gate.passing():
            parts.append(list(seen))
    thread.join()
    assert parts[0] == ["waiting"]


def test_who_gives_way_goes_on_after_those_who_wait(gate):
    seen = []
    with gate.passing():
        gate.give_way()
        threads = [enter(gate, seen, name) for name in "ab"]
        gate.give_way()
        seen.append("the rest")
        last = enter(gate, seen, "c")
    gate.give_way()  # is inside no more
    for thread in (*threads, last):
        thread.join()
    assert seen == ["a", "b", "the rest", "c"]


def test_an_error_opens_the_gate(gate):
    with pytest.raises(RuntimeError), gate.passing():
        raise RuntimeError
    with gate.passing():
        pass
    assert not gate._line


LONG = {"evaluation": lambda chosen, image: cache.predictions(Selection("fashion-mnist", "small", None, "test"))}
LONG["search"] = lambda chosen, image: challenges.search(Model("small", "small", chosen), image).wait(120)


@pytest.mark.parametrize("work", LONG)
def test_pens_and_clicks_go_between_the_parts_of_long_work(work, run, monkeypatch):
    chosen = load_checkpoint(imported_folder() / "small.safetensors")
    image = load_split("fashion-mnist", "test").images[0]
    under_way, passes, drawn, clicked = threading.Event(), [], [], []
    forward = Classifier.forward

    def watched(self, pixels):
        if len(pixels) > answers.FEW:
            passes.append(len(pixels))
            if len(passes) == 2:
                under_way.set()
                pool.submit(click)
                end = time.monotonic() + 60  # or else a fault would have all wait for each other
                while (len(models._long._line) < 2 or not drawn) and time.monotonic() < end:
                    time.sleep(0.001)
        return forward(self, pixels)

    def click():
        with models.computing():
            clicked.append(len(passes))

    monkeypatch.setattr(Classifier, "forward", watched)
    with ThreadPoolExecutor(2) as pool:
        long = pool.submit(LONG[work], chosen, image)
        under_way.wait()
        answers.probabilities(chosen, image)
        drawn.append(len(passes))
        assert long.result()
    assert (drawn, clicked) == ([2], [2])
    assert len(passes) > 2


def test_what_is_quick_takes_no_threads_from_what_is_long(monkeypatch):
    """A thread that has not computed yet would take over the number that another has set last."""
    before = torch.get_num_threads()
    monkeypatch.setattr(models, "_threads", lambda: 2)
    found, begun, ended = [], threading.Event(), threading.Event()

    def long():
        with models.computing():
            begun.set()
            ended.wait()
            torch.rand(300, 300) @ torch.rand(300, 300)
            found.append(torch.get_num_threads())

    thread = threading.Thread(target=long)
    thread.start()
    begun.wait()
    with models.computing(quick=True):
        found.append(torch.get_num_threads())
        ended.set()
        thread.join()
    torch.set_num_threads(before)
    assert found == [1, 2]
