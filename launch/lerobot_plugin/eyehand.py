"""The robot that LeRobot sees: joints, gripper and pictures out, targets in."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from lerobot.robots import Robot
from lerobot.utils.errors import DeviceAlreadyConnectedError, DeviceNotConnectedError

from deploy.errors import BadInput
from launch.config import Config, load_config
from launch.lerobot_plugin.config_eyehand import EyehandRobotConfig
from launch.lerobot_plugin.newest_frame import NewestFrame
from launch.lerobot_plugin.station import picture_size, start_station
from launch.lerobot_plugin.target_loop import TargetLoop
from robot.sim.layout import JOINT_NAMES

JOINT_KEYS = tuple(f"{name}.pos" for name in JOINT_NAMES)
GRIPPER_KEY = "gripper.pos"


class EyehandRobot(Robot):  # type: ignore[misc]
    """Joint angles [rad], the gripper's opening (0 closed, 1 open) and a colour picture of each camera of the rig.

    An action is a target: the jerk-limited trajectory goes there, and the safety governor judges each tick of it. Its
    age is that of the newest picture that was handed out before it; a loop that stops sending makes the arm hold.
    """

    config_class = EyehandRobotConfig
    name = "eyehand"

    def __init__(self, config: EyehandRobotConfig) -> None:
        super().__init__(config)
        self.config = config
        self._config = self._loaded(config)
        self._loop: TargetLoop | None = None
        self._stack = ExitStack()
        self._photon_ns = 0
        # LeRobot counts them, for its picture writers
        self.cameras: dict[str, NewestFrame | None] = dict.fromkeys(camera.name for camera in self._config.rig.cameras)

    @cached_property
    def observation_features(self) -> dict[str, Any]:
        """Features and their types, or the shapes of pictures (H, W, 3)."""
        pictures = {camera.name: (*picture_size(camera), 3) for camera in self._config.rig.cameras}
        return {**self.action_features, **pictures}

    @property
    def action_features(self) -> dict[str, Any]:
        """Features and their types."""
        return dict.fromkeys((*JOINT_KEYS, GRIPPER_KEY), float)

    @property
    def is_connected(self) -> bool:
        """Whether the arm and the cameras are there and well."""
        return self._loop is not None

    @property
    def is_calibrated(self) -> bool:
        """There is nothing to calibrate here."""
        return True

    def calibrate(self) -> None:
        """Nothing to do."""

    def configure(self) -> None:
        """Nothing to do: everything stands in the configuration."""

    def connect(self, calibrate: bool = True) -> None:  # noqa: ARG002 - LeRobot's signature
        """Connect the arm and open the cameras; for a simulated rig start its world.

        Raises:
            EyehandError: If something is missing or the configuration is wrong, saying what to do.
        """
        if self._loop is not None:
            raise DeviceAlreadyConnectedError(f"{self} is already connected.")
        with ExitStack() as stack:
            station = start_station(self._config, stack)
            self.cameras = dict(station.cameras)
            self._loop = station.loop
            self._stack = stack.pop_all()

    def get_observation(self) -> dict[str, Any]:
        """The newest joint angles and pictures.

        Raises:
            ArmFault: If the arm cannot be commanded, or the governor stopped it for good: disconnect, see to it,
                connect.
        """
        state = self._running().state()
        observation: dict[str, Any] = dict(zip(JOINT_KEYS, state.joint_positions_rad.tolist(), strict=True))
        observation[GRIPPER_KEY] = float(state.gripper_opening)
        stamps = [state.stamp_ns]
        for name, camera in self.cameras.items():
            assert camera is not None  # connected
            frame = camera.frame()
            observation[name] = cv2.cvtColor(frame.color, cv2.COLOR_BGR2RGB)
            stamps.append(frame.stamp_ns)
        self._photon_ns = min(stamps)
        return observation

    def send_action(self, action: dict[str, Any]) -> dict[str, Any]:
        """Aim at joint angles and an opening.

        Returns:
            The target as it was taken: within the joints' ranges. The governor may hold the arm short of it.

        Raises:
            BadInput: If a value is missing or not finite.
            ArmFault: As `get_observation`.
        """
        loop = self._running()
        try:
            wanted = [float(action[key]) for key in (*JOINT_KEYS, GRIPPER_KEY)]
        except KeyError as error:
            raise BadInput(f"action lacks {error}: expected {', '.join((*JOINT_KEYS, GRIPPER_KEY))}") from error
        joints, opening = loop.aim(np.array(wanted[:-1]), wanted[-1], self._photon_ns)
        return dict(zip((*JOINT_KEYS, GRIPPER_KEY), (*joints.tolist(), opening), strict=True))

    def disconnect(self) -> None:
        """Stop the arm as its exit policy says, and let go of everything."""
        if self._loop is None:
            raise DeviceNotConnectedError(f"{self} is not connected.")
        self._loop = None
        self._stack.close()
        self.cameras = dict.fromkeys(self.cameras)

    @staticmethod
    def _loaded(config: EyehandRobotConfig) -> Config:
        loaded = load_config(config.config, config.overrides)
        rig = loaded.rig
        if rig.arm is None:
            raise BadInput(f"{config.config}: rig {rig.name} has no arm")
        arm = rig.arm.model_copy(update={"heartbeat_ms": config.heartbeat_ms})
        return loaded.model_copy(update={"rig": rig.model_copy(update={"arm": arm})})

    def _running(self) -> TargetLoop:
        if self._loop is None:
            raise DeviceNotConnectedError(f"{self} is not connected. Run `.connect()` first.")
        return self._loop
