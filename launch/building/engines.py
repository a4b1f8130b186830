"""An engine between its build and its place in the store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.errors import BadInput
from deploy.gate import Accuracy, Verdict
from deploy.model_store import Model
from deploy.passport import Latency, Passport, Target, file_sha256, passport_path
from deploy.policy_passport import as_detector
from deploy.timing import Timing
from launch.machine import installed

GRAPHS = {"fp16": ("model.fp16.onnx",), "int8": ("model.int8-s8-fp16.onnx", "model.int8-s8.onnx")}
UNJUDGED = "accuracy on this machine not measured: eyehand build with --data"


@dataclass(slots=True)
class Engine:
    """An engine that was built for a model, and what was found out about it.

    Attributes:
        precision: `fp16` or `int8`.
        path: Where it is; with its passport beside it.
        graph: The ONNX file that it was built from.
        report: Its layers, as JSON; None if it was there before.
        timing: Its durations.
        conditions: Of the timing.
        accuracy: On the labelled pictures.
        parity: With the float model on them.
        verdict: Of the gate on accuracy.
        speed: For the passport.
        fingerprint: Of the backend.
    """

    precision: str
    path: Path
    graph: Path
    report: dict[str, Any] | None = None
    timing: Timing | None = None
    conditions: str = ""
    accuracy: Accuracy | None = None
    parity: dict[str, Any] | None = None
    verdict: Verdict | None = None
    speed: str = ""
    fingerprint: str = ""


def engine_file(precision: str) -> str:
    """Name of an engine in a model folder."""
    return f"model.{precision}.engine"


def find_graph(model: Model, precision: str) -> tuple[Path, Passport]:
    """The artifact of a model to build an engine of a precision from.

    Raises:
        BadInput: If it has none, or one without its passport.
    """
    files = GRAPHS[precision]
    file = next((name for name in files if name in model.artifacts), files[0])
    path, found = model.artifact(file)
    passport = as_detector(found, model.name)
    assert passport is not None  # of an artifact; the model file itself is none
    return path, passport


def first_passport(
    model: Model, engine: Engine, graph: Passport, metadata: Mapping[str, str], target: Target
) -> Passport:
    """The passport of an engine that was just built: enough to run it, nothing about how good or fast it is.

    Args:
        model: What it detects with.
        engine: The engine's file is there.
        graph: Passport of the ONNX file that it was built from.
        metadata: Of that file.
        target: This machine.
    """
    return graph.model_copy(
        update={
            "name": model.name,
            "status": UNJUDGED,
            "format": "tensorrt",
            "sha256": file_sha256(engine.path),
            "size_bytes": engine.path.stat().st_size,
            "source": {
                "name": model.onnx_path.name,
                "sha256": model.sha256,
                "graph": engine.graph.name,
                "graph_sha256": graph.sha256,
                "metadata": dict(metadata),
            },
            "made_by": {**installed("eyehand", "onnx"), "tensorrt": target.tensorrt},
            "target": target,
            "latency": (),
            "metrics": {},
        }
    ).write(passport_path(engine.path))


def last_passport(engine: Engine, passport: Passport, reference: Accuracy | None, labels: str) -> Passport:
    """What an engine is worth, added to its passport.

    Without labelled pictures the parity is that of the graph that it was built from, and says so.

    Args:
        engine: Judged and timed.
        passport: Its first.
        reference: Accuracy of the float model; None if nothing was judged.
        labels: Whose.
    """
    update: dict[str, Any] = {"speed": engine.speed}
    if engine.timing is not None and passport.target is not None:
        row = Latency(
            backend="tensorrt", machine=passport.target.gpu, n=engine.timing.n, p50_ms=round(engine.timing.p50_ms, 3),
            p99_ms=round(engine.timing.p99_ms, 3), conditions=engine.conditions,
        )  # fmt: skip
        update["latency"] = (row,)
    if reference is not None and engine.accuracy is not None:
        after = engine.accuracy
        update["status"] = "final"
        update["parity"] = {
            **(engine.parity or {}),
            "reference_sha256": passport.source["sha256"],
            "engine": "tensorrt",
            "labels": labels,
            "frames_sha256": reference.frames_sha256,
            "map50_95": after.map50_95,
            "reference_map50_95": reference.map50_95,
            "class_delta": {name: after.per_class.get(name, 0.0) - ap for name, ap in reference.per_class.items()},
        }
    elif passport.parity is not None:
        update["parity"] = {**passport.parity, "of": passport.source["graph"]}
    return passport.model_copy(update=update)


def install(engine: Engine, folder: Path, passport: Passport) -> Engine:
    """Put an engine, its layers and its passport where the store finds them; whole, or not at all.

    All is written beside the engine first, so that a disk that is full leaves what was there. A run that is broken off
    in between leaves an engine without passport, which is refused.
    """
    target = folder / engine_file(engine.precision)
    passport.write(passport_path(engine.path))
    layers = _layers(engine.path)
    if engine.report is not None:
        layers.write_text(json.dumps(engine.report, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    passport_path(target).unlink(missing_ok=True)  # never an engine with the passport of another
    _layers(target).unlink(missing_ok=True)
    moves = {engine.path: target, layers: _layers(target), passport_path(engine.path): passport_path(target)}
    for source, place in moves.items():
        if source.exists():
            source.replace(place)
    engine.path = target
    return engine


def remove(folder: Path, precision: str) -> bool:
    """Take an engine away that is not to be shipped any more; says whether there was one."""
    target = folder / engine_file(precision)
    found = target.is_file()
    for file in (passport_path(target), target, _layers(target)):
        file.unlink(missing_ok=True)
    return found


def is_of(path: Path, model: Model, graph: Passport) -> bool:
    """Whether an engine that is there was built from this graph of this model."""
    try:
        source = Passport.read(passport_path(path)).source
    except (BadInput, OSError):
        return False
    return (source.get("sha256"), source.get("graph_sha256")) == (model.sha256, graph.sha256)


def _layers(engine: Path) -> Path:
    """Where the report of an engine's layers is."""
    return engine.with_suffix(".layers.json")
