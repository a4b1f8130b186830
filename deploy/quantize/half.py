"""FP16, strongly typed: each tensor has the type that the graph says, and an engine is not asked to choose.

Converters that are at hand cast every float32 island to FP16 and back between its own nodes, which rounds pixel
coordinates to half a pixel at 640; here an island stays one.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from deploy.errors import BadInput, require
from deploy.quantize.calibrate import Ranges
from deploy.quantize.graph import decoding
from deploy.quantize.index import GraphIndex, at_opset, metadata, prepared, set_metadata
from deploy.quantize.qdq import PRECISION_KEY, quantize

HALF_MAX = 65504.0
_DELICATE = frozenset({"Exp", "Log", "Pow", "Sqrt", "ReduceSumSquare", "ReduceL2", "CumSum", "Range"})
_QDQ = frozenset({"QuantizeLinear", "DequantizeLinear"})
_QDQ_OPSET = 19  # the first whose scales may be float16


def to_fp16(
    model: Any, keep_io_float32: bool = True, ranges: Ranges | None = None, float_nodes: Collection[str] = ()
) -> Any:
    """Turn a model into FP16 where that is harmless.

    Float32 stay: everything behind the last weighted layers (softmax over distances, boxes in pixels, final concat),
    operators that leave the range of FP16 easily (exponentials, powers, roots, and the means of a written-out
    normalization), nodes with constants beyond that range, and, if ranges are given, those whose tensors go beyond half
    of it. Everything else is FP16: weights too; `Cast` nodes stand at the borders.

    Args:
        model: The float `ModelProto`, or one with int8 Q/DQ pairs, whose scales become FP16 as well.
        keep_io_float32: Leave inputs and outputs as they are, with casts inside.
        ranges: Calibrated ranges of the tensors.
        float_nodes: More nodes to leave in float32.

    Returns:
        A new `ModelProto` with the metadata of the source and `eyehand.precision`.

    Raises:
        BadInput: If the model cannot be typed so.
        Missing: If the package onnx is not installed.
    """
    onnx = require("onnx", "quantize")
    paired = any(node.op_type in _QDQ for node in model.graph.node)
    source = at_opset(prepared(model), _QDQ_OPSET if paired else 13)
    if keep_io_float32 is False:
        _retype_ends(onnx, source)
    index = GraphIndex.of(source)
    typing = _Typing(onnx, source, index, _single_precision(source, index, ranges) | frozenset(float_nodes))
    typing.rewrite()
    del source.graph.value_info[:]
    entries = metadata(model)
    set_metadata(
        source, {**entries, PRECISION_KEY: f"{entries.get(PRECISION_KEY, 'int8-s8')}-fp16" if paired else "fp16"}
    )
    try:
        result = prepared(source)
        onnx.checker.check_model(result, full_check=True)
    except Exception as error:  # the checker's and the shape inference's errors have no common base
        reason = str(error).strip().split("\n", 1)[0][:200]
        raise BadInput(f"the model cannot be typed as fp16 ({reason}): ship it as fp32") from error
    return result


def quantize_s8_fp16(model: Any, ranges: Ranges, float_nodes: Collection[str] = ()) -> Any:
    """INT8 for TensorRT with FP16 for all that is not quantized; see `qdq.quantize` and `to_fp16`."""
    return to_fp16(quantize(model, ranges, "s8", float_nodes), ranges=ranges)


def _single_precision(source: Any, index: GraphIndex, ranges: Ranges | None) -> frozenset[str]:
    found = set(decoding(source))
    limit = 0.5 * HALF_MAX
    for node in index.nodes:
        wide = any(_exceeds(index.initializers[name]) for name in node.input if name in index.initializers)
        mean = node.op_type == "ReduceMean" and any(child.op_type == "Sub" for child in index.children(node))
        if node.op_type in _DELICATE or wide or mean:
            found.add(node.name)
        if ranges is not None:
            ends = [ranges.by_tensor[name] for name in (*node.input, *node.output) if name in ranges.by_tensor]
            if any(max(abs(low), abs(high)) > limit for low, high in ends):
                found.add(node.name)
    return frozenset(found)


def _exceeds(tensor: Any) -> bool:
    onnx = require("onnx", "quantize")
    if tensor.data_type != onnx.TensorProto.FLOAT:
        return False
    values = onnx.numpy_helper.to_array(tensor)
    return bool(np.any(np.abs(values[np.isfinite(values)]) > HALF_MAX))


class _Typing:
    """Gives each tensor of a graph its type, and puts casts where the two meet.

    Args:
        onnx: The package.
        model: Changed in place.
        index: Of that model.
        single: Names of the nodes that stay in float32.
    """

    def __init__(self, onnx: Any, model: Any, index: GraphIndex, single: frozenset[str]) -> None:
        self._onnx, self._graph, self._index, self._single = onnx, model.graph, index, single
        self._single_type, self._half_type = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16
        self._types = {name: index.types.get(name) for name in index.inputs}
        self._opset = {entry.domain: entry.version for entry in model.opset_import}
        self._nodes: list[Any] = []
        self._casts: dict[tuple[str, int], str] = {}
        self._constants: dict[tuple[str, int], str] = {}

    def rewrite(self) -> None:
        """Type all nodes in topological order."""
        for original in list(self._graph.node):
            node = self._onnx.NodeProto.FromString(original.SerializeToString())
            allows_half = self._allows_half(node)
            wanted = self._single_type if node.name in self._single else self._half_type
            for place, name in enumerate(node.input):
                if name and self._is_float(name):
                    node.input[place] = self._as(name, wanted if allows_half(place) else self._single_type)
            self._nodes.append(node)
            self._type_outputs(node, wanted)
        for info in self._graph.output:
            self._match_output(info)
        del self._graph.node[:]
        self._graph.node.extend(self._nodes)
        self._drop_unread()

    def _is_float(self, name: str) -> bool:
        if name in self._index.initializers:
            return bool(self._index.initializers[name].data_type == self._single_type)
        return self._types.get(name) in (self._single_type, self._half_type)

    def _as(self, name: str, wanted: int) -> str:
        if name in self._index.initializers:
            return self._constant(name, wanted)
        if self._types[name] == wanted:
            return name
        if (name, wanted) not in self._casts:
            suffix = "half" if wanted == self._half_type else "single"
            made = f"{name}/{suffix}"
            self._nodes.append(self._onnx.helper.make_node("Cast", [name], [made], f"{made}/Cast", to=wanted))
            self._casts[name, wanted], self._types[made] = made, wanted
        return self._casts[name, wanted]

    def _constant(self, name: str, wanted: int) -> str:
        if wanted == self._single_type:
            return name
        if (name, wanted) not in self._constants:
            values = self._onnx.numpy_helper.to_array(self._index.initializers[name])
            made = f"{name}/half"
            rounded = _scale_to_half(values) if self._is_scale(name) else _to_half(values)
            self._graph.initializer.append(self._onnx.numpy_helper.from_array(rounded, made))
            self._constants[name, wanted] = made
        return self._constants[name, wanted]

    def _is_scale(self, name: str) -> bool:
        return any(node.op_type in _QDQ and node.input[1] == name for node in self._index.consumers.get(name, ()))

    def _type_outputs(self, node: Any, wanted: int) -> None:
        """What a node gives: known for what is not float, else the type that it was turned into."""
        half = wanted == self._half_type
        for entry in node.attribute:
            if node.op_type == "Cast" and entry.name == "to" and entry.i == self._single_type and half:
                entry.i = self._half_type
            if entry.name in ("value", "value_float") and entry.HasField("t") and half:
                values = self._onnx.numpy_helper.to_array(entry.t)
                if values.dtype == np.float32:
                    entry.t.CopyFrom(self._onnx.numpy_helper.from_array(_to_half(values), entry.t.name))
        for name in node.output:
            known = self._index.types.get(name)
            if name and known is None:
                raise BadInput(f"the type of tensor {name} ({node.op_type}) is not known: export with static shapes")
            turned = known in (self._single_type, self._half_type) and self._schema(node) is not None
            self._types[name] = wanted if turned else known

    def _schema(self, node: Any) -> Any | None:
        defs = self._onnx.defs
        domain = "" if node.domain == "ai.onnx" else node.domain
        try:
            return defs.get_schema(node.op_type, self._opset.get(domain, 1), domain)
        except defs.SchemaError:
            return None

    def _allows_half(self, node: Any) -> Any:
        """Whether input number i of an operator may be float16, by ONNX's own definition of it."""
        schema = self._schema(node)
        if schema is None:
            return lambda _: False
        allowed = {c.type_param_str: set(c.allowed_type_strs) for c in schema.type_constraints}
        formal = list(schema.inputs)

        def allows(place: int) -> bool:
            kind = formal[min(place, len(formal) - 1)].type_str
            return "tensor(float16)" in allowed.get(kind, {kind})

        return allows

    def _match_output(self, info: Any) -> None:
        declared, name = info.type.tensor_type.elem_type, info.name
        made = self._types.get(name)
        if made == declared or made not in (self._single_type, self._half_type):
            return
        inner = f"{name}/inner"
        for node in self._nodes:
            for names in (node.input, node.output):
                for place, read in enumerate(names):
                    if read == name:
                        names[place] = inner
        self._nodes.append(self._onnx.helper.make_node("Cast", [inner], [name], f"{name}/Cast", to=declared))

    def _drop_unread(self) -> None:
        read = {name for node in self._nodes for name in node.input}
        kept = sorted((t for t in self._graph.initializer if t.name in read), key=lambda t: str(t.name))
        copies = [type(tensor).FromString(tensor.SerializeToString()) for tensor in kept]
        del self._graph.initializer[:]
        self._graph.initializer.extend(copies)


def _to_half(values: Any) -> Any:
    finite = np.where(np.isfinite(values), np.clip(values, -HALF_MAX, HALF_MAX), values)
    return finite.astype(np.float16)


def _scale_to_half(values: Any) -> Any:
    """Scales, rounded up: rounded down they would cut the largest values off."""
    rounded = np.maximum(values, np.finfo(np.float16).smallest_subnormal).astype(np.float16)
    return np.where(rounded < values, np.nextafter(rounded, np.float16(np.inf)), rounded).astype(np.float16)


def _retype_ends(onnx: Any, model: Any) -> None:
    for info in (*model.graph.input, *model.graph.output):
        if info.type.tensor_type.elem_type == onnx.TensorProto.FLOAT:
            info.type.tensor_type.elem_type = onnx.TensorProto.FLOAT16
