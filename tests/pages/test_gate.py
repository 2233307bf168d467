"""The gate of heavy computing: one at a time, the hasty first, nobody forgotten."""

import threading
import time

import pytest

from explorer.ui.gate import Gate


@pytest.fixture
def gate():
    return Gate(patience=60)


def enter(gate, seen, name, haste=False):
    """Begin to wait in another thread, and return it once it does."""

    def run():
        with gate.passing(haste):
            seen.append(name)

    waiting = len(gate._waiting)
    thread = threading.Thread(target=run)
    thread.start()
    while len(gate._waiting) == waiting:
        time.sleep(0.001)
    return thread


def test_the_hasty_go_first_and_the_others_in_the_order_of_coming(gate):
    seen = []
    with gate.passing():
        threads = [enter(gate, seen, name, haste) for name, haste in (("a", 0), ("b", 1), ("c", 0), ("d", 1))]
        assert seen == []
    for thread in threads:
        thread.join(5)
    assert seen == ["b", "d", "a", "c"]


def test_patience_ends(gate):
    seen, gate.patience = [], 0.02
    with gate.passing():
        first = enter(gate, seen, "patient")
        time.sleep(0.05)
        second = enter(gate, seen, "hasty", haste=True)
    for thread in (first, second):
        thread.join(5)
    assert seen == ["patient", "hasty"]


def test_one_at_a_time(gate):
    inside, most = 0, 0

    def run():
        nonlocal inside, most
        for _ in range(200):
            with gate.passing():
                inside += 1
                most = max(most, inside)
                time.sleep(0)
                inside -= 1

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (inside, most) == (0, 1)


def test_who_comes_back_at_once_waits_for_those_who_wait(gate):
    parts, seen = [], []
    with gate.passing():
        thread = enter(gate, seen, "waiting")
    for _ in range(3):
        with gate.passing():
            parts.append(list(seen))
    thread.join(5)
    assert parts[0] == ["waiting"]


def test_an_error_opens_the_gate(gate):
    with pytest.raises(RuntimeError), gate.passing():
        raise RuntimeError
    with gate.passing():
        pass
    assert gate._waiting == []
