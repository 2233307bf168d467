import sys

import pytest

from explorer.training import loop


def resident() -> int:
    """Return the memory of this process in bytes."""
    with open("/proc/self/statm") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * 4096


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Reads /proc.")
def test_freed_blocks_below_one_in_use_go_back_to_the_system():
    small = [bytearray(100_000) for _ in range(600)]  # below the size that gets pages of its own
    last = bytearray(100_000)
    held = resident()
    del small
    loop.release()
    assert resident() < held - 30_000_000
    assert len(last) == 100_000


def test_nothing_happens_where_there_is_no_such_function(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    loop._trim.cache_clear()
    loop.release()
    assert loop._trim() is None
    loop._trim.cache_clear()
