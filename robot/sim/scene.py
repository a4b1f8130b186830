"""What varies between episodes: a seeded sampler of scenes, and the frozen value that describes one."""

from __future__ import annotations

import colorsys
import math
from dataclasses import dataclass

import numpy as np

from robot.sim.conveyor import HALF_WIDTH_M, Conveyor, check_velocity, lay, upstream
from robot.sim.layout import BIN, CUBE_EDGE_M, WORLD_T_BASE

Rgb = tuple[float, float, float]
SHAPES: tuple[str, ...] = ("box", "cylinder", "sphere")


@dataclass(frozen=True, slots=True)
class SceneParameters:
    """Ranges that scenes are drawn from.

    Attributes:
        cube_x_m, cube_y_m: World region of the cube's centre [m].
        cube_yaw_rad: Largest turn of the cube about z, either way [rad].
        distractors: Fewest and most distractors.
        distractor_x_m, distractor_y_m: World region of the distractors' centres [m].
        clearance_m: Least distance of a distractor's surface from the cube's centre [m]; the open fingers need 60 mm.
        light_gain: Range of the factor on all lights.
        lights: Fewest and most lights.
        shadows: Whether the first light may cast shadows.
        conveyor_m_s: World x and y of the velocity of a conveyor that carries the cube [m/s]; None for none. The cube
            then starts upstream, so that it stays in its region while it is picked.

    Raises:
        BadInput: If the conveyor stands still or is too fast.
    """

    cube_x_m: tuple[float, float] = (0.50, 0.82)
    cube_y_m: tuple[float, float] = (-0.32, 0.12)
    cube_yaw_rad: float = math.pi
    distractors: tuple[int, int] = (2, 5)
    distractor_x_m: tuple[float, float] = (0.42, 0.92)
    distractor_y_m: tuple[float, float] = (-0.42, 0.24)
    clearance_m: float = 0.085
    light_gain: tuple[float, float] = (0.75, 1.2)
    lights: tuple[int, int] = (1, 3)
    shadows: bool = True
    conveyor_m_s: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.conveyor_m_s is not None:
            check_velocity(self.conveyor_m_s)


@dataclass(frozen=True, slots=True)
class Distractor:
    """One object that is not the cube: MuJoCo shape and half sizes [m], world position [m], yaw [rad], colour."""

    shape: str
    half_size_m: tuple[float, float, float]
    position_m: tuple[float, float, float]
    yaw_rad: float
    rgb: Rgb

    @property
    def radius_m(self) -> float:
        """Radius of the footprint's circle [m]."""
        return math.hypot(self.half_size_m[0], self.half_size_m[1]) if self.shape == "box" else self.half_size_m[0]


@dataclass(frozen=True, slots=True)
class Light:
    """A light: world position [m], direction it shines in, diffuse colour, whether it casts shadows."""

    position_m: tuple[float, float, float]
    direction: tuple[float, float, float]
    diffuse: Rgb
    shadow: bool


@dataclass(frozen=True, slots=True)
class SceneSpec:
    """One scene, complete: the same value compiles to the same model and renders to the same bytes."""

    seed: int
    cube_xy_m: tuple[float, float]
    cube_yaw_rad: float
    cube_rgb: Rgb
    distractors: tuple[Distractor, ...]
    lights: tuple[Light, ...]
    ambient: float
    specular: float
    table_pattern: str
    table_rgb: tuple[Rgb, Rgb]
    floor_pattern: str
    floor_rgb: tuple[Rgb, Rgb]
    wall_rgb: Rgb
    sky_rgb: tuple[Rgb, Rgb]
    arm_rgb: Rgb
    finger_rgb: Rgb
    bin_rgb: Rgb
    conveyor: Conveyor | None = None

    @property
    def cube_height_m(self) -> float:
        """Height of the cube's centre at the start, above the table [m]."""
        return cube_rest_height_m() + (self.conveyor.surface_m if self.conveyor is not None else 0.0)


