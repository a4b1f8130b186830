"""`eyehand collect`: demonstrations as a LeRobotDataset, of the expert in simulation or out of recorded runs."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from launch.cli.say import progress, result

if TYPE_CHECKING:
    from launch.collect import Collected

_SIMULATED: Final[dict[str, Any]] = {
    "config": "sim_pick_place", "episodes": 100, "seed": 0, "noise": 0.04, "misses": 0.2, "moving": 0.0, "jobs": 1,
}  # fmt: skip


def execute(options: argparse.Namespace) -> int:
    """Run the command."""
    from deploy.errors import require

    require("pyarrow.parquet", "dataset")
    collected = _recorded(options) if options.from_bag else _simulated(options)
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


def _simulated(options: argparse.Namespace) -> Collected:
    from launch.collect import collect, taught_by_the_expert
    from launch.collecting.cell import Plan
    from launch.config import load_config
    from launch.wiring import resolve
    from policy.demonstrator import Noise

    for name, value in _SIMULATED.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    # one thread an engine: what is detected must not depend on how many processes there are
    config = load_config(options.config, ["detector.threads=1", *options.assignments])
    config = taught_by_the_expert(config).model_copy(update={"seed": options.seed})
    noise = Noise(options.noise, Noise().turn_rad if options.noise else 0.0, options.misses)
    plan = Plan(resolve(config), options.action_space, noise, options.images, options.moving)
    return collect(
        plan, Path(options.out), options.episodes,
        jobs=options.jobs, resume=options.resume, command=_typed(), progress=progress,
    )  # fmt: skip


def _recorded(options: argparse.Namespace) -> Collected:
    from deploy.errors import BadInput
    from launch.collect import collect_recorded

    given = [name for name in _SIMULATED if getattr(options, name) is not None]
    if options.assignments:
        given.append("set")
    if given:
        raise BadInput(
            f"--from-bag takes runs as they were recorded: leave out --{given[0]}".replace("--config", "CONFIG")
        )
    return collect_recorded(
        [Path(run) for run in options.from_bag], Path(options.out), options.action_space,
        images=options.images, resume=options.resume, command=_typed(), progress=progress,
    )  # fmt: skip


def _typed() -> str:
    return shlex.join(["eyehand", *sys.argv[1:]])
