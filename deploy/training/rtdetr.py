"""A small RT-DETR: Ultralytics' decoder on the backbone and neck of a slim YOLOv8, trained on letterboxed rectangles.

Ultralytics trains RT-DETR on squares, into which an image is stretched. Here its trainer and validator take the
rectangles of its YOLO instead, so one letterbox rule, and one preprocessor at run time, serve both kinds of detector.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Any

from deploy.errors import require


@dataclass(frozen=True, slots=True)
class DecoderSize:
    """Size of the decoder.

    Attributes:
        hidden: Channels.
        queries: Objects that it can name in an image.
        points: Points that a query samples, for each head and level.
        heads: Attention heads.
        layers: Decoder layers.
        feed_forward: Channels inside a layer's feed-forward network.
    """

    hidden: int = 96
    queries: int = 40
    points: int = 4
    heads: int = 4
    layers: int = 2
    feed_forward: int = 192


def with_decoder(architecture: dict[str, Any], size: DecoderSize) -> dict[str, Any]:
    """Replace the head of a YOLO by RT-DETR's decoder.

    Args:
        architecture: The content of one of Ultralytics' files; its last layer is the head.
        size: Of the decoder.

    Returns:
        A new architecture; backbone and neck, and so the names of their weights, are the same.
    """
    levels = architecture["head"][-1][0]
    arguments = ["nc", size.hidden, size.queries, size.points, size.heads, size.layers, size.feed_forward]
    return {**architecture, "head": [*architecture["head"][:-1], [levels, 1, "RTDETRDecoder", arguments]]}


def rectangular_trainer(fixed_statistics: bool) -> type[Any]:
    """Make the trainer's class; a function, since its bases are imported when a training starts.

    Args:
        fixed_statistics: Keep the batch normalization of backbone and neck as the weights have it, as DETRs do. Weights
            out of an ONNX file have it folded away, so the statistics of a batch would undo what was learnt.

    Returns:
        A subclass of `ultralytics.models.rtdetr.train.RTDETRTrainer`.
    """
    require("ultralytics", "train")
    from ultralytics.models.rtdetr.train import RTDETRTrainer
    from ultralytics.models.yolo.detect import DetectionTrainer
    from ultralytics.utils.torch_utils import unwrap_model

    torch = require("torch", "train")
    validator = rectangular_validator()

    class Trainer(RTDETRTrainer):  # type: ignore[misc]
        """Loads images as YOLO's trainer does: letterboxed, in rectangles where the options say so."""

        build_dataset = DetectionTrainer.build_dataset

        def get_validator(self) -> Any:
            return validator(self.test_loader, save_dir=self.save_dir, args=copy(self.args), _callbacks=self.callbacks)

        def _model_train(self) -> None:
            super()._model_train()
            if fixed_statistics:
                for layer in unwrap_model(self.model).model[:-1]:
                    for module in layer.modules():
                        if isinstance(module, torch.nn.BatchNorm2d):
                            module.eval()

    return Trainer


def rectangular_validator() -> type[Any]:
    """Make the validator's class, a subclass of `ultralytics.models.rtdetr.val.RTDETRValidator`."""
    require("ultralytics", "train")
    from ultralytics.models.rtdetr.val import RTDETRValidator

    class Validator(RTDETRValidator):  # type: ignore[misc]
        """Scales boxes by the rectangle of the batch, not by a square."""

        def preprocess(self, batch: dict[str, Any]) -> dict[str, Any]:
            batch = super().preprocess(batch)
            self.input_hw = tuple(batch["img"].shape[2:])
            return batch

        def postprocess(self, preds: Any) -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = super().postprocess(preds)
            height, width = self.input_hw
            for image in found:
                image["bboxes"][:, 0::2] *= width / self.args.imgsz
                image["bboxes"][:, 1::2] *= height / self.args.imgsz
            return found

    return Validator
