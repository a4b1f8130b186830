"""What the governor says about a command: what it changed, why, what was asked and what is allowed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from robot.arm import JointCommand

# the order is the code of a kind in recordings: append only
InterventionKind = Literal[
    "position",
    "velocity",
    "acceleration",
    "gripper",
    "workspace_x",
    "workspace_y",
    "workspace_z",
    "arm_height",
    "stale",
    "non_finite",
    "jump",
    "following",
    "latched",
    "jerk",
    "tool_speed",
    "keep_out",
    "self_collision",
]
INTERVENTION_KINDS: Final[tuple[InterventionKind, ...]] = get_args(InterventionKind)

JOINT_NAMES: Final = ("base", "shoulder", "elbow", "wrist 1", "wrist 2", "wrist 3")

_UNITS: Final[dict[InterventionKind, str]] = {
    "position": "rad",
    "velocity": "rad/s",
    "acceleration": "rad/s^2",
    "gripper": "",
    "workspace_x": "m",
    "workspace_y": "m",
    "workspace_z": "m",
    "arm_height": "m",
    "stale": "s",
    "non_finite": "",
    "jump": "rad",
    "following": "rad",
    "latched": "",
    "jerk": "rad/s^3",
    "tool_speed": "m/s",
    "keep_out": "m",
    "self_collision": "m",
}

_WHY: Final[dict[InterventionKind, str]] = {
    "position": "clipped to the joint's range",
    "velocity": "clipped to the joint's speed",
    "acceleration": "clipped to the joint's acceleration",
    "gripper": "clipped to 0..1",
    "workspace_x": "held: it would leave the workspace along x",
    "workspace_y": "held: it would leave the workspace along y",
    "workspace_z": "held: it would leave the workspace along z (the table or the ceiling)",
    "arm_height": "held: the arm would come too near to the table",
    "stale": "held: the photons behind the command are too old",
    "non_finite": "stopped: the command is not a number",
    "jump": "stopped: the command is too far from the one before",
    "following": "stopped: the arm is not where it was sent",
    "latched": "held: stopped before; call reset once the cause is gone",
    "jerk": "clipped to the joint's jerk",
    "tool_speed": "clipped to the tool's speed",
    "keep_out": "held: the arm would come too near to the box",
    "self_collision": "held: the arm would come too near to itself",
}


@dataclass(frozen=True, slots=True)
class Intervention:
    """One change that the governor made.

    Attributes:
        kind: What was violated.
        joint: Index of the joint, or -1 if it concerns no single one.
        requested: What was asked for, in the unit of the kind (rad, rad/s, rad/s^2, rad/s^3, m, m/s, s).
        allowed: What is allowed, in the same unit.
        part: What of the arm it is about where that is no joint: a link, or what would have come too near to what.
    """

    kind: InterventionKind
    joint: int
    requested: float
    allowed: float
    part: str = ""

    def describe(self) -> str:
        """One line for people: where, what was asked, what is allowed, and what was done."""
        where = f"joint {self.joint} ({JOINT_NAMES[self.joint]})" if self.joint >= 0 else self.part or "command"
        unit = _UNITS[self.kind]
        space = " " if unit else ""
        return (
            f"{where}: {self.kind} {self.requested:.4g}{space}{unit} against {self.allowed:.4g}{space}{unit}, "
            f"{_WHY[self.kind]}"
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """The command that may be sent.

    Attributes:
        command: Safe to send.
        interventions: What was changed and why; empty if the command passed as it was.
        stopped: Whether the command was replaced by a decelerating hold. What makes the commands should then start over
            from `command.joints`.
    """

    command: JointCommand
    interventions: tuple[Intervention, ...]
    stopped: bool
