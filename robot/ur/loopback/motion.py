"""The controller's trajectory generators: each is asked once per cycle where the joints shall be next.

What is modelled, and from where:

* `Servo` is servoj. The manual says of its parameters that the gain "adjusts the current position towards the desired
  as the P term of a PID controller" and that the lookahead time "projects the current position forward in time with the
  current velocity": acceleration = gain * (target - (position + lookahead * velocity)), which is what is done here. It
  trails a steady ramp by the lookahead time. This is a reading of the manual, not a measurement of an arm.
* `Line` is movej and movel: a trapezoid of speed along the straight line in joint or tool space, without blends.
* `speed.JointSpeed` and `speed.ToolSpeed` are speedj and speedl: the velocity changes towards the one wanted at a
  bounded acceleration, and stays.
* `Brake` is stopj, stopl, and every stop that the controller makes itself: all joints slow down together.

The speed slider slows a motion's own time, servoj's included; a brake keeps to ours.

What no joint could do is not clipped but refused with `SanityCheck`, which becomes a protective stop, as real
controllers do ("C204A1 Path sanity check: Sudden change in target position").
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, Protocol

import numpy as np

from geometry.pose import Pose
from geometry.types import Array
from robot.arm import JOINTS
from robot.kinematics import JointLimits
from robot.ur.loopback.tool_space import ToolSpace

SUDDEN_CHANGE: Final = "C204A1"
JOINT_LIMIT: Final = "joint limit"
UNREACHABLE: Final = "unreachable"
# Joint speeds and ranges may be overshot by rounding.
_SLACK: Final = 1.001


class SanityCheck(Exception):
    """The motion asks for what the joints cannot do.

    Attributes:
        code: The controller's code for it.
    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class Motion(Protocol):
    """A motion under way."""

    @property
    def done(self) -> bool:
        """Whether the motion has come to its end; it can be stepped on and stays there."""
        ...

    def step(self, dt: float) -> Array:
        """Shape (6,): where the joints shall be `dt` seconds of the motion's own time later [rad].

        Raises:
            SanityCheck: If they cannot be there.
        """
        ...


def check(before: Array, after: Array, dt: float, limits: JointLimits) -> None:
    """Refuse a step that leaves a joint's range or is faster than the joint.

    Raises:
        SanityCheck: Naming the joint and the value.
    """
    if not np.isfinite(after).all():
        raise SanityCheck(SUDDEN_CHANGE, f"target {after.tolist()} rad is not finite")
    speeds = np.abs(after - before) / dt
    for joint in range(JOINTS):
        if speeds[joint] > _SLACK * limits.velocity_rad_s[joint]:
            raise SanityCheck(
                SUDDEN_CHANGE,
                f"joint {joint} would move at {speeds[joint]:.2f} rad/s: most is {limits.velocity_rad_s[joint]:.2f}",
            )
        if not limits.lower_rad[joint] * _SLACK <= after[joint] <= limits.upper_rad[joint] * _SLACK:
            raise SanityCheck(JOINT_LIMIT, f"joint {joint} would go to {after[joint]:.3f} rad, out of its range")


class Servo:
    """servoj: follows a target that may change every cycle.

    Args:
        joints_rad: Shape (6,), where the joints are [rad].
        velocity_rad_s: Shape (6,), how fast they move [rad/s].
        most_rad_s2: Acceleration that no joint can exceed: a target that asks for more is refused [rad/s^2].
    """

    done = False

    def __init__(self, joints_rad: Array, velocity_rad_s: Array, most_rad_s2: float) -> None:
        self._at = joints_rad
        self._velocity = velocity_rad_s
        self._most = most_rad_s2
        self._target = joints_rad
        self._lookahead_s, self._gain = 0.1, 300.0

    def aim(self, target_rad: Array, lookahead_s: float, gain: float) -> None:
        """Set the target and the two parameters; they are kept inside the manual's ranges."""
        self._target = target_rad
        self._lookahead_s = min(0.2, max(0.03, lookahead_s))
        self._gain = min(2000.0, max(100.0, gain))

    def step(self, dt: float) -> Array:
        """One cycle."""
        acceleration = self._gain * (self._target - self._at - self._lookahead_s * self._velocity)
        worst = int(np.argmax(np.abs(acceleration)))
        if not abs(acceleration[worst]) <= self._most:
            raise SanityCheck(
                SUDDEN_CHANGE,
                f"joint {worst} is {self._target[worst] - self._at[worst]:+.3f} rad from its target: it would "
                f"accelerate with {abs(acceleration[worst]):.0f} rad/s^2 and {self._most:.0f} is the most",
            )
        self._velocity = self._velocity + acceleration * dt
        self._at = self._at + self._velocity * dt
        return self._at


