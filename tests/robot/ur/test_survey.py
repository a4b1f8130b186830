"""A controller is listened to without being commanded."""

from __future__ import annotations

import pytest

from deploy.errors import Missing
from robot.kinematics import UR10E_HOME_RAD, forward
from robot.ur.status import RobotMode, SafetyStatus
from robot.ur.survey import read_postures
from tests.robot.ur.loopback_process import LoopbackProcess


def test_pose_tool_and_mode_of_one_instant(loopback: LoopbackProcess) -> None:
    loopback.inject("remote_control 0")  # listening is allowed in local control
    loopback.inject("protective_stop")
    postures = read_postures(loopback.address, 0.2, 5.0)
    for posture in postures:
        x, y, z = forward(posture.joint_positions_rad).translation
        assert posture.base_T_tcp[:3] == pytest.approx((x, y, z), abs=1e-9)
        assert posture.joint_positions_rad == pytest.approx(UR10E_HOME_RAD, abs=1e-2)
    last = postures[-1].reading
    assert (last.robot_mode, last.safety_status) == (RobotMode.RUNNING, SafetyStatus.PROTECTIVE_STOP)
    assert loopback.status()["program"] is None


def test_a_controller_that_refuses_the_fields_is_missing(loopback: LoopbackProcess) -> None:
    loopback.inject("refuse_recipe")
    try:
        with pytest.raises(Missing, match=f"{loopback.address}:30004 refuses"):
            read_postures(loopback.address, 0.2, 5.0)
    finally:
        loopback.inject("clear")


def test_nobody_there_is_missing(loopback_address: str) -> None:
    with pytest.raises(Missing, match=loopback_address):
        read_postures(loopback_address, 0.2, 0.5)
