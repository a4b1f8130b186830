"""The world's arm behind a loopback UR controller, as an unmodified ur_rtde sees it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from deploy.errors import BadInput
from robot.arm import ArmFault, JointCommand
from robot.sim import HOME_JOINTS_RAD
from robot.sim.remote import RemoteArm
from robot.sim.settings import WorldSettings
from robot.sim.world_process import WorldProcess

pytest.importorskip("rtde_control")
from robot.ur.driver import UrArm

HOME = np.array(HOME_JOINTS_RAD)
PAN = np.eye(6)[0]
EPOCH_NS = time.monotonic_ns()
ADDRESS = f"127.1.{os.getpid() % 250}.1"
LATE_S = 5.0


def clock() -> int:
    return time.monotonic_ns() - EPOCH_NS


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + LATE_S
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


@pytest.fixture(scope="module")
def world() -> Iterator[WorldProcess]:
    with WorldProcess(WorldSettings(Path(), EPOCH_NS, renderer="none", ur_address=ADDRESS)) as process:
        yield process


@pytest.fixture
def arm(world: WorldProcess) -> Iterator[UrArm]:
    world.reset(1)
    arm = UrArm(ADDRESS, clock=clock)
    arm.connect()
    yield arm
    arm.close()


def go(arm: UrArm, target: np.ndarray, opening: float = 1.0) -> None:
    start = arm.read_state().joint_positions_rad
    ticks = 100
    for tick in range(1, ticks + 1):
        part = 0.5 - 0.5 * np.cos(np.pi * tick / ticks)
        arm.send(JointCommand(clock(), "position", start + part * (target - start), opening))
        time.sleep(0.01)
    until(lambda: bool(np.allclose(arm.read_state().joint_positions_rad, target, atol=5e-3)))


def test_the_controller_moves_the_simulated_arm(world: WorldProcess, arm: UrArm) -> None:
    assert arm.read_state().joint_positions_rad == pytest.approx(HOME, abs=2e-3)
    go(arm, HOME + 0.2 * PAN, opening=0.2)
    trace = world.client.trace()
    assert trace.joints_rad[-1] == pytest.approx(HOME + 0.2 * PAN, abs=5e-3)
    until(lambda: world.truth()["detail"]["first_close_tcp_in_base_m"] is not None)
    assert world.client.status().slips == 0


def test_a_changed_scene_with_the_arm_where_it_is_disturbs_nobody(world: WorldProcess, arm: UrArm) -> None:
    target = HOME + 0.3 * PAN
    go(arm, target)
    world.reset(2, keep_arm=True)
    for _ in range(20):
        arm.send(JointCommand(clock(), "position", target, 1.0))
        time.sleep(0.01)
    assert arm.read_state().joint_positions_rad == pytest.approx(target, abs=5e-3)
    assert world.truth()["detail"]["seed"] == 2


def test_an_arm_that_is_put_home_under_its_program_ends_the_program(world: WorldProcess, arm: UrArm) -> None:
    go(arm, HOME + 0.3 * PAN)
    world.reset(3)
    with pytest.raises(ArmFault):
        until(lambda: arm.read_state() is None)
    assert world.client.trace().joints_rad[-1] == pytest.approx(HOME, abs=2e-3)
    arm.recover()
    go(arm, HOME - 0.1 * PAN)


def test_the_bare_arm_is_not_to_be_had(world: WorldProcess) -> None:
    with pytest.raises(BadInput, match=f"behind a UR controller at {ADDRESS}"):
        RemoteArm(world.socket).connect()


def test_a_taken_address_is_named(world: WorldProcess) -> None:
    with pytest.raises(BadInput, match=ADDRESS):
        WorldProcess(WorldSettings(Path(), EPOCH_NS, renderer="none", ur_address=ADDRESS))
