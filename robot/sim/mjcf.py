"""The MuJoCo model of the cell as XML: lights, room, table, conveyor, cube, bin, clutter, and the arm."""

from __future__ import annotations

from geometry import Pose
from robot.sim import textures
from robot.sim.conveyor import HALF_HEIGHT_M, HALF_WIDTH_M
from robot.sim.layout import (
    BIN,
    CUBE_EDGE_M,
    FIXED_NAME,
    IMAGE_HEIGHT,
    IMAGE_WIDTH,
    OVERVIEW_NAME,
    TABLE_CENTER_M,
    TABLE_HALF_SIZE_M,
    WORLD_T_FIXED,
    WORLD_T_OVERVIEW,
)
from robot.sim.mjcf_arm import FOVY_DEG, PAD_FRICTION, actuators, arm
from robot.sim.scene import Distractor, Rgb, SceneSpec
from robot.sim.xml_text import rgba, vec

CUBE_MASS_KG = 0.1
# the friction of what lies on the belt must not slow it within a step
BELT_MASS_KG = 1000.0


def build(spec: SceneSpec, timestep_s: float = 0.002) -> tuple[str, dict[str, bytes]]:
    """Write the model of one scene.

    Args:
        spec: What this scene looks like.
        timestep_s: Physics step [s].

    Returns:
        The XML, and the files (name to bytes) that it refers to.
    """
    assets = {
        "table.png": textures.png(textures.texture(spec.table_pattern, spec.table_rgb, spec.seed)),
        "floor.png": textures.png(textures.texture(spec.floor_pattern, spec.floor_rgb, spec.seed + 1)),
    }
    parts = [
        '<mujoco model="eyehand_cell">',
        _settings(spec, timestep_s),
        _assets(spec),
        "<worldbody>",
        *_lights(spec),
        *_room(spec),
        *_bin(spec.bin_rgb),
        *_clutter(spec.distractors),
        *_conveyor(spec),
        _cube(spec),
        *arm(spec),
        "</worldbody>",
        actuators(),
        *([_BELT_CONTACT] if spec.conveyor is not None else []),
        "</mujoco>",
    ]
    return "\n".join(parts), assets


def _settings(spec: SceneSpec, timestep_s: float) -> str:
    ambient = vec((spec.ambient,) * 3)
    return f"""<compiler angle="radian" autolimits="true"/>
<option timestep="{timestep_s:.9g}" integrator="implicitfast" cone="elliptic" impratio="10"/>
<statistic extent="1" center="0.65 0 0.2"/>
<visual>
 <global offwidth="{IMAGE_WIDTH}" offheight="{IMAGE_HEIGHT}"/>
 <map znear="0.01" zfar="20" haze="0"/>
 <quality shadowsize="1024" offsamples="0"/>
 <headlight ambient="{ambient}" diffuse="0.05 0.05 0.05" specular="0 0 0"/>
</visual>
<default>
 <default class="arm"><joint/><geom contype="0" conaffinity="0" {rgba(spec.arm_rgb)}/></default>
 <default class="pad"><geom type="box" condim="4" friction="{PAD_FRICTION} 0.01 0.001" solref="0.005 1"
  solimp="0.95 0.99 0.001" priority="1" {rgba(spec.finger_rgb)}/></default>
</default>"""


def _assets(spec: SceneSpec) -> str:
    return f"""<asset>
 <texture name="table" type="2d" file="table.png"/>
 <texture name="floor" type="2d" file="floor.png"/>
 <material name="table" texture="table" texrepeat="2 2" specular="{spec.specular:.3f}" shininess="0.4"/>
 <material name="floor" texture="floor" texrepeat="4 4" specular="0"/>
 <texture name="sky" type="skybox" builtin="gradient" rgb1="{vec(spec.sky_rgb[0])}" rgb2="{vec(spec.sky_rgb[1])}"
  width="64" height="64"/>
</asset>"""


def _lights(spec: SceneSpec) -> list[str]:
    return [
        f"""<light name="light_{index}" pos="{vec(light.position_m)}" dir="{vec(light.direction)}" cutoff="75"
 exponent="1" diffuse="{vec(light.diffuse)}" specular="0.2 0.2 0.2" castshadow="{str(light.shadow).lower()}"/>"""
        for index, light in enumerate(spec.lights)
    ]


