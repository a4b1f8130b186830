"""Symmetric INT8 graphs as OpenVINO computes them right: the same integers, counted from 0 instead of from -128.

OpenVINO's low-precision pass gives wrong numbers for signed activations that meet in a Concat (seen in 2025.3 and
2026.4 on x86: the scores of a YOLO are off by up to 0.7). With unsigned ones and the zero point 128, which are the same
256 steps, it is exact, and a little faster.
"""

from __future__ import annotations

from typing import Any

from deploy.errors import require

SHIFT = 128
_LOW, _HIGH = -128.0, 127.0


def count_from_zero(model: Any) -> int:
    """Rewrite what is quantized to signed bytes on its way through the model; weights stay as they are.

    Args:
        model: An `openvino.Model` read from a Q/DQ graph; changed in place.

    Returns:
        How many tensors were rewritten; 0 for a model that has none.
    """
    found = [node for node in model.get_ordered_ops() if _is_signed_activation(node)]
    for node in found:
        _rewrite(node)
    if found:
        model.validate_nodes_and_infer_types()
    return len(found)


def _is_signed_activation(node: Any) -> bool:
    """Whether this is the end of a QuantizeLinear to int8 of something that is no constant."""
    if node.get_type_name() != "Convert" or node.get_output_element_type(0).get_type_name() != "i8":
        return False
    steps = node.input_value(0).get_node()
    if steps.get_type_name() != "FakeQuantize" or steps.input_value(0).get_node().get_type_name() == "Constant":
        return False
    ends = [steps.input_value(i).get_node() for i in (3, 4)]
    if any(end.get_type_name() != "Constant" or end.data.size != 1 for end in ends):
        return False
    read = {consumer.get_node().get_type_name() for consumer in _consumers(node)}
    return [float(end.data.item()) for end in ends] == [_LOW, _HIGH] and read == {"Convert"}


def _rewrite(signed: Any) -> None:
    opset = require("openvino.opset13", "openvino")
    steps = signed.input_value(0).get_node()
    dequantized = [consumer.get_node() for consumer in _consumers(signed)]
    kind = steps.input_value(3).get_element_type()
    low, high = (opset.constant(end + SHIFT, dtype=kind) for end in (_LOW, _HIGH))
    rounded = opset.fake_quantize(*(steps.input_value(i) for i in range(3)), low, high, 256)
    unsigned = opset.convert(rounded, "u8")
    unsigned.set_friendly_name(signed.get_friendly_name())
    for convert in dequantized:
        consumers = _consumers(convert)
        convert.input(0).replace_source_output(unsigned.output(0))
        shift = opset.convert(opset.constant(SHIFT, dtype="uint8"), convert.get_output_element_type(0).get_type_name())
        back = opset.subtract(convert, shift)
        for consumer in consumers:
            node = consumer.get_node()
            if node.get_type_name() == "Subtract" and _is_zero(node.input_value(1).get_node()):
                node.input(1).replace_source_output(shift.output(0))
            else:
                consumer.replace_source_output(back.output(0))


def _consumers(node: Any) -> list[Any]:
    return sorted(node.output(0).get_target_inputs(), key=lambda port: str(port.get_node().get_friendly_name()))


def _is_zero(node: Any) -> bool:
    """Whether a node is the constant 0, perhaps in another type or shape."""
    while node.get_type_name() in ("Convert", "Reshape", "Broadcast"):
        node = node.input_value(0).get_node()
    return bool(node.get_type_name() == "Constant" and not node.data.any())
