"""A vision backbone in 8 bits, where that pays: judged by the actions and by the clock, or left out.

Only the backbone: attention, the projections around it and everything that reads joints and places stay in float.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deploy.backend import Backend
from deploy.errors import BadInput
from deploy.onnxruntime_backend import OnnxRuntimeBackend
from deploy.passport import Calibration, Latency, file_sha256, passport_path
from deploy.policy_passport import PolicyPassport
from deploy.quantize.calibrate import METHODS, Method, collect
from deploy.quantize.graph import float_region, load, save
from deploy.quantize.qdq import quantize
from deploy.timing import Timing, durations_in_turns
from policy.export.parity import Inputs
from policy.features import ACTION
from policy.spec import PolicySpec

ARTIFACT = "model.int8-u8.onnx"  # the form that ONNX Runtime computes fast on a CPU
CALIBRATED, JUDGED = 96, 32  # frames, apart from each other
MOST_ERROR = 0.01  # 95th percentile of an action's change, as a part of its range in the demonstrations
LEAST_GAIN = 0.05  # of the median
_TIMED = 60


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of the backbone.

    Attributes:
        method: Of the calibration, the best of those that were tried.
        error: 95th percentile of the actions' change, as a part of their range.
        tried: That error of each method.
        fp32: Times of the float file.
        int8: Times of the quantized one, in turns with it.
    """

    method: str
    error: float
    tried: dict[str, float]
    fp32: Timing
    int8: Timing

    @property
    def pays(self) -> bool:
        """Whether it is near enough, and faster here."""
        return self.error <= MOST_ERROR and self.int8.p50_ms <= (1.0 - LEAST_GAIN) * self.fp32.p50_ms

    def __str__(self) -> str:
        return (
            f"INT8 backbone ({self.method}): actions change by {self.error:.2%} of their range (95th percentile; "
            f"allowed {MOST_ERROR:.0%}), {self.int8.p50_ms:.1f} ms instead of {self.fp32.p50_ms:.1f}"
        )


def check(spec: PolicySpec, has_pictures: bool) -> None:
    """Refuse a policy that has no such backbone, or nothing to calibrate it on.

    Raises:
        BadInput: Naming what is missing.
    """
    if spec.kind != "act" or not spec.images:
        raise BadInput("--int8: it is for an ACT that sees pictures, and this policy is none: leave it out")
    if not has_pictures:
        raise BadInput("--int8: it is calibrated on demonstrations: give a --dataset that holds pictures, no video")


def try_int8(place: Path, spec: PolicySpec, inputs: Sequence[Inputs]) -> Trial:
    """Quantize the backbone of `model.onnx` to `model.int8-u8.onnx` beside it.

    Args:
        place: Folder of the model.
        spec: What it reads and writes.
        inputs: Frames of the demonstrations, `CALIBRATED` of them first, `JUDGED` behind.
    """
    source = place / "model.onnx"
    model = load(source)
    keep = float_region(model)
    judged = inputs[CALIBRATED:]
    calibration = collect(source, inputs[:CALIBRATED])
    backend = OnnxRuntimeBackend(source)
    scale = np.maximum(np.subtract(spec.action_max, spec.action_min), 1e-6)
    expected = [backend.infer(each)[ACTION] for each in judged]
    tried: dict[Method, float] = {}
    for method in METHODS:
        draft = save(quantize(model, calibration.ranges(method), "u8", keep), place / f"{method}.onnx")
        candidate = OnnxRuntimeBackend(draft)
        found = [candidate.infer(each)[ACTION] for each in judged]
        candidate.close()
        tried[method] = float(np.percentile(np.abs(np.subtract(found, expected)) / scale, 95))
    best = min(tried, key=lambda method: tried[method])
    (place / f"{best}.onnx").replace(place / ARTIFACT)
    for method in tried.keys() - {best}:
        (place / f"{method}.onnx").unlink()
    quantized = OnnxRuntimeBackend(place / ARTIFACT)
    fp32, int8 = _times([backend, quantized])
    backend.close()
    quantized.close()
    return Trial(best, tried[best], {str(method): error for method, error in tried.items()}, fp32, int8)


def write_int8_passport(
    place: Path, passport: PolicyPassport, trial: Trial, inputs: Sequence[Inputs], data: str, machine: str
) -> PolicyPassport:
    """Write the passport of the quantized file.

    Args:
        place: Folder of the model.
        passport: Of the float file.
        trial: What was measured.
        inputs: What it was calibrated and judged on.
        data: Name of the dataset.
        machine: This machine's processor.
    """
    file = place / ARTIFACT
    digest = hashlib.sha256()
    for each in inputs[:CALIBRATED]:
        for name in sorted(each):
            digest.update(name.encode() + each[name].tobytes())
    times = ((trial.int8, "in turns with fp32"), (trial.fp32, "fp32, in turns with the artifact"))
    return passport.model_copy(
        update={
            "precision": "int8-u8", "sha256": file_sha256(file), "size_bytes": file.stat().st_size,
            "source": {"name": "model.onnx", "sha256": passport.sha256},
            "calibration": Calibration(
                method=trial.method, frames=CALIBRATED, sha256=digest.hexdigest(), sources=(data,), tried=trial.tried
            ),
            "float_nodes": tuple(sorted(float_region(load(place / "model.onnx")))),
            "parity": {
                "against": "model.onnx, fp32, in ONNX Runtime", "inputs": len(inputs) - CALIBRATED,
                "p95_error_of_range": trial.error, "tolerance": MOST_ERROR,
            },
            "latency": tuple(
                Latency(
                    backend="onnxruntime", machine=machine, threads=1, n=timing.n, p50_ms=round(timing.p50_ms, 3),
                    p99_ms=round(timing.p99_ms, 3), conditions=conditions,
                )
                for timing, conditions in times
            ),
            "speed": "verified",
        }
    ).write(passport_path(file))  # fmt: skip


def _times(backends: Sequence[Backend]) -> tuple[Timing, Timing]:
    first, second = durations_in_turns(backends, warmup=5, n=_TIMED)
    return Timing.of(first), Timing.of(second)
