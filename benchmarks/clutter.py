"""What stands around the cube and in front of it, and where the camera is: drawn for `cluttered_scenes.py`."""

from __future__ import annotations

import math

import numpy as np

from geometry import Pose
from geometry.types import Array
from robot.sim.layout import BIN, CAMERA, CUBE_EDGE_M, GRIPPER_T_CAMERA, STROKE_M, look_at, tool_down
from robot.sim.scene import Distractor, SceneSpec

# Where the camera is, and how often.
STAGES = {"search": 0.2, "descend": 0.15, "carry": 0.05, "bin": 0.1, "around": 0.4, "fixed": 0.1}
CUBE_HALF_M = CUBE_EDGE_M / 2
# Half of a cube's diagonal across: closer than this, something upright might stand in it.
CUBE_RADIUS_M = CUBE_HALF_M * 1.42


def situation(rng: np.random.Generator, spec: SceneSpec, stage: str) -> tuple[Pose, Pose, float]:
    """Where cube and gripper are (both in world), and how far the gripper is open."""
    rest = np.array([*spec.cube_xy_m, CUBE_HALF_M])
    world_T_cube = Pose.from_rotvec([0.0, 0.0, spec.cube_yaw_rad], rest)
    lean_rad, opening, yaw = 0.03, 1.0, float(rng.normal(0.0, 0.12))
    if stage == "around":
        return world_T_cube, _around(rng, rest) @ GRIPPER_T_CAMERA.inverse(), float(rng.choice([0.0, 1.0]))
    if stage == "search":
        position = np.append(rest[:2] + rng.uniform(-0.2, 0.2, 2), rng.uniform(0.18, 0.6))
        lean_rad = 0.14
    elif stage == "descend":
        position = np.append(rest[:2] + rng.normal(0.0, 0.02, 2), rng.uniform(0.016, 0.26))
    elif stage == "bin":
        center = np.array(BIN.center_m)
        inside = BIN.half_size_m - BIN.wall_m - 0.03
        place = np.append(center + rng.uniform(-inside, inside, 2), CUBE_HALF_M + 0.006)
        world_T_cube = Pose.from_rotvec([0.0, 0.0, rng.uniform(-math.pi, math.pi)], place)
        position = np.append(center + rng.uniform(-0.12, 0.12, 2), rng.uniform(0.1, 0.5))
    elif stage == "carry":
        position = np.append(rng.uniform((0.45, -0.35), (0.82, 0.5)), rng.uniform(0.02, 0.45))
        opening = CUBE_EDGE_M / STROKE_M
    else:  # the other camera looks, the arm is out of its way
        position, lean_rad = np.array([0.55, 0.35, 0.45]), 0.0
    upright = tool_down(position, yaw)
    lean = Pose.from_rotvec(rng.normal(0.0, lean_rad / 2, 3).clip(-lean_rad, lean_rad), np.zeros(3))
    world_T_gripper = Pose(lean.rotation @ upright.rotation, position)
    if stage == "carry":
        slip = np.array([0.0, rng.normal(0.0, 0.004), rng.normal(0.0, 0.005)])
        world_T_cube = world_T_gripper @ Pose.from_rotvec([0.0, 0.0, rng.normal(0.0, 0.04)], slip)
    return world_T_cube, world_T_gripper, opening


def _around(rng: np.random.Generator, target: Array) -> Pose:
    """A camera (in world) that sees the target somewhere in its picture, also at the border, from up to 55 degrees."""
    tilt, azimuth = math.radians(rng.uniform(2.0, 55.0)), rng.uniform(-math.pi, math.pi)
    toward = np.array([math.sin(tilt) * math.cos(azimuth), math.sin(tilt) * math.sin(azimuth), math.cos(tilt)])
    camera = look_at(target + rng.uniform(0.2, 0.7) * toward, target)
    camera = camera @ Pose.from_rotvec([0.0, 0.0, rng.uniform(-math.pi, math.pi)], np.zeros(3))
    # turned away until the target stands at some pixel
    u, v = rng.uniform(-CAMERA.width / 2, CAMERA.width / 2), rng.uniform(-CAMERA.height / 2, CAMERA.height / 2)
    away = Pose.from_rotvec([v / CAMERA.fy, -u / CAMERA.fx, 0.0], np.zeros(3))
    return camera @ away


