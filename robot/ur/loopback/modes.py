"""The numbers that RTDE and the dashboard give to the states of robot, safety system and program."""

from __future__ import annotations

import enum


class RobotMode(enum.IntEnum):
    """`robot_mode`."""

    NO_CONTROLLER = -1
    DISCONNECTED = 0
    CONFIRM_SAFETY = 1
    BOOTING = 2
    POWER_OFF = 3
    POWER_ON = 4
    IDLE = 5
    BACKDRIVE = 6
    RUNNING = 7


class SafetyMode(enum.IntEnum):
    """`safety_mode`; `safety_status` has the same numbers for these."""

    NORMAL = 1
    REDUCED = 2
    PROTECTIVE_STOP = 3
    RECOVERY = 4
    SAFEGUARD_STOP = 5
    SYSTEM_EMERGENCY_STOP = 6
    ROBOT_EMERGENCY_STOP = 7
    VIOLATION = 8
    FAULT = 9

    @property
    def bits(self) -> int:
        """`safety_status_bits`: one bit per mode, one for any emergency stop, one for stopped due to safety."""
        stopped = 1 << 10
        return {
            SafetyMode.NORMAL: 1 << 0,
            SafetyMode.REDUCED: 1 << 1,
            SafetyMode.PROTECTIVE_STOP: 1 << 2 | stopped,
            SafetyMode.RECOVERY: 1 << 3,
            SafetyMode.SAFEGUARD_STOP: 1 << 4 | stopped,
            SafetyMode.SYSTEM_EMERGENCY_STOP: 1 << 5 | 1 << 7 | stopped,
            SafetyMode.ROBOT_EMERGENCY_STOP: 1 << 6 | 1 << 7 | stopped,
            SafetyMode.VIOLATION: 1 << 8 | stopped,
            SafetyMode.FAULT: 1 << 9 | stopped,
        }[self]


class Runtime(enum.IntEnum):
    """`runtime_state`."""

    STOPPING = 0
    STOPPED = 1
    PLAYING = 2
    PAUSING = 3
    PAUSED = 4
    RESUMING = 5


class JointMode(enum.IntEnum):
    """`joint_mode`."""

    BACKDRIVE = 238
    POWER_OFF = 239
    RUNNING = 253
    IDLE = 255
