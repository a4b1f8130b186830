"""What every engine refuses in the same words: threads, files, dynamic shapes, wrong inputs, outputs that differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from deploy.backend import IoSpec, Tensor, TensorSpec
from deploy.errors import BadInput

Infer = Callable[[Mapping[str, Tensor]], dict[str, Tensor]]
Expected = Mapping[str, tuple[tuple[int, ...], np.dtype[Any]]]


def check_arguments(path: Path, threads: int, kind: str = "an .onnx file") -> None:
    """Refuse what no engine can load.

    Args:
        path: The model file.
        threads: Threads inside one operator.
        kind: What the file should be, for the message.

    Raises:
        BadInput: If there are no threads, or no such file.
    """
    if threads < 1:
        raise BadInput(f"{threads} threads for {path}: expected at least 1")
    if not path.is_file():
        raise BadInput(f"model file {path} does not exist or is a folder: give the path of {kind}")


def static_spec(path: Path, name: str, shape: object, dtype: str | None, found: str) -> TensorSpec:
    """Describe a tensor of a model whose shapes must be fixed.

    Args:
        path: The model file.
        name: Name of the tensor.
        shape: Sizes as the engine tells them, a sequence; what is no positive integer is dynamic.
        dtype: Its numpy type name; None if numpy has none for it.
        found: Its type in the engine's words.

    Raises:
        BadInput: If a size is not fixed, or the tensor does not hold numbers.
    """
    if dtype is None:
        raise BadInput(f"{name} of {path} is {found}: expected a tensor of numbers")
    if not isinstance(shape, (list, tuple)) or not all(isinstance(size, int) and size > 0 for size in shape):
        raise BadInput(
            f"{name} of {path} has the dynamic shape {shape}: expected fixed sizes; export with dynamic=False, "
            "or fix them with python -m onnxruntime.tools.make_dynamic_shape_fixed"
        )
    return TensorSpec(name, tuple(shape), dtype)


def expected_inputs(io_spec: IoSpec) -> Expected:
    """Shape and type of each input, as `check_inputs` wants them: made once, compared for each inference."""
    return {spec.name: (spec.shape, np.dtype(spec.dtype)) for spec in io_spec.inputs}


def check_inputs(expected: Expected, inputs: Mapping[str, Tensor]) -> None:
    """Refuse inputs that the model does not take.

    Raises:
        BadInput: If an input is absent, unknown, or has another shape or type, naming both.
    """
    if inputs.keys() != expected.keys():
        raise BadInput(f"inputs {sorted(inputs)}: expected {sorted(expected)}")
    for name, (shape, dtype) in expected.items():
        tensor = inputs[name]
        if tensor.shape != shape or tensor.dtype != dtype:
            raise BadInput(f"input {name} is {tensor.dtype}{list(tensor.shape)}: expected {dtype}{list(shape)}")


def prove(path: Path, engine: str, io_spec: IoSpec, infer: Infer) -> None:
    """Run once with zeros: what was compiled in, parsed or declared may still not work on this machine.

    Args:
        path: The model file.
        engine: The engine's name, for the message.
        io_spec: What the model declares.
        infer: Runs it.

    Raises:
        BadInput: If it does not run, or gives other tensors than it declares.
    """
    zeros = {spec.name: np.zeros(spec.shape, spec.dtype) for spec in io_spec.inputs}
    try:
        outputs = infer(zeros)
    except Exception as error:  # the exceptions of engines have no common base
        raise BadInput(f"model {path} cannot run in {engine}: {first_line(error)}") from error
    for spec in io_spec.outputs:
        found = outputs.get(spec.name)
        if found is None or found.shape != spec.shape or found.dtype != np.dtype(spec.dtype):
            gave = "nothing" if found is None else f"{found.dtype}{list(found.shape)}"
            raise BadInput(f"model {path} declares output {spec} and gave {gave}: export it again")


def first_line(error: Exception) -> str:
    """What an engine's error says, without the pages that may follow."""
    return str(error).strip().split("\n", 1)[0][:200]
