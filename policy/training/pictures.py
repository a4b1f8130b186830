"""The pictures of a dataset, decoded by LeRobot: only those that a batch needs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np

from deploy.errors import BadInput
from geometry.types import IntArray
from policy.training.chunks import ChunkSampler
from policy.training.demonstrations import Demonstrations, Floats
from policy.training.options import PolicyTraining


class Pictures:
    """Pictures of frames, RGB from 0 to 1."""

    def __init__(self, data: Demonstrations, workers: int) -> None:
        """Open the dataset.

        Args:
            data: Demonstrations with pictures.
            workers: Processes that decode ahead of the training; 0 decodes in this one.
        """
        from lerobot.datasets.lerobot_dataset import LeRobotDataset

        self._names = tuple(data.images)
        self._folder = data.folder
        self._workers = workers
        self._dataset = LeRobotDataset(data.folder.name, root=data.folder)

    def statistics(self) -> dict[str, dict[str, Floats]]:
        """Mean and spread of each picture's channels, shape (3, 1, 1), from the dataset's own statistics."""
        path = self._folder / "meta" / "stats.json"
        try:
            stats = json.loads(path.read_text())
            return {
                name: {key: np.array(stats[name][key], np.float32).reshape(3, 1, 1) for key in ("mean", "std")}
                for name in self._names
            }
        except (OSError, ValueError, KeyError) as error:
            raise BadInput(
                f"{path}: has no mean and std of {', '.join(self._names)} ({error}); collect again"
            ) from error

    def of_rows(self, rows: IntArray) -> dict[str, Any]:
        """Pictures of frames by feature, tensors of shape (B, 3, H, W)."""
        import torch

        frames = [self._dataset[int(row)] for row in rows]
        return {name: torch.stack([frame[name] for frame in frames]) for name in self._names}

    def of_steps(self, sampler: ChunkSampler, steps: range, training: PolicyTraining) -> Iterable[dict[str, Any]]:
        """Pictures of batch after batch, decoded ahead by the workers."""
        from torch.utils.data import DataLoader

        batches = _Batches(self, sampler, training.batch_size)
        loader: Iterable[dict[str, Any]] = DataLoader(
            batches, batch_size=None, sampler=steps, num_workers=self._workers
        )
        return loader


class _Batches:
    """A map from a step to the pictures of its batch, as torch's loader wants it."""

    def __init__(self, pictures: Pictures, sampler: ChunkSampler, size: int) -> None:
        self._pictures, self._sampler, self._size = pictures, sampler, size

    def __getitem__(self, step: int) -> dict[str, Any]:
        return self._pictures.of_rows(self._sampler.rows(step, self._size))
