"""The decoder that belongs to a recognised layout, bound to the model's tensors."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping

import numpy as np

from deploy.backend import Tensor
from deploy.errors import BadInput
from perception.decode import Candidates, Float32, decode_end2end, decode_raw
from perception.decode_anchors import STYLES, decode_grid, decode_objectness, joined
from perception.decode_sets import decode_detr, decode_query_rows, decode_query_scores
from perception.layouts import (
    ANCHOR_DECODED,
    DETR,
    END2END,
    END2END_MASKS,
    RAW,
    RAW_MASKS,
    RTDETR,
    RTDETR_RAW,
    Layout,
    grid_stride,
)

ANCHORS, ANCHOR_STYLE = "eyehand.anchors", "eyehand.anchor_style"
_EXAMPLE = '{"16": [[10, 14], [23, 27]], "32": [[81, 82], [135, 169]]}'

Decoder = Callable[[Mapping[str, Tensor], float], Candidates]
"""From the outputs by name and the least score to candidates."""

_PIXELS = {RAW: decode_raw, END2END: decode_end2end, ANCHOR_DECODED: decode_objectness}
_MASKS = {RAW_MASKS: decode_raw, END2END_MASKS: decode_end2end}
_FRACTIONS = {RTDETR: decode_query_rows, RTDETR_RAW: decode_query_scores}


def make_decoder(layout: Layout, metadata: Mapping[str, str], input_size: tuple[int, int]) -> Decoder:
    """The decoder of a layout.

    Args:
        layout: What `recognise` gave.
        metadata: Of the model: for logits of an anchor head `eyehand.anchors`, sizes [px] by stride, and
            `eyehand.anchor_style`, `v3` or `v5`.
        input_size: Width and height of the model's input [px].

    Raises:
        BadInput: If a key that the layout needs is absent or does not fit, naming it.
    """
    first = layout.outputs[0].name
    if layout.name in _PIXELS:
        in_pixels = _PIXELS[layout.name]
        return lambda outputs, confidence: in_pixels(_float32(outputs[first]), confidence)
    if layout.prototypes is not None:
        with_masks, count = _MASKS[layout.name], layout.prototypes.shape[1]
        return lambda outputs, confidence: with_masks(_float32(outputs[first]), confidence, count)
    if layout.name in _FRACTIONS:
        in_fractions = _FRACTIONS[layout.name]
        return lambda outputs, confidence: in_fractions(_float32(outputs[first]), confidence, input_size)
    if layout.name == DETR:
        boxes = layout.outputs[1].name
        return lambda outputs, confidence: decode_detr(
            _float32(outputs[first]), _float32(outputs[boxes]), confidence, input_size
        )
    return _grid_decoder(layout, metadata, input_size)


def _grid_decoder(layout: Layout, metadata: Mapping[str, str], input_size: tuple[int, int]) -> Decoder:
    style = metadata.get(ANCHOR_STYLE)
    if style not in STYLES:
        raise BadInput(
            f"the model declares the layout {layout.name} and {ANCHOR_STYLE} = {style!r}: expected "
            f"{' or '.join(STYLES)} in its metadata_props, by the equations that it was trained with"
        )
    by_stride, scales = _anchors(metadata), []
    strides = [grid_stride(output, layout.classes, input_size) for output in layout.outputs]
    if set(strides) != by_stride.keys():
        raise BadInput(
            f"metadata {ANCHORS} has the strides {sorted(by_stride)} and the model's outputs have {strides}: expected "
            f"the same, such as {_EXAMPLE}"
        )
    for output, stride in zip(layout.outputs, strides, strict=True):
        anchors = by_stride[stride or 0]
        found = output.shape[1] if len(output.shape) == 5 else output.shape[1] // (5 + layout.classes)
        if found != len(anchors):
            raise BadInput(
                f"output {output} has {found} anchors in a cell and metadata {ANCHORS} lists {len(anchors)} for stride "
                f"{stride}: expected as many"
            )
        scales.append((output.name, anchors, stride or 0))

    def decode(outputs: Mapping[str, Tensor], confidence: float) -> Candidates:
        parts = []
        for name, anchors, stride in scales:
            grid = _float32(outputs[name])[0]
            grid = grid.transpose(0, 3, 1, 2) if grid.ndim == 4 else grid.reshape(len(anchors), -1, *grid.shape[1:])
            parts.append(decode_grid(grid, anchors, stride, confidence, style))
        return joined(parts)

    return decode


def _anchors(metadata: Mapping[str, str]) -> dict[int, Float32]:
    """Sizes (A, 2) [px] of the anchors by stride."""
    text = metadata.get(ANCHORS, "")
    wanted = f"expected widths and heights [px] by stride in JSON, such as {_EXAMPLE}"
    try:
        anchors = {int(stride): np.array(sizes, np.float32) for stride, sizes in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise BadInput(f"metadata {ANCHORS} = {text[:80]!r} of a model with undecoded boxes: {wanted}") from error
    for sizes in anchors.values():
        if sizes.ndim != 2 or sizes.shape[1] != 2 or not (sizes > 0.0).all() or not math.isfinite(float(sizes.sum())):
            raise BadInput(f"metadata {ANCHORS} = {text[:80]!r}: {wanted}")
    return anchors


def _float32(tensor: Tensor) -> Float32:
    return tensor.astype(np.float32, copy=False)
