"""What a controller says about itself, and which of it means that the arm cannot be commanded.

Source of the numbers: Universal Robots, "Real-Time Data Exchange (RTDE) Guide", tables of `robot_mode`, `safety_status`
and `runtime_state`.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, cast

from robot.arm import JOINTS, FaultKind
from robot.ur.protocol import Value

# Joint angles beyond any that a joint can have: bytes that do not belong where they are.
IMPLAUSIBLE: Final = 100.0


class RobotMode(enum.IntEnum):
    """Whether the arm has power and its brakes are released."""

    NO_CONTROLLER = -1
    DISCONNECTED = 0
    CONFIRM_SAFETY = 1
    BOOTING = 2
    POWER_OFF = 3
    POWER_ON = 4
    IDLE = 5
    BACKDRIVE = 6
    RUNNING = 7
    UPDATING_FIRMWARE = 8


class SafetyStatus(enum.IntEnum):
    """What the safety system allows."""

    NORMAL = 1
    REDUCED = 2
    PROTECTIVE_STOP = 3
    RECOVERY = 4
    SAFEGUARD_STOP = 5
    SYSTEM_EMERGENCY_STOP = 6
    ROBOT_EMERGENCY_STOP = 7
    VIOLATION = 8
    FAULT = 9
    VALIDATE_JOINT_ID = 10
    UNDEFINED_SAFETY_MODE = 11
    AUTOMATIC_MODE_SAFEGUARD_STOP = 12
    SYSTEM_THREE_POSITION_ENABLING_STOP = 13


class RuntimeState(enum.IntEnum):
    """What the program on the controller does."""

    STOPPING = 0
    STOPPED = 1
    PLAYING = 2
    PAUSING = 3
    PAUSED = 4
    RESUMING = 5


def name_of(kind: type[enum.IntEnum], number: int) -> str:
    """Name of a number from the controller; the number itself where a newer controller says something else."""
    try:
        return kind(number).name
    except ValueError:
        return str(number)


@dataclass(frozen=True, slots=True)
class Reading:
    """One RTDE packet of the outputs that the driver asks for.

    Attributes:
        timestamp_s: Time since the controller was started [s].
        joint_positions_rad: Base to wrist [rad].
        joint_velocities_rad_s: Base to wrist [rad/s].
        robot_mode: A `RobotMode`.
        safety_status: A `SafetyStatus`.
        runtime_state: A `RuntimeState`.
        speed_slider: Where the speed slider stands, 0 to 1.
        script_state: What the control script answers.
        digital_outputs: Bits: 0-7 standard, 8-15 configurable, 16-17 tool.
        echo: The input register that round trips are measured with.
    """

    timestamp_s: float
    joint_positions_rad: tuple[float, ...]
    joint_velocities_rad_s: tuple[float, ...]
    robot_mode: int
    safety_status: int
    runtime_state: int
    speed_slider: float
    script_state: int
    digital_outputs: int
    echo: int

    @classmethod
    def of(cls, values: Mapping[str, Value], registers_from: int) -> Reading:
        """Take the fields of `output_names` out of a packet's values."""
        return cls(*(cast("float", values[name]) for name in output_names(registers_from)))  # type: ignore[arg-type]

    @property
    def plausible(self) -> bool:
        """Whether the numbers can be those of an arm."""
        numbers = (self.timestamp_s, *self.joint_positions_rad, *self.joint_velocities_rad_s)
        return (
            all(map(math.isfinite, numbers))
            and self.timestamp_s >= 0.0
            and max(map(abs, numbers[1:])) < IMPLAUSIBLE
            and len(numbers) == 1 + 2 * JOINTS
        )


def output_names(registers_from: int) -> tuple[str, ...]:
    """RTDE outputs in the order of `Reading`.

    Args:
        registers_from: First general purpose register of the control script, 0 or 24.
    """
    return (
        "timestamp",
        "actual_q",
        "actual_qd",
        "robot_mode",
        "safety_status",
        "runtime_state",
        "target_speed_fraction",
        f"output_int_register_{registers_from}",
        "actual_digital_output_bits",
        echo_register(registers_from),
    )


def echo_register(registers_from: int) -> str:
    """The input register that round trips are measured with; the control script does not use it."""
    return f"input_int_register_{registers_from + 23}"


class Fault(NamedTuple):
    """Why the arm cannot be commanded.

    Attributes:
        kind: As `ArmFault.kind`.
        sentence: What was seen and what to do, for the operator.
        resumes: Whether the controller could go on with the program by itself once the cause is gone.
    """

    kind: FaultKind
    sentence: str
    resumes: bool


