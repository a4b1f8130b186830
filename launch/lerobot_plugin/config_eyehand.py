"""What LeRobot's command line is told about the robot: `--robot.config=...`."""

from __future__ import annotations

from dataclasses import dataclass, field

from lerobot.robots import RobotConfig


@RobotConfig.register_subclass("eyehand")
@dataclass(kw_only=True)
class EyehandRobotConfig(RobotConfig):  # type: ignore[misc]
    """Which arm and cameras.

    Attributes:
        config: Path or packaged name of a configuration with a rig that has an arm.
        overrides: `key.path=value` items, as `--set` of the other commands.
        heartbeat_ms: How long the control loop may be silent while it moves the arm [ms]. It shares LeRobot's process,
            which keeps the interpreter for longer than the rig's `heartbeat_ms` allows; the arm begins to brake after
            three control periods in any case, and goes on when it is heard again.
    """

    config: str = "sim_pick_place"
    overrides: list[str] = field(default_factory=list)
    heartbeat_ms: float = 500.0
