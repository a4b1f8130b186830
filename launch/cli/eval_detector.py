"""`eyehand eval detector`: labelled pictures in, COCO's figures of a model on our own run time out."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from deploy.errors import require
from launch.cli.say import progress, result

if TYPE_CHECKING:
    from perception.evaluation import Answers, Confusion, Metrics

# Pictures between two lines of progress.
STEP = 100


def execute(options: argparse.Namespace) -> int:
    """Run the command."""
    require("pycocotools.cocoeval", "eval")  # before the model runs for minutes
    if options.pictures is not None:
        require("matplotlib", "eval")

    from launch.engines import load_detector
    from perception.evaluation import coco_metrics, collect, confusion, open_labelled
    from perception.evaluation.coco import MOST, NEAR_ZERO, OVERLAP

    labelled = open_labelled(options.data, options.split)
    detector, fingerprint = load_detector(
        options.model, backend=options.backend, precision=options.precision, threads=options.threads,
        confidence=NEAR_ZERO, iou=OVERLAP, max_detections=MOST,
    )  # fmt: skip
    if options.pictures is not None:
        Path(options.pictures).mkdir(parents=True, exist_ok=True)  # before minutes, too
    options.precision = _precision(options)
    total = len(labelled)
    progress(f"{total} pictures through {options.model} ({options.precision}) on {fingerprint}")
    answers = collect(detector, labelled, lambda done: progress(f"{done} of {total}") if done % STEP == 0 else None)
    metrics, curves = coco_metrics(answers.truth, answers.found, answers.frames_sha256)
    matrix = confusion(answers.truth, answers.found)
    notes = _notes(answers)
    for note in notes:
        progress(note)
    files: list[Path] = []
    if options.pictures is not None:
        from perception.evaluation.pictures import write_pictures

        title = f"{options.model} ({options.precision}) on {options.data}"
        files = write_pictures(Path(options.pictures), metrics, curves, matrix, title)
    value = _value(options, fingerprint, answers, metrics, matrix)
    value |= {"notes": notes, "pictures": [str(file) for file in files]}
    if options.json:
        result(value)
    else:
        _print(value, metrics, matrix, files)
    return 0


def _precision(options: argparse.Namespace) -> str:
    """What ran: the precision that was asked for, or that of an artifact that was named by its path."""
    from deploy.model_store import ModelStore

    passport = ModelStore().find(options.model).passport
    return str(options.precision if passport is None or passport.precision == "fp32" else passport.precision)


def _value(
    options: argparse.Namespace, fingerprint: str, answers: Answers, metrics: Metrics, matrix: Confusion
) -> dict[str, Any]:
    detect_ms = answers.detect_ns * 1e-6
    return {
        "model": options.model,
        "precision": options.precision,
        "backend": options.backend,
        "fingerprint": fingerprint,
        "data": str(options.data),
        "split": options.split,
        **metrics.to_dict(),
        "confusion": matrix.to_dict(),
        "detect_ms": {
            "n": len(detect_ms),
            "p50": round(float(np.percentile(detect_ms, 50)), 3),
            "p99": round(float(np.percentile(detect_ms, 99)), 3),
        },
    }


def _notes(answers: Answers) -> list[str]:
    """What was not looked at."""
    notes = []
    if answers.only_in_labels:
        notes.append(
            f"the model does not know {', '.join(answers.only_in_labels)}: evaluated on the classes that both know, "
            f"{', '.join(answers.truth.class_names)}"
        )
    if answers.only_in_model:
        count = len(answers.only_in_model)
        names = ", ".join(answers.only_in_model[:5]) + (", ..." if count > 5 else "")
        notes.append(f"the labels have no {names}: the model's detections of {count} classes were not counted")
    return notes


def _print(value: dict[str, Any], metrics: Metrics, matrix: Confusion, files: list[Path]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, soft_wrap=True)
    table = Table(
        title=f"{value['model']} ({value['precision']}), {metrics.frames} pictures, {metrics.objects} objects"
    )
    columns = ("class", "objects", "found", "missed", "mAP50-95")
    for number, name in enumerate(columns):
        table.add_column(name, justify="right" if number else "left", no_wrap=True)
    for row, name in enumerate(matrix.class_names):
        counts = matrix.counts[row]
        figure = f"{metrics.per_class[name]:.4f}" if name in metrics.per_class else "-"
        table.add_row(name, str(counts.sum()), str(counts[row]), str(counts[-1]), figure)
    table.add_section()
    found, missed = np.trace(matrix.counts[:-1, :-1]), matrix.counts[:-1, -1].sum()
    table.add_row("all", str(metrics.objects), str(found), str(missed), f"[bold]{metrics.map50_95:.4f}[/bold]")
    console.print(table)
    sizes = ", ".join(
        f"{name} {'-' if figure is None else format(figure, '.4f')}"
        for name, figure in (("small", metrics.aps), ("medium", metrics.apm), ("large", metrics.apl))
    )
    console.print(
        f"mAP50 {metrics.map50:.4f}, mAP75 {metrics.map75:.4f}; mAP50-95 by size: {sizes}; AR100 {metrics.ar100:.4f}"
    )
    false = int(matrix.counts[-1].sum())
    console.print(f"false alarms {false} (found and missed: confidence {matrix.confidence:g}, IoU {matrix.overlap:g})")
    times = value["detect_ms"]
    console.print(
        f"detect: p50 {times['p50']:.2f} ms, p99 {times['p99']:.2f} ms, n {times['n']}; {value['fingerprint']}"
    )
    for file in files:
        console.print(f"written: {file}")
