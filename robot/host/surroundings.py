"""What the arm must keep clear of when the host moves it by itself: the governor's rules, for a way that is known."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from robot.kinematics.dh import DhModel
from robot.safety.body import Body, Vector, arm_capsules, tool_capsule
from robot.safety.cell import Box, Cell, Workspace

# the way is measured this densely [rad, over all joints together]: no part of the arm moves 8 mm in between
STEP_RAD: Final = 0.005


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Walls, table, boxes, and the arm itself. What the gripper holds is not known.

    Attributes:
        model: Figures of the arm.
        tool_in_flange_m: The tool point in the flange [m].
        workspace: Walls and table.
        keep_out: Boxes that no part of the arm may enter.
        self_collision: Whether the arm must keep clear of itself.
        margin_m: Clearance that the arm's body keeps from boxes and from itself [m].
        tool_radius_m: Radius of the capsule around the gripper [m].
    """

    model: DhModel
    tool_in_flange_m: Vector
    workspace: Workspace
    keep_out: tuple[Box, ...]
    self_collision: bool
    margin_m: float
    tool_radius_m: float

    def in_the_way(self, start_rad: Sequence[float], end_rad: Sequence[float]) -> str:
        """Say what the arm would come too near to on the straight way in joint space; empty where it is free.

        An arm that is too near already may go away, but not nearer.

        Args:
            start_rad: Where it is, shape (6,) [rad].
            end_rad: Where it would go, shape (6,) [rad].
        """
        capsules = arm_capsules(self.model)
        tool = tool_capsule(self.tool_in_flange_m, self.tool_radius_m)
        body = Body(self.model, [*capsules, tool] if tool is not None else capsules, self.tool_in_flange_m)
        cell = Cell(body, self.workspace, self.keep_out, self.self_collision, self.margin_m)
        start, way = np.array(start_rad), np.subtract(end_rad, start_rad)
        steps = max(1, math.ceil(np.abs(way).sum() / STEP_RAD))
        cell.learn(list(start_rad))
        entered = cell.entered(list(start_rad), start + np.linspace(0.0, 1.0, steps + 1)[1:, None] * way)
        return "" if entered is None else entered.describe()

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any]) -> Surroundings:
        """What `dataclasses.asdict` made, after a way through JSON."""
        model, workspace = dict(tree["model"]), dict(tree["workspace"])
        model |= {name: tuple(model[name]) for name in ("a_m", "d_m", "alpha_rad")}
        boxes = tuple(Box(box["name"], tuple(box["min_m"]), tuple(box["max_m"])) for box in tree["keep_out"])
        return cls(
            DhModel(**model),
            tuple(tree["tool_in_flange_m"]),
            Workspace(**{name: tuple(values) for name, values in workspace.items()}),
            boxes,
            tree["self_collision"],
            tree["margin_m"],
            tree["tool_radius_m"],
        )
