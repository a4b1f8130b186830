"""Detectors: from a frame to boxes in the pixels of that frame."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from deploy.backend import Backend, IoSpec
from deploy.errors import BadInput
from geometry.types import Image
from perception.decode import check_layout, decode_raw
from perception.detections import Detections
from perception.frame import Frame
from perception.letterbox import Letterbox
from perception.model_metadata import LAYOUT, check_preprocessing, class_names
from perception.nms import nms

Float32 = npt.NDArray[np.float32]


class Detector(Protocol):
    """Finds objects in images."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, by class number."""
        ...

    def detect(self, frame: Frame) -> Detections:
        """Find the objects of one frame: a function of the frame alone."""
        ...


class NetworkDetector:
    """YOLO v8 or 11 on any backend: letterbox, inference, decode, suppression, back to the image's pixels.

    What the model is, its class names and its input size are read from the model itself, and checked here once. Images
    may have any size; a letterbox is kept for each. Not thread-safe.

    Args:
        backend: The loaded model.
        confidence: Least score of a detection, in [0, 1].
        iou: Overlap above which the worse of two boxes of a class is dropped, in [0, 1].
        max_detections: Most detections in a frame.

    Raises:
        BadInput: If a parameter is out of range, or the model's input, output or metadata is not supported.
    """

    def __init__(self, backend: Backend, confidence: float = 0.25, iou: float = 0.5, max_detections: int = 100) -> None:
        for name, value in (("confidence", confidence), ("iou", iou)):
            if not 0.0 <= value <= 1.0:
                raise BadInput(f"{name} {value} of the detector: expected 0..1")
        if max_detections < 1:
            raise BadInput(f"max_detections {max_detections}: expected at least 1")
        self._backend = backend
        self._confidence, self._iou, self._max_detections = confidence, iou, max_detections
        self._class_names = class_names(backend.metadata)
        self._input_name, shape = _check_input(backend.io_spec)
        check_preprocessing(backend.metadata, shape)
        self._output_name = check_layout(backend.io_spec, len(self._class_names), backend.metadata.get(LAYOUT))
        self._tensor = np.empty(shape, np.float32)
        self._letterboxes: dict[tuple[int, int], Letterbox] = {}

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, by class number."""
        return self._class_names

    @property
    def input_size(self) -> tuple[int, int]:
        """Width and height of the network's input [px]."""
        return self._tensor.shape[3], self._tensor.shape[2]

    def detect(self, frame: Frame) -> Detections:
        """Find the objects of one frame, best first.

        Boxes are clipped to the image; those outside it are dropped.
        """
        letterbox = self.letterbox(frame.color.shape[1], frame.color.shape[0])
        boxes, scores, class_ids = self.postprocess(self.infer(self.preprocess(frame.color)), letterbox)
        return Detections(
            frame.camera_name, frame.sequence, frame.stamp_ns, boxes, scores, class_ids, self._class_names
        )

    def preprocess(self, image: Image) -> Float32:
        """The network's input (1, 3, H, W) for an image; overwritten by the next call."""
        self.letterbox(image.shape[1], image.shape[0]).apply(image, self._tensor[0])
        return self._tensor

    def infer(self, tensor: Float32) -> Float32:
        """The network's raw output for its input."""
        return self._backend.infer({self._input_name: tensor})[self._output_name]

    def postprocess(self, output: Float32, letterbox: Letterbox) -> tuple[Float32, Float32, npt.NDArray[np.int32]]:
        """Boxes (N, 4) in the image [px], scores (N,) and class ids (N,) of a raw output."""
        found = decode_raw(output, self._confidence)
        rows = nms(found.boxes, found.scores, found.class_ids, self._iou, self._max_detections)
        width, height = letterbox.source_size
        boxes = letterbox.boxes_to_source(found.boxes[rows]).astype(np.float32)
        np.clip(boxes, 0.0, np.array([width, height, width, height], np.float32), out=boxes)
        inside = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        rows = rows[inside]
        return boxes[inside], found.scores[rows], found.class_ids[rows]

    def letterbox(self, width: int, height: int) -> Letterbox:
        """The transform for images of a size [px]."""
        key = (width, height)
        if key not in self._letterboxes:
            self._letterboxes[key] = Letterbox(width, height, *self.input_size)
        return self._letterboxes[key]


def _check_input(io_spec: IoSpec) -> tuple[str, tuple[int, ...]]:
    inputs = io_spec.inputs
    if len(inputs) != 1 or inputs[0].dtype != "float32" or len(inputs[0].shape) != 4 or inputs[0].shape[:2] != (1, 3):
        raise BadInput(
            f"inputs {', '.join(map(str, inputs))}: expected one image, float32[1, 3, height, width]; "
            "export with batch 1, without half precision"
        )
    return inputs[0].name, inputs[0].shape
