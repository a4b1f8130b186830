"""The arm and its gripper as MuJoCo XML: a UR10e of primitives from its DH figures.

The arm follows the published nominal DH parameters, masses and centres of mass of the UR10e; the inertias are rounded
estimates for rods and blocks of those masses. A joint's body sits at the DH frame of the link before it and turns about
that frame's z, so the joint angles here are the controller's. No body has two shapes: up to MuJoCo 3.17 `mj_multiRay`
overlooks bodies that do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from robot.sim.layout import (
    CAMERA_NAME,
    CAMERA_POSITION_M,
    CAMERA_TILT_RAD,
    FOCAL_PX,
    IMAGE_HEIGHT,
    JOINT_NAMES,
    STROKE_M,
    TCP_OFFSET_M,
)
from robot.sim.scene import SceneSpec
from robot.sim.xml_text import rgba, vec

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


def arm(spec: SceneSpec) -> list[str]:
    """Bodies of the arm, the gripper and the wrist camera."""
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
            f' <inertial pos="{vec(tuple(com))}" mass="{link.mass}" diaginertia="{vec(link.inertia)}"/>',
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
    return f' pos="{link.a} 0 {link.d}" quat="{vec((math.cos(half), math.sin(half), 0.0, 0.0))}"'


def _link_shape(link: _Link) -> str:
    if link.shape == "disc":
        return f'type="cylinder" size="{link.radius} .02" pos="0 0 {link.d - 0.02:.9g}"'
    if link.shape == "upper":
        ends = (0.0, 0.0, 0.175, link.a, 0.0, 0.175)
    elif link.shape == "fore":
        ends = (0.0, 0.0, 0.04, link.a, 0.0, 0.04)
    else:
        ends = (0.0, 0.0, 0.05, 0.0, 0.0, link.d)
    return f'type="capsule" size="{link.radius}" fromto="{vec(ends)}"'


def _gripper(spec: SceneSpec) -> list[str]:
    thick, wide, high = PAD_HALF_SIZE_M
    pad_z = TCP_OFFSET_M - 0.002
    x, y, z = CAMERA_POSITION_M
    tilt_s, tilt_c = math.sin(CAMERA_TILT_RAD), math.cos(CAMERA_TILT_RAD)
    finger = rgba(spec.finger_rgb)
    lines = [
        f"""<body name="palm" gravcomp="1" pos="0 0 .045">
 <geom class="arm" name="palm" type="box" size=".055 .035 .045" mass="0.8" {finger}/></body>""",
        f"""<body name="camera_body" gravcomp="1" pos="{x} {y} {z + TCP_OFFSET_M - 0.016:.9g}">
 <geom class="arm" name="camera_body" type="box" size=".05 .013 .012" mass=".1" {finger}/></body>""",
        # MuJoCo's camera looks along -z with y up: its y is the optical frame's -y.
        f"""<camera name="{CAMERA_NAME}" pos="{x} {y} {z + TCP_OFFSET_M:.9g}" fovy="{FOVY_DEG:.12g}"
 xyaxes="1 0 0 0 {-tilt_c:.12g} {tilt_s:.12g}"/>""",
        f'<site name="tcp" pos="0 0 {TCP_OFFSET_M}" size=".003" group="4"/>',
    ]
    for side, sign in (("left", 1), ("right", -1)):
        lines.append(
            f"""<body name="finger_{side}" gravcomp="1">
 <joint name="finger_{side}" type="slide" axis="{sign} 0 0" range="0 {STROKE_M / 2}" armature=".05" damping="20"/>
 <geom class="pad" name="pad_{side}" size="{thick} {wide} {high}" pos="{sign * thick} 0 {pad_z}" mass=".04"/>
 <body name="finger_block_{side}" gravcomp="1" pos="{sign * 0.012} 0 .112">
  <geom class="arm" name="finger_{side}" type="box" size=".006 .009 .024" mass=".05" {finger}/></body>
</body>"""
        )
    return lines


def actuators() -> str:
    """Servos of the joints and of the gripper, and what couples its fingers."""
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
