"""The MuJoCo model of the cell as XML: a UR10e of primitives from its DH figures, gripper, camera, table, bin, clutter.

The arm follows the published nominal DH parameters, masses and centres of mass of the UR10e; the inertias are rounded
estimates for rods and blocks of those masses. A joint's body sits at the DH frame of the link before it and turns about
that frame's z, so the joint angles here are the controller's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from geometry import Pose
from robot.sim import textures
from robot.sim.layout import (
    BIN,
    CAMERA_NAME,
    CAMERA_POSITION_M,
    CAMERA_TILT_RAD,
    CUBE_EDGE_M,
    FIXED_NAME,
    FOCAL_PX,
    IMAGE_HEIGHT,
    IMAGE_WIDTH,
    JOINT_NAMES,
    OVERVIEW_NAME,
    STROKE_M,
    TABLE_CENTER_M,
    TABLE_HALF_SIZE_M,
    TCP_OFFSET_M,
    WORLD_T_FIXED,
    WORLD_T_OVERVIEW,
)
from robot.sim.scene import Distractor, Rgb, SceneSpec, cube_rest_height_m

_HALF_PI = math.pi / 2
FOVY_DEG = math.degrees(2 * math.atan(IMAGE_HEIGHT / 2 / FOCAL_PX))  # in degrees whatever the compiler says


@dataclass(frozen=True, slots=True)
class _Link:
    """One joint with the link that it moves: DH a, d [m], alpha [rad]; dynamics; servo; the capsule that draws it."""

    a: float
    d: float
    alpha: float
    mass: float
    com: tuple[float, float, float]
    inertia: tuple[float, float, float]
    kp: float
    kv: float
    torque: float
    armature: float
    damping: float
    radius: float
    shape: str


_ARM: tuple[_Link, ...] = (
    _Link(0.0, 0.1807, _HALF_PI, 7.369, (0.021, 0.0, 0.027), (0.03, 0.03, 0.03), 6000, 500, 330, 0.3, 5, 0.09, "up"),
    _Link(-0.6127, 0.0, 0.0, 13.051, (0.38, 0.0, 0.158), (0.05, 0.5, 0.5), 6000, 500, 330, 0.3, 5, 0.075, "upper"),
    _Link(-0.57155, 0.0, 0.0, 3.989, (0.24, 0.0, 0.068), (0.02, 0.2, 0.2), 4000, 300, 150, 0.3, 5, 0.06, "fore"),
    _Link(0.0, 0.17415, _HALF_PI, 2.1, (0.0, 0.007, 0.018), (0.005,) * 3, 1200, 60, 56, 0.1, 1, 0.055, "up"),
    _Link(0.0, 0.11985, -_HALF_PI, 1.98, (0.0, 0.007, 0.018), (0.005,) * 3, 1200, 60, 56, 0.1, 1, 0.055, "up"),
    _Link(0.0, 0.11655, 0.0, 0.615, (0.0, 0.0, -0.026), (0.001,) * 3, 800, 40, 56, 0.1, 1, 0.045, "disc"),
)

# The gripper does not turn to the cube, so the pads must hold it at any yaw. At 45 degrees they pinch two edges, and an
# edge near the border of a pad rolls off: pads of 22 mm lost 2 of 50 grasps that were 0-9 mm off, these lost none.
PAD_FRICTION = 0.5
PAD_HALF_SIZE_M = (0.004, 0.014, 0.014)
GRIP_FORCE_N = 60.0
CUBE_MASS_KG = 0.1


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
        _cube(spec),
        *_arm(spec),
        "</worldbody>",
        _actuators(),
        "</mujoco>",
    ]
    return "\n".join(parts), assets


def _rgba(rgb: Rgb) -> str:
    return f'rgba="{rgb[0]:.4f} {rgb[1]:.4f} {rgb[2]:.4f} 1"'


def _vec(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:.9g}" for value in values)


def _settings(spec: SceneSpec, timestep_s: float) -> str:
    ambient = _vec((spec.ambient,) * 3)
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
 <default class="arm"><joint/><geom contype="0" conaffinity="0" {_rgba(spec.arm_rgb)}/></default>
 <default class="pad"><geom type="box" condim="4" friction="{PAD_FRICTION} 0.01 0.001" solref="0.005 1"
  solimp="0.95 0.99 0.001" priority="1" {_rgba(spec.finger_rgb)}/></default>
</default>"""


