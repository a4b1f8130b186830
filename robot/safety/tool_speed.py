"""How fast the tool point moves, and how much of a step it may take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from geometry.types import Array
from robot.kinematics.forward import links
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
        self._at: Sequence[float] = [0.0] * 6
        self._levers = levers(kinematics, self._at)

    def is_slow(self, motions: Sequence[Motion], strengths: Sequence[Strength], ways_rad: Sequence[float]) -> bool:
        """Whether the joints are so slow that the tool cannot be too fast, now and while they stop.

        Args:
            motions: What would be sent.
            strengths: What the joints can do.
            ways_rad: How far each joint can go from there until it rests, a bound [rad].
        """
        steps = [abs(m.step) + abs(ramped_out(m.change, s.jerk)) for m, s in zip(motions, strengths, strict=True)]
        longest = self._cell.tool_levers_m
        if sum([lever * step for lever, step in zip(longest, steps, strict=True)]) <= self._per_tick:
            return True
        if self._bound(steps, [abs(m.at - q) + way for m, q, way in zip(motions, self._at, ways_rad, strict=True)]):
            return True
        self._at = [m.at for m in motions]
        self._levers = levers(self._kinematics, self._at)
        return self._bound(steps, ways_rad)

    def _bound(self, steps: Sequence[float], turned: Sequence[float]) -> bool:
        """Whether the tool is slow: an axis comes no further from it than the joints after that axis move the tool."""
        total = moved = 0.0
        for lever, longest, step, way in zip(
            reversed(self._levers), reversed(self._cell.tool_levers_m), reversed(steps), reversed(turned), strict=True
        ):
            total += min(lever + moved, longest) * step
            moved += longest * way
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


def levers(kinematics: Kinematics, joints_rad: Sequence[float]) -> list[float]:
    """Distance of the tool point from each joint's axis, in one posture [m]."""
    at = links(joints_rad, kinematics.model)
    x, y, z = kinematics.flange_T_tcp.translation.tolist()
    tool = at.point((x, y, z))
    c, s = math.cos(joints_rad[0]), math.sin(joints_rad[0])
    shoulder = (0.0, 0.0, kinematics.model.d_m[0])
    length = kinematics.model.d_m[4]
    fifth = [(b - a) / length for a, b in zip(at.wrist_2, at.wrist_3, strict=True)]
    axes = (
        ((0.0, 0.0, 0.0), (0.0, 0.0, 1.0)),
        (shoulder, (s, -c, 0.0)),
        (at.elbow, (s, -c, 0.0)),
        (at.wrist_1, (s, -c, 0.0)),
        (at.wrist_2, fifth),
        (at.flange, at.z),
    )
    found = []
    for origin, way in axes:
        p, q, r = (t - o for t, o in zip(tool, origin, strict=True))
        i, j, k = way
        found.append(math.sqrt((q * k - r * j) ** 2 + (r * i - p * k) ** 2 + (p * j - q * i) ** 2))
    return found