_EMERGENCY: Final = (
    "When it is safe, release the button, confirm at the teach pendant, then press ON and START until it says Normal"
)
_LOG: Final = "Read the Log tab of the teach pendant"
_SAFETY: Final[dict[int, tuple[FaultKind, str, str]]] = {
    SafetyStatus.PROTECTIVE_STOP: (
        "protective_stop",
        "protective stop",
        f"See what the arm touched or which limit it met, and clear it. {_LOG}, wait 5 s and press Enable Robot there",
    ),
    SafetyStatus.RECOVERY: (
        "safety_fault",
        "recovery mode: a joint or the tool is outside the safety limits",
        "Move the arm back inside at the teach pendant (Move tab)",
    ),
    SafetyStatus.SAFEGUARD_STOP: (
        "safeguard_stop",
        "safeguard stop: the safeguard input (door, light curtain, scanner) is open",
        "Close it, and press its reset button if the cell has one",
    ),
    SafetyStatus.SYSTEM_EMERGENCY_STOP: ("emergency_stop", "emergency stop of the cell", _EMERGENCY),
    SafetyStatus.ROBOT_EMERGENCY_STOP: ("emergency_stop", "emergency stop", _EMERGENCY),
    SafetyStatus.VIOLATION: (
        "safety_fault",
        "safety violation",
        f"{_LOG}, then restart the safety system from its dialog",
    ),
    SafetyStatus.FAULT: (
        "safety_fault",
        "safety fault",
        f"{_LOG}, then restart the safety system from its dialog or switch the control box off and on",
    ),
    SafetyStatus.AUTOMATIC_MODE_SAFEGUARD_STOP: (
        "safeguard_stop",
        "safeguard stop of the automatic mode: its input is open",
        "Close it, and press its reset button if the cell has one",
    ),
    SafetyStatus.SYSTEM_THREE_POSITION_ENABLING_STOP: (
        "safeguard_stop",
        "the three-position enabling device is not held in its middle position",
        "Hold it, or leave manual mode at the teach pendant",
    ),
}
_MODE: Final[dict[int, str]] = {
    RobotMode.CONFIRM_SAFETY: "Confirm the safety configuration at the teach pendant",
    RobotMode.BOOTING: "Wait until it has started",
    RobotMode.POWER_OFF: "At the teach pendant press the power symbol at the lower left, then ON, then START",
    RobotMode.POWER_ON: "Wait until the joints are ready, then press START at the teach pendant",
    RobotMode.IDLE: "Its brakes are closed: press START at the teach pendant",
    RobotMode.BACKDRIVE: "It is moved by hand: let go of the freedrive button",
    RobotMode.UPDATING_FIRMWARE: "Wait until the joints' firmware is updated",
}


def fault_of(reading: Reading, min_speed_scaling: float, *, gives_way: bool = False) -> Fault | None:
    """Whether the arm cannot move as commanded, apart from what its program does; the gravest reason first.

    Args:
        reading: Newest packet.
        min_speed_scaling: Least position of the speed slider, 0 to 1.
        gives_way: Whether the arm was told to be moved by hand.
    """
    if reading.safety_status not in (SafetyStatus.NORMAL, SafetyStatus.REDUCED):
        number = name_of(SafetyStatus, reading.safety_status)
        kind, seen, todo = _SAFETY.get(reading.safety_status, ("safety_fault", f"safety status is {number}", _LOG))
        return Fault(kind, f"{seen}. {todo}", resumes=True)
    if reading.robot_mode != RobotMode.RUNNING and not (gives_way and reading.robot_mode == RobotMode.BACKDRIVE):
        mode = name_of(RobotMode, reading.robot_mode)
        todo = _MODE.get(reading.robot_mode, "See the teach pendant")
        return Fault("not_running", f"robot mode is {mode}: expected RUNNING. {todo}", resumes=True)
    if reading.speed_slider < min_speed_scaling:
        return Fault(
            "speed_slider",
            f"the speed slider is at {reading.speed_slider:.0%}: expected at least {min_speed_scaling:.0%} "
            "(`min_speed_scaling`), as trajectories would lag behind. Move it up at the teach pendant",
            resumes=False,
        )
    return None


def program_fault(reading: Reading) -> Fault | None:
    """Whether the control script, which was running, does not any more."""
    if reading.runtime_state == RuntimeState.PLAYING:
        return None
    state = name_of(RuntimeState, reading.runtime_state)
    return Fault(
        "program_stopped",
        f"the control program is {state}: stopped at the teach pendant or by another client, switched to local "
        "control, or nothing came from this computer for too long. See that the teach pendant shows Remote Control, "
        "and that nobody else commands the arm",
        resumes=True,
    )
