"""From a network's output tensor to candidate boxes, after its layout has been recognised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from deploy.backend import IoSpec
from deploy.errors import BadInput

RAW = "yolo-raw-cxcywh"
SUPPORTED = (
    f"{RAW}: one output of shape (1, 4 + classes, N), rows cx, cy, w, h [px of the input], then a score per class"
)

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Boxes that pass the threshold, before suppression.

    Attributes:
        boxes: Shape (N, 4), float32, x1, y1, x2, y2 edges [px] of the network's input.
        scores: Shape (N,), float32, of the best class.
        class_ids: Shape (N,), int32.
    """

    boxes: Float32
    scores: Float32
    class_ids: npt.NDArray[np.int32]


def check_layout(io_spec: IoSpec, classes: int, declared: str | None = None) -> str:
    """Recognise the layout of a model's output, or refuse it: a wrong guess would give plausible nonsense.

    Args:
        io_spec: What the model takes and gives.
        classes: How many classes it has.
        declared: What its metadata says, if anything.

    Returns:
        Name of the output tensor.

    Raises:
        BadInput: If the layout is not supported, naming the shapes that were found and the supported layouts.
    """
    found = ", ".join(map(str, io_spec.outputs))
    refusal = f"outputs {found} of a model with {classes} classes: supported is {SUPPORTED}"
    if declared is not None and declared != RAW:
        raise BadInput(f"the model declares the layout {declared!r}, {refusal}; export it with nms=False")
    if len(io_spec.outputs) != 1:
        raise BadInput(f"{refusal}; export a detection model, not one for masks or poses")
    output = io_spec.outputs[0]
    if output.dtype != "float32":
        raise BadInput(f"{refusal} in float32; export it with float32 outputs")
    if len(output.shape) != 3 or output.shape[0] != 1 or output.shape[1] != 4 + classes:
        raise BadInput(f"{refusal}; export a YOLO v8 or 11 detection model without NMS, batch 1")
    return output.name


def decode_raw(output: Float32, confidence: float) -> Candidates:
    """Decode the raw output of YOLO v8 and 11: boxes in pixels, a score per class, no objectness.

    The threshold on the best score comes first, so everything after it sees few rows.

    Args:
        output: Shape (1, 4 + classes, N), float32.
        confidence: Least score of the best class.

    Returns:
        Candidates, in the order of the output. Rows that are not finite are dropped.
    """
    head = output[0]
    best = head[4:].max(axis=0)
    columns = np.flatnonzero(best >= confidence)
    chosen = head[:, columns]
    finite = np.isfinite(chosen).all(axis=0)
    if not finite.all():
        chosen = chosen[:, finite]
    scores = chosen[4:]
    return Candidates(
        boxes=centers_to_corners(chosen[:4].T),
        scores=scores.max(axis=0),
        class_ids=scores.argmax(axis=0).astype(np.int32),
    )


def centers_to_corners(boxes: npt.ArrayLike) -> Float32:
    """Boxes (N, 4) from cx, cy, w, h to x1, y1, x2, y2.

    Example:
        >>> centers_to_corners([[150.0, 120.0, 100.0, 40.0]]).tolist()
        [[100.0, 100.0, 200.0, 140.0]]
    """
    values = np.asarray(boxes, dtype=np.float32).reshape(-1, 4)
    half = 0.5 * values[:, 2:]
    return np.concatenate((values[:, :2] - half, values[:, :2] + half), axis=1)
