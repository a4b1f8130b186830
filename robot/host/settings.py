"""What the arm host is told when it starts."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from deploy.errors import BadInput
from robot.host.motions import PARKING_SPEED
from robot.host.surroundings import Surroundings
from robot.kinematics import UR10E_LIMITS, JointLimits
from robot.kinematics.dh import Six

ExitPolicy = Literal["hold", "park", "limp"]
# how much earlier than by the control loop's own period a command should be there [periods]: a late one is not missed
JITTER_PERIODS = 0.15
# how long the exit policy may take where nothing parks: braking, settling, and what the driver needs to let go [s]
EXIT_S = 30.0


@dataclass(frozen=True, slots=True)
class HostSettings:
    """Everything the arm host needs; it crosses to the other process as JSON.

    Attributes:
        driver: Factory of the driver, `module:attribute`; it is called with the options, and with `clock=` (the run
            clock [ns]) if it takes that.
        options: Options of the driver; JSON values.
        limits: What the host itself allows, whatever it is sent.
        exit_policy: What becomes of the arm once it rests: `hold` its place, `park` it slowly, or let it go `limp`. An
            arm that was never commanded is left where it is.
        park_joints_rad: Where it is parked [rad]; the way there is straight in joint space.
        heartbeat_ns: The control loop may be silent for this long while it moves the arm [ns].
        rate_hz: Rate of the driver [Hz].
        command_period_ns: Period of the control loop [ns].
        epoch_ns: Time 0 of the run clock on CLOCK_MONOTONIC [ns].
        log_path: Where the host writes what it did, one JSON object a line; what its process prints goes into the
            file of the same name that ends in `.log`. None: nowhere.
        priority: SCHED_FIFO priority of the host's loop; None leaves it an ordinary process.
        lock_memory: Keep what the host touched in memory.
        connect_timeout_s: Longest time that the driver may take to connect [s].
        surroundings: What the arm must keep clear of while it parks; None checks nothing.

    Raises:
        deploy.errors.BadInput: If a value cannot be used, naming it.
    """

    driver: str
    options: Mapping[str, Any] = field(default_factory=dict)
    limits: JointLimits = UR10E_LIMITS
    exit_policy: ExitPolicy = "hold"
    park_joints_rad: Six | None = None
    heartbeat_ns: int = 100_000_000
    rate_hz: float = 500.0
    command_period_ns: int = 10_000_000
    epoch_ns: int = 0
    log_path: Path | None = None
    priority: int | None = None
    lock_memory: bool = True
    connect_timeout_s: float = 60.0
    surroundings: Surroundings | None = None

    def __post_init__(self) -> None:
        if self.driver.count(":") != 1:
            raise BadInput(f"arm host: driver {self.driver!r}: expected module:attribute")
        if self.exit_policy not in ("hold", "park", "limp"):
            raise BadInput(f"arm host: exit policy {self.exit_policy!r}: expected hold, park or limp")
        for name, value in (
            ("rate_hz", self.rate_hz), ("heartbeat_ns", self.heartbeat_ns),
            ("command_period_ns", self.command_period_ns), ("connect_timeout_s", self.connect_timeout_s),
        ):  # fmt: skip
            if not (math.isfinite(value) and value > 0):
                raise BadInput(f"arm host: {name} {value}: expected > 0")
        if self.heartbeat_ns < 2 * self.command_period_ns:
            raise BadInput(
                f"arm host: heartbeat_ns {self.heartbeat_ns}: expected at least two periods of the control loop, "
                f"{2 * self.command_period_ns}"
            )
        if self.command_period_ns * self.rate_hz < 1e9:
            raise BadInput(
                f"arm host: rate_hz {self.rate_hz:g} is below the control loop's {1e9 / self.command_period_ns:g} Hz"
            )
        if self.exit_policy == "park" and self.park_joints_rad is None:
            raise BadInput("arm host: exit policy park: park_joints_rad is not set: give six joint angles [rad]")
        if self.park_joints_rad is not None and not self.limits.contains(self.park_joints_rad):
            raise BadInput(f"arm host: park_joints_rad {list(self.park_joints_rad)}: outside the joint limits")

    @property
    def period_s(self) -> float:
        """Length of one cycle of the host [s]."""
        return 1.0 / self.rate_hz

    @property
    def exit_s(self) -> float:
        """How long the exit policy may take: braking, and parking from the far end of every joint's range [s]."""
        if self.exit_policy != "park":
            return EXIT_S
        limits = self.limits.scaled(PARKING_SPEED)
        return EXIT_S + max(
            (high - low) / v + v / a + a / j
            for low, high, v, a, j in zip(
                limits.lower_rad, limits.upper_rad, limits.velocity_rad_s, limits.acceleration_rad_s2,
                limits.jerk_rad_s3, strict=True,
            )
        )  # fmt: skip

    @property
    def delay_ns(self) -> int:
        """How long after a command was sent the setpoints pass where it was when it was sent [ns].

        One and a half periods of the control loop belong to the interpolation, one cycle of the host and a little of
        the control loop's jitter to the time until it begins.
        """
        periods = 1.5 + JITTER_PERIODS
        return round(periods * self.command_period_ns + 1e9 / self.rate_hz)

    def to_json(self) -> str:
        """One line of JSON.

        Raises:
            deploy.errors.BadInput: If an option of the driver cannot be written as JSON.
        """
        tree = asdict(self) | {"options": dict(self.options), "log_path": self.log_path and str(self.log_path)}
        try:
            return json.dumps(tree)
        except (TypeError, ValueError) as error:
            raise BadInput(f"arm host: options of {self.driver} must be plain values: {error}") from error

    @classmethod
    def from_json(cls, line: str) -> HostSettings:
        """What `to_json` wrote."""
        tree: dict[str, Any] = json.loads(line)
        tree["limits"] = JointLimits(**{name: tuple(values) for name, values in tree["limits"].items()})
        tree["park_joints_rad"] = tree["park_joints_rad"] and tuple(tree["park_joints_rad"])
        tree["log_path"] = tree["log_path"] and Path(tree["log_path"])
        tree["surroundings"] = tree["surroundings"] and Surroundings.from_tree(tree["surroundings"])
        return cls(**tree)
