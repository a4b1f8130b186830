"""A segmentation model without training: a shipped detector, with prototypes that are the picture's own colours.

A mask's logit is red less half of green and of blue, less a sixteenth: true masks of red objects.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from deploy.model_store import ModelStore

COEFFICIENTS = (1.0, -0.5, -0.5, -1.0 / 16.0)
CELL_PX = 4


def write_red_masks(path: Path, detector: str = "tabletop-yolov8n") -> Path:
    """Write the model as one .onnx file, layout `yolo-raw-cxcywh-masks`."""
    model = onnx.load(str(ModelStore().find(detector).onnx_path))
    graph = model.graph
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    height, width = json.loads(metadata["imgsz"])
    (boxes,) = graph.output
    rows, count = (size.dim_value for size in boxes.type.tensor_type.shape.dim[1:])
    planes = len(COEFFICIENTS)
    constants = {
        "red/coefficients": np.tile(np.array(COEFFICIENTS, np.float32)[None, :, None], (1, 1, count)),
        "red/ones": np.ones((1, 1, height // CELL_PX, width // CELL_PX), np.float32),
    }
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    side = [CELL_PX, CELL_PX]
    graph.node.extend([
        helper.make_node("Concat", [boxes.name, "red/coefficients"], ["red/boxes"], axis=1),
        helper.make_node("AveragePool", [graph.input[0].name], ["red/colours"], kernel_shape=side, strides=side),
        helper.make_node("Concat", ["red/colours", "red/ones"], ["red/prototypes"], axis=1),
    ])  # fmt: skip
    del graph.output[:]
    shapes = {
        "red/boxes": (1, rows + planes, count),
        "red/prototypes": (1, planes, height // CELL_PX, width // CELL_PX),
    }
    graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items())
    metadata |= {"task": "segment", "head": "Segment", "eyehand.layout": "yolo-raw-cxcywh-masks"}
    helper.set_model_props(model, metadata)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path
