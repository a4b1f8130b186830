"""A learned policy in ONNX Runtime beside LeRobot's own `predict_action_chunk`, on the same inputs in turns.

    python benchmarks/act.py CHECKPOINT [--model NAME] [--dataset DIR] [--n 500] [--threads 1] [--json]

Needs LeRobot (`pip install 'eyehand[cpu,train-policy]'`). CHECKPOINT is a folder of LeRobot or of `eyehand train
policy`; without `--model` (a name in the store, or an .onnx file) it is exported first. Three rows, in units at both
ends: ONNX Runtime, whose graph normalises and restores itself; LeRobot's network alone on inputs that are normalised
already; LeRobot with its processors, as it is used. The ratio is that to the network alone, the harder one to beat.
Runs whose threads differ do not compare: both engines get the same number.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from deploy.errors import BadInput, EyehandError, require
from deploy.model_store import ModelStore
from deploy.onnxruntime_backend import OnnxRuntimeBackend
from launch.machine import machine_facts
from policy.export.checkpoint import open_checkpoint
from policy.export.flow import PolicyExport, export_policy
from policy.export.parity import Inputs, drawn, of_frames
from policy.export.reference import Reference, load, versions
from policy.features import ACTION
from policy.learned import read_spec
from policy.training.demonstrations import read_demonstrations

WARMUP = 20
SHOWN = 64  # different inputs, over and over


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="folder of LeRobot, or of a training")
    parser.add_argument("--model", metavar="NAME", help="exported before: in the store, or an .onnx file")
    parser.add_argument("--dataset", metavar="DIR", help="demonstrations to take the inputs from (default: drawn)")
    parser.add_argument("--n", type=int, default=500, help="timed plans of each (500)")
    parser.add_argument("--threads", type=int, default=1, help="of both engines (1)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    try:
        found = run(options)
    except EyehandError as error:
        print(f"act.py: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps(found) if options.json else table(found))
    return 0


def run(options: argparse.Namespace) -> dict[str, Any]:
    torch = require("torch", "train-policy")
    reference = load(open_checkpoint(Path(options.checkpoint)))
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        file = model_file(options, Path(folder))
        backend = OnnxRuntimeBackend(file, threads=options.threads)  # it has read the file
    spec = read_spec(backend, str(file))
    if options.dataset is None:
        inputs = drawn(reference, SHOWN)
    else:
        inputs = of_frames(reference, spec, read_demonstrations(Path(options.dataset)), SHOWN)
    difference = max(float(np.abs(backend.infer(each)[ACTION] - reference.predict(each)).max()) for each in inputs)
    plans = {
        "onnxruntime": backend.infer,
        "lerobot": network_alone(reference, inputs),
        "lerobot_with_processors": reference.predict,
    }
    rows = {name: figures(durations) for name, durations in time_in_turns(plans, inputs, options.n).items()}
    ours, theirs = rows["onnxruntime"], rows["lerobot"]
    return {
        "policy": {"kind": spec.kind, "chunk_size": spec.chunk_size, "inputs": [len(v.names) for v in spec.vectors]},
        "threads": options.threads, "n": options.n, "rows": rows,
        "ratio_p50": theirs["p50_ms"] / ours["p50_ms"], "ratio_p99": theirs["p99_ms"] / ours["p99_ms"],
        "max_action_difference": difference, "versions": versions(), "machine": machine_facts(),
    }  # fmt: skip


def model_file(options: argparse.Namespace, folder: Path) -> Path:
    if options.model is not None:
        return ModelStore().find(options.model).onnx_path
    dataset = None if options.dataset is None else Path(options.dataset)
    passport, parity = export_policy(PolicyExport(Path(options.checkpoint), folder / "policy", dataset), note)
    if passport is None:
        raise BadInput(f"{options.checkpoint}: the file does not compute what LeRobot does ({parity})")
    return folder / "policy" / "model.onnx"


def network_alone(reference: Reference, inputs: list[Inputs]) -> Callable[[Inputs], Any]:
    """LeRobot's network on inputs that were normalised beforehand."""
    torch = require("torch", "train-policy")
    if reference.noise_shape is not None:
        return reference.predict  # it only samples through its queues
    ready = {id(each): reference.before({k: torch.from_numpy(v) for k, v in each.items()}) for each in inputs}
    return lambda each: reference.policy.predict_action_chunk(ready[id(each)])


def time_in_turns(
    plans: dict[str, Callable[[Inputs], Any]], inputs: list[Inputs], n: int
) -> dict[str, np.ndarray[Any, Any]]:
    """Durations [ms]; a plan of each after the other, so that whatever else the machine does falls on all."""
    found = {name: np.empty(n) for name in plans}
    for plan in plans.values():
        for i in range(WARMUP):
            plan(inputs[i % len(inputs)])
    gc.collect()
    gc.disable()
    try:
        for i in range(n):
            given = inputs[i % len(inputs)]
            for name, plan in plans.items():
                start = time.perf_counter_ns()
                plan(given)
                found[name][i] = (time.perf_counter_ns() - start) / 1e6
    finally:
        gc.enable()
    return found


def figures(durations: np.ndarray[Any, Any]) -> dict[str, float]:
    p50, p99 = np.percentile(durations, (50, 99))
    return {"p50_ms": float(p50), "p99_ms": float(p99)}


def table(found: dict[str, Any]) -> str:
    names = {"onnxruntime": "ONNX Runtime", "lerobot": "LeRobot, network alone", "lerobot_with_processors": "LeRobot"}
    lines = ["| engine | p50 ms | p99 ms |", "| --- | --- | --- |"]
    lines += [f"| {names[name]} | {row['p50_ms']:.3f} | {row['p99_ms']:.3f} |" for name, row in found["rows"].items()]
    lines.append(
        f"\nRatio {found['ratio_p50']:.1f} (p50), {found['ratio_p99']:.1f} (p99) to the network alone; actions differ "
        f"by {found['max_action_difference']:.2g} at most. {found['threads']} thread(s), n = {found['n']}."
    )
    return "\n".join(lines)


def note(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
