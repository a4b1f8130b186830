"""A model in a form that can be analysed and rewritten: named nodes, constants as initializers, shapes inferred."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from deploy.errors import BadInput, require

SHAPE_OPS = frozenset(
    {"Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Split", "Identity", "Expand", "Cast"}
)
"""Operators that move numbers and do not change them."""


def prepared(model: Any) -> Any:
    """A copy with unique node names, `Constant` nodes as initializers, and every shape that can be inferred.

    Preparing twice changes nothing, so names found in one prepared copy hold in another.

    Args:
        model: A `ModelProto`.

    Raises:
        BadInput: If a node holds a subgraph (If, Loop, Scan).
    """
    onnx = require("onnx", "quantize")
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    _hoist_constants(onnx, copy.graph)
    taken: set[str] = set()
    for number, node in enumerate(copy.graph.node):
        if any(attribute.HasField("g") for attribute in node.attribute):
            raise BadInput(
                f"node {node.name or number} ({node.op_type}) holds a subgraph: export the model with static shapes, "
                "without control flow"
            )
        name = node.name or f"{node.op_type}_{number}"
        while name in taken:
            name += "_"
        node.name = name
        taken.add(name)
    del copy.graph.value_info[:]
    inferred = onnx.shape_inference.infer_shapes(copy, strict_mode=False, data_prop=True)
    known = sorted(inferred.graph.value_info, key=lambda info: str(info.name))
    del inferred.graph.value_info[:]
    inferred.graph.value_info.extend(known)
    return inferred


def at_opset(model: Any, least: int) -> Any:
    """The model at an opset that is new enough.

    Args:
        model: A `ModelProto`; returned as it is if its opset is.
        least: The smallest opset that will do.

    Raises:
        BadInput: If it cannot be converted.
    """
    onnx = require("onnx", "quantize")
    version = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)
    if version >= least:
        return model
    try:
        return prepared(onnx.version_converter.convert_version(model, least))
    except Exception as error:  # its errors have no common base
        raise BadInput(
            f"the model has opset {version} and cannot be converted to {least}: export it again with --opset {least}"
        ) from error


@dataclass(frozen=True, slots=True)
class GraphIndex:
    """Who makes and who reads each tensor of a graph.

    Attributes:
        nodes: All nodes in topological order.
        producer: The node that makes a tensor.
        consumers: The nodes that read a tensor, in order.
        initializers: The constant tensors (`TensorProto`) by name.
        types: Element type (`TensorProto.FLOAT`, ...) of a tensor, as far as it is known.
        shapes: Shape of a tensor, as far as it is known; -1 for a size that is not.
        inputs: Names of the graph's inputs.
        outputs: Names of the graph's outputs.
    """

    nodes: tuple[Any, ...]
    producer: dict[str, Any]
    consumers: dict[str, list[Any]]
    initializers: dict[str, Any]
    types: dict[str, int]
    shapes: dict[str, tuple[int, ...]]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @classmethod
    def of(cls, model: Any) -> GraphIndex:
        """Index a model that `prepared` has made."""
        graph = model.graph
        producer: dict[str, Any] = {}
        consumers: dict[str, list[Any]] = {}
        for node in graph.node:
            producer.update(dict.fromkeys(node.output, node))
            for name in dict.fromkeys(node.input):
                consumers.setdefault(name, []).append(node)
        initializers = {tensor.name: tensor for tensor in graph.initializer}
        types = {name: int(tensor.data_type) for name, tensor in initializers.items()}
        shapes = {name: tuple(tensor.dims) for name, tensor in initializers.items()}
        for info in (*graph.value_info, *graph.input, *graph.output):
            tensor = info.type.tensor_type
            types[info.name] = int(tensor.elem_type)
            shapes[info.name] = tuple(d.dim_value if d.HasField("dim_value") else -1 for d in tensor.shape.dim)
        inputs = tuple(info.name for info in graph.input if info.name not in initializers)
        outputs = tuple(info.name for info in graph.output)
        return cls(tuple(graph.node), producer, consumers, initializers, types, shapes, inputs, outputs)

    def parents(self, node: Any) -> Iterator[Any]:
        """The nodes that make this node's inputs."""
        for name in node.input:
            if name in self.producer:
                yield self.producer[name]

    def children(self, node: Any) -> Iterator[Any]:
        """The nodes that read this node's outputs."""
        for name in node.output:
            yield from self.consumers.get(name, ())

    def varying(self, node: Any) -> list[str]:
        """The inputs of a node that are not constants."""
        return [name for name in node.input if name and name not in self.initializers]

    def through_shape_ops(self, tensor: str, ops: Sequence[str] | frozenset[str] = SHAPE_OPS) -> Any | None:
        """The node that computed a tensor, looking through those that only move numbers; None for an input."""
        node = self.producer.get(tensor)
        while node is not None and node.op_type in ops:
            node = self.producer.get(node.input[0])
        return node


def attribute(node: Any, name: str, default: Any = None) -> Any:
    """Value of a node's attribute."""
    onnx = require("onnx", "quantize")
    for entry in node.attribute:
        if entry.name == name:
            return onnx.helper.get_attribute_value(entry)
    return default


def metadata(model: Any) -> dict[str, str]:
    """`metadata_props` as a dictionary."""
    return {entry.key: entry.value for entry in model.metadata_props}


def set_metadata(model: Any, entries: dict[str, str]) -> None:
    """Replace `metadata_props`, sorted by key."""
    del model.metadata_props[:]
    for key in sorted(entries):
        model.metadata_props.add(key=key, value=entries[key])


def _hoist_constants(onnx: Any, graph: Any) -> None:
    kept = []
    for node in graph.node:
        value = next((entry.t for entry in node.attribute if entry.name == "value"), None)
        if node.op_type == "Constant" and value is not None:
            tensor = graph.initializer.add()
            tensor.CopyFrom(value)
            tensor.name = node.output[0]
        else:
            kept.append(node)
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in kept]
    del graph.node[:]
    graph.node.extend(copies)
