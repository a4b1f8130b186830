"""The configuration in docs/lerobot.md is one."""

from __future__ import annotations

import inspect
from pathlib import Path

from launch.arm_host import driver_options
from launch.config import load_config
from robot.lerobot.driver import LeRobotArm

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "lerobot.md").read_text()


def test_the_example_loads_and_its_driver_can_be_made(tmp_path: Path) -> None:
    example = tmp_path / "so101.yaml"
    example.write_text(PAGE.partition("```yaml\n")[2].partition("```")[0])
    config = load_config(str(example))
    assert config.rig.arm is not None
    assert config.rig.arm.type == "lerobot"
    arm = LeRobotArm(**driver_options(config.rig.arm))
    assert arm.joint_names == ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "none_6")


def test_every_option_that_the_page_names_is_one() -> None:
    takes = inspect.signature(LeRobotArm).parameters
    for option in (
        "robot", "config", "joints", "gripper", "units", "signs", "offsets_rad", "ranges_rad", "gripper_values",
        "speed_rad_s", "bus_rate_hz", "silence_s",
    ):  # fmt: skip
        assert option in takes
        assert option in PAGE
    defaults = {name: takes[name].default for name in ("speed_rad_s", "bus_rate_hz", "silence_s")}
    assert defaults == {"speed_rad_s": 3.0, "bus_rate_hz": 50.0, "silence_s": 0.5}
