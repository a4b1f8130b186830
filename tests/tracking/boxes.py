"""Boxes made by hand, and all that a tracker says of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np

from geometry.types import Array
from tracking import ImageTracker, Tracks

ARRAYS = (
    "ids", "state", "position", "velocity", "covariance", "scores", "class_ids", "last_seen_ns", "age_s",
    "detection_ids",
)  # fmt: skip
FRAME_NS = 33_333_333
# Each is no box.
DAMAGED = [
    [np.nan] * 4, [100, 260, 120, np.nan], [np.inf] * 4, [-np.inf, -np.inf, np.inf, np.inf], [80, 260, np.inf, 340],
    [100, 300, 100, 300], [80, 260, 120, 260], [80, 260, 80, 340], [120, 260, 80, 340], [80, 340, 120, 260],
    [120, 340, 80, 260], [-1e300, -1e300, 1e300, 1e300], [-1e9, -1e9, 1e9, 1e9], [0, 0, 1e308, 1e308],
    [100, 300, 100 + 1e-200, 300 + 1e-200],
]  # fmt: skip


@dataclass
class Boxes:
    """What supervision calls Detections."""

    xyxy: Any = ()
    confidence: Any = None
    class_id: Any = None


def box(u: float, v: float, width: float = 40.0, height: float = 80.0) -> list[float]:
    return [u - width / 2, v - height / 2, u + width / 2, v + height / 2]


def row_of(count: int, spacing: float = 200.0) -> list[list[float]]:
    """Boxes side by side, too far from one another to be confused."""
    return [box(100.0 + spacing * k, 300.0) for k in range(count)]


def feed(tracker: ImageTracker, looks: Iterable[Boxes], start: int = 0, period_ns: int = FRAME_NS) -> Tracks:
    """One look after another; the tracks of the last."""
    for k, boxes in enumerate(looks, start):
        tracks = tracker.update(boxes, stamp_ns=k * period_ns)
    return tracks


def bytes_of(tracks: Tracks) -> list[bytes]:
    """All that is known, of the rows and of all tracks."""
    return [np.asarray(getattr(some, name)).tobytes() for some in (tracks, tracks.all) for name in ARRAYS]


def moved(points: Array, motion: Array) -> Array:
    """Points (N, 2) under a homography (3, 3)."""
    through = points @ motion[:2, :2].T + motion[:2, 2]
    return np.asarray(through / (points @ motion[2, :2] + motion[2, 2])[:, None])


def crowd(rng: np.random.Generator, count: int) -> Array:
    """Boxes anywhere, shape (count, 4)."""
    centres, sizes = rng.uniform(0.0, 500.0, (count, 2)), rng.uniform(20.0, 90.0, (count, 2))
    return np.hstack((centres - sizes / 2, centres + sizes / 2))


def random_looks(seed: int, count: int = 40) -> Iterator[tuple[Boxes, int, Array | None]]:
    """Crowds, gaps, damage, flickering classes."""
    rng = np.random.default_rng(seed)
    places = crowd(rng, 8)
    stamp_ns = int(rng.integers(-(10**18), 10**18))
    for _ in range(count):
        stamp_ns += int(rng.choice([1, 10**6, FRAME_NS, 400_000_000, 3 * 10**9], p=[0.05, 0.15, 0.6, 0.15, 0.05]))
        places = places + rng.normal(0.0, 4.0, (8, 1))
        if rng.random() < 0.1:
            places[rng.integers(8)] = crowd(rng, 1)[0]
        shown = np.vstack((places[rng.random(8) < 0.8], crowd(rng, int(rng.integers(0, 3)))))
        if len(shown) and rng.random() < 0.2:
            shown[rng.integers(len(shown))] = DAMAGED[rng.integers(len(DAMAGED))]
        size = len(shown)
        scores = rng.choice([np.nan, 0.0, 0.05, 0.3, 0.5, 0.8, 1.0], size)
        turn = rng.normal(0.0, 0.02)
        motion = np.array([[1.0, -turn, rng.normal(0, 5)], [turn, 1.0, rng.normal(0, 5)]])
        yield Boxes(shown, scores, rng.integers(0, 4, size)), stamp_ns, motion if rng.random() < 0.3 else None


def digest(tracker: ImageTracker, seed: int) -> str:
    """Of all that is known after each of some random looks."""
    everything = sha256()
    for boxes, stamp_ns, motion in random_looks(seed):
        for part in bytes_of(tracker.update(boxes, stamp_ns=stamp_ns, camera_motion=motion)):
            everything.update(part)
    return everything.hexdigest()
