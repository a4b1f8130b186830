"""Detectors: from a frame to boxes in the pixels of that frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt

from deploy.backend import Backend, Tensor
from deploy.errors import BadInput
from geometry.types import Image
from perception.decoders import make_decoder
from perception.detections import Detections
from perception.frame import Frame
from perception.input_port import InputPort
from perception.layouts import recognise
from perception.letterbox import Letterbox
from perception.masks import Masks
from perception.model_metadata import class_names, preprocessing
from perception.nms import nms

Float32 = npt.NDArray[np.float32]
_LETTERBOXES = 16


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
    """Any detection network on any backend: letterbox, inference, decode, suppression, back to the image's pixels.

    A segmentation network gives a mask with each box; a box whose mask turns out empty stays.

    What the model is, its class names, its preprocessing and the layout of its outputs are read from the model itself,
    and checked here once. Images may have any size; letterboxes of the latest few sizes are kept. Not thread-safe.

    Args:
        backend: The loaded model.
        confidence: Least score of a detection, in [0, 1].
        iou: Overlap above which the worse of two boxes is dropped, in [0, 1]; not looked at where the network gives one
            row for each object.
        max_detections: Most detections in a frame.
        class_agnostic: Whether a box also drops boxes of other classes.
        max_candidates: Look at no more than the best so many boxes when dropping, which bounds the time.

    Raises:
        BadInput: If a parameter is out of range, or the model's input, output or metadata is not supported.
    """

    def __init__(
        self,
        backend: Backend,
        confidence: float = 0.25,
        iou: float = 0.5,
        max_detections: int = 100,
        class_agnostic: bool = False,
        max_candidates: int = 1000,
    ) -> None:
        for name, value in (("confidence", confidence), ("iou", iou)):
            if not 0.0 <= value <= 1.0:
                raise BadInput(f"{name} {value} of the detector: expected 0..1")
        for name, count in (("max_detections", max_detections), ("max_candidates", max_candidates)):
            if count < 1:
                raise BadInput(f"{name} {count}: expected at least 1")
        self._backend = backend
        self._confidence, self._iou, self._max_detections = confidence, iou, max_detections
        self._class_agnostic, self._max_candidates = class_agnostic, max_candidates
        self._class_names = class_names(backend.metadata)
        form = preprocessing(backend.metadata)
        self._port = InputPort(backend.io_spec, form, backend.metadata)
        self._layout = recognise(backend.io_spec, backend.metadata, len(self._class_names), self._port.size)
        self._decode = make_decoder(self._layout, backend.metadata, self._port.size)
        self._rule = form.letterbox or self._layout.letterbox
        self._letterboxes: dict[tuple[int, int], Letterbox] = {}

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, by class number."""
        return self._class_names

    @property
    def input_size(self) -> tuple[int, int]:
        """Width and height of the network's input [px]."""
        return self._port.size

    @property
    def layout(self) -> str:
        """Name of the layout of the network's outputs."""
        return self._layout.name

    @property
    def has_masks(self) -> bool:
        """Whether it is a segmentation network."""
        return self._layout.prototypes is not None

    def detect(self, frame: Frame) -> Detections:
        """Find the objects of one frame, best first.

        Boxes are clipped to the image; those outside it are dropped.
        """
        letterbox = self.letterbox(frame.color.shape[1], frame.color.shape[0])
        boxes, scores, class_ids, masks = self.postprocess(self.infer(self.preprocess(frame.color)), letterbox)
        return Detections(
            frame.camera_name, frame.sequence, frame.stamp_ns, boxes, scores, class_ids, self._class_names, masks
        )

    def preprocess(self, image: Image) -> Tensor:
        """The network's input for an image, such as float32 (1, 3, H, W); overwritten by the next call."""
        return self._port.fill(image, self.letterbox(image.shape[1], image.shape[0]))

    def infer(self, tensor: Tensor) -> dict[str, Tensor]:
        """The network's outputs for its input, by name."""
        return self._backend.infer({self._port.name: tensor})

    def postprocess(
        self, outputs: Mapping[str, Tensor], letterbox: Letterbox
    ) -> tuple[Float32, Float32, npt.NDArray[np.int32], Masks | None]:
        """Boxes (N, 4) in the image [px], scores (N,), class ids (N,) and masks of the network's outputs."""
        found = self._decode(outputs, self._confidence)
        if self._layout.suppress:
            rows = nms(
                found.boxes,
                found.scores,
                found.class_ids,
                self._iou,
                self._max_detections,
                self._max_candidates,
                self._class_agnostic,
            )
        else:
            rows = np.arange(min(len(found), self._max_detections))
        width, height = letterbox.source_size
        boxes = letterbox.boxes_to_source(found.boxes[rows]).astype(np.float32)
        np.clip(boxes, 0.0, np.array([width, height, width, height], np.float32), out=boxes)
        inside = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        rows, boxes = rows[inside], boxes[inside]
        masks = None
        if found.coefficients is not None and self._layout.prototypes is not None:
            prototypes = outputs[self._layout.prototypes.name][0].astype(np.float32, copy=False)
            masks = Masks.from_prototypes(found.coefficients[rows], prototypes, boxes, letterbox)
        return boxes, found.scores[rows], found.class_ids[rows], masks

    def letterbox(self, width: int, height: int) -> Letterbox:
        """The transform for images of a size [px]."""
        key = (width, height)
        found = self._letterboxes.get(key)
        if found is None:
            if len(self._letterboxes) == _LETTERBOXES:  # a folder of photographs has a thousand sizes
                del self._letterboxes[next(iter(self._letterboxes))]
            found = self._letterboxes[key] = Letterbox(width, height, *self.input_size, self._rule)
        return found
