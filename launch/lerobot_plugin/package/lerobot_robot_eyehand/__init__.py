"""The name under which LeRobot finds eyehand's robot; the code is `launch.lerobot_plugin`."""

import sys

from eyehand import OwnPackages

if OwnPackages not in sys.meta_path:
    sys.meta_path.insert(0, OwnPackages)

from launch.lerobot_plugin.config_eyehand import EyehandRobotConfig
from launch.lerobot_plugin.eyehand import EyehandRobot

__all__ = ["EyehandRobot", "EyehandRobotConfig"]