def _assets(spec: SceneSpec) -> str:
    return f"""<asset>
 <texture name="table" type="2d" file="table.png"/>
 <texture name="floor" type="2d" file="floor.png"/>
 <material name="table" texture="table" texrepeat="2 2" specular="{spec.specular:.3f}" shininess="0.4"/>
 <material name="floor" texture="floor" texrepeat="4 4" specular="0"/>
 <texture name="sky" type="skybox" builtin="gradient" rgb1="{_vec(spec.sky_rgb[0])}" rgb2="{_vec(spec.sky_rgb[1])}"
  width="64" height="64"/>
</asset>"""


def _lights(spec: SceneSpec) -> list[str]:
    return [
        f"""<light name="light_{index}" pos="{_vec(light.position_m)}" dir="{_vec(light.direction)}" cutoff="75"
 exponent="1" diffuse="{_vec(light.diffuse)}" specular="0.2 0.2 0.2" castshadow="{str(light.shadow).lower()}"/>"""
        for index, light in enumerate(spec.lights)
    ]


def _room(spec: SceneSpec) -> list[str]:
    wall = _rgba(spec.wall_rgb)
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
        f'<geom name="pedestal" type="box" size="0.12 0.12 0.365" pos="0 0 -0.386" {_rgba(spec.arm_rgb)}/>',
    ]


def _standing_camera(name: str, world_T_camera: Pose, fovy_deg: float) -> str:
    axes = _vec((*world_T_camera.rotation[:, 0], *-world_T_camera.rotation[:, 1]))
    position = _vec(tuple(world_T_camera.translation))
    return f'<camera name="{name}" pos="{position}" xyaxes="{axes}" fovy="{fovy_deg:.12g}"/>'


def _bin(rgb: Rgb) -> list[str]:
    half, wall, height = BIN.half_size_m, BIN.wall_m / 2, BIN.height_m / 2
    edge = half - wall
    color = _rgba(rgb)
    return [
        f'<body name="bin" pos="{_vec(BIN.center_m)} 0">',
        f' <geom name="bin_floor" type="box" size="{edge} {edge} .003" pos="0 0 .003" {color}/>',
        f' <geom name="bin_wall_0" type="box" size="{half} {wall} {height}" pos="0 {edge} {height}" {color}/>',
        f' <geom name="bin_wall_1" type="box" size="{half} {wall} {height}" pos="0 {-edge} {height}" {color}/>',
        f' <geom name="bin_wall_2" type="box" size="{wall} {half} {height}" pos="{edge} 0 {height}" {color}/>',
        f' <geom name="bin_wall_3" type="box" size="{wall} {half} {height}" pos="{-edge} 0 {height}" {color}/>',
        "</body>",
    ]


def _clutter(items: tuple[Distractor, ...]) -> list[str]:
    size_of = {"box": 3, "cylinder": 2, "sphere": 1}
    lines = []
    for index, item in enumerate(items):
        a, b, c = item.half_size_m
        size = {3: (a, b, c), 2: (a, c), 1: (a,)}[size_of[item.shape]]
        lines.append(
            f'<body name="distractor_{index}" pos="{_vec(item.position_m)}" euler="0 0 {item.yaw_rad:.9g}">'
            f'<geom name="distractor_{index}" type="{item.shape}" size="{_vec(size)}" {_rgba(item.rgb)}/></body>'
        )
    return lines


def _cube(spec: SceneSpec) -> str:
    half = CUBE_EDGE_M / 2
    x, y = spec.cube_xy_m
    return f"""<body name="cube" pos="{x:.9g} {y:.9g} {cube_rest_height_m():.9g}" euler="0 0 {spec.cube_yaw_rad:.9g}">
 <freejoint name="cube"/>
 <geom name="cube" type="box" size="{half} {half} {half}" mass="{CUBE_MASS_KG}" condim="4" friction="0.8 0.01 0.001"
  solref="0.005 1" solimp="0.95 0.99 0.001" {_rgba(spec.cube_rgb)}/>
</body>"""


