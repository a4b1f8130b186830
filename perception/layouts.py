"""Which layout a network's outputs have: from what the model says and from their shapes, never by a guess."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deploy.backend import IoSpec, TensorSpec
from deploy.errors import BadInput
from perception.decode_anchors import prediction_count
from perception.letterbox import CENTER, STRETCH

LAYOUT = "eyehand.layout"

RAW, END2END = "yolo-raw-cxcywh", "yolo-end2end-xyxy"
RTDETR, RTDETR_RAW = "rtdetr-cxcywh", "rtdetr-raw-cxcywh"
ANCHOR_DECODED, ANCHOR_GRID = "yolo-anchor-decoded", "yolo-anchor-grid"
DETR = "detr-logits"
RAW_MASKS, END2END_MASKS = "yolo-raw-cxcywh-masks", "yolo-end2end-xyxy-masks"

SUPPORTED = {
    RAW: "(1, 4 + classes, N)",
    END2END: "(1, K, 6)",
    RTDETR: "(1, K, 6)",
    RTDETR_RAW: "(1, K, 4 + classes)",
    ANCHOR_DECODED: "(1, N, 5 + classes)",
    ANCHOR_GRID: "(1, A * (5 + classes), rows, columns) or (1, A, rows, columns, 5 + classes) for each stride",
    DETR: "(1, Q, classes + 1) and (1, Q, 4)",
    RAW_MASKS: "(1, 4 + classes + P, N) and P prototypes (1, P, rows, columns)",
    END2END_MASKS: "(1, K, 6 + P) and P prototypes (1, P, rows, columns)",
}
_TASKS = {"detect": frozenset(SUPPORTED) - {RAW_MASKS, END2END_MASKS}, "segment": frozenset({RAW_MASKS, END2END_MASKS})}
_SETS = frozenset({END2END, RTDETR, RTDETR_RAW, DETR, END2END_MASKS})
_STRETCHED = frozenset({RTDETR, RTDETR_RAW})
# What their shapes alone cannot tell from another model's outputs, or what needs to be said besides.
_TO_BE_DECLARED = frozenset({END2END, RTDETR, RTDETR_RAW, ANCHOR_GRID, DETR, END2END_MASKS})
_TRANSFORMER_HEAD = "RTDETRDecoder"
_RAW_HEADS = {"Detect": RAW, "v10Detect": RAW, "Segment": RAW_MASKS, "Segment26": RAW_MASKS}


@dataclass(frozen=True, slots=True)
class Layout:
    """A recognised layout.

    Attributes:
        name: Its name in the metadata.
        classes: How many classes the network knows.
        outputs: The outputs to read: one, or one for each stride, or logits and boxes, or boxes and prototypes.
    """

    name: str
    classes: int
    outputs: tuple[TensorSpec, ...]

    @property
    def prototypes(self) -> TensorSpec | None:
        """The output that masks are made of, shape (1, P, rows, columns); None if there are no masks."""
        return self.outputs[1] if self.name in _TASKS["segment"] else None

    @property
    def suppress(self) -> bool:
        """Whether candidates overlap, so that suppression must follow."""
        return self.name not in _SETS

    @property
    def letterbox(self) -> str:
        """The rule that models of this layout are made with, if they say nothing: RT-DETR's framework stretches."""
        return STRETCH if self.name in _STRETCHED else CENTER


