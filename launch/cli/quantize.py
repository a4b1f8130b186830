"""`eyehand quantize`: INT8 and FP16 artifacts of a model, calibrated on recordings and let through the gate or not."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from launch.cli.say import progress, result

if TYPE_CHECKING:
    from launch.quantizing import Outcome


def execute(options: argparse.Namespace) -> int:
    """Run the command; 1 if an artifact did not pass the gate on accuracy, and then nothing is installed."""
    from deploy.quantize.calibrate import METHODS
    from launch.engines import default_threads
    from launch.quantizing import Order, quantize_detector

    order = Order(
        model=options.model,
        bags=tuple(Path(bag) for bag in options.bags),
        data=options.data,
        split=options.split,
        frames=options.frames,
        eval_frames=options.eval_frames,
        methods=METHODS if options.method == "auto" else (options.method,),
        precisions=tuple(dict.fromkeys(options.precision)),
        out=Path(options.out) if options.out else None,
        sensitivity=options.sensitivity,
        everything=options.everything,
        threads=options.threads or default_threads(),
    )
    outcome = quantize_detector(order, progress)
    if options.json:
        result(outcome.to_dict())
    else:
        _show(outcome)
    if not outcome.passed:
        for attempt in outcome.attempts:
            if not attempt.verdict.ok:
                progress(f"eyehand: {attempt.precision} is refused: {attempt.verdict}; nothing was installed")
        return 1
    return 0


def _show(outcome: Outcome) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{outcome.model.name}: mAP50-95 {100 * outcome.reference.map50_95:.1f} in fp32", box=None)
    words, figures = ("artifact", "method", "engine", ""), ("mAP50-95", "change", "box p99", "score p99", "p50", "p99")
    for name in (*words, *figures, "fp32 p99"):
        table.add_column(name, justify="left" if name in words else "right")
    for item in outcome.attempts:
        change = 100 * (item.accuracy.map50_95 - outcome.reference.map50_95)
        parity, timing, before = item.parity, item.timing, item.float_timing
        row = [
            f"{100 * item.accuracy.map50_95:.1f}",
            f"{change:+.1f}",
            f"{parity.box_px.p99:.2f} px" if parity is not None else "",
            f"{parity.score.p99:.3f}" if parity is not None else "",
            f"{timing.p50_ms:.2f} ms" if timing is not None else "",
            f"{timing.p99_ms:.2f} ms" if timing is not None else "",
            f"{before.p99_ms:.2f} ms" if before is not None else "",
        ]
        end = f"installed, speed {item.speed}" if item.ship else "not installed"
        table.add_row(item.precision, item.method or "", item.engine, end, *row)
    console = Console(width=None if Console().is_terminal else 200)
    console.print(table)
    for item in outcome.attempts:
        for remark in (item.reason, *item.lint):
            if remark:
                console.print(f"  {item.precision}: {remark}", highlight=False, soft_wrap=True)
    for node, noise in outcome.ranking[:12]:
        console.print(f"  {node}: noise {noise:.2e} of its signal", highlight=False)
    if outcome.passed:
        console.print(f"artifacts: {outcome.out}", highlight=False, soft_wrap=True)
