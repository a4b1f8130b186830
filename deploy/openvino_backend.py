"""OpenVINO on the CPU as a backend: often the fastest engine of an x86 machine, for fp32 and for symmetric INT8."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

import numpy as np

from deploy.backend import IoSpec, Tensor, TensorSpec
from deploy.backend_checks import check_arguments, check_inputs, expected_inputs, first_line, prove, static_spec
from deploy.errors import BadInput, Missing, require
from deploy.onnx_metadata import onnx_header
from deploy.openvino_int8 import count_from_zero
from deploy.passport import file_sha256
from deploy.sniff import describe_file

DEVICE = "CPU"
PRECISION = "f32"

_DTYPES = {
    "f32": "float32", "f16": "float16", "f64": "float64", "boolean": "bool",
    "u8": "uint8", "i8": "int8", "u16": "uint16", "i16": "int16",
    "u32": "uint32", "i32": "int32", "u64": "uint64", "i64": "int64",
}  # fmt: skip


class OpenVinoBackend:
    """A model in OpenVINO.

    One stream, tuned for latency. Threads are bound to no core: they share the cores with the control loop, and the
    scheduler must be able to move them out of its way. What the model has in float stays in 32 bits also where the
    processor offers bfloat16 or half precision, so that one file gives the same numbers on each machine; Q/DQ graphs
    run in 8 bits.

    Inputs are read where they lie: an array that is given again and again, as a detector's input is, is bound once
    and never copied. Outputs are preallocated and overwritten by the next inference.

    Args:
        path: The .onnx file.
        threads: Threads inside one operator.

    Raises:
        BadInput: If the file is not an ONNX model, has dynamic shapes, or cannot run, naming what was found.
        Missing: If OpenVINO is not installed or does not know this processor.
    """

    def __init__(self, path: str | Path, threads: int = 1) -> None:
        self._path = Path(path)
        check_arguments(self._path, threads)
        openvino = require("openvino", "openvino")
        header = onnx_header(self._path)
        compiled = _compile(openvino, self._path, threads)
        self._tensor: Any = openvino.Tensor
        self._io_spec = IoSpec(
            _specs(self._path, compiled.inputs, header.inputs), _specs(self._path, compiled.outputs, header.outputs)
        )
        self._request: Any = compiled.create_infer_request()
        self._expected = expected_inputs(self._io_spec)
        self._buffers = {spec.name: np.zeros(spec.shape, spec.dtype) for spec in self._io_spec.inputs}
        self._bound: dict[str, Tensor] = {}
        self._outputs = {spec.name: np.zeros(spec.shape, spec.dtype) for spec in self._io_spec.outputs}
        for i, output in enumerate(self._outputs.values()):
            self._request.set_output_tensor(i, self._tensor(output, shared_memory=True))
        self._metadata = MappingProxyType(header.metadata)
        version = str(openvino.get_version()).split("-", 1)[0]
        self._fingerprint = (
            f"sha256:{file_sha256(self._path)} openvino-{version} {DEVICE} {PRECISION} threads={threads}"
        )
        prove(self._path, "OpenVINO", self._io_spec, self._first_inference)

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
        """Hash of the model file, engine and version, device, precision of what is in float, threads."""
        return self._fingerprint

    def infer(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run the model once; see `Backend.infer`."""
        if self._request is None:
            raise BadInput(f"backend of {self._path} is closed: build a new one")
        check_inputs(self._expected, inputs)
        for i, name in enumerate(self._expected):
            self._bind(i, name, inputs[name])
        self._request.infer()
        return dict(self._outputs)  # not the engine's own views of them, which do not keep their memory alive

    def close(self) -> None:
        """Release the engine."""
        self._request = None
        self._bound.clear()

    def _first_inference(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """As `infer`, with what the engine says of its outputs: that they lie in our arrays is not taken on trust."""
        outputs = self.infer(inputs)
        for i, (name, output) in enumerate(outputs.items()):
            found = self._request.get_output_tensor(i).data
            if not np.shares_memory(found, output):
                raise BadInput(f"output {name} was written elsewhere than to the memory that was given for it")
        return outputs

    def _bind(self, index: int, name: str, tensor: Tensor) -> None:
        """Let the engine read an array where it lies; one that it cannot read there is copied."""
        if not (tensor.flags.c_contiguous and tensor.flags.writeable and tensor.flags.aligned):
            np.copyto(self._buffers[name], tensor)
            tensor = self._buffers[name]
        if self._bound.get(name) is not tensor:
            self._request.set_input_tensor(index, self._tensor(tensor, shared_memory=True))
            self._bound[name] = tensor  # keeps its memory


def _compile(openvino: ModuleType, path: Path, threads: int) -> Any:
    core = openvino.Core()
    if DEVICE not in core.available_devices:
        there = ", ".join(core.available_devices) or "no device"
        raise Missing(f"openvino {openvino.get_version()} has no {DEVICE} device here (it has {there}): reinstall it")
    try:
        model = core.read_model(str(path))
    except Exception as error:  # its exceptions have no common base
        raise BadInput(f"OpenVINO cannot load {path}: it is {describe_file(path)} ({_reason(error)})") from error
    for ports in (model.inputs, model.outputs):
        _specs(path, ports, [])
    count_from_zero(model)
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": threads,
        "ENABLE_CPU_PINNING": False,
        "EXECUTION_MODE_HINT": "ACCURACY",
        "INFERENCE_PRECISION_HINT": PRECISION,
    }
    try:
        return core.compile_model(model, DEVICE, settings)
    except Exception as error:
        raise BadInput(f"OpenVINO cannot compile {path} for this {DEVICE}: {_reason(error)}") from error


def _specs(path: Path, ports: Sequence[Any], names: Sequence[str]) -> tuple[TensorSpec, ...]:
    """Describe tensors; of the names that the engine has for one, the model's own counts."""
    specs: list[TensorSpec] = []
    for port in ports:
        shape = [size.get_length() if size.is_static else str(size) for size in port.partial_shape]
        kind = port.element_type.get_type_name()
        own = (name for name in names if name in port.get_names() and all(name != spec.name for spec in specs))
        specs.append(static_spec(path, next(own, port.get_any_name()), shape, _DTYPES.get(kind), kind))
    return tuple(specs)


def _reason(error: Exception) -> str:
    """The line that says why: the first ones say where in the engine's source."""
    lines = [line.strip() for line in str(error).splitlines()]
    told = [line for line in lines if line and not line.startswith(("Exception from", "Check '", "[ERROR]"))]
    return (told[-1] if told else first_line(error))[:200]
