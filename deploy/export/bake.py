"""Preprocessing inside the graph: the network takes the camera's bytes, and a GPU does what the CPU did.

Bytes are a quarter of the floats, so copying the input costs a quarter too. On a CPU it does not pay.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from deploy.errors import BadInput, require

BAKED = "baked"
INPUT = "pixels"


def bake_preprocessing(model: Any) -> Any:
    """A copy of a detector that takes uint8 pixels: the letterboxed image as the camera gives it, blue, green, red.

    The graph starts with Cast, Transpose, the colour order and the scale, in this order: TensorRT takes no other
    operator than a Cast on uint8. The numbers are those of the preprocessing outside: the same product in float32.

    Args:
        model: `onnx.ModelProto` with one float input (1, 3, H, W) of static shape, scaled by 1/255.

    Returns:
        A new `ModelProto` whose input `pixels` is uint8 (1, H, W, 3), with metadata that says so.

    Raises:
        BadInput: If the input or what the metadata says of it is something else, naming it.
        Missing: If onnx is not installed.
    """
    onnx = require("onnx", "quantize")
    helper, kinds = onnx.helper, onnx.TensorProto
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    name, kind, (_, _, height, width) = _check_input(onnx, model)
    scale, order = metadata.get("eyehand.scale", "1/255"), metadata.get("eyehand.color_order", "RGB")
    if scale != "1/255" or order not in ("RGB", "BGR"):
        raise BadInput(f"a model with eyehand.scale {scale} and colour order {order}: expected 1/255 and RGB or BGR")

    baked = onnx.ModelProto()
    baked.CopyFrom(model)
    steps: list[tuple[str, list[str], dict[str, Any]]] = [
        ("Cast", [], {"to": kinds.FLOAT}),
        ("Transpose", [], {"perm": [0, 3, 1, 2]}),
    ]
    constants = {"pixels/scale": np.array(1.0 / 255.0, np.float32)}
    if order == "RGB":
        constants["pixels/order"] = np.array([2, 1, 0], np.int64)
        steps.append(("Gather", ["pixels/order"], {"axis": 1}))
    steps.append(("Mul", ["pixels/scale"], {}))
    if kind != kinds.FLOAT:
        steps.append(("Cast", [], {"to": kind}))

    nodes, tensor = [], INPUT
    for number, (operator, others, attributes) in enumerate(steps):
        # The last tensor takes the old input's name, so that nothing behind it changes.
        result = name if number == len(steps) - 1 else f"pixels/{number}"
        nodes.append(
            helper.make_node(operator, [tensor, *others], [result], name=f"pixels/{operator}_{number}", **attributes)
        )
        tensor = result
    graph = baked.graph
    old = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *old])
    graph.initializer.extend(onnx.numpy_helper.from_array(value, key) for key, value in constants.items())
    del graph.input[:]
    graph.input.append(helper.make_tensor_value_info(INPUT, kinds.UINT8, [1, height, width, 3]))
    metadata |= {
        "eyehand.input": f"1x{height}x{width}x3",
        "eyehand.color_order": "BGR",
        "eyehand.scale": BAKED,
    }
    del baked.metadata_props[:]
    for key in sorted(metadata):
        baked.metadata_props.add(key=key, value=metadata[key])
    onnx.checker.check_model(baked)
    return baked


def as_float(pixels: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """What the graph makes of its input, computed outside: (1, H, W, 3) BGR bytes to (1, 3, H, W) RGB in [0, 1]."""
    planes = np.ascontiguousarray(pixels[..., ::-1].transpose(0, 3, 1, 2), dtype=np.float32)
    planes *= np.float32(1.0 / 255.0)
    return planes


def _check_input(onnx: Any, model: Any) -> tuple[str, int, tuple[int, ...]]:
    """Name, element type and shape of the one input."""
    weights = {entry.name for entry in model.graph.initializer}
    inputs = [entry for entry in model.graph.input if entry.name not in weights]
    found = []
    for entry in inputs:
        tensor = entry.type.tensor_type
        shape = tuple(size.dim_value for size in tensor.shape.dim)
        found.append((entry.name, tensor.elem_type, shape))
    kinds = onnx.TensorProto
    if len(found) == 1:
        name, kind, shape = found[0]
        if kind in (kinds.FLOAT, kinds.FLOAT16) and len(shape) == 4 and shape[:2] == (1, 3) and min(shape) > 0:
            return name, kind, shape
    told = ", ".join(f"{name} {kinds.DataType.Name(kind).lower()}{list(shape)}" for name, kind, shape in found)
    raise BadInput(f"inputs {told or 'none'}: expected one image, float[1, 3, height, width], to bake preprocessing in")
