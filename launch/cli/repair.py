"""`eyehand repair`: complete the bag of a run that was killed, so that it can be replayed and reported."""

from __future__ import annotations

import argparse
from pathlib import Path

from deploy.errors import BadInput
from launch.cli.say import progress
from perception.sources.mcap_tail import is_complete, repair


def execute(options: argparse.Namespace) -> int:
    """Run the command."""
    path = Path(options.bag)
    files = sorted(path.glob("*.mcap")) if path.is_dir() else [path]
    if len(files) != 1 or not files[0].is_file():
        raise BadInput(f"{path}: expected a run folder with one .mcap file, or such a file; found {len(files)}")
    if files[0].suffix != ".mcap":
        raise BadInput(f"{path}: only .mcap files can be repaired here")
    if is_complete(files[0]):
        progress(f"{files[0]}: whole, nothing to repair")
        return 0
    before = files[0].stat().st_size
    tail = repair(files[0])
    progress(f"{files[0]}: repaired; the last {before - tail.keep} of {before} bytes were unfinished and are gone")
    return 0
