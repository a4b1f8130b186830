"""A UR controller before it is commanded: who it is, what it allows, what it is set to. Nothing is written to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from deploy.errors import Missing
from launch.bringup.finding import Finding
from launch.bringup.kinematics import compare_figures, compare_tool_poses, judge_tool
from robot.kinematics import Kinematics
from robot.ur.dashboard import Identity, require_remote
from robot.ur.driver import UrArm
from robot.ur.link import connect
from robot.ur.primary import read_kinematics
from robot.ur.robotiq import ROBOTIQ_PORT
from robot.ur.status import RobotMode, SafetyStatus, fault_of, name_of
from robot.ur.survey import Posture, read_postures

_LISTEN_S: Final = 0.5


def examine_controller(
    driver: UrArm, host: str, ours: Kinematics, *, min_speed_scaling: float, gripper: str, timeout_s: float
) -> Iterator[Finding]:
    """Look at a controller, from the outside in; what follows a failure may not come.

    Args:
        driver: The driver, not connected.
        host: Address of the controller.
        ours: What a run computes with.
        min_speed_scaling: Least position of the speed slider, 0 to 1.
        gripper: What the driver was told is on the flange.
        timeout_s: How long each answer may take [s].
    """
    try:
        identity = driver.read_identity()
        postures = read_postures(host, _LISTEN_S, timeout_s)
    except Missing as error:
        yield Finding("controller", "failure", f"{host} cannot be used", str(error), missing=True)
        return
    yield Finding(
        "controller",
        "ok",
        f"{identity.model}, serial {identity.serial_number}, PolyScope {identity.polyscope} at {host}",
        figures={"model": identity.model, "serial": identity.serial_number, "polyscope": identity.polyscope},
    )
    yield from _permissions(identity, postures[-1], min_speed_scaling)
    yield from judge_tool(postures[-1], ours)
    try:
        figures = read_kinematics(host, timeout_s)
    except Missing as error:
        remedy = f"{error}. Enable it under Settings > Security > Services to compare all postures"
        yield Finding("kinematics", "warning", "the controller does not tell its kinematic figures", remedy)
    else:
        yield compare_figures(figures, ours, postures[-1].joint_positions_rad)
    yield compare_tool_poses(postures, ours)
    if gripper == "robotiq":
        yield _robotiq(host, timeout_s)
    elif gripper != "none":
        bits = postures[-1].reading.digital_outputs
        yield Finding("gripper", "ok", f"{gripper}: outputs are {bits:#08x}; nothing tells how far the fingers are")


def _permissions(identity: Identity, posture: Posture, min_speed_scaling: float) -> Iterator[Finding]:
    reading = posture.reading
    state = (
        f"safety {name_of(SafetyStatus, reading.safety_status)}, mode {name_of(RobotMode, reading.robot_mode)}, "
        f"speed slider {reading.speed_slider:.0%}"
    )
    fault = fault_of(reading, min_speed_scaling)
    yield Finding("safety", "ok", state) if fault is None else Finding("safety", "failure", state, fault.sentence)
    try:
        require_remote(identity)
    except Missing as error:
        yield Finding("control", "failure", "local control", str(error))
    else:
        yield Finding("control", "ok", "remote control")
    if identity.program.upper().startswith("PLAYING"):
        remedy = "a run would stop it: see what it does, then stop it at the teach pendant or where it was started"
        yield Finding("program", "failure", f"a program runs: {identity.program}", remedy)
    else:
        yield Finding("program", "ok", identity.program)


def _robotiq(host: str, timeout_s: float) -> Finding:
    """Ask the gripper what it is, without waking it: activation opens and closes the fingers."""
    try:
        with connect(host, ROBOTIQ_PORT, timeout_s) as connection:
            answers = {}
            for name in ("STA", "FLT", "POS"):
                connection.sendall(f"GET {name}\n".encode())
                words = connection.recv(64).split()
                answers[name] = int(words[1])
    except (Missing, OSError, ValueError, IndexError) as error:
        remedy = (
            "see that Robotiq's URCap is installed and its gripper chosen in the installation, or set "
            "rig.arm.options.gripper to what is on the flange"
        )
        return Finding("gripper", "failure", f"no Robotiq gripper answers ({error})", remedy, missing=True)
    figures = {"status": answers["STA"], "fault": answers["FLT"], "opening": 1.0 - answers["POS"] / 255.0}
    active = answers["STA"] == 3
    detail = f"Robotiq, {'active' if active else 'not active'}, {figures['opening']:.0%} open"
    if answers["FLT"]:
        return Finding(
            "gripper", "failure", f"{detail}, fault {answers['FLT']}", "see its page at the pendant", figures
        )
    if not active:
        remedy = "a run activates it, which opens and closes the fingers once: keep hands and objects out of them"
        return Finding("gripper", "warning", detail, remedy, figures)
    return Finding("gripper", "ok", detail, figures=figures)
