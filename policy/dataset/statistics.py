"""Statistics of episodes, as LeRobot keeps them: what normalisers are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from geometry.types import Array
from policy.dataset.episode import INDEX_COLUMNS, Episode

Stats = dict[str, dict[str, Array]]

QUANTILES: Final = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
# pictures of an episode that its statistics are made of, and their longer edge [px]
_PICTURES: Final = 20
_EDGE: Final = 160


def of_values(values: npt.NDArray[Any]) -> dict[str, Array]:
    """Least, greatest, mean, standard deviation, count and quantiles of each column.

    Args:
        values: Shape (N, D), N >= 1.
    """
    exact = np.asarray(values, dtype=np.float64)
    quantiles = np.quantile(exact, list(QUANTILES.values()), axis=0)
    return {
        "min": exact.min(axis=0),
        "max": exact.max(axis=0),
        "mean": exact.mean(axis=0),
        "std": exact.std(axis=0),
        "count": np.array([len(exact)]),
        **dict(zip(QUANTILES, quantiles, strict=True)),
    }


def of_pictures(pictures: Sequence[bytes]) -> dict[str, Array]:
    """The same of the red, green and blue of some of the pictures, 0 to 1, shape (3, 1, 1); `count` is of pictures."""
    chosen = np.unique(np.linspace(0, len(pictures) - 1, min(len(pictures), _PICTURES)).round().astype(int))
    pixels = []
    for index in chosen:
        image = cv2.imdecode(np.frombuffer(pictures[index], np.uint8), cv2.IMREAD_COLOR)
        assert image is not None
        stride = max(1, max(image.shape[:2]) // _EDGE)
        pixels.append(image[::stride, ::stride, ::-1].reshape(-1, 3))
    stats = of_values(np.concatenate(pixels) / 255.0)
    return {key: np.array([len(chosen)]) if key == "count" else value.reshape(3, 1, 1) for key, value in stats.items()}


def of_episode(episode: Episode, columns: Mapping[str, npt.NDArray[Any]]) -> Stats:
    """Statistics of an episode: its values, its pictures and LeRobot's own columns, shape (T,) each."""
    stats = {key: of_values(values) for key, values in episode.vectors.items()}
    for camera, pictures in episode.images.items():
        stats[camera] = of_pictures(pictures)
    stats.update({key: of_values(columns[key][:, None]) for key in INDEX_COLUMNS})
    return stats


def aggregate(parts: Sequence[Stats]) -> Stats:
    """Statistics of all episodes together, from those of each.

    Least, greatest, mean, deviation and count are exact. A quantile is the mean of the episodes' quantiles by their
    counts, as LeRobot has it: an approximation.
    """
    return {key: _joined([part[key] for part in parts]) for key in parts[0]}


def _joined(parts: Sequence[dict[str, Array]]) -> dict[str, Array]:
    mean = np.stack([part["mean"] for part in parts])
    counts = np.concatenate([part["count"] for part in parts]).astype(np.float64)
    weights = (counts / counts.sum()).reshape(-1, *(1,) * (mean.ndim - 1))
    overall = (weights * mean).sum(axis=0)
    variance = (weights * (np.stack([part["std"] for part in parts]) ** 2 + (mean - overall) ** 2)).sum(axis=0)
    return {
        "min": np.min([part["min"] for part in parts], axis=0),
        "max": np.max([part["max"] for part in parts], axis=0),
        "mean": overall,
        "std": np.sqrt(variance),
        "count": np.array([int(counts.sum())]),
        **{name: (weights * np.stack([part[name] for part in parts])).sum(axis=0) for name in QUANTILES},
    }


def to_json(stats: Stats) -> dict[str, dict[str, Any]]:
    """As `meta/stats.json` holds them."""
    return {key: {name: value.tolist() for name, value in group.items()} for key, group in stats.items()}
