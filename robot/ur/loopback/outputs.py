"""What RTDE publishes, from the controller's state.

Constants, because nothing is modelled behind them: currents, voltages, torques, forces, temperatures, accelerometer,
euromap and tool signals. Every other output is the state of this cycle.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from geometry.pose import Pose
from geometry.types import Array
from robot.kinematics import links
from robot.ur.loopback.controller import Controller
from robot.ur.loopback.modes import JointMode, RobotMode, SafetyMode
from robot.ur.loopback.plant import CYCLE_S
from robot.ur.loopback.tool_space import from_pose
from robot.ur.protocol import OUTPUT_TYPES, TYPE_FORMATS, Value

TOOL_OUTPUTS: Final = frozenset(
    {
        "actual_TCP_pose",
        "actual_TCP_speed",
        "target_TCP_pose",
        "target_TCP_speed",
        "tcp_offset",
        "elbow_position",
        "elbow_velocity",
    }
)
_ROOM_C: Final = 30.0
_GRAVITY: Final = (0.0, 0.0, 9.82)
_STEADY: Final[dict[str, Value]] = {
    "actual_main_voltage": 48.0,
    "actual_robot_voltage": 48.0,
    "actual_joint_voltage": (48.0,) * 6,
    "joint_temperatures": (_ROOM_C,) * 6,
    "tool_temperature": _ROOM_C,
    "actual_tool_accelerometer": _GRAVITY,
    "target_gravity": _GRAVITY,
    "time_scale_source": 0,
    "tool_mode": 253,
}


def _empty(kind: str) -> Value:
    layout = TYPE_FORMATS[kind]
    zero: Value = False if kind == "BOOL" else 0.0 if layout.endswith("d") else 0
    return (zero,) * int(layout[0]) if len(layout) > 1 else zero  # type: ignore[return-value]


class Outputs:
    """The values of all outputs, by name."""

    def __init__(self) -> None:
        self.values: dict[str, Value] = {name: _empty(kind) for name, kind in OUTPUT_TYPES.items()}
        self.values.update(_STEADY)
        self._poses: tuple[Pose, Pose] | None = None
        self._elbow: tuple[float, float, float] | None = None
        self._time_s = 0.0

    def update(self, arm: Controller, *, tool: bool) -> dict[str, Value]:
        """Take over the state of this cycle; `tool` also the tool's and the elbow's, which take longest."""
        values = self.values
        values.update(arm.registers.values)
        bits = arm.registers.digital_outputs
        running = arm.mode is RobotMode.RUNNING
        joint = JointMode.RUNNING if running else JointMode.IDLE
        if arm.mode < RobotMode.POWER_ON:
            joint = JointMode.POWER_OFF
        elif arm.freedrive:
            joint = JointMode.BACKDRIVE
        values.update(
            timestamp=arm.time_s,
            control_step=arm.steps,
            target_q=tuple(arm.targets.rad.tolist()),
            target_qd=tuple(arm.targets.rad_s.tolist()),
            target_qdd=tuple(arm.targets.rad_s2.tolist()),
            actual_q=tuple(arm.joints_rad.tolist()),
            actual_qd=tuple(arm.velocity_rad_s.tolist()),
            robot_mode=int(arm.mode),
            joint_mode=(int(joint),) * 6,
            safety_mode=int(arm.safety),
            safety_status=int(arm.safety),
            safety_status_bits=arm.safety.bits,
            robot_status_bits=int(arm.mode >= RobotMode.POWER_ON) | int(arm.playing) << 1 | int(arm.freedrive) << 2,
            runtime_state=int(arm.runtime),
            speed_scaling=arm.targets.scaling if arm.safety in (SafetyMode.NORMAL, SafetyMode.REDUCED) else 0.0,
            target_speed_fraction=arm.registers.speed_slider,
            actual_digital_output_bits=bits,
            actual_configurable_digital_output_bits=bits >> 8 & 0xFF,
            standard_analog_output0=arm.registers.analog_outputs[0],
            standard_analog_output1=arm.registers.analog_outputs[1],
            payload=arm.payload_kg,
            payload_cog=arm.payload_centre_m,
        )
        if tool:
            self._tool(arm)
        return values

    def _tool(self, arm: Controller) -> None:
        values, tools = self.values, arm.tools
        actual, target = tools.pose(arm.joints_rad), tools.pose(arm.targets.rad)
        elbow = links(arm.joints_rad.tolist(), tools.model).elbow
        elapsed_s, self._time_s = arm.time_s - self._time_s, arm.time_s
        # after a time without readers there is no pose of the cycle before: the speeds come a cycle later
        if self._poses is not None and self._elbow is not None and 0.0 < elapsed_s < 10.0 * CYCLE_S:
            values["actual_TCP_speed"] = _speed(self._poses[0], actual, elapsed_s)
            values["target_TCP_speed"] = _speed(self._poses[1], target, elapsed_s)
            values["elbow_velocity"] = tuple(
                (now - then) / elapsed_s for now, then in zip(elbow, self._elbow, strict=True)
            )
        values["actual_TCP_pose"] = from_pose(actual)
        values["target_TCP_pose"] = from_pose(target)
        values["tcp_offset"] = from_pose(tools.flange_T_tool)
        values["elbow_position"] = elbow
        self._poses, self._elbow = (actual, target), elbow


def _speed(before: Pose, after: Pose, elapsed_s: float) -> tuple[float, ...]:
    moved = (after.translation - before.translation) / elapsed_s
    turn: Array = after.rotation @ before.rotation.T
    # of the small turn of one cycle the antisymmetric part is the rotation vector
    spin = np.array((turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1])) / (2.0 * elapsed_s)
    return (*moved.tolist(), *spin.tolist())
