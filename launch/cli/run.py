"""`eyehand run`: launch the pipeline, on the robot or in simulation."""

from __future__ import annotations

import argparse

from launch.cli.say import progress, result
from launch.config import load_config
from launch.session import new_run_dir


def execute(options: argparse.Namespace) -> int:
    """Run the command."""
    config = load_config(options.config, options.assignments, options.profile)
    changes = {key: getattr(options, key) for key in ("episodes", "seed", "clock") if getattr(options, key) is not None}
    config = config.model_copy(update=changes)
    from launch.check import check
    from launch.wiring import resolve

    config = resolve(config)
    if config.detector.why is not None:
        progress(f"detector: {config.detector.why}")
    check(config)
    run_dir = new_run_dir(options.out, config.name)
    if config.clock == "wall":
        from launch.wall_run import run
    else:
        from launch.virtual_run import run
    outcome, account = run(config, run_dir, progress)
    if options.json:
        result(outcome.to_dict())
    else:
        from launch.cli.report import show_run

        show_run(outcome, account)
    if outcome.safe_stop is not None:
        progress(f"eyehand: the run ended with the safe stop latched: {outcome.safe_stop}")
    rate = outcome.to_dict()["success_rate"]
    if outcome.interrupted:
        return 130
    if rate is not None and rate < options.min_success:
        progress(f"eyehand: success rate {rate:.2f} is below --min-success {options.min_success:.2f}")
        return 1
    return 0 if outcome.safe_stop is None else 1
