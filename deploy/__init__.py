"""Models on machines, and how long everything takes.

Owns: inference backends (ONNX Runtime, TensorRT, OpenVINO), export, INT8, passports, the model store, latency recorder,
budget contract, reports.

Does not own: what a box or a chunk means; gates receive tensors and an `evaluate(backend) -> metrics` callable.
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
