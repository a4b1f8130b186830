"""Scenes of the simulated cell that are hard to localize in: clutter that touches, things in front, borders, tilt.

Each scene depends on the seed and its number only. Beside the simulator's own clutter there stand neighbours whose
sides touch the cube's (some exactly as high as it is), and in two scenes of three something hides a part of it: a post
between it and the camera, a bar or a plate that hovers over it, or the border of the picture. The camera is where an
episode has it (search, descent, carrying, over the bin), or anywhere around the cube at up to 55 degrees, or it is the
one that stands still.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry import Pose, project
from geometry.types import Array
from perception.frame import Frame
from robot.kinematics import Unreachable
from robot.sim.dataset import VARIED
from robot.sim.labels import label
from robot.sim.layout import (
    BIN,
    CAMERA,
    CAMERA_NAME,
    CUBE_EDGE_M,
    FIXED_NAME,
    GRIPPER_T_CAMERA,
    STROKE_M,
    WORLD_T_BASE,
    WORLD_T_FIXED,
    cube_corners,
    joints_for,
    look_at,
    tool_down,
)
from robot.sim.render import Renderer, RendererName, make_renderer
from robot.sim.scene import Distractor, SceneSpec, sample_scene
from robot.sim.sensor import Sensor
from robot.sim.world import World

HIDDEN_LIMITS = (0.1, 0.3, 0.6)  # parts of the cube that are hidden: up to 10 %, up to 30 %, up to 60 %
# Where the camera is, and how often.
STAGES = {"search": 0.2, "descend": 0.15, "carry": 0.05, "bin": 0.1, "around": 0.4, "fixed": 0.1}
MIN_PX = 100
TRIES = 60
CUBE_HALF_M = CUBE_EDGE_M / 2


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One picture with its truth.

    Attributes:
        frame: What the camera gives.
        base_T_camera: Pose of the camera.
        names: Class of each object in view, row by row; the cube is the first row.
        boxes: Shape (N, 4), edges around what is visible of each [px].
        centers_m: Shape (N, 3), true centres in `base` [m].
        hidden: Shape (N,), part of each that is hidden or outside the picture.
        rows: Shape (H, W), which row's object a pixel shows; -1 for all else.
        about: What the scene was made of, for reading.
    """

    frame: Frame
    base_T_camera: Pose
    names: tuple[str, ...]
    boxes: Array
    centers_m: Array
    hidden: Array
    rows: NDArray[np.int8]
    about: str


def scenes(seed: int, count: int, renderer: RendererName = "auto", processes: int = 2) -> Iterator[Scene]:
    """Render scenes in order, a few ahead by processes of their own."""
    if processes <= 1:
        own = make_renderer(renderer)
        try:
            yield from (make_scene(seed, number, own) for number in range(count))
        finally:
            own.close()
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        ahead: deque[Future[Scene]] = deque()
        try:
            for number in range(count + 4 * processes):
                if number < count:
                    ahead.append(pool.submit(_work, seed, number, renderer))
                if number >= 4 * processes and ahead:
                    yield ahead.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


_RENDERERS: dict[str, Renderer] = {}


def _work(seed: int, number: int, name: RendererName) -> Scene:
    if name not in _RENDERERS:
        _RENDERERS[name] = make_renderer(name)
    return make_scene(seed, number, _RENDERERS[name])


def make_scene(seed: int, number: int, renderer: Renderer) -> Scene:
    """Render one scene in which as much of the cube is hidden as was drawn for it: each third of the scenes alike."""
    wanted = number % len(HIDDEN_LIMITS)
    low, high = (0.0, *HIDDEN_LIMITS)[wanted : wanted + 2]
    for attempt in range(TRIES):
        rng = np.random.default_rng([seed, number, attempt, 0x10CA])
        made = _draw(rng, renderer, occluded=wanted > 0, sequence=number)
        if made is not None and low <= made.hidden[0] < high:
            return made
    raise RuntimeError(f"scene {number} of seed {seed}: no picture in {TRIES} tries")


