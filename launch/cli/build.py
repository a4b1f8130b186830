"""`eyehand build`: a TensorRT engine of a model, built, judged and timed on the machine that will run it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from launch.cli.say import progress, result

if TYPE_CHECKING:
    from launch.building import Outcome


def execute(options: argparse.Namespace) -> int:
    """Run the command; 1 if the engine did not pass the gate on accuracy, and then nothing is installed."""
    from launch.building import Order, build_detector

    order = Order(
        model=options.model,
        precision=options.precision,
        data=options.data,
        split=options.split,
        out=Path(options.out) if options.out else None,
        timing_cache=Path(options.timing_cache) if options.timing_cache else None,
        workspace_mb=options.workspace_mb,
    )
    outcome = build_detector(order, progress)
    if options.json:
        result(outcome.to_dict())
    else:
        _show(outcome)
    if outcome.shipped is None:
        progress(f"eyehand: {outcome.asked.precision} is refused: {outcome.note}; nothing was installed")
        return 1
    if outcome.note:
        progress(outcome.note)
    return 0


def _show(outcome: Outcome) -> None:
    from rich.console import Console
    from rich.table import Table

    device = outcome.machine.device
    title = f"{outcome.model.name}: TensorRT {outcome.machine.version} on {device.name}, compute capability {device.sm}"
    table = Table(title=title, box=None)
    for name in ("engine", "nodes", "p50", "p99", "mAP50-95", ""):
        table.add_column(name, justify="left" if name in ("engine", "") else "right")
    for item in (outcome.asked, outcome.other):
        if item is None:
            continue
        nodes = item.report["precision"] if item.report is not None else {}
        kept = ", ".join(f"{part['kept']}/{part['asked']} {name}" for name, part in nodes.items())
        timing, accuracy = item.timing, item.accuracy
        table.add_row(
            item.precision,
            kept,
            f"{timing.p50_ms:.2f} ms" if timing is not None else "",
            f"{timing.p99_ms:.2f} ms" if timing is not None else "",
            f"{100 * accuracy.map50_95:.1f}" if accuracy is not None else "",
            "shipped" if item is outcome.shipped else "not shipped",
        )
    console = Console(width=None if Console().is_terminal else 200)
    console.print(table)
    if outcome.reference is not None:
        console.print(f"mAP50-95 {100 * outcome.reference.map50_95:.1f} in fp32", highlight=False)
    if outcome.shipped is not None:
        console.print(f"engine: {outcome.shipped.path}", highlight=False, soft_wrap=True)
