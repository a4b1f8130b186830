"""Training from the weights of a model in the store, or from scratch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from deploy.errors import BadInput
from deploy.training.detector import DetectorTraining, train_detector

STARTABLE = ("yolov8", "rtdetr")  # an ONNX file of these backbones turns into a checkpoint again


def train_from(weights: Path | None, training: DetectorTraining) -> tuple[Path, DetectorTraining]:
    """Train; a decoder on a trained backbone first learns alone, in three quarters of the epochs, then with all layers.

    Args:
        weights: Checkpoint of a YOLOv8, for example of `deploy.training.from_onnx`; None starts from scratch.
        training: What and how to train; the width is that of the weights.

    Returns:
        The exported file, and the training as it ended, with all its epochs.

    Raises:
        BadInput: If the architecture cannot start from such weights.
        Missing: If torch, ultralytics or onnx is not installed.
    """
    if weights is None:
        return train_detector(training), training
    if training.architecture not in STARTABLE:
        raise BadInput(
            f"a {training.architecture} starts from scratch: only {' and '.join(STARTABLE)} start from {weights}"
        )
    training = training.started(weights)
    if not training.frozen:
        return train_detector(training), training
    alone = replace(training, epochs=max(1, training.epochs * 3 // 4))
    train_detector(alone)
    together = alone.thawed(max(1, training.epochs - alone.epochs))
    return train_detector(together), replace(together, epochs=alone.epochs + together.epochs)
