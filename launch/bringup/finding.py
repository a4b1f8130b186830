"""What one look at the arm found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["ok", "warning", "failure"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look at the arm found.

    Attributes:
        name: What was looked at.
        status: `ok`, `warning` (a run works; somebody should know) or `failure` (do not run).
        detail: What was found, on one line.
        remedy: What to do about it; empty where nothing is to be done.
        figures: What was measured, by name, units in the names.
        missing: Whether a failure is one of something that is not there, or does not answer.
    """

    name: str
    status: Status
    detail: str
    remedy: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)
    missing: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The object that `--json` prints."""
        return {
            "name": self.name,
            "status": self.status,
            "detail": self.detail,
            "remedy": self.remedy,
            "figures": dict(self.figures),
        }


def exit_code(findings: Iterable[Finding]) -> int:
    """3 if something is missing, 1 if something else failed, else 0."""
    failures = [finding for finding in findings if finding.status == "failure"]
    if any(finding.missing for finding in failures):
        return 3
    return 1 if failures else 0
