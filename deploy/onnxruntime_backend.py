"""ONNX Runtime as a backend: one graph, static shapes, one engine that has proved itself."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

import numpy as np

from deploy.backend import IoSpec, Tensor, TensorSpec
from deploy.errors import BadInput, Missing
from deploy.passport import file_sha256
from deploy.sniff import describe_file

CPU = "CPUExecutionProvider"

_DTYPES = {
    "tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64", "tensor(bool)": "bool",
    "tensor(uint8)": "uint8", "tensor(int8)": "int8", "tensor(uint16)": "uint16", "tensor(int16)": "int16",
    "tensor(uint32)": "uint32", "tensor(int32)": "int32", "tensor(uint64)": "uint64", "tensor(int64)": "int64",
}  # fmt: skip


class OnnxRuntimeBackend:
    """A model in ONNX Runtime.

    Threads do not spin while they wait: they share their cores with the control loop. Nodes run one after another and
    kernels are deterministic, so that one fingerprint on one machine gives the same bits again.

    Args:
        path: The .onnx file.
        threads: Threads inside one operator.
        provider: Execution provider. ONNX Runtime falls back to the CPU in silence; here that is an error.

    Raises:
        BadInput: If the file is not an ONNX model, has dynamic shapes, or cannot run, naming what was found.
        Missing: If ONNX Runtime is not installed or lacks the provider.
    """

    def __init__(self, path: str | Path, threads: int = 1, provider: str = CPU) -> None:
        self._path = Path(path)
        if threads < 1:
            raise BadInput(f"{threads} threads for {self._path}: expected at least 1")
        if not self._path.is_file():
            raise BadInput(f"model file {self._path} does not exist or is a folder: give the path of an .onnx file")
        ort = _import_onnxruntime()
        self._session: Any = _open(ort, self._path, threads, provider)
        self._io_spec = IoSpec(
            tuple(_static(self._path, node) for node in self._session.get_inputs()),
            tuple(_static(self._path, node) for node in self._session.get_outputs()),
        )
        self._expected = {spec.name: (spec.shape, np.dtype(spec.dtype)) for spec in self._io_spec.inputs}
        self._output_names = [spec.name for spec in self._io_spec.outputs]
        self._metadata = MappingProxyType(dict(self._session.get_modelmeta().custom_metadata_map))
        self._fingerprint = (
            f"sha256:{file_sha256(self._path)} onnxruntime-{ort.__version__} {provider} threads={threads}"
        )
        self._prove()

    @property
    def io_spec(self) -> IoSpec:
        """Inputs and outputs."""
        return self._io_spec

    @property
    def metadata(self) -> Mapping[str, str]:
        """`metadata_props` of the ONNX file, read-only."""
        return self._metadata

    @property
    def fingerprint(self) -> str:
        """Hash of the model file, engine and version, provider, threads."""
        return self._fingerprint

    def infer(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run the model once; see `Backend.infer`."""
        if self._session is None:
            raise BadInput(f"backend of {self._path} is closed: build a new one")
        if inputs.keys() != self._expected.keys():
            raise BadInput(f"inputs {sorted(inputs)}: expected {sorted(self._expected)}")
        for name, (shape, dtype) in self._expected.items():
            tensor = inputs[name]
            if tensor.shape != shape or tensor.dtype != dtype:
                raise BadInput(f"input {name} is {tensor.dtype}{list(tensor.shape)}: expected {dtype}{list(shape)}")
        return dict(zip(self._output_names, self._session.run(self._output_names, dict(inputs)), strict=True))

    def close(self) -> None:
        """Release the session."""
        self._session = None

    def _prove(self) -> None:
        """Run once: what was compiled in or parsed may still not work on this machine."""
        zeros = {spec.name: np.zeros(spec.shape, spec.dtype) for spec in self._io_spec.inputs}
        try:
            outputs = self.infer(zeros)
        except Exception as error:
            raise BadInput(f"model {self._path} cannot run in ONNX Runtime: {_first_line(error)}") from error
        for spec in self._io_spec.outputs:
            found = outputs[spec.name]
            if found.shape != spec.shape or found.dtype != np.dtype(spec.dtype):
                raise BadInput(
                    f"model {self._path} declares output {spec} and gave {found.dtype}{list(found.shape)}: "
                    "export it again"
                )


def _import_onnxruntime() -> ModuleType:
    try:
        return importlib.import_module("onnxruntime")
    except ImportError as error:
        raise Missing(
            f"onnxruntime cannot be imported ({error}): pip install 'eyehand[cpu]', or 'eyehand[gpu]' for an NVIDIA GPU"
        ) from error


def _open(ort: ModuleType, path: Path, threads: int, provider: str) -> Any:
    available = ort.get_available_providers()
    if provider not in available:
        raise Missing(
            f"onnxruntime {ort.__version__} has no {provider} (it has {', '.join(available)}): "
            "pip install 'eyehand[gpu]' for CUDA and TensorRT, or choose another provider"
        )
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.use_deterministic_compute = True
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = ort.InferenceSession(str(path), options, providers=[provider])
    except Exception as error:  # its exceptions have no common base
        raise BadInput(
            f"ONNX Runtime cannot load {path}: it is {describe_file(path)} ({_first_line(error)})"
        ) from error
    used = session.get_providers()[0]
    if used != provider:
        raise Missing(f"onnxruntime loaded {path} on {used} instead of {provider}: check the driver and its libraries")
    return session


def _static(path: Path, node: Any) -> TensorSpec:
    shape, dtype = node.shape, _DTYPES.get(node.type)
    if dtype is None:
        raise BadInput(f"{node.name} of {path} is {node.type}: expected a tensor of numbers")
    if not all(isinstance(size, int) and size > 0 for size in shape):
        raise BadInput(
            f"{node.name} of {path} has the dynamic shape {shape}: expected fixed sizes; export with dynamic=False, "
            "or fix them with python -m onnxruntime.tools.make_dynamic_shape_fixed"
        )
    return TensorSpec(node.name, tuple(shape), dtype)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:200]
