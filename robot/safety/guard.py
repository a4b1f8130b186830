"""The joints' next motion and the stop behind it, checked against everything around the arm."""

from __future__ import annotations

import numpy as np

from geometry.types import Array
from robot.kinematics.tool import Kinematics
from robot.safety.body import Body, arm_capsules, tool_capsule
from robot.safety.cell import Cell
from robot.safety.clipping import Motion, Range, braked
from robot.safety.limits import GovernorLimits
from robot.safety.stopping import Stop, Strength, furthest, quickest_stop, stopping_path
from robot.safety.tool_speed import ToolSpeed
from robot.verdict import Intervention

# a step this small is rounding [rad]
_STILL = 1e-14


class MotionGuard:
    """Lets a motion pass only with a stop behind it that keeps clear of everything.

    Attributes:
        strengths: What each joint can do, counted in ticks.
        ends: Range of each joint.
    """

    def __init__(self, limits: GovernorLimits, kinematics: Kinematics, period_s: float) -> None:
        """Prepare the guard.

        Args:
            limits: What is allowed.
            kinematics: The arm and its tool.
            period_s: Length of a tick [s].
        """
        joints = limits.joints
        self.strengths = [
            Strength(v * period_s, a * period_s**2, j * period_s**3)
            for v, a, j in zip(joints.velocity_rad_s, joints.acceleration_rad_s2, joints.jerk_rad_s3, strict=True)
        ]
        self._bounds = (np.array([s.change for s in self.strengths]), np.array([s.jerk for s in self.strengths]))
        self.ends = [
            Range(low, high, furthest(s.step, s.change, s))
            for low, high, s in zip(joints.lower_rad, joints.upper_rad, self.strengths, strict=True)
        ]
        x, y, z = kinematics.flange_T_tcp.translation.tolist()
        capsules = list(arm_capsules(kinematics.model) if limits.capsules is None else limits.capsules)
        tool = tool_capsule((x, y, z), limits.tool_radius_m)
        body = Body(kinematics.model, [*capsules, tool] if tool is not None else capsules, (x, y, z))
        self._cell = Cell(body, limits.workspace, limits.keep_out, limits.self_collision, limits.margin_m)
        self._tool_speed = ToolSpeed(kinematics, self._cell, limits.tool_speed_m_s, period_s)

    def learn(self, joints_rad: list[float]) -> None:
        """Begin at these joints [rad]."""
        self._cell.learn(joints_rad)

    def stopped(self, motions: list[Motion]) -> list[Motion]:
        """Return the next tick of the quickest stop."""
        held = []
        for motion, strength in zip(motions, self.strengths, strict=True):
            step = motion.step + braked(motion, strength)
            step = step if abs(step) > _STILL else 0.0
            at = motion.at + step
            held.append(Motion(at, step, step - motion.step, at))
        return held

    def checked(self, motions: list[Motion], moved: list[Motion]) -> tuple[list[Motion] | None, Intervention | None]:
        """Return a motion, slowed down where the tool is too fast, if it and the stop after it keep clear.

        Args:
            motions: What was sent last.
            moved: What would be sent next.

        Returns:
            What may be sent, or None if nothing but stopping is left; and why, if it is not what was wished.
        """
        if all(m.step == 0.0 and m.change == 0.0 for m in moved):
            return moved, None
        ways = [furthest(m.step, m.change, s) for m, s in zip(moved, self.strengths, strict=True)]
        at = np.array([m.at for m in moved])
        is_slow = self._tool_speed.is_slow(moved, self.strengths, ways)
        if is_slow and self._cell.is_clear(at - ways, at + ways):
            return moved, None
        stops = [quickest_stop(m.step, m.change, s) for m, s in zip(moved, self.strengths, strict=True)]
        is_clear = self._cell.is_clear(at + [s.lowest for s in stops], at + [s.highest for s in stops])
        if is_slow and is_clear:
            return moved, None
        path = self._path(moved, stops)
        why = None
        if not is_slow:
            before = [m.at for m in motions]
            why = self._tool_speed.too_fast(before, path)
            if why is not None:
                moved = self._slowed(motions, moved)
                path, is_clear = self._stop_from(moved), False
                if self._tool_speed.too_fast(before, path) is not None or not self._in_range(moved, path):
                    return None, why
        if is_clear:
            return moved, why
        entered = self._cell.entered([m.at for m in motions], path)
        return (None, entered) if entered is not None else (moved, why)

    def _slowed(self, motions: list[Motion], wished: list[Motion]) -> list[Motion]:
        """Between one tick of stopping and the wish, where the tool is as fast as it may be."""
        changes = [braked(m, s) for m, s in zip(motions, self.strengths, strict=True)]
        share = self._tool_speed.share(
            [m.at for m in motions],
            [m.at + (m.step + c) for m, c in zip(motions, changes, strict=True)],
            [w.at for w in wished],
        )
        slowed = []
        for motion, change, wish in zip(motions, changes, wished, strict=True):
            taken = change + share * (wish.change - change)
            at = motion.at + (motion.step + taken)
            slowed.append(Motion(at, at - motion.at, (at - motion.at) - motion.step, wish.wanted))
        return slowed

    def _in_range(self, moved: list[Motion], path: Array) -> bool:
        low, high = path.min(axis=0).tolist(), path.max(axis=0).tolist()
        return all(
            min(ends.low, m.at - m.step) <= a and b <= max(ends.high, m.at - m.step)
            for ends, m, a, b in zip(self.ends, moved, low, high, strict=True)
        )

    def _stop_from(self, motions: list[Motion]) -> Array:
        """Shape (N, 6): the joints at each tick of the quickest stop, from where they are [rad]."""
        stops = [quickest_stop(m.step, m.change, s) for m, s in zip(motions, self.strengths, strict=True)]
        return self._path(motions, stops)

    def _path(self, motions: list[Motion], stops: list[Stop]) -> Array:
        return stopping_path(
            [m.at for m in motions], [m.step for m in motions], [m.change for m in motions], stops, *self._bounds
        )
