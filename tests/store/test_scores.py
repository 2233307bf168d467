"""The room's scoreboard on disk."""

import json
import multiprocessing

import pytest

from explorer.errors import DataError
from explorer.store import scores


def test_the_best_come_first(home):
    for name, points in (("Ann", 40), ("Bob", 90), ("Cem", 60)):
        scores.add(name, "draw", points, "Bag, lenet")
    assert [(score.name, score.points) for score in scores.read()] == [("Bob", 90), ("Cem", 60), ("Ann", 40)]


def test_names_are_cut_and_hold_nothing_that_cannot_be_printed(home):
    score = scores.add("  A\n\u202eb\x00 " + "x" * 100, "draw", 1, "about\nit")
    assert score.name == "A b " + "x" * 20
    assert score.about == "about it"
    assert scores.read() == (score,)


@pytest.mark.parametrize("name", ["", "   ", "\n\u200b"])
def test_nobody_has_no_name(home, name):
    with pytest.raises(DataError, match="Say who you are"):
        scores.add(name, "draw", 1, "")
    assert scores.read() == ()


@pytest.mark.parametrize("points", [-1, 101, 10**9])
def test_impossible_points_are_refused(home, points):
    with pytest.raises(DataError, match="between 0 and 100"):
        scores.add("Ann", "draw", points, "")


def test_only_the_best_of_each_challenge_are_kept(home):
    for points in range(scores.KEPT + 5):
        scores.add("Ann", "draw", points, "")
    scores.add("Ann", "flip", 0, "")
    kept = [score.points for score in scores.read() if score.challenge == "draw"]
    assert kept == list(range(scores.KEPT + 4, 4, -1))
    assert len(scores.read()) == scores.KEPT + 1


def test_it_can_be_cleared(home):
    scores.add("Ann", "draw", 1, "")
    scores.clear()
    assert scores.read() == ()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"scores": 3}'])
def test_a_damaged_file_is_an_empty_board_and_can_be_written(home, content):
    (home / "scores.json").write_bytes(content)
    assert scores.read() == ()
    scores.add("Ann", "draw", 1, "")
    assert len(scores.read()) == 1


def test_lines_that_cannot_be_are_passed_over(home):
    good = {"name": "Ann", "challenge": "draw", "points": 5, "about": "x", "when": 1}
    bad = [good | change for change in ({"points": 1000}, {"points": "5"}, {"name": ""}, {"when": None})]
    (home / "scores.json").write_text(json.dumps({"scores": [*bad, 7, good]}))
    assert [score.name for score in scores.read()] == ["Ann"]


def _add(number):
    scores.add(f"p{number}", "draw", number, "")


def test_processes_lose_nothing(home):
    workers = [multiprocessing.get_context("fork").Process(target=_add, args=(number,)) for number in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(score.points for score in scores.read()) == list(range(6))
