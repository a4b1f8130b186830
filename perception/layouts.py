"""Which layout a network's outputs have: recognised from what the model says and from their shapes, never guessed."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from deploy.backend import IoSpec, Tensor, TensorSpec
from deploy.errors import BadInput
from perception.decode import (
    AnchorStyle,
    Candidates,
    Float32,
    decode_anchors,
    decode_detr,
    decode_grid,
    decode_queries,
    decode_raw,
    decode_rows,
    joined,
)

LAYOUT, ANCHORS, ANCHOR_STYLE = "eyehand.layout", "eyehand.anchors", "eyehand.anchor_style"

RAW = "yolo-raw-cxcywh"
END2END = "yolo-end2end-xyxy"
RTDETR = "rtdetr-cxcywh"
RTDETR_RAW = "rtdetr-raw-cxcywh"
ANCHOR_DECODED = "yolo-anchor-decoded"
ANCHOR_GRID = "yolo-anchor-grid"
DETR = "detr-logits"

SUPPORTED = {
    RAW: "one output of shape (1, 4 + classes, N), rows cx, cy, w, h [px of the input], then a score per class",
    END2END: "(1, K, 6), x1, y1, x2, y2 [px], score, class",
    RTDETR: "(1, K, 6), cx, cy, w, h in parts of the input, score, class",
    RTDETR_RAW: "(1, K, 4 + classes), cx, cy, w, h in parts of the input, a score per class",
    ANCHOR_DECODED: "(1, N, 5 + classes), cx, cy, w, h [px], objectness, a score per class",
    ANCHOR_GRID: f"a scale each, (1, A * (5 + classes), rows, columns) logits, with {ANCHORS}",
    DETR: "(1, Q, classes + 1) logits and (1, Q, 4) boxes",
}
_ROWS = 6
# Layouts whose rows are a set: one row for each object, nothing to suppress.
_SETS = frozenset({END2END, RTDETR, RTDETR_RAW, DETR})
STRETCHED = frozenset({RTDETR, RTDETR_RAW})  # by default: their framework does not letterbox


@dataclass(frozen=True, slots=True)
class Layout:
    """A recognised layout.

    Attributes:
        name: Its name in the metadata.
        decode: From outputs by name and the least score to candidates.
        suppress: Whether candidates overlap, so that suppression must follow.
    """

    name: str
    decode: Callable[[Mapping[str, Tensor], float], Candidates]
    suppress: bool


def recognise(io_spec: IoSpec, classes: int, metadata: Mapping[str, str], input_size: tuple[int, int]) -> Layout:
    """Recognise the layout of a model's outputs, or refuse it: a wrong guess would give plausible nonsense.

    Args:
        io_spec: What the model takes and gives.
        classes: How many classes it has.
        metadata: What it says about itself: `eyehand.layout`, or the keys of ultralytics that settle it.
        input_size: Width and height of its input [px].

    Raises:
        BadInput: If the layout is none of those supported, if the shapes contradict what the model says, or if they fit
            several; naming the shapes and what is supported.
    """
    found = ", ".join(map(str, io_spec.outputs))
    about = f"outputs {found} of a model with {classes} classes"
    for output in io_spec.outputs:
        if output.dtype not in ("float32", "float16"):
            raise BadInput(f"{about}: expected float32 or float16; export it with such outputs")
    declared = declared_layout(metadata)
    if declared == RTDETR and not _fits(RTDETR, io_spec.outputs, classes, metadata) and LAYOUT not in metadata:
        declared = RTDETR_RAW  # older exports give a score for each class
    if declared is not None and declared not in SUPPORTED:
        raise BadInput(f"the model declares the layout {declared!r}, {about}: supported is {_supported()}")
    fitting = [name for name in SUPPORTED if _fits(name, io_spec.outputs, classes, metadata)]
    if declared is None and RTDETR_RAW in fitting:
        # Rows of a transposed YOLO look the same, and their boxes are in pixels.
        fitting = [name for name in fitting if name != RTDETR_RAW] or [RTDETR_RAW, f"{RAW} transposed"]
    if declared is not None:
        if declared not in fitting:
            raise BadInput(
                f"the model declares the layout {declared}, {SUPPORTED[declared]}, and has {about}: export it again, "
                "as a detection model with batch 1"
            )
        return _layout(declared, io_spec, classes, metadata, input_size)
    if not fitting:
        raise BadInput(
            f"{about}: supported is {_supported()}; export a detection model with batch 1, not one for masks or poses"
        )
    if len(fitting) > 1:
        raise BadInput(
            f"{about} may be {' or '.join(fitting)}, and the model does not say which: add {LAYOUT} to its "
            "metadata_props, or export it with eyehand export detector"
        )
    return _layout(fitting[0], io_spec, classes, metadata, input_size)


def declared_layout(metadata: Mapping[str, str]) -> str | None:
    """The layout that a model declares: ours by name, or what the metadata of ultralytics comes to.

    Example:
        >>> declared_layout({"head": "RTDETRDecoder", "end2end": "False"})
        'rtdetr-cxcywh'
    """
    if LAYOUT in metadata:
        return metadata[LAYOUT]
    if metadata.get("head") == "RTDETRDecoder":
        return RTDETR
    if metadata.get("end2end") == "True" or _arguments(metadata).get("nms") is True:
        return END2END
    if metadata.get("head") in ("Detect", "v10Detect"):
        return RAW
    return None


def _arguments(metadata: Mapping[str, str]) -> Mapping[str, Any]:
    """The export's arguments as ultralytics writes them."""
    try:
        arguments = ast.literal_eval(metadata.get("args", "{}"))
    except (ValueError, SyntaxError):
        return {}
    return arguments if isinstance(arguments, dict) else {}