def neighbours(rng: np.random.Generator, at: Array, yaw_rad: float) -> list[Distractor]:
    """Up to three things beside the cube, a hair to 12 mm away; some as high as it is."""
    around = []
    sides = rng.permutation(4)[: int(rng.choice([0, 1, 2, 3], p=[0.3, 0.35, 0.25, 0.1]))]
    for side in sides:
        half_height = CUBE_HALF_M if rng.random() < 0.35 else float(rng.uniform(0.008, 0.04))
        along, across = rng.uniform(0.01, 0.03), rng.uniform(0.01, 0.03)
        gap = float(rng.choice([0.0005, 0.002, rng.uniform(0.003, 0.012)]))
        direction = yaw_rad + side * math.pi / 2
        outward = np.array([math.cos(direction), math.sin(direction)])
        sideways = np.array([-outward[1], outward[0]]) * rng.uniform(-0.015, 0.015)
        shape = str(rng.choice(["box", "box", "cylinder"]))
        half = (along, across, half_height) if shape == "box" else (along, along, half_height)
        x, y = at[:2] + (CUBE_HALF_M + gap + along) * outward + sideways
        around.append(Distractor(shape, half, (float(x), float(y), half_height), direction, _color(rng)))
    return [item for index, item in enumerate(around) if all(apart(item, other) for other in around[:index])]


def in_front(rng: np.random.Generator, how: str, at: Array, eye: Array) -> Distractor:
    """Something that hides a part of the cube from the eye."""
    line = eye - at
    part = rng.uniform(0.08, 0.35)  # of the way to the eye
    middle = at + part * line + np.append(rng.uniform(-0.022, 0.022, 2), 0.0)
    yaw = float(rng.uniform(-math.pi, math.pi))
    if how == "post":
        radius = float(rng.uniform(0.005, 0.016))
        away = np.array([line[0], line[1]]) / max(1e-6, math.hypot(line[0], line[1]))
        foot = at[:2] + rng.uniform(CUBE_RADIUS_M + radius, 0.09) * away
        foot += rng.uniform(-0.03, 0.03) * np.array([-away[1], away[0]])
        if np.abs(foot - at[:2]).max() < CUBE_RADIUS_M + radius:  # beside it: do not stand in it
            foot = at[:2] + (CUBE_RADIUS_M + radius) * away
        half_height = float(rng.uniform(0.03, 0.09))
        x, y = foot
        return Distractor(
            "cylinder", (radius, radius, half_height), (float(x), float(y), half_height), 0.0, _color(rng)
        )
    half = (
        (float(rng.uniform(0.06, 0.2)), float(rng.uniform(0.002, 0.012)), float(rng.uniform(0.002, 0.008)))
        if how == "bar"
        else (float(rng.uniform(0.03, 0.08)), float(rng.uniform(0.03, 0.08)), float(rng.uniform(0.001, 0.01)))
    )
    if how == "plate":  # its edge crosses the view of the cube
        middle[:2] += (half[0] + rng.uniform(-0.02, 0.012)) * np.array([math.cos(yaw), math.sin(yaw)])
    height = max(middle[2], at[2] + CUBE_HALF_M + half[2] + 0.004)
    return Distractor("box", half, (float(middle[0]), float(middle[1]), float(height)), yaw, _color(rng))


def apart(item: Distractor, other: Distractor) -> bool:
    """Whether two of them do not stand in each other."""
    if abs(item.position_m[2] - other.position_m[2]) > item.half_size_m[2] + other.half_size_m[2]:
        return True
    distance = math.hypot(item.position_m[0] - other.position_m[0], item.position_m[1] - other.position_m[1])
    return distance > item.radius_m + other.radius_m


def _color(rng: np.random.Generator) -> tuple[float, float, float]:
    """Anything but red."""
    r, g, b = rng.uniform(0.05, 0.9, 3)
    return (float(min(r, 0.9 * max(g, b))), float(g), float(b))
