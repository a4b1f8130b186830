"""How commands speak: results on stdout, progress on stderr, tables through rich."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import Any


def progress(message: str) -> None:
    """One line on stderr."""
    with contextlib.suppress(BrokenPipeError):  # nobody reads the progress: that does not change the run
        sys.stderr.write(message + "\n")
        sys.stderr.flush()


def count(number: int, what: str) -> str:
    """How many of something there are: `1 frame`, `2 frames`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def result(value: dict[str, Any]) -> None:
    """One JSON object on stdout, on one line."""
    sys.stdout.write(json.dumps(value, allow_nan=False) + "\n")
    sys.stdout.flush()