def with_conveyor(base_m_s: tuple[float, float] | None) -> SceneParameters | None:
    """The task's ranges with a conveyor whose velocity is given in the arm's base [m/s]; None for none."""
    if base_m_s is None:
        return None
    vx, vy, _ = (WORLD_T_BASE.rotation @ (*base_m_s, 0.0)).tolist()
    return SceneParameters(conveyor_m_s=(vx, vy))


def sample_scene(seed: int, parameters: SceneParameters | None = None) -> SceneSpec:
    """Draw one scene.

    Args:
        seed: Seed of every random choice; the same seed and parameters give an equal scene.
        parameters: Ranges; the default is what the task runs in.
    """
    p = parameters or SceneParameters()
    rng = np.random.default_rng([int(seed), 0x5CE7E])
    cube_xy = (float(rng.uniform(*p.cube_x_m)), float(rng.uniform(*p.cube_y_m)))
    conveyor = None
    if p.conveyor_m_s is not None:
        vx, vy = p.conveyor_m_s
        cube_xy = (upstream(cube_xy[0], p.cube_x_m, vx), upstream(cube_xy[1], p.cube_y_m, vy))
        conveyor = lay(cube_xy, p.cube_x_m, p.cube_y_m, p.conveyor_m_s, int(seed))
    yaw = float(rng.uniform(-p.cube_yaw_rad, p.cube_yaw_rad))
    hue = float(rng.uniform(-0.018, 0.018)) % 1.0
    cube_rgb = _hsv(hue, rng.uniform(0.78, 0.97), rng.uniform(0.6, 0.95))
    gain = float(rng.uniform(*p.light_gain))
    return SceneSpec(
        seed=int(seed),
        cube_xy_m=cube_xy,
        cube_yaw_rad=yaw,
        cube_rgb=cube_rgb,
        distractors=_distractors(rng, cube_xy, p, conveyor),
        lights=_lights(rng, gain, p),
        ambient=float(rng.uniform(0.24, 0.5)) * gain,
        specular=float(rng.uniform(0.0, 0.5)),
        table_pattern=_PATTERNS[int(rng.integers(len(_PATTERNS)))],
        table_rgb=_surface_pair(rng),
        floor_pattern=_PATTERNS[int(rng.integers(len(_PATTERNS)))],
        floor_rgb=_surface_pair(rng),
        wall_rgb=_surface(rng),
        sky_rgb=_surface_pair(rng),
        arm_rgb=_hsv(float(rng.uniform(0.5, 0.7)), rng.uniform(0.0, 0.12), rng.uniform(0.45, 0.85)),
        finger_rgb=_hsv(0.6, rng.uniform(0.0, 0.1), rng.uniform(0.08, 0.5)),
        bin_rgb=_hsv(float(rng.uniform(0.3, 0.72)), rng.uniform(0.1, 0.8), rng.uniform(0.2, 0.7)),
        conveyor=conveyor,
    )


_PATTERNS: tuple[str, ...] = ("plain", "checker", "grain", "speckle", "stripes")


def _hsv(hue: float, saturation: float, value: float) -> Rgb:
    r, g, b = colorsys.hsv_to_rgb(hue, float(saturation), float(value))
    return (r, g, b)


def _surface(rng: np.random.Generator) -> Rgb:
    """A table, floor or wall: any hue while pale; strong colours only far from red."""
    if rng.random() < 0.6:
        return _hsv(float(rng.random()), rng.uniform(0.0, 0.22), rng.uniform(0.12, 0.92))
    if rng.random() < 0.5:  # wood: brown is a dark orange, pale enough not to be the cube's red
        return _hsv(float(rng.uniform(0.06, 0.11)), rng.uniform(0.25, 0.55), rng.uniform(0.3, 0.8))
    return _hsv(float(rng.uniform(0.15, 0.8)), rng.uniform(0.2, 0.6), rng.uniform(0.2, 0.8))