def _room(spec: SceneSpec) -> list[str]:
    wall = rgba(spec.wall_rgb)
    half_x, half_y = TABLE_HALF_SIZE_M
    x, y = TABLE_CENTER_M
    return [
        '<geom name="floor" type="plane" size="4 4 .1" pos="0 0 -0.75" material="floor"/>',
        f'<geom name="wall_front" type="box" size=".02 3 1.6" pos="2.6 0 0.8" {wall}/>',
        f'<geom name="wall_left" type="box" size="3 .02 1.6" pos="0 2.6 0.8" {wall}/>',
        f'<geom name="wall_right" type="box" size="3 .02 1.6" pos="0 -2.6 0.8" {wall}/>',
        _standing_camera(OVERVIEW_NAME, WORLD_T_OVERVIEW, 45.0),
        _standing_camera(FIXED_NAME, WORLD_T_FIXED, FOVY_DEG),
        f"""<geom name="table" type="box" size="{half_x} {half_y} 0.02" pos="{x} {y} -0.02" material="table"
 friction="1 .01 .001"/>""",
        f'<geom name="pedestal" type="box" size="0.12 0.12 0.365" pos="0 0 -0.386" {rgba(spec.arm_rgb)}/>',
    ]


def _standing_camera(name: str, world_T_camera: Pose, fovy_deg: float) -> str:
    axes = vec((*world_T_camera.rotation[:, 0], *-world_T_camera.rotation[:, 1]))
    position = vec(tuple(world_T_camera.translation))
    return f'<camera name="{name}" pos="{position}" xyaxes="{axes}" fovy="{fovy_deg:.12g}"/>'


def _bin(rgb: Rgb) -> list[str]:
    half, wall, height = BIN.half_size_m, BIN.wall_m / 2, BIN.height_m / 2
    edge = half - wall
    color = rgba(rgb)
    x, y = BIN.center_m
    boxes = {
        "bin_floor": ((edge, edge, 0.003), (x, y, 0.003)),
        "bin_wall_0": ((half, wall, height), (x, y + edge, height)),
        "bin_wall_1": ((half, wall, height), (x, y - edge, height)),
        "bin_wall_2": ((wall, half, height), (x + edge, y, height)),
        "bin_wall_3": ((wall, half, height), (x - edge, y, height)),
    }
    return [
        f'<body name="{name}" pos="{vec(at)}"><geom name="{name}" type="box" size="{vec(size)}" {color}/></body>'
        for name, (size, at) in boxes.items()
    ]


def _clutter(items: tuple[Distractor, ...]) -> list[str]:
    size_of = {"box": 3, "cylinder": 2, "sphere": 1}
    lines = []
    for index, item in enumerate(items):
        a, b, c = item.half_size_m
        size = {3: (a, b, c), 2: (a, c), 1: (a,)}[size_of[item.shape]]
        lines.append(
            f'<body name="distractor_{index}" pos="{vec(item.position_m)}" euler="0 0 {item.yaw_rad:.9g}">'
            f'<geom name="distractor_{index}" type="{item.shape}" size="{vec(size)}" {rgba(item.rgb)}/></body>'
        )
    return lines


def _cube(spec: SceneSpec) -> str:
    half = CUBE_EDGE_M / 2
    x, y = spec.cube_xy_m
    return f"""<body name="cube" pos="{x:.9g} {y:.9g} {spec.cube_height_m:.9g}" euler="0 0 {spec.cube_yaw_rad:.9g}">
 <freejoint name="cube"/>
 <geom name="cube" type="box" size="{half} {half} {half}" mass="{CUBE_MASS_KG}" condim="4" friction="0.8 0.01 0.001"
  solref="0.005 1" solimp="0.95 0.99 0.001" {rgba(spec.cube_rgb)}/>
</body>"""


# the belt lies on the table, and does not rub on it
_BELT_CONTACT = '<contact><exclude body1="world" body2="conveyor"/></contact>'


def _conveyor(spec: SceneSpec) -> list[str]:
    """The belt: a heavy plate that the world gives its speed and puts back at each step; only friction sees it move."""
    belt = spec.conveyor
    if belt is None:
        return []
    x, y = belt.center_m
    return [
        f"""<body name="conveyor" pos="{x:.9g} {y:.9g} {HALF_HEIGHT_M:.9g}" euler="0 0 {belt.yaw_rad:.9g}">
 <joint name="conveyor" type="slide" axis="1 0 0"/>
 <geom name="conveyor" type="box" size="{belt.half_length_m:.9g} {HALF_WIDTH_M} {HALF_HEIGHT_M}" mass="{BELT_MASS_KG}"
  friction="1 .01 .001" {rgba(belt.rgb)}/>
</body>"""
    ]
