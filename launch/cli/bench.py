"""`eyehand bench`: latency and throughput of a model's artifacts on each engine of this machine."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deploy.artifacts import takes
from deploy.candidates import Candidate, Measured, measure, nothing_runs
from deploy.errors import BadInput, EyehandError
from deploy.model_store import Model, ModelStore
from deploy.rebatch import rebatch
from deploy.selection import best
from launch import plugins
from launch.cli.say import progress, result
from launch.engines import open_engine
from launch.machine import machine_facts

Rows = Mapping[int, Sequence[Measured]]


def execute(options: argparse.Namespace) -> int:
    """Run the command."""
    model = ModelStore().find(options.model)
    names = list(dict.fromkeys(options.backend or plugins.names("backends")))
    for name in set(names).difference(plugins.names("backends")):
        plugins.load("backends", name, "--backend")
    rows = {}
    with TemporaryDirectory(prefix="eyehand-bench-") as folder:
        for batch in dict.fromkeys(options.batch):
            rows[batch] = bench(model, names, batch, options.threads, options.iterations, Path(folder))
    everything = [row for measured in rows.values() for row in measured]
    if all(row.timing is None for row in everything):
        raise nothing_runs(everything)
    if options.json:
        result(summary(model, rows, options.threads, options.iterations))
    else:
        console = Console()
        console.print(table(model, rows, options.threads))
        for line in not_available(rows):
            console.print(escape(line), style="dim", soft_wrap=True)
    return 0


def bench(
    model: Model, names: Sequence[str], batch: int, threads: int, iterations: int, folder: Path
) -> list[Measured]:
    """Time every artifact on every engine that takes its kind, in turns.

    Args:
        model: The model.
        names: Registered names of the engines.
        batch: Images at once.
        threads: Inside one operator.
        iterations: Timed inferences of each.
        folder: For the models of other batch sizes.
    """
    files = {model.onnx_path.name: model.onnx_path, **model.artifacts}
    paths: dict[str, Path] = {}
    failed: dict[str, EyehandError] = {}
    for file in [file for file in files if any(takes(name, file) for name in names)]:
        try:
            paths[file] = _of_batch(files[file], batch, folder)
        except EyehandError as error:
            failed[file] = error
    candidates = [Candidate(name, file, files[file]) for name in names for file in files if takes(name, file)]
    ready = [Candidate(row.backend, row.file, paths[row.file]) for row in candidates if row.file in paths]
    on = ", ".join(f"{row.file} on {row.backend}" for row in ready) or "nothing"
    progress(f"batch {batch}: {iterations} inferences each of {on}")
    measured = measure(ready, {name: partial(open_engine, name) for name in names}, threads, n=iterations)
    measured += [Measured.refused(row, failed[row.file]) for row in candidates if row.file in failed]
    for name in names:
        if not any(takes(name, file) for file in files):
            none = BadInput(f"the model has no engine file: eyehand build {model.name} --precision fp16")
            measured.append(Measured.refused(Candidate(name, "model.fp16.engine", model.path), none))
    return measured


def summary(model: Model, rows: Rows, threads: int, iterations: int) -> dict[str, Any]:
    """All of it as one JSON object."""
    ran, failed, fastest = [], [], {}
    for batch, measured in rows.items():
        for row in measured:
            if row.timing is None:
                failed.append({**row.to_dict(), "batch": batch})
            else:
                ran.append({**row.to_dict(), "batch": batch, "images_per_s": _images_per_s(row, batch)})
        if any(row.timing is not None for row in measured):
            winner = best(measured).candidate
            fastest[str(batch)] = {"backend": winner.backend, "file": winner.file, "precision": winner.precision}
    return {
        "model": model.name, "sha256": model.sha256, "threads": threads, "iterations": iterations,
        "machine": machine_facts(), "results": ran, "not_available": failed, "fastest": fastest,
    }  # fmt: skip


def table(model: Model, rows: Rows, threads: int) -> Table:
    """One row for each artifact on each engine and batch size that ran; the fastest of a batch size in bold."""
    facts = machine_facts()
    load = facts["load_average"]
    grid = Table(
        title=f"{escape(model.name)}, {threads} thread{'s'[: threads > 1]}", title_justify="left",
        caption=f"{facts['cpu']}, {facts['usable_cores']} cores, load {load[0] if load else 'unknown'}",
        caption_justify="left", box=None, pad_edge=False,
    )  # fmt: skip
    for name in ("backend", "precision"):
        grid.add_column(name, no_wrap=True)
    for name in ("batch", "p50 ms", "p99 ms", "images/s"):
        grid.add_column(name, justify="right", no_wrap=True)
    for batch, measured in rows.items():
        ran = [row for row in measured if row.timing is not None]
        for row in ran:
            assert row.timing is not None
            grid.add_row(
                escape(row.candidate.backend), row.candidate.precision, str(batch), f"{row.timing.p50_ms:.2f}",
                f"{row.timing.p99_ms:.2f}", f"{_images_per_s(row, batch):.1f}",
                style="bold" if row is best(ran) else "",
            )  # fmt: skip
    return grid


def not_available(rows: Rows) -> list[str]:
    """What did not run and why, each reason once."""
    where: dict[str, dict[str, None]] = {}
    for batch, measured in rows.items():
        for row in measured:
            if row.timing is None:
                where.setdefault(row.reason, {})[f"{row.candidate} batch {batch}"] = None
    return [f"not available: {', '.join(places)}: {reason}" for reason, places in where.items()]


def _of_batch(path: Path, batch: int, folder: Path) -> Path:
    if batch == 1:
        return path
    if path.suffix == ".engine":
        raise BadInput(f"{path.name} was built for batch 1")
    return rebatch(path, batch, folder / f"{batch}-{path.name}")


def _images_per_s(row: Measured, batch: int) -> float:
    assert row.timing is not None
    return batch * 1e3 / row.timing.mean_ms
