"""A run in real time: live cameras and an arm, or the simulated cell on the wall clock."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deploy.errors import BadInput
from launch import plugins
from launch.bag import BagWriter
from launch.config import Config, to_yaml
from launch.config.rig import CameraConfig
from launch.executor import Executor
from launch.ledger import Rows
from launch.recorder import Recorder
from launch.schedulers.profile import Durations
from launch.schedulers.wall import RunClock, WallScheduler
from launch.session import Progress, RunResult, finish_run
from launch.tally import Tally
from launch.virtual_run import episode_seed
from launch.wiring import build_graph
from perception.source import Source
from robot.arm import Arm


def open_source(camera: CameraConfig, clock: Callable[[], int]) -> Source:
    """Open a camera of the rig by the registered name of its source."""
    options: dict[str, Any] = dict(camera.source.options)
    if camera.intrinsics is not None:
        options["camera"] = camera.intrinsics.camera()
    source: Source = plugins.build(
        "sources", camera.source.type, f"camera {camera.name}: source.options", name=camera.name, clock=clock, **options
    )
    return source
