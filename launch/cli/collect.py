"""`eyehand collect`: demonstrations of the expert as a LeRobotDataset."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from launch.cli.say import progress, result


def execute(options: argparse.Namespace) -> int:
    """Run the command."""
    from deploy.errors import require

    require("pyarrow.parquet", "dataset")
    from launch.collect import collect, taught_by_the_expert
    from launch.collecting.cell import Plan
    from launch.config import load_config
    from launch.wiring import resolve
    from policy.demonstrator import Noise

    # one thread an engine: what is detected must not depend on how many processes there are
    config = load_config(options.config, ["detector.threads=1", *options.assignments])
    config = taught_by_the_expert(config).model_copy(update={"seed": options.seed})
    noise = Noise(options.noise, Noise().turn_rad if options.noise else 0.0, options.misses)
    plan = Plan(resolve(config), options.action_space, noise, options.images, options.moving)
    collected = collect(
        plan, Path(options.out), options.episodes,
        jobs=options.jobs, resume=options.resume, command=shlex.join(["eyehand", *sys.argv[1:]]), progress=progress,
    )  # fmt: skip
    if options.json:
        result(collected.to_dict())
    else:
        progress(
            f"{collected.episodes} of {collected.attempts} episodes, {collected.frames} frames in {collected.folder}; "
            f"fingerprint {collected.fingerprint[:12]}"
        )
    if collected.interrupted:
        return 130
    return 0 if collected.episodes else 1
