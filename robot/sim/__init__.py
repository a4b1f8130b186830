"""The simulated cell: a MuJoCo world with a UR10e, a gripper, a wrist camera, a cube, clutter and a bin.

Owns: the model of the cell, seeded scenes, rendering (OpenGL, or ray casting without it), the sensor model, the
simulated arm and camera, and labelled detection sets rendered from it.

Does not own: what the arm should do, nor time: whoever drives the world moves it.
"""

from __future__ import annotations

from robot.sim.arm import SimArm
from robot.sim.dataset import DatasetOptions, render_dataset
from robot.sim.layout import CAMERA, FLANGE_T_GRIPPER, GRIPPER_T_CAMERA, HOME_JOINTS_RAD, WORLD_T_BASE
from robot.sim.render import Renderer, Rendering, egl_problem, make_renderer
from robot.sim.scene import SceneParameters, SceneSpec, sample_scene
from robot.sim.sensor import Sensor, SensorParameters
from robot.sim.snapshot import Snapshot
from robot.sim.source import SimSource
from robot.sim.world import World

__all__ = [
    "CAMERA",
    "FLANGE_T_GRIPPER",
    "GRIPPER_T_CAMERA",
    "HOME_JOINTS_RAD",
    "WORLD_T_BASE",
    "DatasetOptions",
    "Renderer",
    "Rendering",
    "SceneParameters",
    "SceneSpec",
    "Sensor",
    "SensorParameters",
    "SimArm",
    "SimSource",
    "Snapshot",
    "World",
    "egl_problem",
    "make_renderer",
    "render_dataset",
    "sample_scene",
]