def _fits(name: str, outputs: Sequence[TensorSpec], classes: int, metadata: Mapping[str, str]) -> bool:
    shapes = [output.shape for output in outputs]
    if name == DETR:
        return len(shapes) == 2 and _detr_order(shapes, classes) is not None
    if name == ANCHOR_GRID:
        return ANCHORS in metadata and all(_grid_shape(shape, classes) is not None for shape in shapes)
    if len(shapes) != 1 or len(shapes[0]) != 3 or shapes[0][0] != 1:
        return False
    _, rows, columns = shapes[0]
    if name == RAW:
        return rows == 4 + classes
    width = {END2END: _ROWS, RTDETR: _ROWS, RTDETR_RAW: 4 + classes, ANCHOR_DECODED: 5 + classes}[name]
    return columns == width


def _layout(
    name: str, io_spec: IoSpec, classes: int, metadata: Mapping[str, str], input_size: tuple[int, int]
) -> Layout:
    first = io_spec.outputs[0].name
    width, height = input_size
    unit = (float(width), float(height))

    def single(decode: Callable[[Float32, float], Candidates]) -> Callable[[Mapping[str, Tensor], float], Candidates]:
        return lambda outputs, confidence: decode(_float32(outputs[first]), confidence)

    if name == RAW:
        decode = single(decode_raw)
    elif name == END2END:
        decode = single(decode_rows)
    elif name == RTDETR:
        decode = single(lambda output, confidence: decode_rows(output, confidence, centers=True, unit_px=unit))
    elif name == RTDETR_RAW:
        decode = single(lambda output, confidence: decode_queries(output, confidence, unit))
    elif name == ANCHOR_DECODED:
        decode = single(decode_anchors)
    elif name == DETR:
        decode = _detr(io_spec, classes, unit)
    else:
        decode = _grid(io_spec, classes, metadata, input_size)
    return Layout(name, decode, suppress=name not in _SETS)


