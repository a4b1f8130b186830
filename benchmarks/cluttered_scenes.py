"""Scenes of the simulated cell that are hard to localize in: clutter that touches, things in front, borders, tilt.

Each scene depends on the seed and its number only. Beside the simulator's own clutter there stand neighbours whose
sides touch the cube's (some exactly as high as it is), and in two scenes of three something hides a part of it: a post
between it and the camera, a bar or a plate that hovers over it, or the border of the picture. The camera is where an
episode has it (search, descent, carrying, over the bin), or anywhere around the cube at up to 55 degrees, or it is the
one that stands still.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import Any

import numpy as np
from clutter import STAGES, apart, in_front, neighbours, situation
from numpy.typing import NDArray

from geometry import Pose, project
from geometry.types import Array
from perception.frame import Frame
from robot.kinematics import Unreachable
from robot.sim.dataset import VARIED
from robot.sim.labels import label
from robot.sim.layout import (
    CAMERA,
    CAMERA_NAME,
    FIXED_NAME,
    GRIPPER_T_CAMERA,
    WORLD_T_BASE,
    WORLD_T_FIXED,
    cube_corners,
    joints_for,
)
from robot.sim.render import Renderer, RendererName, make_renderer
from robot.sim.scene import sample_scene
from robot.sim.sensor import Sensor
from robot.sim.world import World

HIDDEN_LIMITS = (0.1, 0.3, 0.6)  # parts of the cube that are hidden: up to 10 %, up to 30 %, up to 60 %
MIN_PX = 100
TRIES = 500


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
    """One try; None if the arm cannot stand there, or if the cube is at a border without being meant to."""
    spec = sample_scene(int(rng.integers(2**31)), VARIED)
    stage = str(rng.choice(list(STAGES), p=list(STAGES.values())))
    world_T_cube, world_T_gripper, opening = situation(rng, spec, stage)
    at = world_T_cube.translation
    world_T_camera = WORLD_T_FIXED if stage == "fixed" else world_T_gripper @ GRIPPER_T_CAMERA
    extra = [] if stage in ("carry", "bin") else neighbours(rng, at, spec.cube_yaw_rad)
    about = f"{stage}, {len(extra)} neighbours"
    how = str(rng.choice(["post", "bar", "plate", "border"])) if occluded else "open"
    if how not in ("open", "border") and stage != "carry":
        extra.append(in_front(rng, how, at, world_T_camera.translation))
    if _cropped(world_T_cube, world_T_camera) != (how == "border"):
        return None
    try:
        joints = joints_for(world_T_gripper)
    except Unreachable:
        return None
    kept = [item for item in spec.distractors if all(apart(item, other) for other in extra)]
    world = World(scene=replace(spec, distractors=(*kept, *extra)))
    world.set_configuration(joints, opening)
    world.place_cube(world_T_cube)
    if stage != "fixed":
        world_T_camera = world.world_T_gripper @ GRIPPER_T_CAMERA
    camera_name = FIXED_NAME if stage == "fixed" else CAMERA_NAME
    names = ("cube", *(f"distractor_{index}" for index in range(len(kept))))
    return _shot(rng, world, renderer, camera_name, world_T_camera, names, f"{about}, {how}", sequence)


def _shot(
    rng: np.random.Generator, world: World, renderer: Renderer, camera_name: str, world_T_camera: Pose,
    names: tuple[str, ...], about: str, sequence: int,
) -> Scene | None:  # fmt: skip
    """The picture, and the truth of those geoms that are named and in view; None if the first one is not."""
    view = renderer.render(world.snapshot(), camera_name, segmentation=True)
    assert view.geom_ids is not None
    found = label(world.model, world.data, camera_name, view.geom_ids)
    geoms = _labelled_geoms(world.model, view.geom_ids)
    called = [world.model.geom(geom).name for geom in geoms]
    in_view = (found.visible_px >= MIN_PX) & (found.visible_fraction > 1.0 - HIDDEN_LIMITS[-1])
    rows = [called.index(name) for name in names if name in called and in_view[called.index(name)]]
    if not rows or called[rows[0]] != names[0]:
        return None
    sensor = Sensor(seed=int(rng.integers(2**31)))
    frame = Frame(
        camera_name=camera_name, sequence=sequence, stamp_ns=0, received_ns=0, color=sensor.color(view.color, sequence),
        depth=sensor.depth(view.depth_m, sequence), depth_scale_m=sensor.parameters.depth_scale_m, camera=CAMERA,
    )  # fmt: skip
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
        about,
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
