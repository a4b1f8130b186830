"""How fast the tool point moves, and how much of a step it may take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from geometry.types import Array
from robot.kinematics.tool import Kinematics
from robot.safety.cell import Cell
from robot.safety.clipping import Motion
from robot.safety.stopping import Strength, ramped_out
from robot.verdict import Intervention

# a step is shortened to a little less than the limit, because the tool's way bends within it
_INSIDE: Final = 0.998
# at most so many rows of a stop are placed; finer ones are taken together
_ROWS: Final = 48


class ToolSpeed:
    """Guards the speed of the tool point."""

    def __init__(self, kinematics: Kinematics, cell: Cell, limit_m_s: float, period_s: float) -> None:
        """Prepare the guard.

        Args:
            kinematics: The arm and its tool.
            cell: Places the tool point.
            limit_m_s: Highest speed [m/s].
            period_s: Length of a tick [s].
        """
        self._kinematics = kinematics
        self._cell = cell
        self._limit_m_s = limit_m_s
        self._per_tick = limit_m_s * period_s
        self._dt = period_s

    def is_slow(self, motions: Sequence[Motion], strengths: Sequence[Strength]) -> bool:
        """Whether the joints are so slow, now and while they stop, that the tool cannot be too fast in any posture."""
        total = 0.0
        for motion, strength, lever in zip(motions, strengths, self._cell.tool_levers_m, strict=True):
            total += lever * (abs(motion.step) + abs(ramped_out(motion.change, strength.jerk)))
        return total <= self._per_tick

    def too_fast(self, before_rad: Sequence[float], path_rad: Array) -> Intervention | None:
        """Return what is wrong with a step and the stop after it; None if the tool is nowhere too fast.

        Args:
            before_rad: Where the joints are [rad].
            path_rad: Shape (N, 6), where the step takes them, and where they are at each tick of the stop [rad].
        """
        stride = -(-len(path_rad) // _ROWS)
        rows = np.concatenate(([before_rad], path_rad[:1], path_rad[stride::stride]))
        points = self._cell.tool_path(rows)
        steps = np.sqrt((np.diff(points, axis=0) ** 2).sum(axis=1))
        steps[1:] /= stride
        if stride > 1:
            # the mean over some ticks may hide a faster one
            changes = np.abs(np.diff(path_rad, n=2, axis=0)).max(axis=0)
            steps[1:] += 0.5 * (stride - 1) * float(changes @ self._cell.tool_levers_m)
        fastest = float(steps.max())
        if fastest <= self._per_tick * (1.0 + 1e-9):
            return None
        return Intervention("tool_speed", -1, fastest / self._dt, self._limit_m_s, "tool point")

    def share(self, before_rad: Sequence[float], slow_rad: Sequence[float], wish_rad: Sequence[float]) -> float:
        """Return how far to go from a slow step towards a wish, 0 to 1, so that the tool is as fast as it may be."""
        at, slow, wish = (self._kinematics.points(list(q))[0] for q in (before_rad, slow_rad, wish_rad))
        a = [s - p for s, p in zip(slow, at, strict=True)]
        b = [w - s for w, s in zip(wish, slow, strict=True)]
        room = (_INSIDE * self._per_tick) ** 2 - sum(v * v for v in a)
        square, mixed = sum(v * v for v in b), sum(v * w for v, w in zip(a, b, strict=True))
        if room <= 0.0:
            return 0.0
        if square <= 0.0:
            return 1.0
        return min(1.0, (math.sqrt(mixed * mixed + square * room) - mixed) / square)
