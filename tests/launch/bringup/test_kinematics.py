"""The controller's figures against ours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from geometry import Pose
from launch.bringup.kinematics import compare_figures, compare_tool_poses, judge_tool
from robot.kinematics import UR10E, UR10E_HOME_RAD, Kinematics
from robot.ur.primary import KinematicFigures
from robot.ur.status import Reading
from robot.ur.survey import Posture

ZERO = (0.0,) * 6
GRIPPER = Pose(np.eye(3), np.array([0.0, 0.0, 0.145]))
NOMINAL = KinematicFigures(ZERO, UR10E.a_m, UR10E.d_m, UR10E.alpha_rad, (0,) * 6)
OURS = Kinematics(flange_T_tcp=GRIPPER)
READING = Reading(1.0, UR10E_HOME_RAD, ZERO, 7, 1, 1, 1.0, 0, 0, 0)


def longer_wrist(by_m: float) -> KinematicFigures:
    return replace(NOMINAL, d_m=(*UR10E.d_m[:5], UR10E.d_m[5] + by_m))


@pytest.mark.parametrize(
    ("by_m", "status"), [(0.0, "ok"), (0.0001, "ok"), (0.003, "warning"), (0.02, "warning"), (0.05, "failure")]
)
def test_as_far_apart_as_the_figures(by_m: float, status: str) -> None:
    found = compare_figures(longer_wrist(by_m), OURS, UR10E_HOME_RAD)
    assert found.status == status
    assert found.figures["worst_mm"] == pytest.approx(1e3 * by_m, abs=1e-6)
    assert found.figures["here_mm"] == pytest.approx(1e3 * by_m, abs=1e-6)
    assert bool(found.remedy) == (status != "ok")


def test_a_turned_axis_is_told_in_angles() -> None:
    turned = replace(NOMINAL, theta_rad=(*ZERO[:5], 0.001))
    assert compare_figures(turned, OURS, UR10E_HOME_RAD).figures["worst_mdeg"] == pytest.approx(57.2958, rel=1e-3)


def test_an_arm_that_is_configured_as_measured_agrees() -> None:
    theirs = replace(longer_wrist(0.004), theta_rad=(0.001, -0.002, 0.001, 0.0, 0.0, 0.0))
    ours = replace(OURS, calibration=theirs.calibration(UR10E))
    found = compare_figures(theirs, ours, UR10E_HOME_RAD)
    assert found.status == "ok"
    assert "calibrated" in found.detail
    assert compare_figures(NOMINAL, ours, UR10E_HOME_RAD).status == "warning"


def posture(base_T_tcp: Pose, payload_kg: float = 1.2, flange_T_tcp: Pose = GRIPPER) -> Posture:
    def six(pose: Pose) -> tuple[float, ...]:
        return (*pose.translation.tolist(), *pose.rotvec.tolist())

    return Posture(UR10E_HOME_RAD, six(base_T_tcp), six(flange_T_tcp), payload_kg, (0.0, 0.0, 0.05), READING)


def test_the_pose_of_the_tool_is_compared_with_the_tool_of_the_controller() -> None:
    other_tool = Pose(np.eye(3), np.array([0.01, 0.0, 0.2]))
    base_T_flange = OURS.tcp(UR10E_HOME_RAD) @ GRIPPER.inverse()
    right = posture(base_T_flange @ other_tool, flange_T_tcp=other_tool)
    assert compare_tool_poses([right], OURS).status == "ok"
    off = posture(base_T_flange @ other_tool @ Pose(np.eye(3), np.array([0.002, 0.0, 0.0])), flange_T_tcp=other_tool)
    found = compare_tool_poses([right, off], OURS)
    assert (found.status, found.figures["count"]) == ("warning", 2)
    assert found.figures["worst_mm"] == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("flange_T_tcp", "payload_kg", "statuses"),
    [
        (GRIPPER, 1.2, ["ok", "ok"]),
        (Pose.identity(), 1.2, ["warning", "ok"]),
        (GRIPPER, 0.0, ["ok", "warning"]),
        (Pose.from_rotvec(np.array([0.0, 0.0, 0.1]), GRIPPER.translation), 1.2, ["warning", "ok"]),
    ],
)
def test_tool_and_payload(flange_T_tcp: Pose, payload_kg: float, statuses: list[str]) -> None:
    seen = posture(Pose.identity(), payload_kg, flange_T_tcp)
    assert [found.status for found in judge_tool(seen, OURS)] == statuses
