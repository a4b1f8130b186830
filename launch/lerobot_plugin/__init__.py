"""The rig's arm and cameras as a robot of LeRobot: `lerobot-record --robot.type=eyehand` and its like drive them.

Importing this package imports LeRobot, which finds the robot beside its configuration.
"""

from launch.lerobot_plugin.config import EyehandRobotConfig
from launch.lerobot_plugin.robot import EyehandRobot

__all__ = ["EyehandRobot", "EyehandRobotConfig"]
