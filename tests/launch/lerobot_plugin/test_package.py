"""What makes LeRobot find the robot, without LeRobot: names, and what the wheel ships."""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "launch" / "lerobot_plugin" / "package"
NAME = "lerobot_robot_eyehand"


def test_the_wheel_ships_the_import_package_once_and_under_lerobots_name() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"] == {f"launch/lerobot_plugin/package/{NAME}": NAME}
    assert "/launch/lerobot_plugin/package" in wheel["exclude"]
    assert (PACKAGE / NAME / "__init__.py").is_file()


def test_the_distribution_that_lerobot_looks_for_is_a_name_only() -> None:
    tree = tomllib.loads((PACKAGE / "pyproject.toml").read_text())
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert tree["project"]["name"] == NAME
    assert tree["project"]["version"] == ours["version"]
    assert tree["project"]["requires-python"] == ours["requires-python"]
    assert tree["project"]["dependencies"] == ["eyehand[lerobot]"]
    assert tree["tool"]["hatch"]["build"]["targets"]["wheel"] == {"bypass-selection": True}


def test_lerobot_can_derive_the_robots_class_from_its_configurations() -> None:
    """Its rule: `XConfig` in `config_y` belongs to `X` in `y`, beside it."""
    folder = ROOT / "launch" / "lerobot_plugin"
    config = _classes(folder / "config_eyehand.py")
    assert config == ["EyehandRobotConfig"]
    assert config[0].removesuffix("Config") in _classes(folder / "eyehand.py")


def test_the_driver_is_registered() -> None:
    arms = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["eyehand.arms"]
    module, attribute = arms["lerobot"].split(":")
    assert getattr(importlib.import_module(module), attribute).__name__ == "LeRobotArm"


def _classes(path: Path) -> list[str]:
    return [node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef)]
