"""`eyehand validate`: read a configuration, build what needs no hardware, say what is wrong."""

from __future__ import annotations

import argparse

from launch.check import check
from launch.cli.say import progress
from launch.config import load_config
from launch.wiring import resolve


def execute(options: argparse.Namespace) -> int:
    """Run the command."""
    config = resolve(load_config(options.config, options.assignments))
    check(config)
    cameras = ", ".join(camera.name for camera in config.rig.cameras)
    progress(f"{config.name}: valid; rig {config.rig.name} with {cameras}; model {config.detector.model}")
    return 0
