"""`eyehand reset`: let go of a latched safe stop."""

from __future__ import annotations

import argparse
from pathlib import Path

from launch.cli.say import progress
from launch.operator_desk import ask_for_reset


def execute(options: argparse.Namespace) -> int:
    """Run the command."""
    reason = ask_for_reset(Path(options.run))
    progress(f"reset; it was: {reason}")
    return 0
