"""docs/bringup.md says what the program does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import yaml

from launch.config.rig import ArmConfig, ExitPolicy
from launch.config.tree import Config
from launch.wiring import governor_limits
from robot.arm import FaultKind

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "bringup.md").read_text(encoding="utf-8")


def test_the_configuration_is_valid_and_slow() -> None:
    config = Config.model_validate(yaml.safe_load(re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)[0]))
    assert isinstance(config.rig.arm, ArmConfig)
    assert max(governor_limits(config).joints.velocity_rad_s) <= 0.5


def test_every_fault_and_every_exit_policy_is_explained() -> None:
    for kind in get_args(FaultKind):
        assert f"| `{kind}` |" in PAGE
    for policy in get_args(ExitPolicy):
        assert f"- `{policy}`" in PAGE


def test_every_finding_is_explained() -> None:
    explained = {name for row in re.findall(r"^\| ([a-z, ]+) \|", PAGE, flags=re.MULTILINE) for name in row.split(", ")}
    folder = Path(__file__).resolve().parents[3] / "launch" / "bringup"
    source = "".join(
        (folder / name).read_text() for name in ("check.py", "controller.py", "kinematics.py", "states.py")
    )
    found = set(re.findall(r'(?:Finding|_judged)\(\s*"([a-z ]+)"', source))
    assert len(found) >= 12
    assert found - {"jog"} <= explained
