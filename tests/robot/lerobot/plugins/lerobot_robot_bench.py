"""A plug-in for LeRobot: a robot on simulated motors, as a package of somebody else would register it."""

from __future__ import annotations

from dataclasses import dataclass

from bench_motors import BenchMotors
from lerobot.robots import Robot, RobotConfig


@RobotConfig.register_subclass("eyehand_bench")
@dataclass(kw_only=True)
class BenchConfig(RobotConfig):
    port: str
    start: float = 10.0
    calibrated: bool = True
    disable_torque_on_disconnect: bool = True


class Bench(BenchMotors, Robot):
    config_class = BenchConfig
    name = "eyehand_bench"

    def __init__(self, config: BenchConfig) -> None:
        Robot.__init__(self, config)
        BenchMotors.__init__(self, start=config.start)
        self.config = config
        self.calibrated = config.calibrated

    def disconnect(self) -> None:
        if self.config.disable_torque_on_disconnect:
            self.bus.disable_torque()
        super().disconnect()
