"""Arguments of the command that tracks boxes in files."""

from __future__ import annotations

import argparse
from typing import Any


def add_tracking_commands(commands: Any, epilog: str) -> None:
    """Add them to the parser of `eyehand`.

    Args:
        commands: What `add_subparsers` gave.
        epilog: Text below each command's help.
    """
    track = commands.add_parser(
        "track",
        help="give the boxes of a file identities",
        description="Track the detections of a MOTChallenge file, rows frame,id,left,top,width,height,conf,x,y,z: "
        "writes a row for each detection with a confirmed identity.",
        epilog=epilog,
    )
    track.add_argument("--detections", required=True, metavar="FILE", help="detections (det.txt)")
    track.add_argument("--out", required=True, metavar="FILE", help="tracks; replaced if it exists")
    camera = track.add_mutually_exclusive_group()
    camera.add_argument(
        "--camera-motion", metavar="FILE", help="frame and 2x3 or 3x3 motion from the frame before, a row each"
    )
    camera.add_argument("--images", metavar="PATH", help="folder of pictures, or video: the motion is measured in them")
    track.add_argument("--fps", type=_frame_rate, metavar="F", help="frames a second (seqinfo.ini, else 30)")
    track.add_argument("--min-score", type=_finite, metavar="S", help="leave out detections below this, in their unit")
    track.add_argument("--json", action="store_true", help="print one JSON object on stdout; notes go to stderr")


def _frame_rate(text: str) -> float:
    value = _number(text)
    if not 0.01 <= value <= 1000.0:
        raise argparse.ArgumentTypeError(f"{text}: expected 0.01 to 1000 frames a second")
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number") from None


def _finite(text: str) -> float:
    value = _number(text)
    if not abs(value) < float("inf"):
        raise argparse.ArgumentTypeError(f"{text}: expected a finite number")
    return value
