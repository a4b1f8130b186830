"""`eyehand report`: where the milliseconds of a run went."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from deploy.errors import BadInput
from deploy.latency_table import latency_table
from launch.bag import BagReader
from launch.cli.say import result
from launch.config import Config
from launch.recording import is_run, ledger_blocks, run_config
from launch.session import RunResult
from launch.tally import Tally


def execute(options: argparse.Namespace) -> int:
    """Run the command."""
    path = Path(options.run)
    with BagReader(path) as reader:
        if not is_run(reader):
            raise BadInput(f"{path}: no run in it, a bag of images; a report needs a run folder of `eyehand run`")
        config = run_config(reader, path)
        tally = Tally(config.budget, virtual=config.clock == "virtual")
        for rows in ledger_blocks(reader):
            tally.add(rows)
    if options.json:
        result(tally.report(modelled=options.modelled))
    else:
        show(tally, config, modelled=options.modelled)
    return 0


def show(tally: Tally, config: Config, *, modelled: bool = False) -> None:
    """Print the latency table and what belongs to it."""
    console = Console()
    rows = dict(tally.stages(modelled=modelled))
    rows["reaction"] = tally.reaction
    rows["command_age"] = tally.command_age
    rows["control_period"] = tally.control_period
    kind = "modelled" if modelled else "measured on this machine"
    console.print(latency_table(rows, title=f"{config.name}: stages {kind}, budget {config.budget.name}"))
    if config.clock == "virtual":
        console.print(
            f"Virtual clock, profile {config.profile.name}: reaction, command_age and control_period are in its time; "
            "the stages' own times are what this machine took (capture is rendering)."
            if not modelled
            else f"Virtual clock, profile {config.profile.name}."
        )
    console.print(
        f"frames {tally.frames}, dropped {tally.dropped_frames}, commands {tally.commands}, episodes {tally.episodes}"
    )


def show_run(outcome: RunResult, tally: Tally, config: Config) -> None:
    """Print what a person wants to see at the end of a run."""
    show(tally, config)
    console = Console()
    for note, count in outcome.notes.items():
        console.print(f"note ({count}x): {note}")
    if outcome.successes is not None:
        console.print(f"success: {outcome.successes} of {outcome.episodes} episodes")
    if outcome.run_dir is not None:
        strip = outcome.run_dir / "strip.png"
        console.print(f"run: {outcome.run_dir}", soft_wrap=True)
        if strip.is_file():
            console.print(f"pictures: {strip}", soft_wrap=True)
