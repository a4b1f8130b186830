"""The image input of a detection network: which kinds there are, and how an image becomes one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from deploy.backend import IoSpec, Tensor
from deploy.errors import BadInput
from geometry.types import Image
from perception.letterbox import Letterbox
from perception.model_metadata import BAKED, Preprocessing, check_input_size


class InputPort:
    """A network's only input: float planes, or uint8 images where the preprocessing is part of the graph.

    The buffers are allocated once.

    Args:
        io_spec: What the model takes.
        preprocessing: What it declares.
        metadata: All that it declares.

    Raises:
        BadInput: If it takes something else, or says another size than it has.
    """

    def __init__(self, io_spec: IoSpec, preprocessing: Preprocessing, metadata: Mapping[str, str]) -> None:
        inputs = io_spec.inputs
        shape, dtype = (inputs[0].shape, inputs[0].dtype) if len(inputs) == 1 else ((), "")
        planes = len(shape) == 4 and shape[:2] == (1, 3) and dtype in ("float32", "float16")
        images = len(shape) == 4 and shape[0] == 1 and shape[3:] == (3,) and dtype == "uint8"
        if not (planes or images):
            raise BadInput(
                f"inputs {', '.join(map(str, inputs))}: expected one image with batch 1, float32 or "
                "float16[1, 3, height, width], or uint8[1, height, width, 3] with its preprocessing baked in"
            )
        if images != (preprocessing.scale == BAKED) or (images and preprocessing.color_order != "BGR"):
            raise BadInput(
                f"input {inputs[0]} of a model that declares eyehand.scale = {preprocessing.scale!r} and "
                f"eyehand.color_order = {preprocessing.color_order!r}: uint8, BGR and 'baked' go together; export "
                "it with --bake-preprocessing"
            )
        self.name = inputs[0].name
        height, width = shape[2:] if planes else shape[1:3]
        check_input_size(metadata, shape, (height, width))
        self.size = (width, height)
        self._order, self._gain, self._bias = preprocessing.color_order, preprocessing.gain, preprocessing.bias
        self._planes = np.empty((1, 3, height, width), np.float32) if planes else None
        self._half = np.empty(shape, np.float16) if dtype == "float16" else None

    def fill(self, image: Image, letterbox: Letterbox) -> Tensor:
        """The input for an image (H, W, 3), uint8, blue, green, red; overwritten by the next call."""
        if self._planes is None:
            return letterbox.canvas(image)[None]
        letterbox.apply(image, self._planes[0], self._order, self._gain, self._bias)
        if self._half is None:
            return self._planes
        np.copyto(self._half, self._planes, casting="same_kind")
        return self._half
