"""Training of the models that ship: needs the extra `train`, and nothing of it is imported at run time."""

from __future__ import annotations

from deploy.training.detector import DetectorTraining, train_detector

__all__ = ["DetectorTraining", "train_detector"]
