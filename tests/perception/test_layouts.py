"""Layouts are recognised from metadata and shapes, or refused with what would settle it."""

from __future__ import annotations

import pytest

from deploy.backend import IoSpec, TensorSpec
from deploy.errors import BadInput
from perception.layouts import (
    ANCHOR_DECODED,
    ANCHOR_GRID,
    DETR,
    END2END,
    END2END_MASKS,
    LAYOUT,
    RAW,
    RAW_MASKS,
    RTDETR,
    RTDETR_RAW,
    SUPPORTED,
    recognise,
)

IMAGE = TensorSpec("images", (1, 3, 256, 320), "float32")
SIZE = (320, 256)
ANCHORS = 3 * 1680

# What ultralytics 8.4.190 writes into its exports; the older ones as their exporters' source has it.
DETECT = {"task": "detect", "head": "Detect", "end2end": "False", "args": "{'nms': None}", "names": "{0: 'a'}"}
NMS_IN_GRAPH = DETECT | {"args": "{'data': None, 'nms': True, 'opset': 17}"}
V10 = DETECT | {"head": "v10Detect", "end2end": "True", "args": "{'nms': False}"}
TRANSFORMER = DETECT | {"head": "RTDETRDecoder", "description": "Ultralytics rtdetr-l model "}
TRANSFORMER_8_4_0 = {"task": "detect", "description": "Ultralytics rtdetr-l model trained on coco.yaml"}
SEGMENT = DETECT | {"task": "segment", "head": "Segment"}
SEGMENT26 = DETECT | {"task": "segment", "head": "Segment26"}
SEGMENT26_ITSELF = SEGMENT26 | {"end2end": "True", "args": "{'nms': False}"}
SEGMENT_NMS_IN_GRAPH = SEGMENT | {"args": "{'data': None, 'nms': True, 'opset': 17}"}
SEGMENT_8_3 = {"task": "segment", "description": "Ultralytics YOLOv8n-seg model ", "args": "{'batch': 1}"}
V8_8_3 = {"task": "detect", "description": "Ultralytics YOLOv8n model ", "args": "{'batch': 1}"}


def _io(*shapes: tuple[int, ...], dtype: str = "float32", names: tuple[str, ...] = ()) -> IoSpec:
    names = names or tuple(f"output{i}" for i in range(len(shapes)))
    return IoSpec((IMAGE,), tuple(TensorSpec(name, shape, dtype) for name, shape in zip(names, shapes, strict=True)))


@pytest.mark.parametrize(
    ("shape", "classes", "metadata", "name"),
    [
        ((1, 84, 1680), 80, {}, RAW),
        ((1, 5, 1680), 1, {}, RAW),
        ((1, 6, 1680), 2, {}, RAW),
        ((1, 84, 1680), 80, DETECT, RAW),
        ((1, 84, 1680), 80, V8_8_3, RAW),
        ((1, 6, 6), 2, DETECT, RAW),  # the head settles what the shape does not
        ((1, 300, 6), 80, V10, END2END),
        ((1, 300, 6), 2, V10, END2END),
        ((1, 50, 6), 80, NMS_IN_GRAPH, END2END),
        ((1, 300, 6), 80, TRANSFORMER, RTDETR),
        ((1, 100, 6), 2, TRANSFORMER, RTDETR),
        ((1, 300, 84), 80, TRANSFORMER_8_4_0, RTDETR_RAW),
        ((1, 300, 6), 80, TRANSFORMER_8_4_0, RTDETR),  # 8.4.60: chosen rows, no head yet
        ((1, ANCHORS, 85), 80, {"stride": "32", "names": "..."}, ANCHOR_DECODED),
        ((1, ANCHORS + 3 * 20, 85), 80, {}, ANCHOR_DECODED),  # a fourth scale of stride 64
    ],
)
def test_what_can_be_known_is_recognised(
    shape: tuple[int, ...], classes: int, metadata: dict[str, str], name: str
) -> None:
    layout = recognise(_io(shape), metadata, classes, SIZE)
    assert (layout.name, layout.classes, [output.shape for output in layout.outputs]) == (name, classes, [shape])


