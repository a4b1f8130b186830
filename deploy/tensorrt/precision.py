"""The precision that a graph asks for, node by node, and whether an engine that was built from it keeps to it.

A builder takes what it can and says nothing: a flag that no longer exists, a type that was lost on the way, and the
engine runs in FP32 at a third of the speed. So what the graph asks for is read from the graph, what the engine does
from the engine, and the two are held against each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.errors import BadInput, EyehandError, require
from deploy.tensorrt.layers import Layer

if TYPE_CHECKING:
    import onnx

HEAVY = ("Conv", "ConvTranspose", "Gemm", "MatMul")
LEAST_SHARE = 0.9  # some convolutions, such as depthwise ones, have no INT8 kernel on some GPUs
LEAST_TOLD = 0.5  # of a region that is compiled as a whole the inspector does not always tell every node
ABSENT = "absent"
_PASSES = ("Transpose", "Reshape", "Identity", "Squeeze", "Unsqueeze")


class PrecisionLost(EyehandError):
    """The engine does not compute in the precision that was asked for."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Share:
    """How many of the nodes that ask for a precision have it in the engine.

    Attributes:
        precision: `int8` or `fp16`.
        asked: Number of nodes that ask for it.
        kept: Number of those whose layer computes in it.
        others: Those whose layer does not, with what it computes in; `absent` if no layer names them.
    """

    precision: str
    asked: int
    kept: int
    others: tuple[tuple[str, str], ...]

    @property
    def told(self) -> int:
        """How many of them a layer names."""
        return self.asked - sum(value == ABSENT for _, value in self.others)

    @property
    def share(self) -> float:
        """Part of those that a layer names, in [0, 1]."""
        return self.kept / self.told if self.told else 0.0


def asked_precisions(model: onnx.ModelProto) -> dict[str, str]:
    """What each heavy node with weights asks for, by the name that TensorRT's parser gives it.

    A node is INT8 if it takes both its data and its weights from DequantizeLinear of INT8; else it has the type of its
    weights.

    Args:
        model: The graph.

    Returns:
        `int8`, `fp16` or `fp32` by name.
    """
    onnx = require("onnx", "quantize")
    types = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    makers = {output: node for node in model.graph.node for output in node.output}
    names = onnx.TensorProto
    asked: dict[str, str] = {}

    def back(name: str) -> str:
        while name in makers and makers[name].op_type in _PASSES:
            name = makers[name].input[0]
        return name

    def quantized(name: str) -> bool:
        maker = makers.get(back(name))
        if maker is None or maker.op_type != "DequantizeLinear":
            return False
        if len(maker.input) > 2 and maker.input[2] in types:
            return bool(types[maker.input[2]] == names.INT8)
        return bool(types.get(maker.input[0]) == names.INT8)

    def float_type(name: str) -> int | None:
        maker = makers.get(back(name))
        if maker is None:
            return types.get(back(name))
        if maker.op_type == "DequantizeLinear":
            return types.get(back(maker.input[1]))  # it gives the type of its scale
        if maker.op_type == "Cast":
            return next((attribute.i for attribute in maker.attribute if attribute.name == "to"), None)
        if maker.op_type == "Constant":
            return next((attribute.t.data_type for attribute in maker.attribute if attribute.name == "value"), None)
        return None

    for node in model.graph.node:
        if node.op_type not in HEAVY or len(node.input) < 2:
            continue
        kind = float_type(node.input[1])
        if kind is None:
            continue  # no weights: the product of two activations
        if quantized(node.input[0]) and quantized(node.input[1]):
            asked[_name(node)] = "int8"
        else:
            asked[_name(node)] = "fp16" if kind == names.FLOAT16 else "fp32"
    return asked


def shares(asked: Mapping[str, str], layers: Sequence[Layer]) -> tuple[Share, ...]:
    """Hold an engine's layers against what its graph asks for; one result for each precision below FP32."""
    computed: dict[str, set[str]] = {}
    for layer in layers:
        if not layer.moves and layer.precision is not None:
            for node in layer.nodes:
                computed.setdefault(node, set()).add(layer.precision)
    results = []
    for precision in ("int8", "fp16"):
        nodes = [node for node, value in asked.items() if value == precision]
        if nodes:
            others = tuple(
                (node, "/".join(sorted(computed.get(node, {ABSENT}))))
                for node in nodes
                if precision not in computed.get(node, ())
            )
            results.append(Share(precision, len(nodes), len(nodes) - len(others), others))
    return tuple(results)


def check_asked(graph: str, asked: Mapping[str, str], precision: str) -> None:
    """Refuse a graph that does not ask for a precision.

    Raises:
        BadInput: If none of its nodes does.
    """
    if precision not in asked.values():
        other = ", ".join(sorted(set(asked.values()))) or "nothing"
        raise BadInput(
            f"{graph} asks for no {precision}: its convolutions and products ask for {other}; make it with eyehand "
            "quantize"
        )


def check_kept(graph: str, found: Sequence[Share]) -> None:
    """Refuse an engine that lost a precision on the way.

    Raises:
        PrecisionLost: If less than nine in ten of the nodes that ask for one and that the engine names have it, naming
            the first; or if it names less than half of them, so that nobody knows.
    """
    for part in found:
        if part.told < LEAST_TOLD * part.asked:
            raise PrecisionLost(
                f"the engine of {graph} names {part.told} of the {part.asked} nodes that ask for {part.precision}, so "
                f"that what the others compute in is not known: expected at least {LEAST_TOLD:.0%}; nothing was "
                "installed"
            )
        if part.share < LEAST_SHARE:
            named = ", ".join(f"{node} ({value})" for node, value in part.others[:3])
            raise PrecisionLost(
                f"the engine of {graph} computes {part.kept} of the {part.asked} nodes in {part.precision} that ask "
                f"for it, for example not {named}: expected at least {LEAST_SHARE:.0%}; nothing was installed"
            )


def _name(node: onnx.NodeProto) -> str:
    """As TensorRT's parser names a node that has no name."""
    return node.name or f"node_of_{node.output[0]}"
