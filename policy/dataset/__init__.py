"""Demonstrations on disk, in LeRobot's own format, written and read without torch.

Owns: `Episode`, the writer of LeRobotDataset v3.0, its statistics, the fingerprint, a small reader.

Does not own: how demonstrations come about (`policy.demonstrator`, `launch.collecting`), training.
"""

from __future__ import annotations

from policy.dataset.actions import label
from policy.dataset.episode import CameraFormat, Episode
from policy.dataset.reader import Dataset, read_dataset
from policy.dataset.writer import DatasetFormat, DatasetWriter

__all__ = [
    "CameraFormat",
    "Dataset",
    "DatasetFormat",
    "DatasetWriter",
    "Episode",
    "label",
    "read_dataset",
]
