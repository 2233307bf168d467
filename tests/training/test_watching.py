import os
import time

import pytest

from explorer.training.queue import requests
from explorer.training.queue.requests import WatchedFolder


def test_it_follows_every_change(tmp_path):
    folder = WatchedFolder(tmp_path / "queue")
    assert not folder.is_filled()
    (tmp_path / "queue").mkdir()
    for _ in range(50):
        assert not folder.is_filled()
        (tmp_path / "queue" / "one").touch()
        assert folder.is_filled()
        (tmp_path / "queue" / "one").unlink()
    assert not folder.is_filled()


@pytest.mark.parametrize("look_seconds", [1e9, 0.0])
def test_a_settled_folder_is_listed_only_now_and_then(tmp_path, monkeypatch, look_seconds):
    listed = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(path) or scandir(path))
    monkeypatch.setattr(requests, "LOOK_SECONDS", look_seconds)
    long_ago = time.time() - 100
    os.utime(tmp_path, (long_ago, long_ago))
    folder = WatchedFolder(tmp_path)
    for _ in range(5):
        assert not folder.is_filled()
    assert len(listed) == (1 if look_seconds else 5)
    (tmp_path / "one").touch()
    assert folder.is_filled()