def recognise(io_spec: IoSpec, metadata: Mapping[str, str], classes: int, input_size: tuple[int, int]) -> Layout:
    """Recognise the layout of a model's outputs, or refuse it: a wrong guess would give plausible nonsense.

    What the model declares must agree with the shapes. Where it declares nothing, what ultralytics wrote into an export
    of its own settles it, else the shapes if they can.

    Args:
        io_spec: What the model takes and gives.
        metadata: What it says about itself: `eyehand.layout`, or the keys of ultralytics.
        classes: How many classes it has.
        input_size: Width and height of its input [px].

    Returns:
        The layout.

    Raises:
        BadInput: If no layout fits or several do, or if the shapes contradict what the model says; naming the shapes,
            what is supported and, where a word would settle it, the key to add.
    """
    outputs = io_spec.outputs
    about = f"outputs {', '.join(map(str, outputs))} of a model with {classes} classes"
    supported = "; ".join(f"{name}: {shape}" for name, shape in SUPPORTED.items())
    task = metadata.get("task")
    if task is not None and task not in _TASKS:
        raise BadInput(f"{about} for the task {task!r}: expected {' or '.join(_TASKS)}; supported is {supported}")
    if any(output.dtype not in ("float32", "float16") for output in outputs):
        raise BadInput(f"{about}: expected float32 or float16; supported is {supported}")
    of_task = [name for name in SUPPORTED if task is None or name in _TASKS[task]]
    fitting = {name: chosen for name in of_task if (chosen := _fit(name, outputs, classes, input_size))}
    declared, exported = metadata.get(LAYOUT), _exported(metadata)
    if declared is not None and declared not in SUPPORTED:
        raise BadInput(f"the model declares {LAYOUT} = {declared!r} and has {about}: supported is {supported}")
    if declared is not None and declared not in fitting:
        for_task = "" if task is None else f" for the task {task!r}"
        raise BadInput(
            f"the model declares {LAYOUT} = {declared!r}, {SUPPORTED[declared]}, and has {about}{for_task}: export it "
            f"again, with batch 1; supported is {supported}"
        )
    if declared is not None and declared not in _STRETCHED and metadata.get("head") == _TRANSFORMER_HEAD:
        raise BadInput(f"the model declares {LAYOUT} = {declared!r} and head = {metadata['head']}: export it again")
    if not fitting and task == "segment":
        raise BadInput(
            f"{about} for the task 'segment': expected boxes with P coefficients each, and P prototypes that cover the "
            f"input of {input_size[0]}x{input_size[1]}; export it again, with batch 1; supported is {supported}"
        )
    if not fitting:
        raise BadInput(
            f"{about}: supported is {supported}; export a model for detection or segmentation, not poses, with batch 1"
        )

    possible = [name for name in fitting if exported is None or name in exported] if declared is None else [declared]
    if not possible:
        raise BadInput(
            f"{about}, which its exporter calls {' or '.join(exported or ())}: expected "
            f"{'; '.join(f'{name}: {SUPPORTED[name]}' for name in exported or ())}; export it again, with batch 1"
        )
    sure = declared is not None or exported is not None or possible[0] not in _TO_BE_DECLARED
    if len(possible) > 1 or not sure or (possible == [ANCHOR_DECODED] and not _is_v5(declared, outputs, input_size)):
        raise BadInput(
            f"{about} may be {' or '.join(possible)}, and the model does not say: add the right one to its "
            f"metadata_props as {LAYOUT}, or export it with eyehand export detector; supported is {supported}"
        )
    return Layout(possible[0], classes, fitting[possible[0]])


def _exported(metadata: Mapping[str, str]) -> frozenset[str] | None:
    """Layouts that an export of ultralytics can have, by what it wrote; None if it did not write enough.

    Since 8.4.120 it names the head. Before, a model's name in the description is the only trace of RT-DETR, whose rows
    had a score for each class up to 8.4.0.
    """
    head, description = metadata.get("head"), metadata.get("description", "").lower()
    if head == _TRANSFORMER_HEAD:
        return frozenset({RTDETR})
    if head is None and description.startswith("ultralytics") and "rtdetr" in description.replace("-", ""):
        return frozenset({RTDETR, RTDETR_RAW})
    if metadata.get("end2end") == "True" or _argument(metadata, "nms") is True:
        return frozenset({END2END_MASKS if metadata.get("task") == "segment" else END2END})
    return frozenset({_RAW_HEADS[head]}) if head in _RAW_HEADS else None


def _argument(metadata: Mapping[str, str], name: str) -> object:
    """An argument of the export; None if it cannot be read."""
    try:
        arguments = ast.literal_eval(metadata.get("args", "{}"))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    return arguments.get(name) if isinstance(arguments, dict) else None


