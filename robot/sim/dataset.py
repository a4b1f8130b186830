"""A labelled detection set rendered from the simulated cell, in the folder layout that YOLO trainers read.

Each image depends on the set's seed and its own number only, so any number of processes gives the same files.
"""

from __future__ import annotations

import math
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from deploy.errors import BadInput
from geometry import Pose
from geometry.types import Image
from perception.evaluation import writing
from robot.kinematics import Unreachable
from robot.sim.effects import degrade
from robot.sim.labels import Labels, label
from robot.sim.layout import (
    BIN,
    CAMERA_NAME,
    CLASS_NAMES,
    CUBE_EDGE_M,
    FIXED_NAME,
    IMAGE_HEIGHT,
    IMAGE_WIDTH,
    STROKE_M,
    joints_for,
    tool_down,
)
from robot.sim.render import DepthMetres, Renderer, make_renderer
from robot.sim.scene import SceneParameters
from robot.sim.world import World

IMAGES_PER_SCENE = 4
FIXED_SHARE = 0.12
_TRIES = 12

# Wider than what the task runs in: more clutter that stands closer, stronger and weaker light, a cube anywhere.
VARIED = SceneParameters(
    cube_x_m=(0.42, 0.92),
    cube_y_m=(-0.42, 0.26),
    distractors=(1, 10),
    distractor_x_m=(0.36, 1.0),
    distractor_y_m=(-0.5, 0.5),
    clearance_m=0.032,
    light_gain=(0.5, 1.5),
    lights=(1, 4),
)


@dataclass(frozen=True, slots=True)
class DatasetOptions:
    """What to render.

    Attributes:
        out: Folder to write; made if absent.
        images: Number of images.
        seed: Seed of the set. Sets of different seeds share no scene.
        validation_share: Part of the images that goes to the validation split.
        raycast_share: Part of the scenes that is rendered by ray casting; all of them where EGL does not work.
        processes: Worker processes.
    """

    out: Path
    images: int = 2500
    seed: int = 0
    validation_share: float = 0.08
    raycast_share: float = 0.35
    processes: int = 2

    def __post_init__(self) -> None:
        if self.images < 1:
            raise BadInput(f"dataset of {self.images} images: expected at least 1")


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One labelled image.

    Attributes:
        image: Shape (H, W, 3), BGR, with the camera's effects.
        labels: All objects in it.
        renderer: Name of the renderer that made it.
        depth_m: Shape (H, W), distance along the optical axis [m], without a sensor's errors; infinite for the sky.
    """

    image: Image
    labels: Labels
    renderer: str
    depth_m: DepthMetres


def render_dataset(options: DatasetOptions) -> Path:
    """Render a set.

    Args:
        options: What to render.

    Returns:
        Path of `data.yaml`.
    """
    for split in ("train", "val"):
        (options.out / "images" / split).mkdir(parents=True, exist_ok=True)
        (options.out / "labels" / split).mkdir(parents=True, exist_ok=True)
    scenes = math.ceil(options.images / IMAGES_PER_SCENE)
    batches = [range(start, min(start + 8, scenes)) for start in range(0, scenes, 8)]
    if options.processes <= 1:
        for batch in batches:
            _render_batch(options, batch)
    else:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(options.processes, mp_context=context) as pool:
            for future in [pool.submit(_render_batch, options, batch) for batch in batches]:
                future.result()
    names = "\n".join(f"  {index}: {name}" for index, name in enumerate(CLASS_NAMES))
    target = options.out / "data.yaml"
    target.write_text(f"path: {options.out.resolve()}\ntrain: images/train\nval: images/val\nnames:\n{names}\n")
    return target


_RENDERERS: dict[str, Renderer] = {}


def _renderer(name: str) -> Renderer:
    if name not in _RENDERERS:
        _RENDERERS[name] = make_renderer("raycast" if name == "raycast" else "auto")
    return _RENDERERS[name]


def _render_batch(options: DatasetOptions, scenes: range) -> None:
    for scene in scenes:
        first = scene * IMAGES_PER_SCENE
        count = min(IMAGES_PER_SCENE, options.images - first)
        raycast = np.random.default_rng([options.seed, scene, 1]).random() < options.raycast_share
        renderer = _renderer("raycast" if raycast else "egl")
        for index, sample in enumerate(scene_samples(options.seed, scene, count, renderer), start=first):
            draw = np.random.default_rng([options.seed, scene, 2]).random()
            split = "val" if draw < options.validation_share else "train"
            cv2.imwrite(
                str(options.out / "images" / split / f"{index:06d}.jpg"), sample.image, [cv2.IMWRITE_JPEG_QUALITY, 93]
            )
            (options.out / "labels" / split / f"{index:06d}.txt").write_text(
                yolo_lines(sample.labels.select(sample.labels.clear()))
            )


def yolo_lines(labels: Labels) -> str:
    """Write labels as YOLO text: class, then centre and size as parts of the image's width and height."""
    return writing.yolo_lines(labels.boxes.astype(np.float64), labels.class_ids.tolist(), IMAGE_WIDTH, IMAGE_HEIGHT)


