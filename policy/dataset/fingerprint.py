"""What a dataset is known by: a hash of its values, the same on every machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from policy.dataset.episode import Episode


def of_episode(episode: Episode) -> str:
    """SHA-256 over an episode's numbers (float32, little-endian) and pictures (PNG), by the keys of its columns."""
    total = hashlib.sha256()
    for key, values in episode.vectors.items():
        total.update(f"{key} {values.shape}".encode())
        total.update(np.ascontiguousarray(values, dtype="<f4").tobytes())
    for key, pictures in sorted(episode.images.items()):
        total.update(key.encode())
        for picture in pictures:
            total.update(hashlib.sha256(picture).digest())
    return total.hexdigest()


def of_dataset(features: Mapping[str, Any], dt_ns: int, episodes: Iterable[str]) -> str:
    """SHA-256 over what the columns are called, the time step [ns] and the episodes' own hashes, in their order."""
    names: Sequence[Any] = [[key, value["names"]] for key, value in sorted(features.items())]
    total = hashlib.sha256(json.dumps([names, dt_ns]).encode())
    for digest in episodes:
        total.update(bytes.fromhex(digest))
    return total.hexdigest()
