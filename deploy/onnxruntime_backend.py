"""ONNX Runtime as a backend: one graph, static shapes, one engine that has proved itself."""

from __future__ import annotations

import contextlib
import importlib
import io
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

from deploy.backend import IoSpec, Tensor, TensorSpec
from deploy.backend_checks import check_arguments, check_inputs, expected_inputs, first_line, prove, static_spec
from deploy.errors import BadInput, Missing
from deploy.onnxruntime_binding import Binding
from deploy.passport import file_sha256
from deploy.sniff import describe_file

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
# fp32 is fp32, without TensorFloat-32; and the convolutions' algorithms are not those that won a race at start-up
CUDA_OPTIONS = {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}

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
        provider: Execution provider. ONNX Runtime falls back to the CPU in silence; here that is an error. On CUDA
            tensors are preallocated and page-locked: an output is overwritten by the next inference.

    Raises:
        BadInput: If the file is not an ONNX model, has dynamic shapes, or cannot run, naming what was found.
        Missing: If ONNX Runtime is not installed or lacks the provider.
    """

    def __init__(self, path: str | Path, threads: int = 1, provider: str = CPU) -> None:
        self._path = Path(path)
        check_arguments(self._path, threads)
        ort = _import_onnxruntime()
        self._session: Any = _open(ort, self._path, threads, provider)
        self._io_spec = IoSpec(
            tuple(_static(self._path, node) for node in self._session.get_inputs()),
            tuple(_static(self._path, node) for node in self._session.get_outputs()),
        )
        self._expected = expected_inputs(self._io_spec)
        self._binding = Binding(self._session, self._io_spec, pin=True) if provider == CUDA else None
        self._output_names = [spec.name for spec in self._io_spec.outputs]
        self._metadata = MappingProxyType(dict(self._session.get_modelmeta().custom_metadata_map))
        self._fingerprint = (
            f"sha256:{file_sha256(self._path)} onnxruntime-{ort.__version__} {provider} threads={threads}"
        )
        prove(self._path, "ONNX Runtime", self._io_spec, self.infer)

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
        check_inputs(self._expected, inputs)
        if self._binding is not None:
            return self._binding.run(inputs)
        return dict(zip(self._output_names, self._session.run(self._output_names, dict(inputs)), strict=True))

    def close(self) -> None:
        """Release the session."""
        self._session = self._binding = None


def cuda_backend(path: str | Path, threads: int = 1) -> OnnxRuntimeBackend:
    """A model in ONNX Runtime on an NVIDIA GPU; see `OnnxRuntimeBackend`.

    Args:
        path: The .onnx file, in fp32 or fp16.
        threads: Threads inside one operator, of those that stay on the CPU.

    Raises:
        BadInput: As `OnnxRuntimeBackend`.
        Missing: If there is no ONNX Runtime with CUDA, or no GPU that it can use.
    """
    return OnnxRuntimeBackend(path, threads, CUDA)


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
    chosen: Any = provider
    if provider == CUDA:
        chosen = (CUDA, CUDA_OPTIONS)
        if hasattr(ort, "preload_dlls"):  # of CUDA and cuDNN as pip installs them; it prints what it does not find
            with contextlib.redirect_stdout(io.StringIO()):
                ort.preload_dlls()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.use_deterministic_compute = True
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = ort.InferenceSession(str(path), options, providers=[chosen])
    except Exception as error:  # its exceptions have no common base
        raise BadInput(f"ONNX Runtime cannot load {path}: it is {describe_file(path)} ({first_line(error)})") from error
    used = session.get_providers()[0]
    if used != provider:
        raise Missing(f"onnxruntime loaded {path} on {used} instead of {provider}: check the driver and its libraries")
    return session


def _static(path: Path, node: Any) -> TensorSpec:
    return static_spec(path, node.name, node.shape, _DTYPES.get(node.type), node.type)
