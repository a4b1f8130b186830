"""The layers of a built engine, as TensorRT's inspector tells them: what runs, in which precision, by which tactic."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from deploy.errors import BadInput

_TYPES = (  # the inspector says Half or, with a format, Row major linear FP16 format
    ("bf16", r"bf16|bfloat"),
    ("fp16", r"half|fp16|float16"),
    ("fp8", r"fp8"),
    ("fp32", r"float|fp32"),
    ("uint8", r"uint8"),
    ("int8", r"int8"),
    ("int32", r"int32"),
    ("int64", r"int64"),
    ("bool", r"bool"),
)
_MOVES = re.compile(r"reformat|constant|noop|shuffle|slice|shape|signal|wait|copy|quantize|scale", re.IGNORECASE)
# Kernels name their types: i8f16_i8i32 reads INT8 and adds up in INT32; CUTLASS's are called after the instruction.
_INT8_TACTIC = re.compile(r"i8i8|i8i32|int8|imma|s8s8|_s8_|i8816|i16832", re.IGNORECASE)
_ONNX_NODE = re.compile(r"\[ONNX Layer: ([^\]|]+?)\s*[\]|]")
_MYELIN_SUFFIX = re.compile(r"_myl\d+_\d+$")


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of an engine.

    Attributes:
        name: As TensorRT names it: the nodes that it fused, joined by ` + `.
        kind: Such as `CaskConvolution`, or `Reformat` for a change of format.
        nodes: Nodes of the ONNX graph that it stands for; empty for what TensorRT added.
        inputs: Precisions of its inputs.
        outputs: Of its outputs.
        weights: Of its weights; None if it tells none.
        tactic: The kernel.
    """

    name: str
    kind: str
    nodes: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    weights: str | None
    tactic: str | None

    @property
    def moves(self) -> bool:
        """Whether it only moves, converts or keeps data."""
        return bool(_MOVES.search(self.kind))

    @property
    def precision(self) -> str | None:
        """What it computes in; None if it tells no types.

        A layer is INT8 only if it reads INT8 and its weights or its kernel are INT8 too: one that reads INT8 and
        converts it first is not. Data, weights and what is added come in no certain order where the graph was compiled
        as a whole, and there may be FP32 scales among them.
        """
        if not self.inputs:
            return None
        floats = [value for value in self.inputs if value != "int8"]
        if len(floats) < len(self.inputs):
            if self.weights is not None:
                return self.weights
            if not floats or _INT8_TACTIC.search(self.tactic or ""):
                return "int8"
        return "fp16" if "fp16" in floats else floats[0]

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "layer": self.name,
            "type": self.kind,
            "nodes": list(self.nodes),
            "inputs": list(self.inputs),
            "outputs": list(self.outputs),
            "weights": self.weights,
            "tactic": self.tactic,
        }


def read_layers(text: str) -> tuple[Layer, ...]:
    """Read the inspector's JSON.

    Args:
        text: Of `get_engine_information`; the engine must have been built with detailed profiling verbosity.

    Raises:
        BadInput: If it is no JSON, or tells names alone.
    """
    try:
        found = json.loads(text, strict=False)["Layers"]  # it separates nodes by a control character
    except (ValueError, TypeError, KeyError) as error:
        raise BadInput(f"TensorRT's inspector gave no list of layers ({text.strip()[:60]!r}): report this") from error
    if not found or not all(isinstance(layer, dict) for layer in found):
        raise BadInput("the engine tells the names of its layers alone: build it with detailed profiling verbosity")
    return tuple(_layer(layer) for layer in found)


def type_of(text: str) -> str:
    """Precision in the inspector's words for a type or a format.

    Example:
        >>> type_of("Thirty-two wide channel vectorized row major Int8 format"), type_of("Half")
        ('int8', 'fp16')
    """
    for name, pattern in _TYPES:
        if re.search(pattern, text, re.IGNORECASE):
            return name
    return text.strip().lower() or "unknown"


def _layer(content: dict[str, Any]) -> Layer:
    name = str(content.get("Name", ""))
    weights = content.get("Weights")
    nodes = _ONNX_NODE.findall(str(content.get("Metadata", "")))
    for part in re.split(r"\s\+\s|\s\|\|\s", name):
        nodes.append(_MYELIN_SUFFIX.sub("", part.strip()))
    return Layer(
        name=name,
        kind=str(content.get("LayerType", "")),
        nodes=tuple(dict.fromkeys(filter(None, nodes))),
        inputs=_types(content.get("Inputs")),
        outputs=_types(content.get("Outputs")),
        weights=type_of(str(weights["Type"])) if isinstance(weights, dict) and weights.get("Type") else None,
        tactic=str(content.get("TacticName") or content.get("TacticValue") or "") or None,
    )


def _types(tensors: object) -> tuple[str, ...]:
    if not isinstance(tensors, list):
        return ()
    said = (next((str(tensor[key]) for key in ("Format/Datatype", "Datatype") if tensor.get(key)), "")
            for tensor in tensors if isinstance(tensor, dict))  # fmt: skip
    return tuple(type_of(text) for text in said)
