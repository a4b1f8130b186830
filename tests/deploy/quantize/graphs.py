"""Small networks with the shapes of real ones: named by what they stand for, their nodes are not named at all."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Net:
    """Collects nodes, with weights from one generator; a method returns the tensor that it makes."""

    def __init__(self, shape: tuple[int, ...] = (1, 3, 32, 32), opset: int = 17, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)
        self._shape, self._opset = shape, opset
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._number = 0

    def constant(self, value: Any, dtype: Any = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def op(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        names = [f"t{self._number + i}" for i in range(outputs)]
        self._number += outputs
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def conv(self, x: str, given: int, made: int, size: int = 1, stride: int = 1) -> str:
        spread = (2.0 / (given * size * size)) ** 0.5
        weights = self.constant(self._rng.normal(0.0, spread, (made, given, size, size)))
        bias = self.constant(self._rng.normal(0.0, 0.1, made))
        return self.op("Conv", x, weights, bias, strides=[stride, stride], pads=[size // 2] * 4)

    def silu(self, x: str) -> str:
        return self.op("Mul", x, self.op("Sigmoid", x))

    def linear(self, x: str, given: int, made: int) -> str:
        return self.op("MatMul", x, self.constant(self._rng.normal(0.0, given**-0.5, (given, made))))

    def reshape(self, x: str, *shape: int) -> str:
        return self.op("Reshape", x, self.constant(shape, np.int64))

    def norm(self, x: str, size: int) -> str:
        return self.op("LayerNormalization", x, self.constant(np.ones(size)), self.constant(np.zeros(size)), axis=-1)

    def model(self, outputs: dict[str, tuple[int, ...]], input_type: int = TensorProto.FLOAT) -> onnx.ModelProto:
        """The model whose outputs are these tensors."""
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info("images", input_type, self._shape)],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self._opset)], ir_version=8)
        helper.set_model_props(model, {"eyehand.layout": "yolo-raw-cxcywh", "names": '{"0": "cube"}'})
        onnx.checker.check_model(model, full_check=True)
        return model


def backbone(net: Net) -> str:
    """Stem, residual block, pooling pyramid: (1, 8, 8, 8)."""
    x = net.silu(net.conv("images", 3, 8, 3, 2))
    x = net.silu(net.conv(x, 8, 8, 3, 2))
    x = net.op("Add", x, net.silu(net.conv(x, 8, 8, 3)))
    pooled = net.op("MaxPool", x, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    return net.silu(net.conv(net.op("Concat", x, pooled, axis=1), 16, 8))


def attention(net: Net, x: str) -> str:
    """Position-sensitive attention between convolutions, as in YOLO11, on (1, 8, 8, 8)."""
    q, k, v = net.op(
        "Split", net.reshape(net.conv(x, 8, 24), 1, 24, 64), net.constant([8] * 3, np.int64), axis=1, outputs=3
    )
    scores = net.op("Mul", net.op("MatMul", net.op("Transpose", q, perm=[0, 2, 1]), k), net.constant(8**-0.5))
    mixed = net.op("MatMul", v, net.op("Transpose", net.op("Softmax", scores, axis=-1), perm=[0, 2, 1]))
    positions = net.conv(net.reshape(v, 1, 8, 8, 8), 8, 8, 3)
    return net.op("Add", x, net.conv(net.op("Add", net.reshape(mixed, 1, 8, 8, 8), positions), 8, 8))


def yolo(with_attention: bool = True, end_to_end: bool = False, classes: int = 2) -> onnx.ModelProto:
    """A YOLO: distances as distributions, boxes and scores in one tensor; or the best ten rows of it."""
    net = Net()
    x = backbone(net)
    x = attention(net, x) if with_attention else x
    boxes = net.conv(net.silu(net.conv(x, 8, 16, 3)), 16, 16)
    logits = net.conv(net.silu(net.conv(x, 8, 8, 3)), 8, classes)
    distances = net.op("Transpose", net.reshape(boxes, 1, 4, 4, 64), perm=[0, 2, 1, 3])
    weights = net.constant(np.arange(4, dtype=np.float32).reshape(1, 4, 1, 1))
    distances = net.reshape(net.op("Conv", net.op("Softmax", distances, axis=1), weights), 1, 4, 64)
    near, far = net.op("Split", distances, net.constant([2, 2], np.int64), axis=1, outputs=2)
    anchors = net.constant(np.stack(np.meshgrid(np.arange(8.0), np.arange(8.0))).reshape(1, 2, 64) + 0.5)
    first, second = net.op("Sub", anchors, near), net.op("Add", anchors, far)
    center = net.op("Div", net.op("Add", first, second), net.constant(2.0))
    box = net.op("Mul", net.op("Concat", center, net.op("Sub", second, first), axis=1), net.constant(80.0))
    scores = net.op("Sigmoid", net.reshape(logits, 1, classes, 64))
    rows = net.op("Concat", box, scores, axis=1)
    if not end_to_end:
        return net.model({rows: (1, 4 + classes, 64)})
    best = net.op("ReduceMax", scores, axes=[1], keepdims=0)
    _, places = net.op("TopK", best, net.constant([10], np.int64), axis=1, outputs=2)
    taken = net.op(
        "Expand", net.op("Unsqueeze", places, net.constant([1], np.int64)), net.constant([1, 6, 10], np.int64)
    )
    return net.model({net.op("GatherElements", rows, taken, axis=2): (1, 6, 10)})


def transformer(classes: int = 2) -> onnx.ModelProto:
    """An RT-DETR, or an ACT: convolutions, attention over the places inside, a projection, a decoder of tokens."""
    net = Net()
    x = backbone(net)
    tokens = net.op("Transpose", net.reshape(x, 1, 8, 64), perm=[0, 2, 1])
    tokens = net.norm(net.op("Add", tokens, _attend(net, tokens, tokens)), 8)
    encoded = net.reshape(net.op("Transpose", tokens, perm=[0, 2, 1]), 1, 8, 8, 8)
    memory = net.conv(net.silu(net.conv(encoded, 8, 8, 3)), 8, 8)
    memory = net.op("Transpose", net.reshape(memory, 1, 8, 64), perm=[0, 2, 1])
    queries = net.constant(np.random.default_rng(1).normal(size=(1, 5, 8)))
    decoded = net.norm(net.op("Add", queries, _attend(net, queries, memory)), 8)
    decoded = net.norm(net.op("Add", decoded, net.linear(net.op("Relu", net.linear(decoded, 8, 16)), 16, 8)), 8)
    boxes, scores = (net.op("Sigmoid", net.linear(decoded, 8, size)) for size in (4, classes))
    return net.model({net.op("Concat", boxes, scores, axis=2): (1, 5, 4 + classes)})


def _attend(net: Net, queries: str, memory: str) -> str:
    q, k, v = net.linear(queries, 8, 8), net.linear(memory, 8, 8), net.linear(memory, 8, 8)
    weights = net.op("Softmax", net.op("MatMul", q, net.op("Transpose", k, perm=[0, 2, 1])), axis=-1)
    return net.linear(net.op("MatMul", weights, v), 8, 8)


def resnet() -> onnx.ModelProto:
    """Residual blocks with their sum last, a mean over the places, a fully connected layer."""
    net = Net()
    x = net.op("Relu", net.conv("images", 3, 8, 3, 4))
    for _ in range(2):
        inner = net.op("Relu", net.conv(x, 8, 8, 3))
        x = net.op("Relu", net.op("Add", x, net.conv(inner, 8, 8, 3)))
    return net.model({net.linear(net.reshape(net.op("GlobalAveragePool", x), 1, 8), 8, 4): (1, 4)})


def named(model: onnx.ModelProto, kind: str, names: frozenset[str] | None = None) -> list[str]:
    """Names of the nodes of a kind, out of some."""
    return [n.name for n in model.graph.node if n.op_type == kind and (names is None or n.name in names)]


def noise(shape: tuple[int, ...] = (1, 3, 32, 32), frames: int = 4, seed: int = 0) -> list[dict[str, np.ndarray]]:
    """Frames for the small networks."""
    rng = np.random.default_rng(seed)
    return [{"images": rng.random(shape, np.float32)} for _ in range(frames)]