def _detr(
    io_spec: IoSpec, classes: int, unit: tuple[float, float]
) -> Callable[[Mapping[str, Tensor], float], Candidates]:
    order = _detr_order([output.shape for output in io_spec.outputs], classes)
    assert order is not None
    logits, boxes = (io_spec.outputs[place].name for place in order)
    return lambda outputs, confidence: decode_detr(
        _float32(outputs[logits]), _float32(outputs[boxes]), confidence, unit
    )


def _detr_order(shapes: Sequence[tuple[int, ...]], classes: int) -> tuple[int, int] | None:
    """Which of two outputs has the logits and which the boxes; of three classes both have four columns."""
    if any(len(shape) != 3 or shape[0] != 1 for shape in shapes) or shapes[0][1] != shapes[1][1]:
        return None
    columns = [shape[2] for shape in shapes]
    if columns == [classes + 1, 4]:
        return 0, 1
    return (1, 0) if columns == [4, classes + 1] else None


def _grid(
    io_spec: IoSpec, classes: int, metadata: Mapping[str, str], input_size: tuple[int, int]
) -> Callable[[Mapping[str, Tensor], float], Candidates]:
    """Decoder of the scales, the finest first, as the anchors are listed."""
    style: AnchorStyle = "v5" if metadata.get(ANCHOR_STYLE, "v3") == "v5" else "v3"
    if metadata.get(ANCHOR_STYLE, "v3") not in ("v3", "v5"):
        raise BadInput(f"the model declares {ANCHOR_STYLE} = {metadata[ANCHOR_STYLE]!r}: expected v3 or v5")
    anchors = _anchors(metadata[ANCHORS], len(io_spec.outputs))
    scales = []
    for output in io_spec.outputs:
        shape = _grid_shape(output.shape, classes)
        assert shape is not None
        scales.append((output.name, shape, (input_size[0] / shape[3], input_size[1] / shape[2])))
    scales.sort(key=lambda scale: scale[2][0])
    for (name, shape, _), sizes in zip(scales, anchors, strict=True):
        if shape[0] != len(sizes):
            raise BadInput(f"output {name} has {shape[0]} anchors a cell and {ANCHORS} lists {len(sizes)}: fix it")

    def decode(outputs: Mapping[str, Tensor], confidence: float) -> Candidates:
        parts = []
        for (name, shape, stride), sizes in zip(scales, anchors, strict=True):
            values = _float32(outputs[name])
            grid = values[0].transpose(0, 3, 1, 2) if values.ndim == 5 else values.reshape(shape)
            parts.append(decode_grid(grid, sizes, stride, confidence, style))
        return joined(parts)

    return decode


def _grid_shape(shape: tuple[int, ...], classes: int) -> tuple[int, int, int, int] | None:
    """(A, 5 + classes, rows, columns) of a scale; None if it is none."""
    width = 5 + classes
    if len(shape) == 5 and shape[0] == 1 and shape[4] == width:
        return shape[1], width, shape[2], shape[3]
    if len(shape) == 4 and shape[0] == 1 and shape[1] % width == 0:
        return shape[1] // width, width, shape[2], shape[3]
    return None


def _anchors(text: str, scales: int) -> list[list[tuple[float, float]]]:
    """Sizes [px] of each scale's anchors, the finest scale first."""
    try:
        anchors = [[(float(w), float(h)) for w, h in scale] for scale in json.loads(text)]
    except (ValueError, TypeError) as error:
        raise BadInput(
            f"metadata {ANCHORS} = {text[:80]!r}: expected JSON such as [[[10, 13], [16, 30]], [[30, 61], [62, 45]]], "
            "widths and heights [px] for each scale, the finest first"
        ) from error
    if len(anchors) != scales:
        raise BadInput(f"metadata {ANCHORS} lists {len(anchors)} scales and the model has {scales} outputs: fix it")
    return anchors


def _float32(tensor: Tensor) -> Float32:
    return tensor if tensor.dtype == np.float32 else tensor.astype(np.float32)


def _supported() -> str:
    return "; ".join(f"{name}: {what}" for name, what in SUPPORTED.items())
