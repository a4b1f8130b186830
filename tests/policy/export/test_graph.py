"""What is done to the graph after torch has written it; the graph as a whole is in test_with_lerobot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from deploy.onnxruntime_backend import OnnxRuntimeBackend
from policy.export.graph import drop_aliases
from tests.deploy.onnx_models import write_model


def test_equal_weights_are_read_without_a_detour(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Identity", ["w"], ["a"]),
        helper.make_node("Identity", ["a"], ["b"]),
        helper.make_node("Add", ["x", "a"], ["c"]),
        helper.make_node("Mul", ["c", "b"], ["d"]),
        helper.make_node("Identity", ["d"], ["y"]),
        helper.make_node("Identity", ["w"], ["z"]),
    ]
    weights = {"w": np.array([[2.0, 3.0]], np.float32)}
    file = write_model(tmp_path / "m.onnx", nodes, {"x": (1, 2)}, {"y": (1, 2), "z": (1, 2)}, weights)
    given = {"x": np.array([[1.0, -1.0]], np.float32)}
    before = OnnxRuntimeBackend(file).infer(given)
    model = onnx.load(file)
    drop_aliases(model.graph)
    onnx.checker.check_model(model)
    onnx.save(model, file)
    assert [node.op_type for node in model.graph.node] == ["Add", "Mul", "Identity", "Identity"]
    assert list(model.graph.node[1].input) == ["c", "w"]
    after = OnnxRuntimeBackend(file).infer(given)
    np.testing.assert_array_equal(after["y"], before["y"])
    np.testing.assert_array_equal(after["z"], weights["w"])