class Line:
    """movej, movel: a straight line at a trapezoid of speed, from rest to rest.

    Args:
        length: Length of the line, in the unit of speed and acceleration.
        speed: Highest speed.
        acceleration: Acceleration and deceleration.
        at: Joint positions at a fraction, 0 to 1, of the line; may raise `SanityCheck`.
    """

    def __init__(self, length: float, speed: float, acceleration: float, at: Callable[[float], Array]) -> None:
        self._length = length
        self._acceleration = max(acceleration, 1e-3)
        self._speed = min(max(speed, 1e-3), math.sqrt(length * self._acceleration))
        self._ramp_s = self._speed / self._acceleration
        self._total_s = 0.0 if length == 0.0 else self._ramp_s + length / self._speed
        self._at = at
        self._time_s = 0.0

    @property
    def done(self) -> bool:
        """Whether the end is reached."""
        return self._time_s >= self._total_s

    @property
    def fraction(self) -> float:
        """How far along the line, 0 to 1."""
        if self.done:
            return 1.0
        t, left = self._time_s, self._total_s - self._time_s
        if t < self._ramp_s:
            gone = 0.5 * self._acceleration * t * t
        elif left < self._ramp_s:
            gone = self._length - 0.5 * self._acceleration * left * left
        else:
            gone = self._speed * (t - 0.5 * self._ramp_s)
        return gone / self._length

    def step(self, dt: float) -> Array:
        """One cycle."""
        self._time_s += dt
        return self._at(self.fraction)


def joint_line(start: Array, end: Array, speed_rad_s: float, acceleration_rad_s2: float) -> Line:
    """movej: straight in joint space; speed and acceleration are those of the joint that has furthest to go."""
    way = end - start
    return Line(float(np.abs(way).max()), speed_rad_s, acceleration_rad_s2, lambda u: start + u * way)


def tool_line(start: Array, end: Pose, tools: ToolSpace, speed_m_s: float, acceleration_m_s2: float) -> Line:
    """movel: the tool point goes straight while the tool turns evenly; 1 rad counts as 1 m where the turn is longer.

    Raises:
        SanityCheck: While stepping: where no joint angles put the tool on the line.
    """
    begin = tools.pose(start)
    metres, radians = begin.distance_to(end)
    last = start

    def at(u: float) -> Array:
        nonlocal last
        joints = tools.joints(begin.interpolate(end, u), last)
        if joints is None:
            raise SanityCheck(
                UNREACHABLE, f"{tools.model.name} cannot reach the straight line at {100.0 * u:.0f} % of it"
            )
        last = joints
        return joints

    return Line(max(metres, radians), speed_m_s, acceleration_m_s2, at)


class Brake:
    """All joints slow down together, in the direction they move in.

    Args:
        joints_rad: Shape (6,), where the joints are [rad].
        velocity_rad_s: Shape (6,), how fast they move [rad/s].
        deceleration_rad_s2: Deceleration of the fastest joint.
    """

    def __init__(self, joints_rad: Array, velocity_rad_s: Array, deceleration_rad_s2: float) -> None:
        self._at = joints_rad
        self._velocity = velocity_rad_s
        self._deceleration = max(deceleration_rad_s2, 1e-2)

    @property
    def done(self) -> bool:
        """Whether all joints rest."""
        return not self._velocity.any()

    def step(self, dt: float) -> Array:
        """One cycle."""
        most = float(np.abs(self._velocity).max())
        if most > 0.0:
            self._velocity = self._velocity * (max(0.0, most - self._deceleration * dt) / most)
            self._at = self._at + self._velocity * dt
        return self._at
