"""The host in front of the simulated world's arm: three processes, and what the world saw."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from robot.host import HostedArm, HostSettings
from robot.sim import HOME_JOINTS_RAD
from tests.robot.host.main_process import drive
from tests.robot.host.test_processes import HASTE, ROOT, wait_for

pytest.importorskip("mujoco")
from robot.sim.settings import WorldSettings
from robot.sim.world_process import WorldProcess

EPOCH_NS = time.monotonic_ns()
DRIVER = "robot.sim.remote:RemoteArm"


@pytest.fixture(scope="module")
def world() -> Iterator[WorldProcess]:
    with WorldProcess(WorldSettings(Path(), EPOCH_NS, renderer="none")) as world:
        yield world


def test_it_follows_and_a_new_scene_does_not_pull_it_back(world: WorldProcess, tmp_path: Path) -> None:
    world.reset(1)
    log = tmp_path / "arm_host.jsonl"
    options = {"socket": str(world.socket)}
    arm = HostedArm(HostSettings(DRIVER, options, epoch_ns=EPOCH_NS, log_path=log, **HASTE))
    arm.connect()
    try:
        drive(arm, EPOCH_NS, 0.5)
        wait_for(lambda: arm.read_states()[-1].joint_positions_rad[0] > HOME_JOINTS_RAD[0] + 0.1, "way")
        arm.stop()
        wait_for(lambda: np.abs(arm.read_state().joint_velocities_rad_s).max() < 0.01, "rest")
        time.sleep(0.3)
        world.reset(2)
        home = np.array(HOME_JOINTS_RAD)
        wait_for(lambda: np.abs(arm.read_states()[-1].joint_positions_rad - home).max() < 0.02, "home")
        time.sleep(0.3)
        assert np.abs(arm.read_states()[-1].joint_positions_rad - home).max() < 0.02
        drive(arm, EPOCH_NS, 0.3)
        wait_for(lambda: arm.read_states()[-1].joint_positions_rad[0] > HOME_JOINTS_RAD[0] + 0.03, "way")
    finally:
        arm.close()


def test_the_world_sees_the_arm_come_to_rest_when_main_is_killed(world: WorldProcess, tmp_path: Path) -> None:
    world.reset(3)
    told = {
        "folder": str(tmp_path), "how": "", "epoch_ns": EPOCH_NS, "driver": DRIVER,
        "options": {"socket": str(world.socket)}, **HASTE,
    }  # fmt: skip
    main = subprocess.Popen(
        [sys.executable, "-m", "tests.robot.host.main_process", json.dumps(told)],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert main.stdout is not None
        assert main.stdout.readline() == "moving\n"
        wait_for(lambda: np.abs(world.client.trace().speeds_rad_s[-1]).max() > 0.75, "speed")
        killed_ns = time.monotonic_ns() - EPOCH_NS
        main.kill()
        wait_for(lambda: "closed" in (tmp_path / "arm_host.jsonl").read_text(), "the arm host's end")
        time.sleep(0.3)
        rest = world.client.trace().to_rest(killed_ns)
    finally:
        main.kill()
        main.wait()
        assert main.stdout is not None
        main.stdout.close()
    # from 0.8 rad/s it takes 0.12 s and 0.048 rad at the limits, and the servos follow a little behind; a main process
    # that is kept waiting makes the host brake sooner, or catch up faster, and a host that is kept waiting brakes later
    fastest = max(rest.start_rad_s, 0.8)
    assert rest.after_s < 1.0 + fastest / 10.0
    assert max(rest.joints_rad) < fastest * (0.5 + fastest / 20.0)
