"""`eyehand doctor`: what this machine has, and what to do about what it lacks."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from launch.cli.say import progress, result
from launch.doctor import Finding, diagnose, satisfied

STYLES = {"ok": "green", "missing": "yellow", "problem": "red"}


def execute(options: argparse.Namespace) -> int:
    """Run the command; 3 if the simulation cannot run here."""
    findings = diagnose()
    ok = satisfied(findings)
    if options.json:
        result({"findings": [finding.to_dict() for finding in findings], "ok": ok})
    else:
        Console().print(table(findings))
    if not ok:
        lacks = ", ".join(finding.name for finding in findings if finding.required and finding.status != "ok")
        progress(f"eyehand: the simulation cannot run here: {lacks}")
        return 3
    if not options.json:
        progress("The simulation can run here.")
    return 0


def table(findings: Sequence[Finding]) -> Table:
    """One row per finding; a remedy below what is not ok."""
    rows = Table(box=None, pad_edge=False)
    rows.add_column("check", no_wrap=True)
    rows.add_column("status", no_wrap=True)
    rows.add_column("found", overflow="fold")
    for finding in findings:
        style = STYLES[finding.status] if finding.required or finding.status != "missing" else "dim"
        found = Text(finding.detail)
        if finding.remedy and finding.status != "ok":
            found.append(f"\n-> {finding.remedy}", style="cyan" if finding.required else "dim")
        name = Text(finding.name, style="bold" if finding.required else "")
        rows.add_row(name, Text(finding.status, style=style), found)
    return rows
