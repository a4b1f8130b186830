"""Universal Robots arms (e-Series, UR20, UR30 with PolyScope 5.6 or newer) as a driver."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Final, Literal

import numpy as np

from deploy.errors import BadInput, Missing, require
from robot.arm import ArmFault, JointCommand, RobotState
from robot.kinematics.models import limits_named, model_named
from robot.ur.clock_map import ClockReport
from robot.ur.dashboard import Dashboard, Identity
from robot.ur.gripper import Gripper, NoGripper, OutputGripper
from robot.ur.inbox import Inbox, Stamped
from robot.ur.robotiq import RobotiqGripper
from robot.ur.round_trip import RoundTrip, measure_round_trip
from robot.ur.session import Session
from robot.ur.settings import SessionSettings
from robot.ur.start import start
from robot.ur.status import Fault

GripperKind = Literal["robotiq", "tool_digital_output", "digital_output", "none"]
JOINT_NAMES: Final = (
    "shoulder_pan_joint",
    "shoulder_lift_joint",
    "elbow_joint",
    "wrist_1_joint",
    "wrist_2_joint",
    "wrist_3_joint",
)
# The controller's stop of servoj is given in metres of the tool: the joints' deceleration at half a metre.
_STOP_LEVER_M: Final = 0.5
# Tool outputs follow the sixteen others in the bits that the controller publishes.
_TOOL_BIT: Final = 16
_OUTPUTS: Final = {"tool_digital_output": ("tool", 2), "digital_output": ("standard", 8)}


class UrArm:
    """Drives an arm through RTDE and ur_rtde's control script: servoj for positions, speedj for velocities.

    Calls return at once; only `connect`, `recover`, `close` and `measure_round_trip` wait, for a bounded time. Whatever
    stops the arm is seen by a thread within a packet or two, and stays until `recover`: nothing goes on by itself, and
    nothing is connected again without the operator's word. A process that dies leaves the arm holding its last
    setpoint; the controller's watchdog then ends the program.

    Args:
        host: Address of the controller.
        model: Name of the arm, one of `robot.kinematics.models.MODELS`; the controller must have the same.
        rate_hz: States a second, and the rate at which commands are sent [Hz]; at most 500.
        gripper: What is on the flange.
        gripper_output: Number of the digital output, for `tool_digital_output` (0 or 1) and `digital_output` (0 to 7).
        gripper_open_level: Level of that output at which the gripper is open.
        lookahead_s: servoj's smoothing, 0.03 to 0.2 [s].
        gain: servoj's proportional gain, 100 to 2000.
        min_speed_scaling: Speed slider below this is a fault; 0 to 1.
        silence_s: No new state for this long is a fault [s]. Real streams show gaps of 30 ms.
        watchdog_hz: The controller ends the program when less than this comes [Hz].
        velocity_hold_s: A velocity that is not sent again within this time ends [s].
        unlock_protective_stop: Whether `recover` may unlock a protective stop; otherwise the operator does it at the
            teach pendant.
        upper_registers: Use the general purpose registers 24-47, where a field bus takes the lower ones.
        timeout_s: How long a connection or an answer may take at set-up [s].
        name: Name for logs.
        clock: Run clock [ns].

    Raises:
        BadInput: If an option is outside its range, naming both.
    """

    def __init__(
        self,
        host: str,
        model: str = "ur10e",
        *,
        rate_hz: float = 500.0,
        gripper: GripperKind = "robotiq",
        gripper_output: int = 0,
        gripper_open_level: bool = False,
        lookahead_s: float = 0.05,
        gain: float = 300.0,
        min_speed_scaling: float = 0.99,
        silence_s: float = 0.1,
        watchdog_hz: float = 5.0,
        velocity_hold_s: float = 0.2,
        unlock_protective_stop: bool = False,
        upper_registers: bool = False,
        timeout_s: float = 2.0,
        name: str = "ur",
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        if not isinstance(host, str) or not host:
            raise BadInput(f"host is {host!r}: expected the controller's address in quotes, such as '192.168.1.10'")
        self._host, self._model, self._name = host, model_named(model).name, name
        deceleration = min(limits_named(model).acceleration_rad_s2)
        self._settings = SessionSettings(
            rate_hz=rate_hz,
            lookahead_s=lookahead_s,
            gain=gain,
            min_speed_scaling=min_speed_scaling,
            silence_s=silence_s,
            watchdog_hz=watchdog_hz,
            velocity_hold_s=velocity_hold_s,
            acceleration_rad_s2=deceleration,
            stop_m_s2=deceleration * _STOP_LEVER_M,
            timeout_s=timeout_s,
            registers_from=24 if upper_registers else 0,
        )
        self._unlock, self._clock = unlock_protective_stop, clock
        self._inbox = Inbox()
        self._output = _OUTPUTS[gripper][0] if gripper in _OUTPUTS else None
        self._session: Session | None = None
        # Why the last `recover` failed.
        self._refused: ArmFault | None = None
        self._gripper: Gripper = self._make_gripper(gripper, gripper_output, gripper_open_level)

    @staticmethod
    def require_installed() -> None:
        """See that the extra `ur` is there, before anything is started for this driver.

        Raises:
            Missing: If it is not, saying how to install it.
        """
        require("script_client", "ur")

    @property
    def name(self) -> str:
        """Name for logs and errors."""
        return self._name

    @property
    def joint_names(self) -> tuple[str, ...]:
        """Names of the six joints, base to wrist, as in UR's own descriptions."""
        return JOINT_NAMES

    @property
    def object_detected(self) -> bool:
        """Whether something holds the gripper's fingers apart; False where it cannot tell."""
        return self._gripper.object_detected

    # life

    def connect(self) -> None:
        """Connect, see that the arm may be commanded, start the control script, make the gripper ready.

        A program that runs on the controller is stopped: in remote control it is one that another client left.

        Raises:
            Missing: If the controller does not answer, refuses, is in local control or not ready to move, naming its
                address and what to do.
            BadInput: If it is another arm than `model`.
        """
        self.close()
        self._refused = None
        try:
            self._start(unlock=False)
            self._gripper.connect()
            self._start_again_if_stopped()
        except ArmFault as error:
            self.close()
            raise Missing(str(error)) from error
        except BaseException:
            self.close()
            raise

    def recover(self) -> None:
        """Connect again if needed, start the control script anew, and see that all is well; ends `limp`.

        Nothing is done if nothing is wrong. A protective stop is unlocked only with `unlock_protective_stop`.

        Raises:
            ArmFault: If the cause is still there, saying what to do.
        """
        session = self._session
        if session is not None and session.ready and not session.gives_way and self._gripper.fault is None:
            return
        try:
            self._start(unlock=self._unlock)
            if self._gripper.fault is not None:
                self._gripper.connect()
            self._start_again_if_stopped()
        except ArmFault as error:
            self._refused = error
            raise
        except (Missing, BadInput) as error:
            self._refused = ArmFault("driver" if self._alive else "disconnected", str(error))
            raise self._refused from error
        self._refused = None

    def close(self) -> None:
        """End the control script, after the arm has come to rest, and the connection; the arm holds. Ends `limp`."""
        session, self._session = self._session, None
        if session is not None:
            with suppress(Missing, OSError):
                session.end_script()
            session.close()
        self._gripper.close()

    # the loop

    def read_state(self) -> RobotState:
        """Return the newest state; its stamp is when the controller took it.

        Raises:
            ArmFault: If the arm cannot be commanded.
        """
        self._check()
        newest = self._inbox.newest
        if newest is None:
            raise ArmFault("disconnected", f"{self._where}: no state has come")
        return self._state(newest)

    def read_states(self) -> list[RobotState]:
        """Return all states since the last call, oldest first; the newest again if there was none.

        Raises:
            ArmFault: If the arm cannot be commanded.
        """
        self._check()
        return [self._state(stamped) for stamped in self._inbox.drain()]

    def send(self, command: JointCommand) -> None:
        """Stream a setpoint and send the gripper where it is wanted.

        What comes while the arm is still braking, after `stop` or between positions and velocities, is not sent.

        Raises:
            ArmFault: If the arm cannot be commanded; nothing was sent.
            BadInput: If a value is not finite; nothing was sent.
        """
        session = self._check()
        joints: list[float] = command.joints.tolist()
        if not (np.isfinite(command.joints).all() and np.isfinite(command.gripper_opening)):
            raise BadInput(
                f"joint command {joints}, gripper {command.gripper_opening}: expected finite values; "
                "the arm keeps its last target"
            )
        if session.gives_way:
            raise ArmFault("driver", f"{self._where} gives way to hands (limp): reset it to command it again")
        if command.mode == "position":
            session.servo(joints)
        else:
            session.speed(joints)
        self._gripper.want(command.gripper_opening)

    def stop(self) -> None:
        """Decelerate at the joints' limit and hold; never raises."""
        if self._session is not None:
            self._session.stop()

    def limp(self) -> None:
        """Brake, then switch freedrive on until `recover` or `close`.

        The controller carries what it believes to be on the flange: with a wrong payload in its installation the arm
        sinks or rises by itself.
        """
        if self._session is not None:
            self._session.give_way()

    # what bring-up asks

    def read_identity(self) -> Identity:
        """Who the controller is and whether it may be commanded, through its dashboard; needs no `connect`.

        Raises:
            Missing: If it does not answer, naming its address.
        """
        with closing(Dashboard(self._host, self._settings.timeout_s)) as dashboard:
            return dashboard.identity()

    def clock_report(self) -> ClockReport | None:
        """Where the controller's clock stands on the run clock; None before the first state."""
        return self._inbox.clock_report()

    def measure_round_trip(self, count: int = 100) -> RoundTrip:
        """Write a register that nobody uses and wait for it in a state, `count` times.

        Raises:
            ArmFault: If not connected.
            Missing: If nothing came back.
        """
        return measure_round_trip(self._check(), count)

    # inside

    @property
    def _where(self) -> str:
        return f"{self._model} at {self._host}"

    @property
    def _alive(self) -> bool:
        return self._session is not None and self._session.alive

    def _check(self) -> Session:
        """The session, if the arm can be commanded."""
        session = self._session
        if session is None:
            raise ArmFault("disconnected", f"{self._where} is not connected")
        if self._refused is not None:
            raise ArmFault(self._refused.kind, str(self._refused))
        if session.fault is None and self._gripper.fault is not None:
            session.latch(Fault("driver", self._gripper.fault, resumes=False))
        fault = session.fault
        if fault is not None:
            raise ArmFault(fault.kind, f"{self._where}: {fault.sentence}")
        return session

    def _state(self, stamped: Stamped) -> RobotState:
        reading = stamped.reading
        return RobotState(
            sequence=stamped.sequence,
            stamp_ns=stamped.stamp_ns,
            joint_positions_rad=np.array(reading.joint_positions_rad),
            joint_velocities_rad_s=np.array(reading.joint_velocities_rad_s),
            gripper_opening=self._gripper.opening,
        )

    def _start(self, *, unlock: bool) -> None:
        """Go from whatever there is to a running control script.

        Raises:
            Missing: If that cannot be, and what to do.
            ArmFault: If the arm is not ready to move, and what to do.
            BadInput: If it is another arm.
        """
        session = self._session
        silent_ns = self._inbox.silent_ns(self._clock())
        if session is None or not session.alive or silent_ns > self._settings.silence_s * 1e9:
            if session is not None:
                session.close()
            self._session = session = Session(self._host, self._settings, self._inbox, self._clock, self._output)
            session.open()
        start(session, self._inbox, self._settings, self._host, self._model, unlock=unlock)

    def _start_again_if_stopped(self) -> None:
        """Once: a computer that is busy while everything starts may have fed the script's watchdog too late."""
        session = self._session
        if session is not None and session.fault is not None and session.fault.kind == "program_stopped":
            self._start(unlock=False)

    def _make_gripper(self, kind: str, output: int, open_level: bool) -> Gripper:
        if kind == "none":
            return NoGripper()
        if kind == "robotiq":
            return RobotiqGripper(self._host, timeout_s=self._settings.timeout_s)
        if kind not in _OUTPUTS:
            raise BadInput(f"gripper {kind!r}: expected robotiq, tool_digital_output, digital_output or none")
        where, count = _OUTPUTS[kind]
        if not 0 <= output < count:
            raise BadInput(f"gripper_output {output}: a {where} has the digital outputs 0 to {count - 1}")
        bit = output + (_TOOL_BIT if where == "tool" else 0)

        def read() -> bool:
            newest = self._inbox.newest
            return newest is not None and bool(newest.reading.digital_outputs >> bit & 1)

        def write(level: bool) -> None:
            if self._session is not None:
                self._session.set_output(where, output, level)

        return OutputGripper(read, write, open_level=open_level)
