"""What to build, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.gate import Accuracy
from deploy.model_store import Model
from deploy.passport import passport_path
from deploy.tensorrt.machine import Machine
from launch.building.engines import Engine
from launch.machine import machine_facts


@dataclass(frozen=True, slots=True)
class Order:
    """What to build, out of what.

    Attributes:
        model: Name in the store.
        precision: `fp16` or `int8`.
        data: Labelled pictures for the gate, which INT8 needs; without them the accuracy of FP16 is left unmeasured,
            and its passport says so.
        split: Part of those.
        out: Folder of the engine; None is the model's own, or the user's for a packaged model.
        timing_cache: File of the builder's timings; None is the user's for this machine.
        workspace_mb: Scratch memory of the builder [MiB].
    """

    model: str
    precision: str
    data: str | None = None
    split: str = "val"
    out: Path | None = None
    timing_cache: Path | None = None
    workspace_mb: int = 1024


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an order.

    Attributes:
        model: The model.
        asked: The engine that was asked for.
        other: The FP16 engine that an INT8 one was timed against; None if there was none.
        shipped: The engine that was installed; None if the gate refused.
        reference: Accuracy of the float model; None if nothing was judged.
        machine: Where it was built.
        note: Why something else was shipped than was asked for; empty if it was not.
    """

    model: Model
    asked: Engine
    other: Engine | None
    shipped: Engine | None
    reference: Accuracy | None
    machine: Machine
    note: str

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        shipped = self.shipped
        return {
            "model": self.model.name,
            "asked": self.asked.precision,
            "shipped": shipped.precision if shipped is not None else None,
            "engine": str(shipped.path) if shipped is not None else None,
            "passport": str(passport_path(shipped.path)) if shipped is not None else None,
            "target": self.machine.target(power_mode()).model_dump(mode="json"),
            "reference_map50_95": self.reference.map50_95 if self.reference is not None else None,
            "engines": [_engine(item) for item in (self.asked, self.other) if item is not None],
            "note": self.note,
        }


def power_mode() -> str | None:
    """Power mode of a Jetson; None where there is none."""
    mode = machine_facts().get("power_mode")
    return str(mode) if mode is not None else None


def _engine(engine: Engine) -> dict[str, Any]:
    return {
        "precision": engine.precision,
        "graph": str(engine.graph),
        "nodes": engine.report["precision"] if engine.report is not None else None,
        "timing": engine.timing.to_dict() if engine.timing is not None else None,
        "speed": engine.speed,
        "map50_95": engine.accuracy.map50_95 if engine.accuracy is not None else None,
        "verdict": list(engine.verdict.reasons) if engine.verdict is not None else None,
        "fingerprint": engine.fingerprint,
    }
