"""Tiny ONNX models, built in the test that needs one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def write_model(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Sequence[Any]],
    outputs: Mapping[str, Sequence[Any]],
    constants: Mapping[str, np.ndarray] | None = None,
    metadata: Mapping[str, str] | None = None,
    input_type: int = TensorProto.FLOAT,
) -> Path:
    graph = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info(name, input_type, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in (constants or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, dict(metadata or {}))
    onnx.save(model, str(path))
    return path


def write_constant(
    path: Path,
    outputs: Sequence[np.ndarray],
    input_shape: Sequence[Any] = (1, 3, 64, 80),
    metadata: Mapping[str, str] | None = None,
    input_type: int = TensorProto.FLOAT,
) -> Path:
    """A model that gives the same outputs for every image."""
    values = {f"value{i}": np.asarray(value, np.float32) for i, value in enumerate(outputs)}
    nodes = [helper.make_node("Identity", [f"value{i}"], [f"output{i}"]) for i in range(len(outputs))]
    shapes = {f"output{i}": np.shape(value) for i, value in enumerate(outputs)}
    return write_model(path, nodes, {"images": input_shape}, shapes, values, metadata, input_type)


def write_double(path: Path, shape: Sequence[Any] = (2, 3), metadata: Mapping[str, str] | None = None) -> Path:
    """y = x + x."""
    return write_model(path, [helper.make_node("Add", ["x", "x"], ["y"])], {"x": shape}, {"y": shape}, None, metadata)


def write_broken_at_run_time(path: Path) -> Path:
    """Loads, then reads beyond the end of a table."""
    nodes = [
        helper.make_node("Cast", ["x"], ["whole"], to=TensorProto.INT64),
        helper.make_node("Add", ["whole", "far"], ["index"]),
        helper.make_node("Gather", ["table", "index"], ["y"]),
    ]
    constants = {"far": np.array([100], np.int64), "table": np.zeros(4, np.float32)}
    return write_model(path, nodes, {"x": (1,)}, {"y": (1,)}, constants)
