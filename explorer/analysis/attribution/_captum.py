"""Captum says by a warning that it registers hooks. Here they go to a copy, so there is nothing to warn of."""

import re
import threading
import warnings

_NOTICE = "Setting (forward, backward|backward) hooks"
_lock = threading.Lock()


def expect_hooks() -> None:
    """Keep Captum's notice about hooks from being shown.

    A filter is added once and stays: `warnings.catch_warnings` would change the filters of all threads back and forth.
    """
    with _lock:
        if not any(entry[1] == re.compile(_NOTICE, re.I) for entry in warnings.filters):
            warnings.filterwarnings("ignore", message=_NOTICE, category=UserWarning)
