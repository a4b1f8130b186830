"""Setpoints with stamps: targets that arrive on their own time, followed tick by tick.

A sender says where the joints should be and when, now or a little ahead; the network and the sender's own loop decide
when that arrives. Every tick the target for its end is read off the setpoints (a cubic between two, straight on past
the last), and the jerk-limited trajectory aims at it anew from where it is: nothing that arrives can make it jump.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from deploy.errors import BadInput
from geometry.types import Array
from robot.trajectory import JointTrajectory, Motion

_JOINTS: Final = 6
_MOST: Final = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class Setpoint:
    """Where the joints should be at a time.

    Attributes:
        stamp_ns: When, on the clock of the ticks [ns].
        joints: Shape (6,) [rad].
        velocities: Shape (6,), how fast they should turn then [rad/s].

    Raises:
        deploy.errors.BadInput: If a value is missing or not finite.
    """

    stamp_ns: int
    joints: Array
    velocities: Array

    def __post_init__(self) -> None:
        for name in ("joints", "velocities"):
            values = np.array(getattr(self, name), dtype=np.float64)
            if values.shape != (_JOINTS,) or not np.isfinite(values).all():
                raise BadInput(f"setpoint: {name} are {values.tolist()}: expected {_JOINTS} finite values")
            values.flags.writeable = False
            object.__setattr__(self, name, values)


@dataclass(slots=True)
class Arrivals:
    """What became of the setpoints and the ticks.

    Attributes:
        taken: Setpoints that were put in line.
        out_of_order: Those of them that belonged before one that had come earlier.
        replaced: Those of them that took the place of one with the same stamp.
        late: Setpoints dropped, as one with a later stamp was already behind the arm.
        starved: Ticks that braked or stood, as the last setpoint was too old to go on with.
    """

    taken: int = 0
    out_of_order: int = 0
    replaced: int = 0
    late: int = 0
    starved: int = 0


class SetpointFollower:
    """Follows stamped setpoints with a jerk-limited trajectory.

    Args:
        trajectory: Was reset to where the arm is.
        period_ns: Length of a tick [ns].
        now_ns: The present [ns].
        hold_after_ns: A setpoint is followed straight on for no longer than this; then the arm brakes [ns].
        furthest_ns: A stamp further ahead than this is a mistake [ns].

    Raises:
        deploy.errors.BadInput: If a duration is not positive.
    """

    def __init__(
        self,
        trajectory: JointTrajectory,
        period_ns: int,
        now_ns: int,
        hold_after_ns: int = 100_000_000,
        furthest_ns: int = 2_000_000_000,
    ) -> None:
        for name, value in (("period_ns", period_ns), ("hold_after_ns", hold_after_ns), ("furthest_ns", furthest_ns)):
            if value <= 0:
                raise BadInput(f"setpoints: {name} is {value}: expected > 0")
        self._trajectory = trajectory
        self._period_ns = period_ns
        self._hold_after_ns = hold_after_ns
        self._furthest_ns = furthest_ns
        self._line: list[Setpoint] = []
        self._now_ns = now_ns
        self.arrivals = Arrivals()

    def add(self, setpoint: Setpoint) -> bool:
        """Put a setpoint in line; in any order.

        Returns:
            Whether it was taken; one that is older than what the arm already has behind it is dropped and counted.

        Raises:
            deploy.errors.BadInput: If its stamp is further ahead of the last tick than makes sense, or too many wait.
        """
        if setpoint.stamp_ns > self._now_ns + self._furthest_ns:
            ahead_s = 1e-9 * (setpoint.stamp_ns - self._now_ns)
            raise BadInput(
                f"setpoint's stamp is {ahead_s:.3g} s ahead: expected at most {1e-9 * self._furthest_ns:g} s; is it in "
                "ns, and of this clock?"
            )
        place = bisect_left(self._line, setpoint.stamp_ns, key=lambda other: other.stamp_ns)
        if place == 0 and self._line and setpoint.stamp_ns < self._line[0].stamp_ns <= self._now_ns:
            self.arrivals.late += 1
            return False
        if place < len(self._line) and self._line[place].stamp_ns == setpoint.stamp_ns:
            self.arrivals.replaced += 1
            self._line[place] = setpoint
        else:
            if len(self._line) >= _MOST:
                raise BadInput(f"setpoints: {_MOST} are in line already: send no more than a few per tick")
            self.arrivals.out_of_order += place < len(self._line)
            self._line.insert(place, setpoint)
        self.arrivals.taken += 1
        return True

    def clear(self) -> None:
        """Forget what is in line: the arm brakes until something new comes."""
        self._line.clear()

    def step(self, now_ns: int) -> Motion:
        """Advance by one tick.

        Args:
            now_ns: Start of the tick [ns].

        Returns:
            Position [rad], velocity [rad/s] and acceleration [rad/s^2] at the end of the tick, each of shape (6,).

        Raises:
            deploy.errors.BadInput: If the time goes back.
        """
        if now_ns < self._now_ns:
            raise BadInput(f"setpoints: a tick at {now_ns} ns comes after {self._now_ns} ns: the clock went back")
        self._now_ns = now_ns
        end_ns = now_ns + self._period_ns
        dt_s = 1e-9 * self._period_ns
        if self._line and self._line[0].stamp_ns > now_ns:
            # nothing behind the arm yet: where it is now is where the way to the first setpoint begins
            joints, velocities, _ = self._trajectory.motion
            self._line.insert(0, Setpoint(now_ns, joints, velocities))
        while len(self._line) > 1 and self._line[1].stamp_ns <= end_ns:
            self._line.pop(0)
        if not self._line or (len(self._line) == 1 and end_ns - self._line[0].stamp_ns > self._hold_after_ns):
            self.arrivals.starved += 1
            # what comes next begins where the arm will have come to
            self._line.clear()
            return self._trajectory.step_hold(dt_s)
        joints, velocities = _between(self._line, end_ns)
        return self._trajectory.step(joints, velocities, dt_s)


def _between(line: Sequence[Setpoint], at_ns: int) -> tuple[Array, Array]:
    """Position [rad] and velocity [rad/s] on the cubic through the first two setpoints, or straight on from one."""
    first = line[0]
    since_s = 1e-9 * (at_ns - first.stamp_ns)
    if len(line) == 1:
        return first.joints + first.velocities * since_s, first.velocities
    second = line[1]
    span_s = 1e-9 * (second.stamp_ns - first.stamp_ns)
    u = min(1.0, since_s / span_s)
    rise = second.joints - first.joints
    a, b = span_s * first.velocities, span_s * second.velocities
    position = first.joints + u * (a + u * (3.0 * rise - 2.0 * a - b + u * (a + b - 2.0 * rise)))
    velocity = (a + u * (2.0 * (3.0 * rise - 2.0 * a - b) + 3.0 * u * (a + b - 2.0 * rise))) / span_s
    return position, velocity
