"""Jogging the loopback arm through an arm host."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest

from deploy.realtime import Realtime
from launch.bringup.finding import Finding
from launch.bringup.jog import JogPlan, jog, judge_motion
from launch.bringup.mover import Mover, Pace
from launch.bringup.session import open_session
from launch.config import Config
from launch.wiring import arm_model
from tests.robot.ur.loopback_process import LoopbackProcess

pytest.importorskip("script_client")

# the tests' arm is in a hurry
PLAN = JogPlan(settle_s=0.05, pace=Pace(0.5, 5.0, 150.0, tool_speed_m_s=1.0, following_rad=0.3))
TWO = math.radians(2.0)


def run(config: Config, count: int = 99, look: Callable[[Finding], None] = lambda _: None) -> list[Finding]:
    """The first findings of a jog; then somebody gives up."""
    with open_session(config) as session:
        mover = Mover(session, {"gripper": "none"}, config, arm_model(session.arm), PLAN.pace)
        findings = jog(mover, PLAN, Realtime(config.realtime))
        found = []
        for finding in itertools.islice(findings, count):
            found.append(finding)
            look(finding)
        findings.close()
    return found


def test_every_joint_goes_to_both_sides_and_comes_back(
    controller: LoopbackProcess, configured: Callable[..., Config]
) -> None:
    before = controller.status()["joints_rad"]
    found = run(configured())
    assert len(found) == 8
    for finding in found[:6]:
        assert finding.status != "failure", finding
        assert "moved_deg" in finding.figures, finding
        assert finding.figures["moved_deg"] == pytest.approx([2.0, -2.0], abs=0.2)
        assert finding.figures["others_deg"] < 0.2
    assert (found[6].name, found[6].status) == ("stop", "ok")
    assert 0.0 < found[6].figures["went_deg"] < 2.0
    assert found[7].name == "arm host"
    assert found[7].status != "failure", found[7]
    status = controller.status()
    assert status["joints_rad"] == pytest.approx(before, abs=2e-3)
    assert status["velocity_rad_s"] == pytest.approx([0.0] * 6, abs=1e-3)


def test_a_fault_in_between_ends_it(controller: LoopbackProcess, configured: Callable[..., Config]) -> None:
    found = run(configured(), look=lambda _: controller.inject("protective_stop") and None)
    assert found[0].status != "failure"
    assert [finding.status for finding in found[1:]] == ["failure"]
    assert "protective_stop" in found[1].detail
    assert "clear it" in found[1].remedy


def test_what_the_governor_refuses_is_a_warning_and_the_arm_goes_back_and_holds(
    controller: LoopbackProcess, configured: Callable[..., Config]
) -> None:
    before = controller.status()["joints_rad"]
    # the tool is at 0.35 m: the shoulder lifts it by 20 mm
    pan, lift = run(configured("governor.workspace_max_m=[1.2, 1.2, 0.355]"), count=2)
    assert pan.status != "failure"
    assert lift.status == "warning"
    assert "workspace_z" in lift.detail
    status = controller.status()
    assert status["program"] is None
    assert status["joints_rad"] == pytest.approx(before, abs=2e-3)
    assert np.abs(status["velocity_rad_s"]).max() < 1e-3


@pytest.mark.parametrize(
    ("moved", "others", "behind", "status", "said"),
    [
        ((TWO, -TWO), 0.0, 0.003, "ok", "following error 0.17 deg"),
        ((TWO, -TWO), 0.0, 0.02, "warning", "following error 1.15 deg"),
        ((-TWO, TWO), 0.0, 0.003, "failure", "wrong way"),
        ((0.5 * TWO, -TWO), 0.0, 0.003, "failure", "+1.00 / -2.00 measured"),
        ((TWO, -TWO), 0.02, 0.003, "failure", "another joint moved 1.15 deg"),
    ],
)
def test_judgement(moved: tuple[float, float], others: float, behind: float, status: str, said: str) -> None:
    found = judge_motion("elbow_joint", TWO, moved, others, behind)
    assert found.status == status
    assert said in found.detail
    assert bool(found.remedy) == (status != "ok")
