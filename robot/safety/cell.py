"""What is around the arm and must not be touched: walls, the table, named boxes, and the arm itself.

Each rule is a clearance in metres that must not fall below 0. A clearance cannot shrink faster than the arm moves: what
was measured at one place of the joints bounds it at another, by how far each joint has turned times how far the link
can be from that joint's axis. So most rules are proven by a multiplication, and only those that are near are measured,
along the whole stop at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from deploy.errors import BadInput
from geometry.types import Array
from robot.safety.body import TOOL, Body, Vector
from robot.safety.distances import segments_to_boxes, segments_to_segments
from robot.verdict import Intervention, InterventionKind

_Rules = npt.NDArray[np.int_]

# deeper by this much than before is rounding [m]
_ROUNDING_M: Final = 1e-9
# so many rows of a path are measured first; the rest only where these leave room for doubt
_ROWS: Final = 6
# more distances than this at once are first measured where the arm is, which mostly settles them
_MANY: Final = 120
_AXES: Final[tuple[InterventionKind, ...]] = ("workspace_x", "workspace_y", "workspace_z")
# Links that cannot touch, by how the arm is made: the upper arm swings past the base, wrist 2 past the forearm.
# Neighbours and what lies behind wrist 1 are left out too: they keep their distances.
_APART: Final = frozenset({(0, 2), (3, 5)})


@dataclass(frozen=True, slots=True)
class Box:
    """A box that no part of the arm may enter.

    Attributes:
        name: For people.
        min_m: Lowest corner in base [m].
        max_m: Highest corner in base [m].

    Raises:
        deploy.errors.BadInput: If the box is empty or not finite, naming it.
    """

    name: str
    min_m: Vector
    max_m: Vector

    def __post_init__(self) -> None:
        for axis, low, high in zip("xyz", self.min_m, self.max_m, strict=True):
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise BadInput(f"keep-out box {self.name}: {axis} from {low} to {high} m: expected min < max")


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where the tool and the arm may be, in the controller's base.

    Attributes:
        lower_m: Lowest x, y, z of the tool point [m]; z is the table plus the clearance that the finger tips need.
        upper_m: Highest x, y, z of the tool point [m].
        arm_lower_m: Lowest x, y, z of any part of the arm from the upper arm on [m]; z is the table.
        arm_upper_m: Highest x, y, z of any part of the arm from the upper arm on [m]: walls and ceiling.
    """

    lower_m: Vector = (-1.2, -1.2, 0.005)
    upper_m: Vector = (1.2, 1.2, 1.2)
    arm_lower_m: Vector = (-2.0, -2.0, 0.0)
    arm_upper_m: Vector = (2.0, 2.0, 2.0)


