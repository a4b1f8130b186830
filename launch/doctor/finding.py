"""What a check found, and how checks are run: none of them may end the command or hold it up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

Status = Literal["ok", "missing", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        name: What was looked at.
        status: `ok`, `missing` (it is not there) or `problem` (it is there and does not work).
        detail: What was found, on one line.
        remedy: What to do about a lack; empty where nothing is to be done.
        required: Whether the simulation needs it.
    """

    name: str
    status: Status
    detail: str
    remedy: str = ""
    required: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The object that `--json` prints."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Check:
    """A thing to look at.

    Attributes:
        name: Name of its finding.
        look: Looks; it may raise.
        required: Whether the simulation needs it.
    """

    name: str
    look: Callable[[], Finding]
    required: bool = False


def examine(checks: Sequence[Check], limit_s: float) -> list[Finding]:
    """Run the checks side by side.

    A driver can hang where it should answer, so each check has a thread that the command does not wait for.

    Args:
        checks: What to look at.
        limit_s: How long all of them together may take [s].

    Returns:
        A finding per check, in the order of the checks. A check that raises or does not answer is a problem.
    """
    found: dict[int, Finding] = {}
    threads = [
        threading.Thread(target=_look, args=(check, found, index), daemon=True) for index, check in enumerate(checks)
    ]
    for thread in threads:
        thread.start()
    end = time.monotonic() + limit_s
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    answered = dict(found)
    silent = f"did not answer within {limit_s:g} s"
    return [
        replace(answered.get(index) or _hung(check, silent), required=check.required)
        for index, check in enumerate(checks)
    ]


def _hung(check: Check, detail: str) -> Finding:
    return Finding(
        check.name, "problem", detail, "try again on an idle machine; plug a device in again, or look at its driver"
    )


def _look(check: Check, found: dict[int, Finding], index: int) -> None:
    try:
        found[index] = check.look()
    except BaseException as error:  # a native module that fails to load raises whatever it likes
        found[index] = Finding(check.name, "problem", one_line(f"{type(error).__name__}: {error}"), "see the reason")


def one_line(text: object, limit: int = 300) -> str:
    """Put a message on one line."""
    return " ".join(str(text).split())[:limit]


def satisfied(findings: Sequence[Finding]) -> bool:
    """Whether everything that the simulation needs is there."""
    return all(finding.status == "ok" for finding in findings if finding.required)
