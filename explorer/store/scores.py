"""The scoreboard of a room: who did best in the challenges, under `EXPLORER_HOME/scores.json`.

Names are whatever people call themselves: data, shortened, never a path, and escaped by whoever shows them.
"""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from explorer.errors import DataError
from explorer.files import write_json
from explorer.paths import home

MAX_NAME = 24
MAX_TEXT = 60
KEPT = 20
"""Scores of each challenge; the lowest are dropped."""
MAX_BYTES = 1 << 20
MAX_CHALLENGES = 12
LOCK_SECONDS = 5.0


@dataclass(frozen=True)
class Score:
    """One line of the board.

    Attributes
    ----------
    name : str
        Of the player, 1 to 24 characters on one line.
    challenge : str
        Which one it was, as the page calls it in the URL.
    points : int
        0 to 100.
    about : str
        What was to be done, such as the class and the model.
    when : int
        Seconds since 1970.
    """

    name: str
    challenge: str
    points: int
    about: str
    when: int


def read() -> tuple[Score, ...]:
    """Return all scores, the best first, of equal ones the earlier first; of a damaged file what can be read."""
    path = _file()
    try:
        if path.stat().st_size > MAX_BYTES:
            return ()
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return ()
    lines = document.get("scores") if isinstance(document, dict) else None
    found = [score for line in (lines if isinstance(lines, list) else []) if (score := _score(line))]
    return tuple(sorted(found, key=lambda score: (-score.points, score.when)))


def add(name: str, challenge: str, points: int, about: str) -> Score:
    """Put a score on the board; it is written when this returns.

    Raises
    ------
    DataError
        The name is empty, the points are impossible, or the disk is full.
    """
    name = one_line(name, MAX_NAME)
    if not name:
        raise DataError("Say who you are: a name or initials of 1 to 24 characters.")
    if not 0 <= points <= 100:
        raise DataError(f"A score lies between 0 and 100, not at {points}.")
    score = Score(name, one_line(challenge, MAX_TEXT), int(points), one_line(about, MAX_TEXT), int(time.time()))
    _change(lambda before: _best([*before, score]))
    return score


def clear() -> None:
    """Empty the board.

    Raises
    ------
    DataError
        The disk does not permit it.
    """
    _change(lambda _before: [])


def one_line(text: str, length: int) -> str:
    """Return what can be printed of a text, on one line of at most so many characters."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:length].strip()


def _file() -> Path:
    return home() / "scores.json"


def _score(line: Any) -> Score | None:
    if not isinstance(line, dict):
        return None
    texts = [line.get(key) for key in ("name", "challenge", "about")]
    points, when = line.get("points"), line.get("when")
    if not all(isinstance(text, str) for text in texts) or type(points) is not int or type(when) is not int:
        return None
    name, challenge, about = (one_line(str(text), limit) for text, limit in zip(texts, _LIMITS, strict=True))
    return Score(name, challenge, points, about, when) if name and 0 <= points <= 100 else None


_LIMITS = (MAX_NAME, MAX_TEXT, MAX_TEXT)


def _best(scores: list[Score]) -> list[Score]:
    """Keep the best of each challenge, so that the file stays small."""
    ordered = sorted(scores, key=lambda score: (-score.points, score.when))
    challenges = list(dict.fromkeys(score.challenge for score in reversed(scores)))[:MAX_CHALLENGES]
    return [score for one in challenges for score in [score for score in ordered if score.challenge == one][:KEPT]]


def _change(how: Any) -> None:
    path = _file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")).acquire(timeout=LOCK_SECONDS):
            write_json(path, {"format": 1, "scores": [asdict(score) for score in how(list(read()))]})
    except Timeout:
        raise DataError("Another window is writing to the scoreboard for a long time. Try again.") from None
    except OSError as error:
        raise DataError(f"The scoreboard cannot be saved: {error.strerror}. Free some space and try again.") from None