class Cell:
    """Everything that the arm's body must keep clear of, and what is known of how far away it is."""

    def __init__(
        self, body: Body, workspace: Workspace, boxes: Sequence[Box], self_collision: bool, margin_m: float
    ) -> None:
        """Prepare the rules.

        Args:
            body: The arm's body.
            workspace: Walls and table.
            boxes: What no part of the arm may enter.
            self_collision: Whether the arm must keep clear of itself.
            margin_m: Clearance from boxes and from itself [m].
        """
        self._body = body
        self._boxes = tuple(boxes)
        links = [c.link for c in body.capsules]
        tool = len(links)
        moving = [k for k, link in enumerate(links) if link >= 2]
        # base and shoulder stand where they are; the walls are for what moves
        self._lower = np.array([workspace.lower_m, workspace.arm_lower_m])
        self._upper = np.array([workspace.upper_m, workspace.arm_upper_m])
        walls = [
            (k, side, axis)
            for k in (tool, *moving)
            for side in (0, 1)
            for axis in range(3)
            if self._is_in_reach(k, side, axis)
        ]
        near = [(k, b) for b in range(len(boxes)) for k in (j for j, link in enumerate(links) if link >= 1)]
        pairs = [
            (i, j)
            for i in range(len(links))
            for j in range(i + 1, len(links))
            if self_collision and links[i] < 4 and links[j] - links[i] >= 2 and (links[i], links[j]) not in _APART
        ]
        self._wall_sign = np.array([-1.0 if side else 1.0 for _, side, _ in walls])
        self._wall_gap = np.array(
            [
                (0.0 if k == tool else body.radii_m[k])
                + (-self._upper if side else self._lower)[0 if k == tool else 1, axis]
                for k, side, axis in walls
            ]
        )
        self._walls = np.array(walls, dtype=int).reshape(-1, 3)
        self._near = np.array(near, dtype=int).reshape(-1, 2)
        self._pairs = np.array(pairs, dtype=int).reshape(-1, 2)
        self._starts = (0, len(walls), len(walls) + len(near), len(walls) + len(near) + len(pairs))
        self._box_min = np.array([b.min_m for b in boxes]).reshape(-1, 3)
        self._box_max = np.array([b.max_m for b in boxes]).reshape(-1, 3)
        self._near_gap = body.radii_m[self._near[:, 0]] + margin_m
        self._pair_gap = body.radii_m[self._pairs[:, 0]] + body.radii_m[self._pairs[:, 1]] + margin_m
        self._margin_m = margin_m
        levers = body.levers_m
        between = [np.where(np.arange(6) >= links[i], levers[j], 0.0) for i, j in pairs]
        rows = [*(levers[k] for k, _, _ in walls), *(levers[k] for k, _ in near), *between]
        self._levers = np.array(rows).reshape(-1, 6)
        self._known = np.full(len(self._levers), -np.inf)
        self._known_at = np.zeros((len(self._levers), 6))
        self.tool_levers_m: tuple[float, ...] = tuple(levers[tool].tolist())

    def _is_in_reach(self, capsule: int, side: int, axis: int) -> bool:
        """Whether a wall is near enough to be met at all: a part stays within its levers of the first two axes."""
        kind = 0 if capsule == len(self._body.capsules) else 1
        radius = self._body.radii_m[capsule] if kind else 0.0
        reach = radius + self._body.levers_m[capsule, min(axis // 2, 1)]
        height = self._body.shoulder_m if axis == 2 else 0.0
        if side:
            return bool(height + reach > self._upper[kind, axis])
        return bool(height - reach < self._lower[kind, axis])

    def learn(self, joints_rad: Sequence[float]) -> None:
        """Measure everything at one place of the joints [rad]."""
        self._known[:] = self._measure(np.array([joints_rad]), np.arange(len(self._levers)))[0]
        self._known_at[:] = joints_rad

    def is_clear(self, lowest_rad: Array, highest_rad: Array) -> bool:
        """Whether everything is proven to stay clear while the joints stay between two rows of angles [rad]."""
        return not self._doubtful(lowest_rad, highest_rad).any()

    def entered(self, joints_rad: Sequence[float], path_rad: Array) -> Intervention | None:
        """Return what the arm would come too near to along a path.

        An arm that is too near already may go away, but not nearer.

        Args:
            joints_rad: Where the joints are [rad].
            path_rad: Shape (N, 6), where they would go [rad].
        """
        doubtful = np.flatnonzero(self._doubtful(path_rad.min(axis=0), path_rad.max(axis=0)))
        if doubtful.size == 0:
            return None
        here = np.array([joints_rad])
        if doubtful.size * min(len(path_rad), _ROWS) > _MANY:
            self._known[doubtful] = self._measure(here, doubtful)[0]
            self._known_at[doubtful] = joints_rad
            doubtful = np.flatnonzero(self._doubtful(path_rad.min(axis=0), path_rad.max(axis=0)))
            if doubtful.size == 0:
                return None
        stride = -(-(len(path_rad) - 1) // (_ROWS - 1)) if len(path_rad) > _ROWS else 1
        if stride > 1:
            rows = np.concatenate((here, path_rad[:1], path_rad[::-stride][::-1]))
            clear = self._measure(rows, doubtful)
            self._remember(doubtful, clear[0], joints_rad)
            worst = self._worst(doubtful, clear)
            if worst is not None:
                return worst
            # between two rows that are measured it can be nearer than at either by half of what it moves
            room = 0.5 * stride * self._levers[doubtful] @ np.abs(np.diff(path_rad, axis=0)).max(axis=0)
            doubtful = doubtful[(clear[1:] < room).any(axis=0)]
            if doubtful.size == 0:
                return None
        clear = self._measure(np.concatenate((here, path_rad)), doubtful)
        self._remember(doubtful, clear[0], joints_rad)
        return self._worst(doubtful, clear)

    def _worst(self, rules: _Rules, clear: Array) -> Intervention | None:
        """The rule that is broken most, in any row after the first, which is where the arm is."""
        allowed = np.minimum(-_ROUNDING_M, clear[0] - 1e-12)
        depth = (allowed - clear[1:]).max(axis=0)
        worst = int(depth.argmax())
        if depth[worst] <= 0.0:
            return None
        return self._describe(int(rules[worst]), float(clear[1:, worst].min()))

    def tool_path(self, path_rad: Array) -> Array:
        """Shape (N, 3): the tool point along a path of joint angles of shape (N, 6), in base [m]."""
        return self._body.tool(path_rad)

    def _doubtful(self, lowest: Array, highest: Array) -> npt.NDArray[np.bool_]:
        turned = np.maximum(highest - self._known_at, self._known_at - lowest)
        doubtful: npt.NDArray[np.bool_] = np.einsum("ij,ij->i", self._levers, turned) > self._known
        return doubtful

    def _remember(self, rules: _Rules, clear: Array, joints_rad: Sequence[float]) -> None:
        self._known[rules] = clear
        self._known_at[rules] = joints_rad

    def _measure(self, joints_rad: Array, rules: _Rules) -> Array:
        """Clearances, shape (N, len(rules)) [m]."""
        ends = self._body.place(joints_rad)
        out = np.empty((len(joints_rad), len(rules)))
        _, boxes_from, pairs_from, _ = self._starts
        a, b = np.searchsorted(rules, (boxes_from, pairs_from))
        if a > 0:
            picked = rules[:a]
            which, _, axis = self._walls[picked].T
            signed = ends[:, which, :, axis] * self._wall_sign[picked, None, None]
            out[:, :a] = (np.minimum(signed[..., 0], signed[..., 1]) - self._wall_gap[picked, None]).T
        if b > a:
            picked = rules[a:b] - boxes_from
            which, box = self._near[picked].T
            out[:, a:b] = segments_to_boxes(
                ends[:, which], self._box_min[box], self._box_max[box], self._near_gap[picked] + 0.05
            )
            out[:, a:b] -= self._near_gap[picked]
        if b < len(rules):
            picked = rules[b:] - pairs_from
            one, two = self._pairs[picked].T
            out[:, b:] = segments_to_segments(ends[:, one], ends[:, two]) - self._pair_gap[picked]
        return out

    def _describe(self, rule: int, clear: float) -> Intervention:
        _, boxes_from, pairs_from, _ = self._starts
        names = [c.name for c in self._body.capsules]
        if rule < boxes_from:
            which, side, axis = (int(v) for v in self._walls[rule])
            is_tool = which == len(names)
            wall = float((self._upper if side else self._lower)[0 if is_tool else 1, axis])
            at = wall - clear if side else wall + clear
            if is_tool:
                return Intervention(_AXES[axis], -1, at, wall, f"{TOOL} point")
            kind: InterventionKind = "arm_height" if axis == 2 and side == 0 else _AXES[axis]
            return Intervention(kind, -1, at, wall, names[which])
        if rule < pairs_from:
            which, box = (int(v) for v in self._near[rule - boxes_from])
            where = f"{names[which]} and {self._boxes[box].name}"
            return Intervention("keep_out", -1, clear + self._margin_m, self._margin_m, where)
        one, two = (int(v) for v in self._pairs[rule - pairs_from])
        return Intervention(
            "self_collision", -1, clear + self._margin_m, self._margin_m, f"{names[one]} and {names[two]}"
        )
