"""`eyehand robot check`: what an arm says and does, before it works."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from deploy.errors import Missing
from launch.bringup.finding import Finding, exit_code
from launch.cli.say import progress, result
from launch.config import load_config

STYLES = {"ok": "green", "warning": "yellow", "failure": "red"}


def execute(options: argparse.Namespace) -> int:
    """Run the command; 1 if the arm failed a check, 3 if it does not answer."""
    config = load_config(options.config, options.assignments)
    from launch.bringup.check import check_arm
    from launch.bringup.jog import JogPlan

    console = Console()
    plan = JogPlan() if options.jog else None
    findings: list[Finding] = []
    for finding in check_arm(config, options.seconds, plan, lambda: options.yes or confirmed()):
        findings.append(finding)
        if not options.json:
            console.print(line(finding), soft_wrap=True)
    if options.calibration is not None:
        write_calibration(options.calibration, findings)
        progress(f"calibration: {options.calibration}, for rig.arm of the configuration")
    code = exit_code(findings)
    if options.json:
        result({"findings": [finding.to_dict() for finding in findings], "ok": code == 0})
    failed = ", ".join(finding.name for finding in findings if finding.status == "failure")
    if code:
        progress(f"eyehand: do not run this arm yet: {failed}")
    elif not options.json:
        progress("The arm does what it should." if options.jog else "The arm answers as it should. Nothing was moved.")
    return code


def line(finding: Finding) -> Text:
    """Status, name and detail; a remedy below what is not ok."""
    text = Text(f"{finding.status:<8} ", style=STYLES[finding.status])
    text.append(f"{finding.name}: ", style="bold")
    text.append(finding.detail, style="default")
    if finding.remedy:
        text.append(f"\n         -> {finding.remedy}", style="cyan")
    return text


def write_calibration(path: Path, findings: Sequence[Finding]) -> None:
    """Write the controller's kinematic figures, as they stand below `rig.arm` of a configuration.

    Raises:
        Missing: If the controller did not tell them.
    """
    told = [f.figures["controller"] for f in findings if f.name == "kinematics" and "controller" in f.figures]
    if not told:
        raise Missing("the controller does not tell its kinematic figures, see the finding `kinematics`")
    lines = [f"  {name}: {list(told[0][name])}" for name in ("theta_rad", "a_m", "d_m", "alpha_rad")]
    checksums = ", ".join(f"{checksum:08x}" for checksum in told[0]["checksums"])
    head = f"# as its controller computes with, checksums {checksums}\ncalibration:"
    path.write_text("\n".join((head, *lines)) + "\n", encoding="utf-8")


def confirmed() -> bool:
    """Ask the person beside the arm, on the terminal."""
    sys.stderr.write(
        "The arm is about to move: each joint by 2 degrees to both sides, at about 3 degrees per second, for half a "
        "minute.\nSee that nothing and nobody is within its reach, and keep a hand on the emergency stop. Ctrl-C stops "
        "the arm too.\nType yes to move it: "
    )
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() == "yes"
