"""The arm as the control loop sees it: a state to read, a command to send, and a way to stop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Protocol, runtime_checkable

import numpy as np

from geometry.types import Array

JOINTS: Final = 6
CommandMode = Literal["position", "velocity"]


def joint_row(values: Array, name: str) -> Array:
    """Copy six joint values into a read-only float64 row.

    Raises:
        ValueError: If the shape is not (6,), naming it.
    """
    row = np.array(values, dtype=np.float64)
    if row.shape != (JOINTS,):
        raise ValueError(f"{name} has shape {row.shape}: expected ({JOINTS},)")
    row.flags.writeable = False
    return row


@dataclass(frozen=True, slots=True, eq=False)
class RobotState:
    """One reading of the arm.

    Attributes:
        sequence: Number of the reading; a gap is a reading that was lost.
        stamp_ns: When the joints had these values, on the run clock [ns].
        joint_positions_rad: Shape (6,), base to wrist [rad].
        joint_velocities_rad_s: Shape (6,) [rad/s].
        gripper_opening: 0 = closed, 1 = open.
    """

    sequence: int
    stamp_ns: int
    joint_positions_rad: Array
    joint_velocities_rad_s: Array
    gripper_opening: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "joint_positions_rad", joint_row(self.joint_positions_rad, "joint_positions_rad"))
        object.__setattr__(
            self, "joint_velocities_rad_s", joint_row(self.joint_velocities_rad_s, "joint_velocities_rad_s")
        )


@dataclass(frozen=True, slots=True, eq=False)
class JointCommand:
    """What the arm is asked to do next.

    Values are not checked for range or finiteness: that is the governor's work, which must be able to see them.

    Attributes:
        stamp_ns: When the command was made, on the run clock [ns].
        mode: What `joints` holds: `position` [rad] or `velocity` [rad/s].
        joints: Shape (6,), base to wrist.
        gripper_opening: Wanted opening: 0 = closed, 1 = open.
    """

    stamp_ns: int
    mode: CommandMode
    joints: Array
    gripper_opening: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "joints", joint_row(self.joints, "joints"))


FaultKind = Literal[
    "protective_stop",
    "emergency_stop",
    "safeguard_stop",
    "safety_fault",
    "not_running",
    "program_stopped",
    "speed_slider",
    "disconnected",
    "driver",
]


class ArmFault(Exception):
    """The arm cannot be commanded any more until an operator has seen to it and said so (`Arm.recover`).

    Attributes:
        kind: What happened, the same for all drivers.
    """

    def __init__(self, kind: FaultKind, sentence: str) -> None:
        """Name a fault.

        Args:
            kind: What happened.
            sentence: For the operator: which arm, what was seen, what to do.
        """
        super().__init__(sentence)
        self.kind: FaultKind = kind


@runtime_checkable
class Arm(Protocol):
    """An arm driver. One thread talks to it: the one that owns it."""

    @property
    def name(self) -> str:
        """Name for logs and errors."""
        ...

    @property
    def joint_names(self) -> tuple[str, ...]:
        """Names of the six joints, base to wrist."""
        ...

    def connect(self) -> None:
        """Open the connection and make the arm ready to be commanded.

        Raises:
            deploy.errors.Missing: If the arm does not answer, naming its address and the remedy.
        """
        ...

    def read_state(self) -> RobotState:
        """Return the newest state.

        Raises:
            ArmFault: If the arm cannot be commanded: at every call until `recover`.
        """
        ...

    def send(self, command: JointCommand) -> None:
        """Hand one command to the arm; returns without waiting for the motion.

        Raises:
            ArmFault: As `read_state`; nothing was sent.
        """
        ...

    def stop(self) -> None:
        """Decelerate within the arm's limits and hold the position; never raises, whatever state the arm is in."""
        ...

    def limp(self) -> None:
        """Give way: the joints can be moved by hand. What an arm cannot do, it answers by holding."""
        ...

    def recover(self) -> None:
        """Make the arm ready again after a fault; to be called on an operator's word only.

        Raises:
            ArmFault: If the cause is still there.
        """
        ...

    def close(self) -> None:
        """Release the connection; the arm keeps holding. Safe to call twice."""
        ...


@runtime_checkable
class BufferedArm(Protocol):
    """An arm whose states are kept from one reading to the next: its own rate is higher than its reader's."""

    def read_states(self) -> list[RobotState]:
        """Return all states since the last call, oldest first; the newest again if there was none.

        Raises:
            ArmFault: As `Arm.read_state`.
        """
        ...
