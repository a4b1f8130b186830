"""Attempts at artifacts of a float model: what was made, and what was found out about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.gate import Accuracy, Verdict
from deploy.timing import Timing
from perception.evaluation import Parity

PRECISIONS = ("int8-u8", "int8-s8", "fp16", "int8-s8-fp16")
STYLE = {"int8-u8": "u8", "int8-s8": "s8", "int8-s8-fp16": "s8"}
# The engine that an artifact is meant for, of those that run here; TensorRT, the target of the last three, may not.
ENGINE = {"int8-u8": "onnxruntime", "int8-s8": "openvino", "fp16": "onnxruntime", "int8-s8-fp16": "onnxruntime"}
TARGET = {"int8-u8": "onnxruntime", "int8-s8": "tensorrt", "fp16": "tensorrt", "int8-s8-fp16": "tensorrt"}


@dataclass(slots=True)
class Attempt:
    """An artifact on its way through the gate.

    Attributes:
        precision: What it is.
        path: Its file, not yet installed.
        engine: The engine that it was judged on.
        accuracy: How good it is.
        method: Of its ranges; None for FP16.
        tried: mAP50-95 of each method that was tried.
        float_nodes: Nodes in float.
        restored: Of these, the ones that accuracy asked for.
        verdict: Of the gate on accuracy.
        parity: Against the float model.
        timing: Of the artifact, measured in turns with the float model on the same engine.
        float_timing: Of that.
        speed: What is known of its speed, for the passport.
        ship: Whether to install it.
        reason: Why not.
        lint: What TensorRT would not like.
    """

    precision: str
    path: Path
    engine: str
    accuracy: Accuracy
    method: str | None = None
    tried: Mapping[str, float] = field(default_factory=dict)
    float_nodes: Sequence[str] = ()
    restored: Sequence[str] = ()
    verdict: Verdict = field(default_factory=lambda: Verdict(True))
    parity: Parity | None = None
    timing: Timing | None = None
    float_timing: Timing | None = None
    speed: str = "unverified on target"
    ship: bool = True
    reason: str = ""
    lint: Sequence[str] = ()

    @property
    def file(self) -> str:
        """Name of the artifact in the model's folder."""
        return f"model.{self.precision}.onnx"

    def to_dict(self, reference: Accuracy) -> dict[str, Any]:
        """For JSON."""
        return {
            "precision": self.precision,
            "file": self.file,
            "engine": self.engine,
            "installed": self.ship,
            "reason": self.reason,
            "method": self.method,
            "tried": dict(self.tried),
            "map50_95": self.accuracy.map50_95,
            "drop": reference.map50_95 - self.accuracy.map50_95,
            "per_class": dict(self.accuracy.per_class),
            "gate": {"ok": self.verdict.ok, "reasons": list(self.verdict.reasons)},
            "float_nodes": len(self.float_nodes),
            "restored": list(self.restored),
            "parity": self.parity.to_dict() if self.parity is not None else None,
            "latency": self.timing.to_dict() if self.timing is not None else None,
            "float_latency": self.float_timing.to_dict() if self.float_timing is not None else None,
            "speed": self.speed,
            "lint": list(self.lint),
        }
