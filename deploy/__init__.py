"""Models on machines, and how long everything takes.

Owns: inference backends (ONNX Runtime, TensorRT, OpenVINO), export, INT8, passports, the model store, latency recorder,
budget contract, reports.

Does not own: what a box or a chunk means; gates receive tensors and an `evaluate(backend) -> metrics` callable.
"""

from __future__ import annotations

from deploy.backend import Backend, IoSpec, Tensor, TensorSpec
from deploy.errors import BadInput, EyehandError, Missing, require

__all__ = ["Backend", "BadInput", "EyehandError", "IoSpec", "Missing", "Tensor", "TensorSpec", "require"]
