"""`eyehand report`: where the milliseconds of a run went, in four views of one ledger."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.text import Text

from deploy.latency_table import latency_table
from launch.cli.say import progress, result
from launch.contract import Clause
from launch.ledger import Rung
from launch.report import PATH_FIGURES, RunAccount, read_account
from launch.session import RunResult


def execute(options: argparse.Namespace) -> int:
    """Run the command."""
    path = Path(options.run)
    account, rows = read_account(path)
    if options.html is not None:
        from deploy.report import html_page
        from launch.report_series import report_series

        document = account.document(modelled=options.modelled)
        series = report_series(rows, account.config.budget, modelled=options.modelled)
        Path(options.html).write_text(html_page(document, series, title=path.name), encoding="utf-8")
        progress(f"page: {options.html}")
    if options.trace is not None:
        from launch.trace import write_trace

        cameras = [camera.name for camera in account.config.rig.cameras]
        write_trace(
            rows,
            Path(options.trace),
            title=path.name,
            budget=account.config.budget,
            cameras=cameras,
            virtual=account.config.clock == "virtual",
            measured=not options.modelled,
        )
        progress(f"trace: {options.trace} (open it at ui.perfetto.dev)")
    if options.profile_out is not None:
        from launch.profile_out import write_profile

        write_profile(
            rows,
            Path(options.profile_out),
            virtual=account.config.clock == "virtual",
            modelled=options.modelled,
            origin=path.name,
        )
        progress(f"profile: {options.profile_out}")
    if options.json:
        result(account.document(modelled=options.modelled))
    else:
        show(account, modelled=options.modelled)
    broken = account.contract.broken
    if options.fail_on_miss and broken:
        for clause in broken:
            progress(f"eyehand: contract {account.contract.name} is broken: {clause.describe()}")
        return 1
    return 0


def show(account: RunAccount, *, modelled: bool = False) -> None:
    """Print the latency table and what belongs to it."""
    console, tally, config, contract = Console(), account.tally, account.config, account.contract
    names = [*tally.stages(), *PATH_FIGURES]
    series = {name: tally.series(name, modelled=modelled) for name in names}
    corrected = {name: row for name in names if (row := tally.corrected(name, modelled=modelled)) is not None}
    kind = "as modelled" if modelled else "measured on this machine"
    console.print(
        latency_table(
            {name: series[name].summary() for name in names},
            title=f"{config.name}: stages {kind}, budget {config.budget.name}",
            verdicts=_verdicts(contract.clauses),
            corrected=corrected,
        )
    )
    if config.clock == "virtual":
        console.print(
            f"Virtual clock, profile {config.profile.name}: reaction, command_age, the control loop and the verdicts "
            "are in its time" + ("." if modelled else "; the stages' own times are what this machine took.")
        )
    console.print(
        f"frames {tally.frames}, dropped {tally.dropped_frames}, commands {tally.commands}, episodes {tally.episodes}, "
        f"stale commands sent {tally.stale_commands_sent}"
    )
    done = ", ".join(f"{rung.name.lower()} {tally.rungs[rung]}" for rung in Rung if tally.rungs[rung])
    console.print(f"ladder: {done or 'no decision was needed'}")
    if tally.latched is not None:
        console.print(Text(f"safe stop latched: {tally.latched.sentence}", style="bold red"))
    if not contract.clauses:
        return
    if contract.kept:
        console.print(Text(f"contract {contract.name}: kept", style="green"))
    else:
        told = "; ".join(clause.describe() for clause in contract.broken)
        console.print(Text(f"contract {contract.name}: BROKEN: {told}", style="bold red"))


def _verdicts(clauses: tuple[Clause, ...]) -> dict[str, bool]:
    """By row of the table: whether all clauses about it were kept."""
    verdicts: dict[str, bool] = {}
    for clause in clauses:
        if clause.unit:
            row = clause.clause.rpartition(".")[2]
            verdicts[row] = verdicts.get(row, True) and (clause.kept or clause.ignored)
    return verdicts


def show_run(outcome: RunResult, account: RunAccount) -> None:
    """Print what a person wants to see at the end of a run."""
    show(account)
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
