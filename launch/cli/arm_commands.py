"""Arguments of the commands that look at an arm, or simulate one."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from launch.cli.values import at_least


def add_arm_commands(commands: Any, epilog: str) -> None:
    """Add them to the parser of `eyehand`.

    Args:
        commands: What `add_subparsers` gave.
        epilog: Text below each command's help.
    """
    robot = commands.add_parser("robot", help="look at an arm before it works", epilog=epilog)
    looks = robot.add_subparsers(dest="look", metavar="LOOK", required=True)
    check = looks.add_parser(
        "check",
        help="connect, compare, measure; moves nothing unless --jog",
        description="Looks at the arm of a configuration: the controller and what it is set to, its kinematics against "
        "ours, regularity of its states, round trip, clock. Exit code 1: a check failed; 3: the arm does not answer.",
        epilog=epilog,
    )
    check.add_argument("config", metavar="CONFIG", help="file or packaged name")
    check.add_argument(
        "--set", action="append", default=[], metavar="K=V", dest="assignments",
        help="change a key of the configuration, for example rig.arm.options.host=192.168.0.2; may be repeated",
    )  # fmt: skip
    check.add_argument("--seconds", type=_seconds, default=5.0, metavar="S", help="listen to the states so long (5)")
    check.add_argument("--jog", action="store_true", help="then move each joint by 2 degrees to both sides, slowly")
    check.add_argument("--yes", action="store_true", help="do not ask before the jog")
    check.add_argument(
        "--calibration", type=Path, metavar="FILE", help="write the controller's kinematic figures there, for rig.arm"
    )
    check.add_argument("--json", action="store_true", help="print one JSON object and nothing else")

    simulate = commands.add_parser("simulate", help="play a robot's controller on this machine", epilog=epilog)
    what = simulate.add_subparsers(dest="what", metavar="WHAT", required=True)
    _ur(what.add_parser("ur", help="a UR controller in front of the simulated cell, until Ctrl-C", epilog=epilog))
    fault = what.add_parser("fault", help="let something go wrong at a simulated controller", epilog=epilog)
    fault.add_argument("fault", nargs="+", metavar="WORD", help="for example protective_stop, or speed_slider 0.3")
    _address(fault)


def _ur(parser: argparse.ArgumentParser) -> None:
    _address(parser)
    parser.add_argument("--model", default="ur10e", metavar="NAME", help="which UR arm it says it is (ur10e)")
    parser.add_argument("--seed", type=at_least(0), default=0, metavar="N", help="seed of the scene")
    parser.add_argument(
        "--gripper", choices=("robotiq", "tool_digital_output", "digital_output"), default="robotiq",
        help="what moves the gripper (robotiq)",
    )  # fmt: skip
    parser.add_argument("--socket", type=Path, metavar="PATH", help="where its cameras are served (default: a new one)")
    parser.add_argument(
        "--renderer", choices=("auto", "egl", "raycast", "none"), default="auto", help="of its cameras (auto)"
    )
    parser.add_argument(
        "--conveyor", type=_velocity, metavar="VX,VY", help="a conveyor carries the cube, velocity in the base [m/s]"
    )
    parser.add_argument(
        "--fault", action="append", default=[], metavar="WORDS", dest="faults",
        help="go wrong like this from the start, for example 'speed_slider 0.3'; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--trace", type=_npz, metavar="FILE", help="write the arm's last minute there at the end (.npz)"
    )
    parser.add_argument(
        "--ideal", action="store_true", help="an arm without physics and cameras; does not need the extra sim"
    )


def _address(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--address", default="127.0.0.1", metavar="IP", help="address of the controller (127.0.0.1)")


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0.1 <= value <= 600.0:
        raise argparse.ArgumentTypeError(f"{text}: expected 0.1 to 600 seconds")
    return value


def _velocity(text: str) -> tuple[float, float]:
    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text}: expected two numbers, for example 0,0.05") from None
    return (x, y)


def _npz(text: str) -> Path:
    path = Path(text).absolute()
    if path.suffix != ".npz" or not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"{text}: expected a name that ends with .npz, in a folder that exists")
    return path