def _fit(name: str, outputs: Sequence[TensorSpec], classes: int, input_size: tuple[int, int]) -> tuple[TensorSpec, ...]:
    """The outputs in the order that the layout's decoder wants, if they can be of the layout; else none."""
    if name == ANCHOR_GRID:
        strides = [grid_stride(output, classes, input_size) for output in outputs]
        found = [stride for stride in strides if stride is not None]
        if len(found) < len(outputs) or len(set(found)) < len(outputs):
            return ()
        return tuple(output for _, output in sorted(zip(found, outputs, strict=True), key=lambda pair: pair[0]))
    if name in _TASKS["segment"]:
        return _fit_masks(name, outputs, classes, input_size)
    if any(len(output.shape) != 3 or output.shape[0] != 1 for output in outputs):
        return ()
    if name == DETR:
        pairs = [(a, b) for a in outputs for b in outputs if a is not b] if len(outputs) == 2 else []
        fits = [
            (logits, boxes)
            for logits, boxes in pairs
            if logits.shape[2] == classes + 1 and boxes.shape[2] == 4 and logits.shape[1] == boxes.shape[1]
        ]
        if len(fits) > 1:  # three classes: their names must tell
            fits = [pair for pair in fits if "box" in pair[1].name.lower() and "box" not in pair[0].name.lower()]
        return fits[0] if fits else ()
    if len(outputs) != 1:
        return ()
    _, rows, columns = outputs[0].shape
    fits_it = {
        RAW: rows == 4 + classes,
        END2END: columns == 6,
        RTDETR: columns == 6,
        RTDETR_RAW: columns == 4 + classes,
        ANCHOR_DECODED: columns == 5 + classes,
    }[name]
    return tuple(outputs) if fits_it else ()


def _fit_masks(
    name: str, outputs: Sequence[TensorSpec], classes: int, input_size: tuple[int, int]
) -> tuple[TensorSpec, ...]:
    """Boxes and prototypes, if there are as many prototypes as coefficients, and they cover the input."""
    boxes, prototypes = sorted(outputs, key=lambda output: len(output.shape)) if len(outputs) == 2 else (None, None)
    if boxes is None or prototypes is None or (len(boxes.shape), len(prototypes.shape)) != (3, 4):
        return ()
    count = prototypes.shape[1]
    width = boxes.shape[1] - 4 - classes if name == RAW_MASKS else boxes.shape[2] - 6
    covers = _cell_size(prototypes.shape[2], prototypes.shape[3], input_size) is not None
    fits_it = boxes.shape[0] == prototypes.shape[0] == 1 and width == count >= 1 and covers
    return (boxes, prototypes) if fits_it else ()


def _is_v5(declared: str | None, outputs: Sequence[TensorSpec], input_size: tuple[int, int]) -> bool:
    """Whether there are as many rows as anchors: other heads give rows of the same width, undecoded."""
    counts = [prediction_count(*input_size, strides) for strides in ((8, 16, 32), (8, 16, 32, 64))]
    return declared is not None or outputs[0].shape[1] in counts


def grid_stride(output: TensorSpec, classes: int, input_size: tuple[int, int]) -> int | None:
    """Pixels from one cell to the next of an output that is one scale of an anchor head; None if it is none.

    Args:
        output: Shape (1, A * (5 + classes), rows, columns) or (1, A, rows, columns, 5 + classes).
        classes: How many classes there are.
        input_size: Width and height of the input [px].
    """
    shape, width = output.shape, 5 + classes
    if len(shape) not in (4, 5) or shape[0] != 1 or (shape[4] != width if len(shape) == 5 else shape[1] % width):
        return None
    return _cell_size(shape[2], shape[3], input_size)


def _cell_size(rows: int, columns: int, input_size: tuple[int, int]) -> int | None:
    """Pixels of the input from one cell to the next of a grid that covers it; None if none does."""
    stride = input_size[0] // columns
    return stride if (columns * stride, rows * stride) == input_size else None