def _arm(spec: SceneSpec) -> list[str]:
    lines = [
        '<body name="base" pos="0 0 0" quat="0 0 0 1">',
        ' <geom class="arm" name="base" type="cylinder" size=".095 .03" pos="0 0 .03"/>',
    ]
    for index, (name, link) in enumerate(zip(JOINT_NAMES, _ARM, strict=True)):
        place = "" if index == 0 else _link_place(_ARM[index - 1])
        turn = np.array(
            [
                [1.0, 0.0, 0.0],
                [0.0, math.cos(link.alpha), -math.sin(link.alpha)],
                [0.0, math.sin(link.alpha), math.cos(link.alpha)],
            ]
        )
        com = np.array([link.a, 0.0, link.d]) + turn @ np.array(link.com)
        lines += [
            f'<body name="link_{index + 1}"{place} gravcomp="1">',
            f' <inertial pos="{_vec(tuple(com))}" mass="{link.mass}" diaginertia="{_vec(link.inertia)}"/>',
            f""" <joint name="{name}" axis="0 0 1" range="{-2 * math.pi:.9g} {2 * math.pi:.9g}"
  armature="{link.armature}" damping="{link.damping}"/>""",
            f' <geom class="arm" name="link_{index + 1}" {_link_shape(link)}/>',
        ]
    lines += [
        f'<body name="flange"{_link_place(_ARM[-1])} gravcomp="1">',
        '<site name="flange" size=".003" group="4"/>',
    ]
    lines += _gripper(spec)
    lines.append("</body>" * 8)
    return lines


def _link_place(link: _Link) -> str:
    half = link.alpha / 2
    return f' pos="{link.a} 0 {link.d}" quat="{_vec((math.cos(half), math.sin(half), 0.0, 0.0))}"'


def _link_shape(link: _Link) -> str:
    if link.shape == "disc":
        return f'type="cylinder" size="{link.radius} .02" pos="0 0 {link.d - 0.02:.9g}"'
    if link.shape == "upper":
        ends = (0.0, 0.0, 0.175, link.a, 0.0, 0.175)
    elif link.shape == "fore":
        ends = (0.0, 0.0, 0.04, link.a, 0.0, 0.04)
    else:
        ends = (0.0, 0.0, 0.05, 0.0, 0.0, link.d)
    return f'type="capsule" size="{link.radius}" fromto="{_vec(ends)}"'


def _gripper(spec: SceneSpec) -> list[str]:
    thick, wide, high = PAD_HALF_SIZE_M
    pad_z = TCP_OFFSET_M - 0.002
    x, y, z = CAMERA_POSITION_M
    tilt_s, tilt_c = math.sin(CAMERA_TILT_RAD), math.cos(CAMERA_TILT_RAD)
    finger = _rgba(spec.finger_rgb)
    lines = [
        f'<geom class="arm" name="palm" type="box" size=".055 .035 .045" pos="0 0 .045" mass="0.8" {finger}/>',
        f"""<geom class="arm" name="camera_body" type="box" size=".05 .013 .012" mass=".1"
 pos="{x} {y} {z + TCP_OFFSET_M - 0.016:.9g}" {finger}/>""",
        # MuJoCo's camera looks along -z with y up: its y is the optical frame's -y.
        f"""<camera name="{CAMERA_NAME}" pos="{x} {y} {z + TCP_OFFSET_M:.9g}" fovy="{FOVY_DEG:.12g}"
 xyaxes="1 0 0 0 {-tilt_c:.12g} {tilt_s:.12g}"/>""",
        f'<site name="tcp" pos="0 0 {TCP_OFFSET_M}" size=".003" group="4"/>',
    ]
    for side, sign in (("left", 1), ("right", -1)):
        lines.append(
            f"""<body name="finger_{side}" gravcomp="1">
 <joint name="finger_{side}" type="slide" axis="{sign} 0 0" range="0 {STROKE_M / 2}" armature=".05" damping="20"/>
 <geom class="arm" name="finger_{side}" type="box" size=".006 .009 .024" pos="{sign * 0.012} 0 .112" mass=".05"
  {finger}/>
 <geom class="pad" name="pad_{side}" size="{thick} {wide} {high}" pos="{sign * thick} 0 {pad_z}" mass=".04"/>
</body>"""
        )
    return lines


def _actuators() -> str:
    limit = 2 * math.pi
    servos = "\n".join(
        f"""<position name="{name}" joint="{name}" kp="{link.kp}" kv="{link.kv}"
 forcerange="{-link.torque} {link.torque}" ctrlrange="{-limit:.9g} {limit:.9g}"/>"""
        for name, link in zip(JOINT_NAMES, _ARM, strict=True)
    )
    return f"""<equality>
<joint joint1="finger_left" joint2="finger_right" polycoef="0 1 0 0 0" solref="0.005 1"/>
</equality>
<actuator>
{servos}
<position name="gripper" joint="finger_left" kp="2000" kv="100" forcerange="{-GRIP_FORCE_N} {GRIP_FORCE_N}"
 ctrlrange="0 {STROKE_M / 2}"/>
</actuator>
<contact><exclude body1="finger_left" body2="finger_right"/></contact>"""
