"""`eyehand robot check` against a loopback controller."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from launch.cli.main import main
from launch.config import load_config
from launch.wiring import arm_model
from robot.kinematics import UR10E
from robot.ur.robotiq import ROBOTIQ_PORT
from tests.launch.bringup.conftest import behind
from tests.robot.ur.loopback_process import LoopbackProcess

pytest.importorskip("dashboard_client")
SHORT = ("--seconds", "0.3")


Looked = Callable[..., tuple[int, dict[str, Any]]]


def check(address: str, *more: str) -> list[str]:
    settings = [word for assignment in behind(address) for word in ("--set", assignment)]
    return ["robot", "check", "ur10e_loopback", *settings, *SHORT, *more]


@pytest.fixture
def looked(controller: LoopbackProcess, capsys: pytest.CaptureFixture[str]) -> Looked:
    def look(*more: str) -> tuple[int, dict[str, Any]]:
        code = main(check(controller.address, "--json", *more))
        tree = json.loads(capsys.readouterr().out)
        return code, {finding["name"]: finding for finding in tree["findings"]}

    return look


def test_a_controller_that_is_ready(
    controller: LoopbackProcess,
    looked: Looked,
    tmp_path: Path,
) -> None:
    path = tmp_path / "calibration.yaml"
    code, found = looked("--calibration", str(path))
    assert code == 0
    assert list(found) == [
        "controller", "safety", "control", "program", "tool point", "payload", "kinematics", "tool pose", "gripper",
        "connection", "states", "joints", "round trip", "clock",
    ]  # fmt: skip
    assert found["controller"]["figures"]["serial"] == "20225500001"
    assert found["kinematics"]["figures"]["worst_mm"] < 1e-6
    assert found["tool pose"]["figures"]["worst_mm"] < 1e-6
    assert found["states"]["figures"]["count"] > 10
    assert found["round trip"]["figures"]["count"] > 100
    assert controller.status()["program"] is None
    # what was written is what a configuration takes
    arm = yaml.safe_load(path.read_text())["calibration"]
    config = load_config("sim_pick_place", (f"rig.arm.calibration={json.dumps(arm)}",))
    assert config.rig.arm is not None
    measured = arm_model(config.rig.arm).calibration
    assert measured is not None
    assert measured.of_figures(UR10E, **arm) == measured


def test_the_gripper_is_not_woken(
    controller: LoopbackProcess,
    looked: Looked,
) -> None:
    _, found = looked()
    with socket.create_connection((controller.address, ROBOTIQ_PORT)) as gripper:
        gripper.sendall(b"GET STA\n")
        assert gripper.recv(64).split() == [b"STA", b"0"]
    assert (found["gripper"]["status"], found["gripper"]["figures"]["status"]) == ("warning", 0)


@pytest.mark.parametrize(
    ("fault", "name", "said"),
    [
        ("remote_control 0", "control", "Remote Control"),
        ("protective_stop", "safety", "clear it"),
        ("safeguard_stop", "safety", "Close it"),
        ("power_off", "safety", "press the power symbol"),
        ("speed_slider 0.3", "safety", "Move it up"),
    ],
)
def test_what_keeps_an_arm_from_moving_is_a_failure(
    fault: str,
    name: str,
    said: str,
    controller: LoopbackProcess,
    looked: Looked,
) -> None:
    controller.inject(fault)
    code, found = looked("--jog", "--yes")
    assert code == 1
    assert found[name]["status"] == "failure"
    assert said in found[name]["remedy"]
    assert "connection" not in found  # no script is started on a controller that is not ready
    assert (found["jog"]["status"], found["kinematics"]["status"]) == ("failure", "ok")
    assert controller.status()["target_rad"] == pytest.approx(controller.status()["joints_rad"], abs=1e-3)


def test_a_program_of_somebody_else_is_left_alone(
    controller: LoopbackProcess,
    looked: Looked,
) -> None:
    with socket.create_connection((controller.address, 30001)) as connection:
        connection.sendall(b"def palletizer():\n  sleep(1)\nend\n")
        code, found = looked()
    assert (code, found["program"]["status"]) == (1, "failure")
    assert "palletizer" in found["program"]["detail"]
    assert controller.status()["program"] == "palletizer"


def test_a_jog_that_nobody_confirms_moves_nothing(
    controller: LoopbackProcess,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = controller.status()["joints_rad"]
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert main(check(controller.address, "--jog")) == 1
    told = capsys.readouterr()
    assert "failure  jog: not confirmed" in told.out
    assert "hand on the emergency stop" in told.err
    assert controller.status()["joints_rad"] == pytest.approx(before, abs=1e-6)


def test_nobody_there_is_3(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(check("127.2.251.251")) == 3
    told = capsys.readouterr()
    assert "127.2.251.251:29999" in told.out
    assert "eyehand: do not run this arm yet: controller" in told.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("perception",), "has no arm"),
        (("ur10e_loopback", "--set", "sim.controller=none", "--set", "rig.arm.options.hst=1"), "takes no such option"),
        (("ur10e_loopback", "--set", "sim.controller=none", "--set", "rig.arm.type=kuka"), "not registered"),
    ],
)
def test_a_wrong_configuration_is_2(arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["robot", "check", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_the_simulated_arm_is_looked_at_too(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("mujoco")
    assert main(["robot", "check", "sim_pick_place", *SHORT, "--json"]) == 0
    tree = json.loads(capsys.readouterr().out)
    assert [finding["name"] for finding in tree["findings"]] == ["connection", "states", "joints"]
