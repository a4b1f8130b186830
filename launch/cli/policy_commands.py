"""Arguments of the commands around learned policies."""

from __future__ import annotations

import argparse
from typing import Any

from launch.cli.values import at_least, fraction

JSON = "print one JSON object on stdout; notes go to stderr"


def add_policy_commands(commands: Any, epilog: str) -> None:
    """Add them to the parser of `eyehand`.

    Args:
        commands: What `add_subparsers` gave.
        epilog: Text below each command's help.
    """
    _collect(
        commands.add_parser(
            "collect",
            help="demonstrations of the expert, as a LeRobotDataset",
            description="Let the scripted expert do the task in simulation while its motion is disturbed, through the "
            "whole pipeline, and write what was seen with what the expert meant to do: a LeRobotDataset v3.0. "
            "Episodes that fail are left out.",
            epilog=epilog,
        )
    )


def _collect(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", nargs="?", metavar="CONFIG", help="file or packaged name (sim_pick_place)")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the dataset")
    parser.add_argument(
        "--from-bag", nargs="+", default=[], metavar="RUN", help="take what these runs recorded, and simulate nothing"
    )
    parser.add_argument("--episodes", type=at_least(1), metavar="N", help="episodes to run in all (100)")
    parser.add_argument("--seed", type=at_least(0), metavar="N", help="of the scenes and of the noise (0)")
    parser.add_argument(
        "--action-space", choices=("joint_position", "joint_velocity", "joint_delta", "ee_pose"),
        default="ee_pose", help="what the actions mean (ee_pose)",
    )  # fmt: skip
    parser.add_argument(
        "--noise", type=_metres, metavar="METRES", help="longest offset of the tool [m]; 0: none (0.04)"
    )
    parser.add_argument(
        "--misses", type=fraction, metavar="SHARE",
        help="share of the episodes whose first grasp is led past the object (0.2)",
    )  # fmt: skip
    parser.add_argument(
        "--moving", type=fraction, metavar="SHARE",
        help="share of the episodes in which a conveyor carries the object, each with its own speed and direction (0)",
    )  # fmt: skip
    parser.add_argument("--images", action="store_true", help="keep the cameras' pictures, as PNG")
    parser.add_argument("--jobs", type=at_least(1), metavar="N", help="processes (1); the data is the same")
    parser.add_argument("--resume", action="store_true", help="go on with the dataset that is there")
    parser.add_argument(
        "--set", action="append", default=[], metavar="K=V", dest="assignments",
        help="change a key of the configuration, for example sim.renderer=raycast; may be repeated",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help=JSON)


def _metres(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0.0 <= value <= 0.08:
        raise argparse.ArgumentTypeError(f"{text}: expected 0 to 0.08 m")
    return value
