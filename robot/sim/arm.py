"""The simulated arm as a driver."""

from __future__ import annotations

import numpy as np

from deploy.errors import BadInput
from geometry.types import Array
from robot.arm import JointCommand, RobotState
from robot.kinematics import UR10E_LIMITS
from robot.sim.layout import JOINT_NAMES
from robot.sim.world import World

# A velocity command is a promise to send the next one soon: without it the arm stops, as a real controller does.
VELOCITY_HOLD_NS = 200_000_000


class SimArm:
    """Drives a `World`'s arm through its joint servos.

    Whoever owns the world's time moves it; the driver reads and sets targets only. Velocity commands become position
    targets that run ahead at each reading or command.

    Args:
        world: The world that the arm stands in.
        name: Name for logs.
    """

    def __init__(self, world: World, name: str = "sim") -> None:
        self._world = world
        self._name = name
        self._epoch_ns = 0
        self._sequence = 0
        self._target: Array = world.joint_positions_rad
        self._opening = 0.0
        self._velocity: Array | None = None
        self._velocity_until_ns = 0
        self._followed_ns = 0
        self._forget()

    @property
    def name(self) -> str:
        """Name for logs and errors."""
        return self._name

    @property
    def joint_names(self) -> tuple[str, ...]:
        """Names of the six joints, base to wrist."""
        return JOINT_NAMES

    def start(self, epoch_ns: int) -> None:
        """Tell the driver that the world was reset, and which time of the run clock is its time 0 [ns]."""
        self._epoch_ns = epoch_ns
        self._forget()

    def connect(self) -> None:
        """Nothing to do: the arm is always there."""

    def read_state(self) -> RobotState:
        """Read the joints; stamped with the world's time on the run clock."""
        self._follow()
        world = self._world
        state = RobotState(
            sequence=self._sequence,
            stamp_ns=self._epoch_ns + world.time_ns,
            joint_positions_rad=world.joint_positions_rad,
            joint_velocities_rad_s=world.joint_velocities_rad_s,
            gripper_opening=world.gripper_opening,
        )
        self._sequence += 1
        return state

    def send(self, command: JointCommand) -> None:
        """Set the servos' targets.

        Raises:
            BadInput: If a value is not finite; the servos keep what they had.
        """
        if not (np.isfinite(command.joints).all() and np.isfinite(command.gripper_opening)):
            raise BadInput(
                f"joint command {command.joints.tolist()}, gripper {command.gripper_opening}: expected finite values; "
                "the arm keeps its last target"
            )
        self._follow()
        if command.mode == "velocity":
            self._velocity = np.array(command.joints)
            self._velocity_until_ns = self._world.time_ns + VELOCITY_HOLD_NS
        else:
            self._target = np.array(command.joints)
            self._velocity = None
        self._opening = float(command.gripper_opening)
        self._world.set_targets(self._target, self._opening)

    def stop(self) -> None:
        """Hold the position where the present speed runs out at the arm's acceleration limits."""
        speed = self._world.joint_velocities_rad_s
        run_out = speed * np.abs(speed) / (2.0 * np.array(UR10E_LIMITS.acceleration_rad_s2))
        self._velocity = None
        self._target = self._world.joint_positions_rad + run_out
        self._world.set_targets(self._target, self._opening)

    def limp(self) -> None:
        """The servos cannot be switched off: hold."""
        self.stop()

    def recover(self) -> None:
        """Nothing ever fails here."""

    def close(self) -> None:
        """Nothing to release."""

    def _forget(self) -> None:
        """Take the world's present pose as the target."""
        self._target = self._world.joint_positions_rad
        self._opening = self._world.gripper_opening
        self._velocity = None
        self._velocity_until_ns = 0
        self._followed_ns = self._world.time_ns

    def _follow(self) -> None:
        """Run the position target ahead by the commanded velocity over the time that passed."""
        now_ns = self._world.time_ns
        if self._velocity is not None:
            moved_ns = min(now_ns, self._velocity_until_ns) - self._followed_ns
            self._target = self._target + self._velocity * max(0.0, moved_ns * 1e-9)
            if now_ns >= self._velocity_until_ns:
                self._velocity = None
            self._world.set_targets(self._target, self._opening)
        self._followed_ns = now_ns