def _surface_pair(rng: np.random.Generator) -> tuple[Rgb, Rgb]:
    first = np.array(_surface(rng))
    second = np.clip(first * rng.uniform(0.7, 1.25) + rng.uniform(-0.05, 0.05), 0.02, 1.0)
    return tuple(first.tolist()), tuple(second.tolist())


def _distractor_rgb(rng: np.random.Generator) -> Rgb:
    """Any colour that nobody calls red: hues of 40 to 310 degrees, or grey."""
    if rng.random() < 0.18:
        return _hsv(0.0, 0.0, rng.uniform(0.05, 0.95))
    return _hsv(float(rng.uniform(40.0, 310.0)) / 360.0, rng.uniform(0.4, 1.0), rng.uniform(0.3, 0.95))


def _distractors(
    rng: np.random.Generator, cube_xy: tuple[float, float], p: SceneParameters, conveyor: Conveyor | None
) -> tuple[Distractor, ...]:
    wanted = int(rng.integers(p.distractors[0], p.distractors[1] + 1))
    placed: list[Distractor] = []
    for _ in range(wanted * 40):
        if len(placed) == wanted:
            break
        shape = SHAPES[int(rng.integers(len(SHAPES)))]
        a, b = float(rng.uniform(0.014, 0.032)), float(rng.uniform(0.014, 0.032))
        half_height = float(rng.uniform(0.012, 0.035))
        half = {"box": (a, b, half_height), "cylinder": (a, a, half_height), "sphere": (a, a, a)}[shape]
        x, y = float(rng.uniform(*p.distractor_x_m)), float(rng.uniform(*p.distractor_y_m))
        item = Distractor(shape, half, (x, y, half[2]), float(rng.uniform(-math.pi, math.pi)), _distractor_rgb(rng))
        far_from_cube = math.hypot(x - cube_xy[0], y - cube_xy[1]) > p.clearance_m + item.radius_m
        far_from_bin = max(abs(x - BIN.center_m[0]), abs(y - BIN.center_m[1])) > BIN.half_size_m + item.radius_m + 0.01
        apart = all(
            math.hypot(x - other.position_m[0], y - other.position_m[1]) > item.radius_m + other.radius_m + 0.008
            for other in placed
        )
        # the cube passes along the middle of the belt
        beside = conveyor is None or conveyor.distance_m(x, y) > p.clearance_m - HALF_WIDTH_M + item.radius_m
        if far_from_cube and far_from_bin and apart and beside:
            placed.append(item)
    return tuple(placed)


def _lights(rng: np.random.Generator, gain: float, p: SceneParameters) -> tuple[Light, ...]:
    count = int(rng.integers(p.lights[0], p.lights[1] + 1))
    lights = []
    share = gain / count**0.7
    for index in range(count):
        azimuth, distance = float(rng.uniform(-math.pi, math.pi)), float(rng.uniform(0.2, 1.6))
        position = (0.65 + distance * math.cos(azimuth), distance * math.sin(azimuth), float(rng.uniform(1.4, 3.0)))
        target = np.array([0.65, 0.0, 0.0]) + np.append(rng.uniform(-0.3, 0.3, 2), 0.0)
        direction = target - np.array(position)
        direction /= np.linalg.norm(direction)
        tint = 1.0 + rng.uniform(-0.06, 0.06, 3)
        level = float(rng.uniform(0.45, 0.75)) * share
        diffuse = np.clip(level * tint, 0.0, 1.0)
        lights.append(
            Light(
                position,
                tuple(direction.tolist()),
                tuple(diffuse.tolist()),
                shadow=index == 0 and p.shadows and bool(rng.random() < 0.8),
            )
        )
    return tuple(lights)


def cube_rest_height_m() -> float:
    """Height of the cube's centre when it lies on the table [m]."""
    return CUBE_EDGE_M / 2
