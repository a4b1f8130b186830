"""How a controller is talked to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from deploy.errors import BadInput

# What the controller takes: ur_rtde and the URScript manual.
_RANGES: Final = {
    "rate_hz": (1.0, 500.0),
    "lookahead_s": (0.03, 0.2),
    "gain": (100.0, 2000.0),
    "min_speed_scaling": (0.0, 1.0),
    "silence_s": (0.01, 5.0),
    "watchdog_hz": (1.0, 50.0),
    "velocity_hold_s": (0.01, 1.0),
    "acceleration_rad_s2": (0.1, 40.0),
    "stop_m_s2": (0.1, 150.0),
    "timeout_s": (0.1, 60.0),
}


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """How a controller is talked to.

    Attributes:
        rate_hz: States a second, and commands at most [Hz].
        lookahead_s: servoj's smoothing [s].
        gain: servoj's proportional gain.
        min_speed_scaling: Least position of the speed slider, 0 to 1.
        silence_s: After this time without a new state the connection counts as lost [s].
        watchdog_hz: The controller stops the program when less comes than this [Hz].
        velocity_hold_s: A velocity that is not sent again within this time ends [s].
        acceleration_rad_s2: Of joints: acceleration of speedj, deceleration of its stop.
        stop_m_s2: Deceleration of the tool when servoj is stopped.
        timeout_s: How long a connection or an answer may take at set-up [s].
        registers_from: First general purpose register that the script uses: 0 or 24.

    Raises:
        deploy.errors.BadInput: If a value is outside what the controller takes, naming both.
    """

    rate_hz: float
    lookahead_s: float
    gain: float
    min_speed_scaling: float
    silence_s: float
    watchdog_hz: float
    velocity_hold_s: float
    acceleration_rad_s2: float
    stop_m_s2: float
    timeout_s: float
    registers_from: int

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise BadInput(f"{name} {value}: expected {low:g} to {high:g}")
        if self.registers_from not in (0, 24):
            raise BadInput(f"registers_from {self.registers_from}: expected 0 or 24")
