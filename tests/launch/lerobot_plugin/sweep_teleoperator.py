"""A teleoperator that nobody holds: it swings the first joint, and closes and opens the gripper.

`python tests/launch/lerobot_plugin/sweep_teleoperator.py --robot.type=... ...` is `lerobot-record` with it at hand.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

from deploy.training import cpu_torchvision

cpu_torchvision.install()  # before LeRobot imports it

from lerobot.teleoperators import Teleoperator, TeleoperatorConfig  # noqa: E402

from robot.kinematics import UR10E_HOME_RAD  # noqa: E402
from robot.sim.layout import JOINT_NAMES  # noqa: E402

SWING_RAD = 0.3
PERIOD_S = 4.0


@TeleoperatorConfig.register_subclass("eyehand_sweep")
@dataclass(kw_only=True)
class SweepConfig(TeleoperatorConfig):
    pass


class Sweep(Teleoperator):
    config_class = SweepConfig
    name = "eyehand_sweep"

    def __init__(self, config: SweepConfig) -> None:
        super().__init__(config)
        self._began: float | None = None

    @property
    def action_features(self) -> dict[str, Any]:
        return dict.fromkeys([f"{name}.pos" for name in JOINT_NAMES] + ["gripper.pos"], float)

    @property
    def feedback_features(self) -> dict[str, Any]:
        return {}

    is_connected = property(lambda self: self._began is not None)
    is_calibrated = True

    def connect(self, calibrate: bool = True) -> None:
        self._began = time.monotonic()

    def calibrate(self) -> None:
        pass

    def configure(self) -> None:
        pass

    def get_action(self) -> dict[str, float]:
        assert self._began is not None
        phase = 2 * math.pi * (time.monotonic() - self._began) / PERIOD_S
        joints = list(UR10E_HOME_RAD)
        joints[0] += SWING_RAD * math.sin(phase)
        return dict(zip(self.action_features, [*joints, 0.5 + 0.5 * math.cos(phase)], strict=True))

    def send_feedback(self, feedback: dict[str, Any]) -> None:
        pass

    def disconnect(self) -> None:
        self._began = None


if __name__ == "__main__":
    from lerobot.scripts import lerobot_record

    lerobot_record.main()