@pytest.mark.parametrize(
    ("shapes", "classes", "name"),
    [
        ([(1, 84, 1680)], 80, RAW),
        ([(1, 300, 6)], 2, END2END),
        ([(1, 300, 6)], 2, RTDETR),
        ([(1, 300, 6)], 2, RTDETR_RAW),
        ([(1, 10, 85)], 80, ANCHOR_DECODED),
        ([(1, 100, 92), (1, 100, 4)], 91, DETR),
        ([(1, 255, 32, 40), (1, 255, 16, 20), (1, 255, 8, 10)], 80, ANCHOR_GRID),
        ([(1, 3, 32, 40, 85)], 80, ANCHOR_GRID),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_what_is_declared_counts_if_the_shapes_agree(
    shapes: list[tuple[int, ...]], classes: int, name: str, dtype: str
) -> None:
    layout = recognise(_io(*shapes, dtype=dtype), {LAYOUT: name}, classes, SIZE)
    assert layout.name == name
    assert [output.shape for output in layout.outputs] == shapes
    assert layout.suppress == (name in (RAW, ANCHOR_DECODED, ANCHOR_GRID))
    assert layout.letterbox == ("stretch" if name in (RTDETR, RTDETR_RAW) else "center-114")


def test_outputs_come_in_the_decoders_order() -> None:
    boxes_first = _io((1, 100, 4), (1, 100, 92))
    assert [output.name for output in recognise(boxes_first, {LAYOUT: DETR}, 91, SIZE).outputs] == [
        "output1",
        "output0",
    ]
    coarse_first = _io((1, 21, 8, 10), (1, 21, 32, 40), (1, 21, 16, 20))
    found = recognise(coarse_first, {LAYOUT: ANCHOR_GRID}, 2, SIZE).outputs
    assert [output.shape[2] for output in found] == [32, 16, 8]


@pytest.mark.parametrize("names", [("pred_logits", "pred_boxes"), ("pred_boxes", "pred_logits")])
def test_of_three_classes_only_names_tell_logits_from_boxes(names: tuple[str, str]) -> None:
    found = recognise(_io((1, 9, 4), (1, 9, 4), names=names), {LAYOUT: DETR}, 3, SIZE).outputs
    assert [output.name for output in found] == ["pred_logits", "pred_boxes"]
    with pytest.raises(BadInput, match=r"declares eyehand\.layout = 'detr-logits'"):
        recognise(_io((1, 9, 4), (1, 9, 4)), {LAYOUT: DETR}, 3, SIZE)


@pytest.mark.parametrize(
    ("io_spec", "classes", "metadata", "words"),
    [
        (_io((1, 1000)), 1000, {}, r"output0 float32\[1, 1000\] of a model with 1000 classes: supported is"),
        (_io((1, 85, 8400)), 80, {}, r"\[1, 85, 8400\].*80 classes"),
        (_io((1, 300, 7)), 80, V10, r"\[1, 300, 7\]"),
        (_io((1, 56, 8400)), 1, {}, r"\[1, 56, 8400\].*detection or segmentation, not poses"),
        (_io((2, 6, 8400)), 2, {}, "batch 1"),
        (_io((1, 6, 1680), dtype="int32"), 2, {}, "int32.*expected float32 or float16"),
        (_io((1, 300, 6)), 2, {LAYOUT: "detr-cxcywh"}, "declares eyehand.layout = 'detr-cxcywh' and has outputs"),
        (_io((1, 6, 1680)), 2, {LAYOUT: END2END}, r"'yolo-end2end-xyxy', \(1, K, 6\), and has .*\[1, 6, 1680\]"),
        (_io((1, 300, 6)), 80, {LAYOUT: RAW} | V10, r"'yolo-raw-cxcywh', \(1, 4 \+ classes, N\), and has"),
        (_io((1, 300, 6)), 80, {LAYOUT: END2END} | TRANSFORMER, "and head = RTDETRDecoder"),
        (_io((1, 1000)), 1000, {"task": "classify"}, "for the task 'classify': expected detect or segment; supported"),
        (_io((1, 84, 1680)), 80, V10, r"its exporter calls yolo-end2end-xyxy: expected .*\(1, K, 6\)"),
        # nothing says what these are
        (_io((1, 300, 6)), 80, {}, "may be yolo-end2end-xyxy or rtdetr-cxcywh.*metadata_props as eyehand.layout"),
        (_io((1, 300, 6)), 2, {}, "may be yolo-end2end-xyxy or rtdetr-cxcywh or rtdetr-raw-cxcywh"),
        (_io((1, 300, 6)), 2, TRANSFORMER_8_4_0, "may be rtdetr-cxcywh or rtdetr-raw-cxcywh, and"),
        (_io((1, 300, 6)), 1, {}, "or yolo-anchor-decoded"),
        (_io((1, 300, 6)), 296, {}, "may be yolo-raw-cxcywh or yolo-end2end-xyxy"),
        (_io((1, 8400, 84)), 80, {}, r"\[1, 8400, 84\].* may be rtdetr-raw-cxcywh"),  # or a transposed YOLO
        (_io((1, 1680, 85)), 80, {}, "may be yolo-anchor-decoded, and"),  # one row for each cell: YOLOX
        (_io((1, 100, 92), (1, 100, 4)), 91, {}, "may be detr-logits, and"),
        (_io((1, 255, 32, 40)), 80, {}, "may be yolo-anchor-grid, and"),
        (_io((1, 255, 32, 41)), 80, {LAYOUT: ANCHOR_GRID}, "declares eyehand.layout = 'yolo-anchor-grid'"),
        (_io((1, 255, 32, 40), (1, 255, 32, 40)), 80, {LAYOUT: ANCHOR_GRID}, "declares eyehand.layout"),
        (_io((1, 300, 6)), 80, {"args": "oops(", "task": "detect"}, "may be yolo-end2end"),
    ],
)
def test_the_rest_is_refused_with_shapes_and_what_is_supported(
    io_spec: IoSpec, classes: int, metadata: dict[str, str], words: str
) -> None:
    with pytest.raises(BadInput, match=words) as error:
        recognise(io_spec, metadata, classes, SIZE)
    assert "\n" not in str(error.value)
    if "its exporter calls" not in words and "and head" not in words:
        assert all(name in str(error.value) for name in SUPPORTED)


PROTOTYPES = (1, 32, 64, 80)


@pytest.mark.parametrize(
    ("shapes", "classes", "metadata", "name"),
    [
        ([(1, 116, 1680), PROTOTYPES], 80, {}, RAW_MASKS),  # no other layout has a second output of this kind
        ([(1, 38, 1680), PROTOTYPES], 2, {"task": "segment"}, RAW_MASKS),
        ([(1, 116, 1680), PROTOTYPES], 80, SEGMENT, RAW_MASKS),
        ([(1, 116, 1680), PROTOTYPES], 80, SEGMENT26, RAW_MASKS),
        ([(1, 116, 1680), PROTOTYPES], 80, SEGMENT_8_3, RAW_MASKS),
        ([(1, 38, 38), PROTOTYPES], 2, SEGMENT, RAW_MASKS),  # the head settles what the shape does not
        ([(1, 38, 38), PROTOTYPES], 2, SEGMENT26_ITSELF, END2END_MASKS),
        ([(1, 300, 38), PROTOTYPES], 80, SEGMENT26_ITSELF, END2END_MASKS),
        ([(1, 300, 38), PROTOTYPES], 80, SEGMENT_NMS_IN_GRAPH, END2END_MASKS),
        ([(1, 22, 1680), (1, 16, 32, 40)], 2, {}, RAW_MASKS),  # fewer and coarser prototypes than usual
        ([(1, 116, 1680), PROTOTYPES], 80, {LAYOUT: RAW_MASKS}, RAW_MASKS),
        ([(1, 300, 38), PROTOTYPES], 2, {LAYOUT: END2END_MASKS}, END2END_MASKS),
    ],
)
@pytest.mark.parametrize("swapped", [False, True])
def test_masks_are_recognised(
    shapes: list[tuple[int, ...]], classes: int, metadata: dict[str, str], name: str, swapped: bool
) -> None:
    layout = recognise(_io(*(shapes[::-1] if swapped else shapes)), metadata, classes, SIZE)
    assert (layout.name, layout.suppress, layout.letterbox) == (name, name == RAW_MASKS, "center-114")
    assert [output.shape for output in layout.outputs] == shapes
    assert layout.prototypes is not None
    assert layout.prototypes.shape == shapes[1]


def test_boxes_alone_have_no_prototypes() -> None:
    assert recognise(_io((1, 6, 1680)), {}, 2, SIZE).prototypes is None
    assert recognise(_io((1, 9, 92), (1, 9, 4)), {LAYOUT: DETR}, 91, SIZE).prototypes is None


@pytest.mark.parametrize(
    ("shapes", "classes", "metadata", "words"),
    [
        ([(1, 84, 1680)], 80, SEGMENT, r"\[1, 84, 1680\] of a model with 80 classes for the task 'segment'"),
        ([(1, 117, 1680), PROTOTYPES], 80, SEGMENT, r"\[1, 117, 1680\].*\[1, 32, 64, 80\].* P coefficients"),
        ([(1, 116, 1680), PROTOTYPES], 79, {}, r"\[1, 32, 64, 80\] of a model with 79 classes: supported"),
        ([(1, 116, 1680), (1, 32, 160, 160)], 80, SEGMENT, "prototypes that cover the input of 320x256"),
        ([(1, 116, 1680), (1, 32, 80, 64)], 80, SEGMENT, r"\[1, 32, 80, 64\]"),
        ([(2, 116, 1680), (2, 32, 64, 80)], 80, SEGMENT, "with batch 1"),
        ([(1, 116, 1680), PROTOTYPES, PROTOTYPES], 80, SEGMENT, "output2"),
        ([(1, 84, 1680), (1, 0, 64, 80)], 80, SEGMENT, r"\[1, 0, 64, 80\]"),
        ([(1, 1680, 117), PROTOTYPES], 80, SEGMENT, r"\[1, 1680, 117\]"),  # YOLOv5
        ([(1, 116, 1680), PROTOTYPES], 80, DETECT, r"\[1, 116, 1680\].*not poses"),
        ([(1, 300, 38), PROTOTYPES], 80, SEGMENT, r"its exporter calls yolo-raw-cxcywh-masks: expected .* \+ P, N\)"),
        ([(1, 116, 1680), PROTOTYPES], 80, SEGMENT26_ITSELF, "its exporter calls yolo-end2end-xyxy-masks"),
        ([(1, 300, 38), PROTOTYPES], 80, {}, "may be yolo-end2end-xyxy-masks, and the model does not say"),
        ([(1, 38, 38), PROTOTYPES], 2, {}, "may be yolo-raw-cxcywh-masks or yolo-end2end-xyxy-masks"),
        ([(1, 84, 1680)], 80, {LAYOUT: RAW_MASKS}, "declares eyehand.layout = 'yolo-raw-cxcywh-masks'"),
        ([(1, 84, 1680)], 80, SEGMENT | {LAYOUT: RAW}, "and has .* for the task 'segment'"),
        ([(1, 116, 1680), PROTOTYPES], 80, DETECT | {LAYOUT: RAW_MASKS}, "and has .* for the task 'detect'"),
    ],
)  # fmt: skip
def test_masks_that_do_not_fit_are_refused_with_the_shapes(
    shapes: list[tuple[int, ...]], classes: int, metadata: dict[str, str], words: str
) -> None:
    with pytest.raises(BadInput, match=words) as error:
        recognise(_io(*shapes), metadata, classes, SIZE)
    assert "\n" not in str(error.value)
