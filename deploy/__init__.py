"""Models on machines, and how long everything takes.

Owns: the `Backend` protocol and its engines (ONNX Runtime, OpenVINO, TensorRT), the choice among them, training and
export of detectors, INT8 and FP16, passports and the gate, the model store, the ring of ledger rows, latency figures
and their table.

Does not own: what a box or a chunk means.
"""

from __future__ import annotations

from deploy.backend import Backend, IoSpec, Tensor, TensorSpec
from deploy.errors import BadInput, EyehandError, Missing, require
from deploy.latency import StageLatency, summarize
from deploy.latency_table import latency_table
from deploy.model_store import Model, ModelStore
from deploy.onnxruntime_backend import OnnxRuntimeBackend
from deploy.ring import RowRing

__all__ = [
    "Backend",
    "BadInput",
    "EyehandError",
    "IoSpec",
    "Missing",
    "Model",
    "ModelStore",
    "OnnxRuntimeBackend",
    "RowRing",
    "StageLatency",
    "Tensor",
    "TensorSpec",
    "latency_table",
    "require",
    "summarize",
]
