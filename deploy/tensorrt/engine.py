"""A serialized engine made ready, and its named tensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deploy.backend import IoSpec, TensorSpec
from deploy.backend_checks import static_spec
from deploy.errors import BadInput
from deploy.tensorrt.machine import Machine, make

_DTYPES = {
    "FLOAT": "float32", "HALF": "float16", "INT8": "int8", "UINT8": "uint8", "INT32": "int32", "INT64": "int64",
    "BOOL": "bool",
}  # fmt: skip


def deserialize(machine: Machine, log: Any, path: Path, content: bytes) -> tuple[Any, Any]:
    """Make an engine of its bytes.

    Args:
        machine: TensorRT and the GPU.
        log: Of `make_log`.
        path: Where the bytes come from, for messages.
        content: The serialized engine.

    Returns:
        The run time, which must outlive the engine, and the engine.

    Raises:
        BadInput: If TensorRT refuses it, with its reason.
    """
    runtime = make(machine, "Runtime", log)
    engine = runtime.deserialize_cuda_engine(content)
    if engine is None:
        raise BadInput(
            f"TensorRT {machine.version} cannot load {path} ({log.reason()}): build it on this machine, eyehand build"
        )
    return runtime, engine


def read_io_spec(machine: Machine, engine: Any, path: Path) -> IoSpec:
    """The named tensors of an engine.

    Raises:
        BadInput: If one has a dynamic shape, a type that numpy has not, a packed format or no memory on the GPU.
    """
    trt = machine.trt
    dtypes = {getattr(trt.DataType, name): dtype for name, dtype in _DTYPES.items()}
    inputs: list[TensorSpec] = []
    outputs: list[TensorSpec] = []
    for index in range(engine.num_io_tensors):
        name = engine.get_tensor_name(index)
        dtype = engine.get_tensor_dtype(name)
        shape = tuple(int(size) for size in engine.get_tensor_shape(name))
        spec = static_spec(path, name, shape, dtypes.get(dtype), str(dtype))
        if engine.get_tensor_format(name) != trt.TensorFormat.LINEAR:
            raise BadInput(f"{spec} of {path} has a packed format: build it with linear inputs and outputs")
        if engine.get_tensor_location(name) != trt.TensorLocation.DEVICE:
            raise BadInput(f"{spec} of {path} is a shape on the host: build it with fixed shapes")
        (inputs if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT else outputs).append(spec)
    return IoSpec(tuple(inputs), tuple(outputs))
