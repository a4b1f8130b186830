"""The figures that a controller computes poses with, against ours."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from geometry import Pose
from launch.bringup.finding import Finding
from robot.kinematics import Calibration, Kinematics, forward
from robot.kinematics.dh import Six
from robot.ur.primary import KinematicFigures
from robot.ur.survey import Posture

# rounding of what travels as doubles, and of the controller's own arithmetic [m]
SAME_M = 0.0002
# corrections of the factory are millimetres; more is another model [m]
OTHER_ARM_M = 0.03
# the tool point that the teach pendant shows [m, rad]
TOOL_M = 0.001
TOOL_RAD = math.radians(0.5)
_POSES = 500


def compare_figures(theirs: KinematicFigures, ours: Kinematics, joints_rad: Six) -> Finding:
    """Compare the flange's place by the controller's figures and by ours, all over the joints' ranges.

    Args:
        theirs: What the controller computes with.
        ours: What a run computes with.
        joints_rad: Where the arm is [rad].
    """
    measured = theirs.calibration(ours.model)
    here_m, here_rad = _apart(measured, ours, joints_rad)
    everywhere = np.random.default_rng(0).uniform(ours.limits.lower_rad, ours.limits.upper_rad, (_POSES, 6))
    apart_m, apart_rad = np.array([_apart(measured, ours, q.tolist()) for q in everywhere]).T
    worst_m, worst_rad = float(apart_m.max()), float(apart_rad.max())
    whose = "nominal" if ours.calibration is None else "calibrated"
    figures = {
        "here_mm": here_m * 1e3, "here_mdeg": math.degrees(here_rad) * 1e3,
        "median_mm": float(np.median(apart_m)) * 1e3,
        "worst_mm": worst_m * 1e3, "worst_mdeg": math.degrees(worst_rad) * 1e3,
        "controller": {
            "theta_rad": theirs.theta_rad, "a_m": theirs.a_m, "d_m": theirs.d_m, "alpha_rad": theirs.alpha_rad,
            "checksums": theirs.checksums,
        },
    }  # fmt: skip
    detail = (
        f"controller's figures against ours ({ours.model.name}, {whose}): flange apart {here_m * 1e3:.2f} mm, "
        f"{math.degrees(here_rad) * 1e3:.0f} mdeg here; at most {worst_m * 1e3:.2f} mm, "
        f"{math.degrees(worst_rad) * 1e3:.0f} mdeg (n = {_POSES} postures)"
    )
    return _judged("kinematics", worst_m, detail, figures)


def compare_tool_poses(postures: Sequence[Posture], ours: Kinematics) -> Finding:
    """Compare the tool's pose that the controller gives with ours at the same joints, with the controller's tool."""
    apart = []
    for posture in postures:
        flange_T_tcp = _pose(posture.flange_T_tcp)
        mine = _flange(ours, posture.joint_positions_rad) @ flange_T_tcp
        apart.append(mine.distance_to(_pose(posture.base_T_tcp)))
    worst_m, worst_rad = (max(column) for column in zip(*apart, strict=True))
    figures = {"worst_mm": worst_m * 1e3, "worst_mdeg": math.degrees(worst_rad) * 1e3, "count": len(apart)}
    detail = (
        f"controller's pose of its tool against ours: {worst_m * 1e3:.2f} mm, "
        f"{math.degrees(worst_rad) * 1e3:.0f} mdeg at most (n = {len(apart)} states)"
    )
    return _judged("tool pose", worst_m, detail, figures)


def judge_tool(posture: Posture, ours: Kinematics) -> Iterator[Finding]:
    """Tool point and payload that the controller is set to."""
    theirs = _pose(posture.flange_T_tcp)
    apart_m, apart_rad = ours.flange_T_tcp.distance_to(theirs)
    x, y, z = (1e3 * value for value in posture.flange_T_tcp[:3])
    figures = {"flange_T_tcp": posture.flange_T_tcp, "apart_mm": apart_m * 1e3, "apart_deg": math.degrees(apart_rad)}
    detail = f"controller's TCP ({x:.1f}, {y:.1f}, {z:.1f}) mm in the flange; "
    if apart_m <= TOOL_M and apart_rad <= TOOL_RAD:
        yield Finding("tool point", "ok", f"{detail}as rig.arm.flange_T_gripper", figures=figures)
    else:
        remedy = (
            "runs command joints, so it does not steer them; but the controller limits the speed of its TCP and of the "
            "elbow: set it to rig.arm.flange_T_gripper (Installation > General > TCP)"
        )
        found = f"{apart_m * 1e3:.1f} mm, {math.degrees(apart_rad):.1f} deg from rig.arm.flange_T_gripper"
        yield Finding("tool point", "warning", detail + found, remedy, figures)
    centre = ", ".join(f"{1e3 * value:.0f}" for value in posture.payload_centre_m)
    load = {"payload_kg": posture.payload_kg, "centre_m": posture.payload_centre_m}
    detail = f"{posture.payload_kg:.2f} kg, centre ({centre}) mm in the flange"
    if posture.payload_kg > 0.0:
        yield Finding("payload", "ok", detail, figures=load)
    else:
        remedy = (
            "with a gripper on the flange the arm would sink in freedrive and stop for collisions that are none: "
            "set mass and centre (Installation > General > Payload), by its measuring wizard"
        )
        yield Finding("payload", "warning", detail, remedy, load)


def _judged(name: str, worst_m: float, detail: str, figures: dict[str, object]) -> Finding:
    if worst_m <= SAME_M:
        return Finding(name, "ok", detail, figures=figures)
    if worst_m <= OTHER_ARM_M:
        remedy = (
            "the factory measured this arm: give its figures as rig.arm.calibration (docs/bringup.md), and calibrate "
            "cameras after that"
        )
        return Finding(name, "warning", detail, remedy, figures)
    remedy = "this is another arm than rig.arm.model says, or its calibration is damaged: do not run"
    return Finding(name, "failure", detail, remedy, figures)


def _apart(measured: Calibration, ours: Kinematics, joints_rad: Sequence[float]) -> tuple[float, float]:
    return measured.forward(joints_rad, ours.model).distance_to(_flange(ours, joints_rad))


def _flange(ours: Kinematics, joints_rad: Sequence[float]) -> Pose:
    if ours.calibration is None:
        return forward(joints_rad, ours.model)
    return ours.calibration.forward(joints_rad, ours.model)


def _pose(six: Sequence[float]) -> Pose:
    return Pose.from_rotvec(np.array(six[3:]), np.array(six[:3]))
