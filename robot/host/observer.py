"""What the arm really does, from its states: how far it went until it rested, and whether somebody else moved it."""

from __future__ import annotations

import math
from typing import Any, Final

from robot.host.events import HostEvent

# joints slower than this rest [rad/s]
REST_RAD_S: Final = 0.01
# an arm at rest that is further from where it is held was moved by somebody else [rad]; not one damaged reading tells
# that, but so many which differ by no more than this from cycle to cycle [rad]
MOVED_RAD: Final = 0.1
MOVED_CYCLES: Final = 3
STEADY_RAD: Final = 0.01
# no arm turns a joint further than that [rad]
FURTHEST_RAD: Final = 4.0 * math.pi


class Observer:
    """Remembers the newest state and where it was when it mattered.

    Attributes:
        joints: Measured joints [rad], six values.
    """

    def __init__(self) -> None:
        self.joints: list[float] = [0.0] * 6
        self._speeds: list[float] = [0.0] * 6
        self._before = self.joints
        self._moved_cycles = 0
        self._heard = self._from = (0, self.joints)

    def see(self, joints: list[float], speeds: list[float]) -> None:
        """Take in a state [rad, rad/s]."""
        self._before, self.joints, self._speeds = self.joints, joints, speeds

    @property
    def rests(self) -> bool:
        """Whether the arm rests, as measured."""
        return max(map(abs, self._speeds)) <= REST_RAD_S

    @property
    def impossible(self) -> tuple[int, float] | None:
        """The first joint that cannot be where it was measured, and that angle [rad]; None where all can."""
        return next(((joint, q) for joint, q in enumerate(self.joints) if not abs(q) <= FURTHEST_RAD), None)

    def was_moved_from(self, place: list[float]) -> bool:
        """Whether an arm that is held at a place [rad] is somewhere else for good; to be asked once per cycle."""
        if _apart(self.joints, place, MOVED_RAD) and not _apart(self.joints, self._before, STEADY_RAD):
            self._moved_cycles += 1
        else:
            self._moved_cycles = 0
        return self._moved_cycles >= MOVED_CYCLES

    def heard(self, now_ns: int) -> None:
        """The main process gave a sign of life."""
        self._heard = (now_ns, self.joints)

    def brakes(self, now_ns: int) -> None:
        """The arm begins to brake: what it takes to come to rest counts from here."""
        self._from = (now_ns, self.joints)

    def brakes_for_silence(self) -> None:
        """It counts from the last sign of life: from there on nobody but the host moved the arm."""
        self._from = self._heard

    def rest(self, now_ns: int) -> tuple[HostEvent, dict[str, Any]]:
        """How the arm came to rest, and details for the file."""
        since_ns, start = self._from
        moved = [abs(q - p) for q, p in zip(self.joints, start, strict=True)]
        duration_s, furthest = (now_ns - since_ns) * 1e-9, max(moved)
        text = f"at rest after {duration_s * 1e3:.0f} ms, {furthest:.4f} rad further"
        event = HostEvent(now_ns, "at_rest", text, duration_s=duration_s, distance_rad=furthest)
        return event, {"joints_rad": self.joints, "moved_rad": moved}


def _apart(a: list[float], b: list[float], limit_rad: float) -> bool:
    """Whether a joint of one differs from the other's by more than the limit."""
    return any(abs(q - p) > limit_rad for q, p in zip(a, b, strict=True))
