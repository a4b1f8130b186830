"""The driver with LeRobot itself: its registry, its configuration classes, its abstract robot."""

from __future__ import annotations

import inspect
import math
import time
from pathlib import Path

import numpy as np
import pytest
from bench_motors import ARM, BenchMotors

from deploy.errors import BadInput, Missing
from deploy.training import cpu_torchvision
from robot.arm import JointCommand

pytest.importorskip("lerobot", reason="needs LeRobot: make test-lerobot")
STAND_IN = cpu_torchvision.install()
from robot.host import HostedArm, HostSettings  # noqa: E402
from robot.lerobot.driver import LeRobotArm  # noqa: E402
from robot.lerobot.robots import make_robot  # noqa: E402

pytestmark = pytest.mark.lerobot


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plug-in as LeRobot sees one that was installed: a distribution of that name."""
    folder = tmp_path / "site" / "lerobot_robot_bench-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: lerobot_robot_bench\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(str(folder.parent))


def bench(**config: object) -> LeRobotArm:
    return LeRobotArm("eyehand_bench", {"port": "/dev/null"} | config, joints=ARM, bus_rate_hz=100.0)


def test_a_plug_in_of_somebody_else_is_found_and_driven() -> None:
    arm = bench(start=20.0)
    arm.connect()
    try:
        here = arm.read_state().joint_positions_rad
        assert here[:5] == pytest.approx([math.radians(20.0)] * 5)
        arm.send(JointCommand(0, "position", here + np.array([0.2, 0, 0, 0, 0, 0]), 1.0))
        time.sleep(0.5)
        state = arm.read_state()
        assert state.joint_positions_rad[0] == pytest.approx(here[0] + 0.2, abs=0.01)
        assert state.gripper_opening == pytest.approx(1.0, abs=0.02)
    finally:
        arm.close()


def test_it_keeps_holding_when_it_is_let_go_of_unless_the_user_says_otherwise() -> None:
    for config, torque in ({}, True), ({"disable_torque_on_disconnect": True}, False):
        robot = make_robot("eyehand_bench", {"port": "x"} | config)
        robot.connect(calibrate=False)
        robot.disconnect()
        assert robot.bus.torque is torque


def test_the_tests_robot_has_the_shape_of_lerobots() -> None:
    from lerobot.robots import Robot

    for name in Robot.__abstractmethods__:
        theirs, ours = getattr(Robot, name), inspect.getattr_static(BenchMotors, name)
        assert isinstance(theirs, property) == isinstance(ours, property), name
        if not isinstance(theirs, property):
            assert list(inspect.signature(theirs).parameters) == list(inspect.signature(ours).parameters), name


@pytest.mark.parametrize(
    ("name", "config", "message"),
    [
        ("so_100", {}, r"robot 'so_100' is not registered with LeRobot: it knows .*eyehand_bench.*so101_follower"),
        ("eyehand_bench", {}, "config of robot eyehand_bench: .*port"),
        ("eyehand_bench", {"port": "x", "prot": 1}, "config of robot eyehand_bench: .*prot"),
        ("eyehand_bench", {"port": "x", "start": "high"}, "config of robot eyehand_bench: .*start"),
    ],
)
def test_what_the_user_can_get_wrong(name: str, config: dict[str, object], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        make_robot(name, config)


def test_robots_of_lerobot_are_registered_on_demand() -> None:
    """The bus of an SO-101 needs a package that is not here, or a port that is not: either way in a sentence."""
    arm = LeRobotArm("so101_follower", {"port": "/dev/eyehand-nowhere"}, joints=ARM)
    with pytest.raises(Missing, match=r"pip install 'lerobot\[feetech\]'|/dev/eyehand-nowhere cannot be connected"):
        arm.connect()


def test_an_arm_that_is_not_calibrated() -> None:
    with pytest.raises(Missing, match=r"lerobot-calibrate --robot\.type=eyehand_bench --robot\.id=left"):
        bench(calibrated=False, id="left").connect()


@pytest.mark.skipif(STAND_IN, reason="LeRobot does not import here without help, which the arm host's process has not")
def test_it_runs_in_the_arm_host() -> None:
    options = {"robot": "eyehand_bench", "config": {"port": "/dev/null"}, "joints": list(ARM), "bus_rate_hz": 100.0}
    epoch_ns = time.monotonic_ns()
    settings = HostSettings(
        "robot.lerobot.driver:LeRobotArm", options, rate_hz=100.0, epoch_ns=epoch_ns, heartbeat_ns=500_000_000,
        connect_timeout_s=300.0,
    )  # fmt: skip
    arm = HostedArm(settings)
    arm.connect()
    try:
        start = arm.read_state().joint_positions_rad
        for k in range(100):
            now_ns = time.monotonic_ns() - epoch_ns
            arm.send(JointCommand(now_ns, "position", start + np.array([0.002 * k, 0, 0, 0, 0, 0]), 0.5))
            arm.read_states()
            time.sleep(0.01)
        moved = arm.read_state().joint_positions_rad - start
        assert moved[0] == pytest.approx(0.2, abs=0.05)
        assert moved[1:] == pytest.approx([0.0] * 5, abs=1e-3)
    finally:
        arm.close()
