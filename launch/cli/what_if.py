"""`eyehand what-if`: a recorded run again under another machine's timing."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from launch.cli.report import show
from launch.cli.say import progress, result
from launch.what_if import WhatIf, differences, what_if


def execute(options: argparse.Namespace) -> int:
    """Run the command."""
    if options.profile is None and not options.additions:
        progress("eyehand: neither --profile nor --add: the run is made again under its own timing")
    outcome = what_if(Path(options.run), options.profile, options.additions, options.out, progress)
    if options.json:
        result(outcome.to_dict())
    else:
        _show(outcome)
    return 130 if outcome.result.interrupted else 0


def _show(outcome: WhatIf) -> None:
    console, after = Console(), outcome.after
    show(after, modelled=True)
    documents = [account.document(modelled=True) for account in (outcome.before, after)]
    table = Table(title="What is different", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for column in ("figure", "recorded", f"with {_name(outcome)}"):
        table.add_column(column, justify="left" if column == "figure" else "right")
    for key, before, now in differences(*documents):
        table.add_row(key, _text(before), _text(now))
    console.print(table if table.row_count else "Nothing is different.")
    told = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in outcome.consequences().items() if count)
    console.print(f"with {_name(outcome)}: {told or 'nothing missed, dropped, held or stopped'}")
    before, now = outcome.successes
    if now is not None:
        recorded = "unknown" if before is None else str(before)
        console.print(f"success: {now} of {outcome.result.episodes} episodes; recorded: {recorded}")
    if outcome.result.run_dir is not None:
        console.print(f"run: {outcome.result.run_dir}", soft_wrap=True)


def _name(outcome: WhatIf) -> str:
    profile = outcome.after.config.profile
    added = ", ".join(f"{stage} +{extra_ms:g} ms" for stage, extra_ms in profile.add_ms.items() if extra_ms)
    return f"{profile.name}, {added}" if added else profile.name


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "nothing"
    return f"{value:.4g}" if isinstance(value, float) else "-" if value is None else str(value)
