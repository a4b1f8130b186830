"""What the arm host did beside passing commands on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Literal

EventKind = Literal[
    "connected",
    "position",
    "velocity",
    "acceleration",
    "non_finite",
    "late",
    "heartbeat_lost",
    "main_gone",
    "stop",
    "at_rest",
    "hold",
    "park",
    "limp",
    "fault",
    "recovered",
    "hang",
    "timing",
    "closed",
]
# their numbers are in recordings: append only
EVENT_KINDS: Final[tuple[EventKind, ...]] = (
    "connected", "position", "velocity", "acceleration", "non_finite", "late", "heartbeat_lost", "main_gone", "stop",
    "at_rest", "hold", "park", "limp", "fault", "recovered", "hang", "timing", "closed",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class HostEvent:
    """One thing that the arm host did or saw.

    Attributes:
        stamp_ns: When, on the run clock [ns].
        kind: What. `position`, `velocity`, `acceleration` and `non_finite` are interventions; `late` is a command that
            was missing when the arm needed it.
        text: For a person.
        joint: Number of the joint, -1 for none.
        value: What was asked for [rad, rad/s or rad/s^2]; for `late` and joint -1 how long the control loop was silent
            [s]; NaN where that says nothing.
        limit: What was allowed, as `value`.
        count: How many cycles since the last event of this kind.
        duration_s: How long it took [s]; NaN where that says nothing.
        distance_rad: The furthest that a joint moved meanwhile, as measured [rad]; NaN where that says nothing.
    """

    stamp_ns: int
    kind: EventKind
    text: str = ""
    joint: int = -1
    value: float = math.nan
    limit: float = math.nan
    count: int = 1
    duration_s: float = math.nan
    distance_rad: float = math.nan

    @property
    def sentence(self) -> str:
        """For a person: its text, or what was asked for and what was allowed."""
        if self.text:
            return self.text
        where = f"joint {self.joint}: " if self.joint >= 0 else ""
        return f"{where}{self.kind} {self.value:.4g} against {self.limit:.4g}, clamped"

    def as_json(self) -> dict[str, Any]:
        """What it says, without what says nothing."""
        tree: dict[str, Any] = {"stamp_ns": self.stamp_ns, "kind": self.kind, "text": self.text}
        if self.joint >= 0:
            tree["joint"] = self.joint
        if self.count != 1:
            tree["count"] = self.count
        for name in ("value", "limit", "duration_s", "distance_rad"):
            number = getattr(self, name)
            if not math.isnan(number):
                tree[name] = number if math.isfinite(number) else str(number)
        return tree
