"""Robots of LeRobot as a driver."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from deploy.errors import BadInput, EyehandError, Missing
from robot.arm import ArmFault, JointCommand, RobotState
from robot.lerobot.cycle import BusCycle
from robot.lerobot.goal import Goal
from robot.lerobot.joints import GRIPPER_VALUES, JointMap, Units
from robot.lerobot.robots import make_robot

_FIRST_STATE_S: Final = 5.0
_POLL_S: Final = 0.002
# what buses of servos can carry
_RATES_HZ: Final = (5.0, 500.0)


class LeRobotArm:
    """Drives a robot that LeRobot knows, through LeRobot's `Robot`: connect, get_observation, send_action, disconnect.

    A thread of its own talks to the robot; the calls here return at once. The robot is never calibrated from here. When
    it is connected, LeRobot's classes switch the torque of many arms off for a moment to set the motors up: support an
    arm that would fall. Faults stay until `recover`, which connects anew.

    Args:
        robot: Name that the robot is registered under, for example `so101_follower`; plug-ins (`lerobot_robot_*`) too.
        config: Fields of its configuration class: `port`, `id`, ...
        joints: Its motor for each joint, base to wrist, at most six: `NAME` or, where the feature is not called
            `NAME.pos`, the feature. Null for a joint that it lacks: that stands at 0.
        gripper: Motor of the gripper; null for none.
        units: What the robot's values of the joints are: `degrees`, `radians`, or `normalised` (-100 to 100 over the
            joint's range, which `ranges_rad` then must name).
        signs: 1 or -1 for each joint: the direction of the motor against that of the joint.
        offsets_rad: The joint's angle where the motor says 0 [rad].
        ranges_rad: The two ends of each joint [rad]: commands beyond are refused. Null where only the governor's hold.
        gripper_values: What the robot calls a closed and an open gripper.
        speed_rad_s: No joint's goal moves faster than this, whatever is commanded [rad/s].
        bus_rate_hz: Readings and actions a second [Hz]; the robot's bus may be slower.
        silence_s: Time without a reading or an action that succeeds which is a fault [s].
        name: Name for logs; the robot's by default.
        clock: Run clock [ns].

    Raises:
        BadInput: If an option cannot be used, naming it.
    """

    def __init__(
        self,
        robot: str,
        config: Mapping[str, Any] | None = None,
        *,
        joints: Sequence[str | None],
        gripper: str | None = "gripper",
        units: Units = "degrees",
        signs: Sequence[float] | None = None,
        offsets_rad: Sequence[float] | None = None,
        ranges_rad: Sequence[Sequence[float] | None] | None = None,
        gripper_values: Sequence[float] = GRIPPER_VALUES,
        speed_rad_s: float = 3.0,
        bus_rate_hz: float = 50.0,
        silence_s: float = 0.5,
        name: str = "",
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._joints = JointMap(joints, gripper, units, signs, offsets_rad, ranges_rad, gripper_values)
        for option, value, low, high in (
            ("bus_rate_hz", bus_rate_hz, *_RATES_HZ), ("speed_rad_s", speed_rad_s, 0.01, 20.0),
            ("silence_s", silence_s, 0.05, 5.0),
        ):  # fmt: skip
            if not low <= value <= high:
                raise BadInput(f"{option} {value}: expected {low:g} to {high:g}")
        self._type, self._config, self._name, self._clock = robot, dict(config or {}), name or robot, clock
        self._speed, self._bus_rate_hz, self._silence_s = speed_rad_s, bus_rate_hz, silence_s
        self._robot: Any = None
        self._goal: Goal | None = None
        self._cycle: BusCycle | None = None
        # why the last `recover` failed
        self._refused: ArmFault | None = None

    @property
    def name(self) -> str:
        """Name for logs and errors."""
        return self._name

    @property
    def joint_names(self) -> tuple[str, ...]:
        """Names of the six motors, base to wrist; `none_K` for a joint that the robot lacks."""
        return self._joints.names

    # -- life ---------------------------------------------------------------------------------------------------------

    def connect(self) -> None:
        """Make the robot, connect it, and wait for its first state.

        Raises:
            Missing: If LeRobot, what the robot needs, or the robot itself is not there, or it is not calibrated.
            BadInput: If its configuration refuses a field, or it has not the motors.
        """
        self.close()
        self._refused = None
        robot = make_robot(self._type, self._config)
        self._joints.find(robot.observation_features, robot.action_features)
        try:
            robot.connect(calibrate=False)
            calibrated = robot.is_calibrated
        except Exception as error:  # each robot has its own ways of failing
            _let_go(robot)
            raise Missing(
                f"{self._where} cannot be connected ({type(error).__name__}: {error}): see to its port, power, cables"
            ) from error
        if not calibrated:
            _let_go(robot)
            identity = f" --robot.id={self._config['id']}" if "id" in self._config else ""
            raise Missing(f"{self._where} is not calibrated: lerobot-calibrate --robot.type={self._type}{identity} ...")
        self._robot, self._goal = robot, Goal(self._speed, self._joints.clipped)
        self._cycle = BusCycle(
            robot, self._joints, self._goal, self._where, self._clock, self._bus_rate_hz, self._silence_s
        )
        self._await_state(self._cycle)

    def recover(self) -> None:
        """Connect anew after a fault; after `limp` switch the torque on where the arm stands.

        Nothing is done if nothing is wrong.

        Raises:
            ArmFault: If the cause is still there.
        """
        if self._cycle is not None and self._refused is None:
            with suppress(ArmFault):
                self._cycle.check()
                if self._cycle.gives_way:
                    self._cycle.stiffen()
                return
        try:
            self.connect()
        except EyehandError as error:
            self._refused = ArmFault("disconnected", str(error))
            raise self._refused from error

    def close(self) -> None:
        """Release the robot; the motors hold, unless they give way. Safe to call twice."""
        cycle, self._cycle = self._cycle, None
        robot, self._robot = self._robot, None
        if cycle is not None:
            cycle.end()
        if robot is not None:
            _let_go(robot)

    # -- the loop -----------------------------------------------------------------------------------------------------

    def read_state(self) -> RobotState:
        """The newest state; stamped in the middle of the reading.

        Raises:
            ArmFault: If the arm cannot be commanded.
        """
        state = self._check().newest
        assert state is not None  # connect waits for one
        return state

    def read_states(self) -> list[RobotState]:
        """All states since the last call, oldest first; the newest again if there was none.

        Raises:
            ArmFault: As `read_state`.
        """
        return self._check().drain() or [self.read_state()]

    def send(self, command: JointCommand) -> None:
        """Have the next cycle follow a command.

        Raises:
            ArmFault: If the arm cannot be commanded; nothing was sent.
            BadInput: If a value is not finite, beyond a joint's end, or for a joint that the arm lacks; nothing was
                sent.
        """
        cycle = self._check()
        self._joints.check(command.joints, command.mode)
        if not math.isfinite(command.gripper_opening):
            raise BadInput(f"gripper is commanded to {command.gripper_opening}: expected 0 to 1")
        if cycle.gives_way:
            raise ArmFault("driver", f"{self._where} gives way to hands (limp): reset it to command it again")
        assert self._goal is not None
        self._goal.follow(command, self._clock())

    def stop(self) -> None:
        """Send the present position; never raises."""
        if self._goal is not None:
            self._goal.hold()

    def limp(self) -> None:
        """Switch the torque off until `recover`, where the robot has a bus that can; otherwise hold."""
        if self._cycle is not None:
            self._cycle.give_way()

    # -- parts --------------------------------------------------------------------------------------------------------

    @property
    def _where(self) -> str:
        port = self._config.get("port") or self._config.get("id")
        return f"{self._type} at {port}" if port else f"{self._type} (LeRobot)"

    def _check(self) -> BusCycle:
        if self._refused is not None:
            raise ArmFault(self._refused.kind, str(self._refused))
        if self._cycle is None:
            raise ArmFault("disconnected", f"{self._where} is not connected")
        self._cycle.check()
        return self._cycle

    def _await_state(self, cycle: BusCycle) -> None:
        deadline = time.monotonic() + _FIRST_STATE_S
        while cycle.newest is None:
            try:
                cycle.check()
            except ArmFault as fault:
                self.close()
                raise Missing(str(fault)) from fault
            if time.monotonic() > deadline:
                self.close()
                raise Missing(f"{self._where}: no reading within {_FIRST_STATE_S:g} s")
            time.sleep(_POLL_S)


def _let_go(robot: Any) -> None:
    with suppress(Exception):  # a robot that is half connected refuses; nothing more can be done
        robot.disconnect()
