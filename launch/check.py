"""Everything about a configuration that can be found wrong before anything is opened, moved or written."""

from __future__ import annotations

from launch import plugins
from launch.arm_host import driver_options, host_settings
from launch.config import Config
from launch.sources import SIMULATED, check_simulated, source_options
from launch.wall_cell import check_world
from launch.wiring import build_graph


def check(config: Config) -> None:
    """Load what the names stand for, compare the options with what they take, and build all stages once.

    No camera and no arm is opened.

    Args:
        config: Resolved configuration.

    Raises:
        BadInput: Naming the first key that cannot be used.
        Missing: If a dependency is not there.
    """
    arm = config.rig.arm
    if config.clock == "wall":
        check_world(config)
    elif arm is not None and arm.type == SIMULATED:
        check_simulated(config.rig)
    for index, camera in enumerate(config.rig.cameras):
        factory = plugins.load("sources", camera.source.type, f"rig.cameras.{index}.source.type")
        source_options(camera, factory, clock=None)
    plugins.load("detectors", config.detector.type, "detector.type")
    plugins.load("policies", config.policy.type, "policy.type")
    plugins.load("backends", config.policy.backend, "policy.backend")
    plugins.load("backends", config.detector.backend, "detector.backend")
    if arm is not None:
        driver = plugins.load("arms", arm.type, "rig.arm.type")
        if arm.type == SIMULATED:
            plugins.check_options(driver, arm.type, "rig.arm.options", {"world": None, **arm.options})
        else:
            driver_options(arm)
            getattr(driver, "require_installed", lambda: None)()
        if config.clock == "wall":
            host_settings(config, arm)
    build_graph(config)
