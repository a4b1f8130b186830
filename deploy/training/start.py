"""Training of a detector from scratch, or of a decoder on the backbone of a trained one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from deploy.errors import BadInput
from deploy.training.detector import DetectorTraining, train_detector


def train_from(weights: Path | None, training: DetectorTraining) -> tuple[Path, DetectorTraining]:
    """Train; a decoder on a trained backbone first learns alone, in three quarters of the epochs, then with all layers.

    Args:
        weights: Checkpoint of a YOLOv8 whose backbone and neck an RT-DETR takes, for example of
            `deploy.training.from_onnx`; None starts from scratch.
        training: What and how to train; the width is that of the weights.

    Returns:
        The exported file, and the training as it ended, with all its epochs.

    Raises:
        BadInput: If it is not an RT-DETR that is to start from weights.
        Missing: If torch, ultralytics or onnx is not installed.
    """
    if weights is None:
        return train_detector(training), training
    if training.architecture != "rtdetr":
        raise BadInput(f"a {training.architecture} starts from scratch: only an rtdetr takes the backbone of {weights}")
    training = training.started(weights)
    alone = replace(training, epochs=max(1, training.epochs * 3 // 4))
    train_detector(alone)
    together = alone.thawed(max(1, training.epochs - alone.epochs))
    return train_detector(together), replace(together, epochs=alone.epochs + together.epochs)
