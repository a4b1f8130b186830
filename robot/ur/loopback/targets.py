"""Where the joints are sent: the motion under way, begun, braked, and made anew after a pause."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from geometry.types import Array
from robot.arm import JOINTS
from robot.kinematics import JointLimits
from robot.ur.loopback.motion import Brake, Motion, check
from robot.ur.loopback.plant import CYCLE_S

MakeMotion = Callable[[Array, Array], Motion]
_REST_RAD_S = 1e-3


class Targets:
    """The joints' targets, one cycle after the other.

    Args:
        joints_rad: Shape (6,), where the joints are at first [rad].
        limits: What no motion may leave.
        brake_rad_s2: Deceleration of a stop whose deceleration nobody said.

    Attributes:
        rad: Shape (6,), where the joints are sent [rad].
        rad_s: Shape (6,), how fast that changes [rad/s].
        rad_s2: Shape (6,), how fast that changes [rad/s^2].
        motion: The motion under way; None holds.
        scaling: How fast a motion's own time goes, 0 to 1.
    """

    def __init__(self, joints_rad: Array, limits: JointLimits, brake_rad_s2: float) -> None:
        self._limits = limits
        self._brake_rad_s2 = brake_rad_s2
        self.scaling = 1.0
        self.place(joints_rad)

    def place(self, joints_rad: Array) -> None:
        """Hold somewhere else at once; a motion under way is forgotten."""
        self.rad: Array = joints_rad.copy()
        self.rad_s: Array = np.zeros(JOINTS)
        self.rad_s2: Array = np.zeros(JOINTS)
        self.motion: Motion | None = None
        self._make: MakeMotion | None = None
        self._waits_for_rest = False

    def begin(self, make: MakeMotion, from_rest: bool = False) -> None:
        """Start a motion from where the joints are sent to now.

        Args:
            make: Makes the motion from joint positions and velocities.
            from_rest: The motion begins at rest: an arm that moves is brought to rest first.
        """
        self._make = make
        self._waits_for_rest = from_rest and bool(np.abs(self.rad_s).max() > _REST_RAD_S)
        if self._waits_for_rest:
            self.motion = Brake(self.rad, self.rad_s, self._brake_rad_s2)
        else:
            self.motion = make(self.rad, self.rad_s / self.scaling if self.scaling > 0.0 else np.zeros(JOINTS))

    def halt(self, deceleration_rad_s2: float | None = None) -> None:
        """Slow down and hold; `resume` goes on."""
        self.motion = Brake(self.rad, self.rad_s, deceleration_rad_s2 or self._brake_rad_s2)
        self._waits_for_rest = False

    def resume(self) -> None:
        """Make the motion that was halted anew, if it was not ended."""
        if self._make is not None:
            self.begin(self._make)

    def end(self, deceleration_rad_s2: float | None = None) -> None:
        """Slow down and hold, for good."""
        self._make = None
        self.halt(deceleration_rad_s2)

    @property
    def done(self) -> bool:
        """Whether the motion that was begun last has come to its end."""
        return self.motion is None or (self.motion.done and not self._waits_for_rest)

    def scale(self, wanted: float, most: float) -> None:
        """Bring the scaling nearer to what is wanted, by `most` at the most."""
        self.scaling += min(most, max(-most, wanted - self.scaling))

    def give_way(self, joints_rad: Array) -> None:
        """One cycle in which the targets are where the joints are."""
        self.motion = None
        self._take(joints_rad.copy())

    def hold(self) -> None:
        """One cycle without motion."""
        self.motion = None
        self._take(self.rad)

    def step(self) -> None:
        """One cycle of the motion. A brake keeps to our time, whatever the scaling.

        Raises:
            SanityCheck: If the motion leaves what the joints can do; nothing has changed then.
        """
        if isinstance(self.motion, Brake) and self.motion.done and self._waits_for_rest and self._make is not None:
            self.motion, self._waits_for_rest = self._make(self.rad, np.zeros(JOINTS)), False
        if self.motion is None:
            after = self.rad
        elif isinstance(self.motion, Brake):
            after = self.motion.step(CYCLE_S)
        elif self.scaling > 0.0:
            after = self.motion.step(CYCLE_S * self.scaling)
            check(self.rad, after, CYCLE_S, self._limits)
        else:
            after = self.rad
        self._take(after)

    def _take(self, after: Array) -> None:
        before, self.rad = self.rad, after
        speed, self.rad_s = self.rad_s, (after - before) / CYCLE_S
        self.rad_s2 = (self.rad_s - speed) / CYCLE_S