def scene_samples(
    seed: int,
    scene: int,
    count: int,
    renderer: Renderer,
    parameters: SceneParameters = VARIED,
    strength: float = 1.0,
) -> list[Sample]:
    """Render the images of one scene from poses that the task visits, a few of them by the camera that stands still.

    An image in which something shows so little that neither answer would be right is replaced by one from another pose.

    Args:
        seed: Seed of the set.
        scene: Number of the scene in it.
        count: Images to make.
        renderer: Who renders.
        parameters: Ranges of the scene.
        strength: Strength of the camera's effects, see `degrade`.
    """
    bare = np.random.default_rng([seed, scene, 3]).random() < 0.06
    limits = replace(parameters, distractors=(0, 0)) if bare else parameters
    world = World(seed=int(np.random.SeedSequence([seed, scene]).generate_state(1)[0]), parameters=limits)
    samples = []
    for index in range(count):
        rng = np.random.default_rng([seed, scene, 4, index])
        for attempt in range(_TRIES):
            if not _pose(world, rng, hide_cube=bare or rng.random() < 0.06):
                continue
            camera = FIXED_NAME if rng.random() < FIXED_SHARE else CAMERA_NAME
            view = renderer.render(world.snapshot(), camera, segmentation=True)
            assert view.geom_ids is not None
            found = label(world.model, world.data, camera, view.geom_ids)
            doubtful = ~found.clear() & (found.visible_px >= 25)
            if not doubtful.any() or attempt == _TRIES - 1:
                samples.append(Sample(degrade(view.color, rng, strength), found, renderer.name, view.depth_m))
                break
    return samples


def _pose(world: World, rng: np.random.Generator, *, hide_cube: bool) -> bool:
    """Put arm and cube somewhere that an episode passes through; False if the arm cannot reach the drawn pose."""
    scene = world.scene
    rest = np.array([*scene.cube_xy_m, CUBE_EDGE_M / 2])
    world.place_cube(Pose.from_rotvec([0.0, 0.0, scene.cube_yaw_rad], rest))
    stage = rng.random()
    opening, lean_rad, carried = 1.0, 0.03, False
    if stage < 0.45:  # search
        near = rest[:2] + rng.uniform(-0.2, 0.2, 2) if rng.random() < 0.6 else rng.uniform((0.42, -0.4), (0.85, 0.45))
        position = np.append(near, rng.uniform(0.18, 0.6))
        lean_rad, opening = 0.14, float(rng.choice([1.0, 1.0, rng.uniform(0.0, 1.0)]))
    elif stage < 0.72:  # descend on the cube
        position = np.append(rest[:2] + rng.normal(0.0, 0.02, 2), rng.uniform(0.016, 0.26))
        opening = float(rng.choice([1.0, 1.0, rng.uniform(CUBE_EDGE_M / STROKE_M, 1.0)]))
    elif stage < 0.88:  # carry
        position = np.append(rng.uniform((0.45, -0.35), (0.82, 0.5)), rng.uniform(0.02, 0.45))
        carried, opening = True, CUBE_EDGE_M / STROKE_M
    else:  # at the bin
        center = np.array(BIN.center_m)
        position = np.append(center + rng.uniform(-0.12, 0.12, 2), rng.uniform(0.1, 0.5))
        carried = bool(rng.random() < 0.4)
        opening = CUBE_EDGE_M / STROKE_M if carried else 1.0
        inside = BIN.half_size_m - BIN.wall_m - 0.03
        place = np.append(center + rng.uniform(-inside, inside, 2), CUBE_EDGE_M / 2 + 0.006)
        world.place_cube(Pose.from_rotvec([0.0, 0.0, rng.uniform(-math.pi, math.pi)], place))
    upright = tool_down(position, float(rng.normal(0.0, 0.12)))
    lean = Pose.from_rotvec(rng.normal(0.0, lean_rad / 2, 3).clip(-lean_rad, lean_rad), np.zeros(3))
    try:
        joints = joints_for(Pose(lean.rotation @ upright.rotation, position))
    except Unreachable:
        return False
    world.set_configuration(joints, opening)
    if carried:
        slip = np.array([0.0, rng.normal(0.0, 0.004), rng.normal(0.0, 0.005)])
        world.place_cube(world.world_T_gripper @ Pose.from_rotvec([0.0, 0.0, rng.normal(0.0, 0.04)], slip))
    if hide_cube:
        world.place_cube(Pose.from_rotvec(np.zeros(3), [0.0, -5.0, -0.7]))
    return True
