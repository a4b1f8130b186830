"""`eyehand replay`: run a recording through the pipeline again."""

from __future__ import annotations

import argparse
from pathlib import Path

from launch.cli.report import show_run
from launch.cli.say import progress, result
from launch.replay_run import replay, save
from launch.session import new_run_dir


def execute(options: argparse.Namespace) -> int:
    """Run the command."""
    folder = new_run_dir(options.out, "replay") if options.out is not None else None
    outcome, account = replay(Path(options.recording), options.assignments, progress)
    if folder is not None:
        save(outcome, account, folder)
    if options.json:
        result(outcome.to_dict())
    else:
        show_run(outcome, account)
        identical = outcome.extra["identical"]
        verdict = {True: "identical to the recorded run", False: "NOT identical to the recorded run"}
        progress(
            verdict.get(identical, "not compared")
            + (f": {outcome.extra['reason']}" if "reason" in outcome.extra else "")
        )
    return 1 if outcome.extra["identical"] is False else 0