def _draw(rng: np.random.Generator, renderer: Renderer, *, occluded: bool, sequence: int) -> Scene | None:
    spec = sample_scene(int(rng.integers(2**31)), VARIED)
    stage = str(
        rng.choice(["search", "descend", "carry", "bin", "around", "fixed"], p=[0.2, 0.15, 0.05, 0.1, 0.4, 0.1])
    )
    world_T_cube, world_T_gripper, opening = _situation(rng, spec, stage)
    at = world_T_cube.translation
    world_T_camera = WORLD_T_FIXED if stage == "fixed" else world_T_gripper @ GRIPPER_T_CAMERA
    eye = world_T_camera.translation
    extra: list[Distractor] = []
    about = [stage]
    if stage not in ("carry", "bin"):
        near = _neighbours(rng, at, spec.cube_yaw_rad)
        about.append(f"{len(near)} neighbours")
        extra += near
    how = str(rng.choice(["post", "bar", "plate", "border"])) if occluded else "open"
    about.append(how)
    if how not in ("open", "border") and stage != "carry":
        extra.append(_in_front(rng, how, at, eye))
    if _cropped(world_T_cube, world_T_camera) != (how == "border"):
        return None
    try:
        joints = joints_for(world_T_gripper)
    except Unreachable:
        return None
    kept = [item for item in spec.distractors if all(_apart(item, other) for other in extra)]
    own = len(kept)
    spec = replace(spec, distractors=(*kept, *extra))
    world = World(scene=spec)
    world.set_configuration(joints, opening)
    world.place_cube(world_T_cube)
    camera = FIXED_NAME if stage == "fixed" else CAMERA_NAME
    view = renderer.render(world.snapshot(), camera, segmentation=True)
    assert view.geom_ids is not None
    found = label(world.model, world.data, camera, view.geom_ids)
    geoms = _labelled_geoms(world.model, view.geom_ids)
    standing = {f"distractor_{index}" for index in range(own)}
    rows = [
        row
        for row, geom in enumerate(geoms)
        if (world.model.geom(geom).name == "cube" or world.model.geom(geom).name in standing)
        and found.visible_px[row] >= MIN_PX
        and found.visible_fraction[row] > 1.0 - HIDDEN_LIMITS[-1]
    ]
    rows.sort(key=lambda row: world.model.geom(geoms[row]).name != "cube")
    if not rows or world.model.geom(geoms[rows[0]]).name != "cube":
        return None
    sensor = Sensor(seed=int(rng.integers(2**31)))
    frame = Frame(
        camera_name=camera,
        sequence=sequence,
        stamp_ns=0,
        received_ns=0,
        color=sensor.color(view.color, sequence),
        depth=sensor.depth(view.depth_m, sequence),
        depth_scale_m=sensor.parameters.depth_scale_m,
        camera=CAMERA,
    )
    if stage != "fixed":
        world_T_camera = world.world_T_gripper @ GRIPPER_T_CAMERA
    shown = np.full(view.geom_ids.shape, -1, np.int8)
    for number, row in enumerate(rows):
        shown[view.geom_ids == geoms[row]] = number
    world_m = np.array([world.data.geom_xpos[geoms[row]] for row in rows])
    return Scene(
        frame,
        WORLD_T_BASE.inverse() @ world_T_camera,
        tuple("red_cube" if found.class_ids[row] == 0 else "distractor" for row in rows),
        found.boxes[rows].astype(np.float64),
        WORLD_T_BASE.inverse().apply(world_m),
        1.0 - found.visible_fraction[rows],
        shown,
        ", ".join(about),
    )


def _cropped(world_T_cube: Pose, world_T_camera: Pose) -> bool:
    """Whether a corner of the cube lies outside the picture."""
    corners = world_T_camera.inverse().apply(world_T_cube.apply(cube_corners()))
    if corners[:, 2].min() < 0.02:
        return True
    pixels = project(corners, CAMERA)
    return bool((pixels < 0).any() or (pixels > (CAMERA.width - 1, CAMERA.height - 1)).any())


def _labelled_geoms(model: Any, geom_ids: Array) -> list[int]:
    """Geoms in the order of `label`'s rows."""
    seen = set(np.unique(geom_ids).tolist())
    names = [(geom, model.geom(geom).name) for geom in range(model.ngeom)]
    return [geom for geom, name in names if geom in seen and (name == "cube" or name.startswith("distractor_"))]


def _situation(rng: np.random.Generator, spec: SceneSpec, stage: str) -> tuple[Pose, Pose, float]:
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


def _neighbours(rng: np.random.Generator, at: Array, yaw_rad: float) -> list[Distractor]:
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
    return [item for index, item in enumerate(around) if all(_apart(item, other) for other in around[:index])]


def _in_front(rng: np.random.Generator, how: str, at: Array, eye: Array) -> Distractor:
    """Something that hides a part of the cube from the eye."""
    line = eye - at
    part = rng.uniform(0.08, 0.35)  # of the way to the eye
    middle = at + part * line + np.append(rng.uniform(-0.022, 0.022, 2), 0.0)
    yaw = float(rng.uniform(-math.pi, math.pi))
    if how == "post":
        radius = float(rng.uniform(0.005, 0.016))
        away = np.array([line[0], line[1]]) / max(1e-6, math.hypot(line[0], line[1]))
        foot = at[:2] + rng.uniform(CUBE_HALF_M * 1.42 + radius, 0.09) * away
        foot += rng.uniform(-0.03, 0.03) * np.array([-away[1], away[0]])
        if np.abs(foot - at[:2]).max() < CUBE_HALF_M * 1.42 + radius:  # beside it: do not stand in it
            foot = at[:2] + (CUBE_HALF_M * 1.42 + radius) * away
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


def _apart(item: Distractor, other: Distractor) -> bool:
    """Whether two of them do not stand in each other."""
    if abs(item.position_m[2] - other.position_m[2]) > item.half_size_m[2] + other.half_size_m[2]:
        return True
    distance = math.hypot(item.position_m[0] - other.position_m[0], item.position_m[1] - other.position_m[1])
    return distance > item.radius_m + other.radius_m


def _color(rng: np.random.Generator) -> tuple[float, float, float]:
    """Anything but red."""
    r, g, b = rng.uniform(0.05, 0.9, 3)
    return (float(min(r, 0.9 * max(g, b))), float(g), float(b))
