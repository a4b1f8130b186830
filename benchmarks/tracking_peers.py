"""Ours and the trackers of others behind one small protocol: each used as its documentation says.

What is timed is `update` alone. `prepare` turns a frame into the tracker's own type of detections, and `read` turns
what it returned into rows; both are outside the timing, for all, which favours those that want an object per detection.

The settings of the peers are the best that coordinate descent found among those that they document, from their
defaults, by the sum of MOTA and IDF1 of 30 objects on three scenes of other seeds. Ours has its defaults.
"""

from __future__ import annotations

import copy
import importlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from tracking_scenes import RATE_HZ, FloatArray, SceneFrame

from perception.detections import Detections

AHEAD_NS = 200_000_000  # six frames, as the search found for motpy
INSTALL = "pip install --no-deps -r benchmarks/tracking-peers.txt"


@dataclass(frozen=True, slots=True, eq=False)
class Reported:
    """What a tracker says of one frame.

    Attributes:
        ids: Shape (K,), int64.
        boxes: Shape (K, 4): x1, y1, x2, y2 [px].
        seen: Shape (K,): rows with a detection in this frame; the others are predictions.
    """

    ids: npt.NDArray[np.int64]
    boxes: FloatArray
    seen: npt.NDArray[np.bool_]

    def detected(self) -> Reported:
        """Without the predictions."""
        return Reported(self.ids[self.seen], self.boxes[self.seen], self.seen[self.seen])


class Peer(Protocol):
    """One tracker; a new one for each scene."""

    def prepare(self, frame: SceneFrame) -> Any: ...

    def update(self, given: Any) -> Any: ...

    def read(self, returned: Any) -> Reported: ...


class Ours:
    """`ImageTracker` with its default parameters: filtered boxes of confirmed tracks; predictions for `AHEAD_NS`."""

    def __init__(self) -> None:
        from tracking import ImageTracker

        self._tracker = ImageTracker()

    def prepare(self, frame: SceneFrame) -> Detections:
        return Detections(
            "camera", 0, frame.stamp_ns, frame.boxes.astype(np.float32), frame.scores.astype(np.float32),
            np.zeros(len(frame.boxes), np.int32), ("object",),
        )  # fmt: skip

    def update(self, given: Detections) -> Any:
        tracks = self._tracker.update(given)
        return tracks, tracks.ids, tracks.boxes  # made when they are asked for: they count

    def read(self, returned: Any) -> Reported:
        tracks, ids, boxes = returned
        known = ids >= 0
        others = tracks.all.confirmed()
        others = others.select((others.last_seen_ns >= tracks.stamp_ns - AHEAD_NS) & ~np.isin(others.ids, ids))
        seen = np.arange(int(known.sum()) + len(others)) < known.sum()
        return Reported(np.concatenate((ids[known], others.ids)), np.vstack((boxes[known], others.boxes)), seen)


class Roboflow:
    """Roboflow's `trackers`: `supervision.Detections` in and out; rows of young or no tracks have the id -1."""

    def __init__(self, name: str, **settings: Any) -> None:
        self._tracker = getattr(importlib.import_module("trackers"), name)(frame_rate=RATE_HZ, **settings)
        self._detections = importlib.import_module("supervision").Detections

    def prepare(self, frame: SceneFrame) -> Any:
        return self._detections(
            xyxy=frame.boxes.astype(np.float32), confidence=frame.scores.astype(np.float32),
            class_id=np.zeros(len(frame.boxes), np.int64),
        )  # fmt: skip

    def update(self, given: Any) -> Any:
        return self._tracker.update(given)

    def read(self, returned: Any) -> Reported:
        known = returned.tracker_id >= 0
        boxes = np.asarray(returned.xyxy[known], np.float64)
        return Reported(returned.tracker_id[known].astype(np.int64), boxes, np.ones(len(boxes), np.bool_))


class Norfair:
    """norfair: two corners a detection, its vectorised IoU; a list of active objects, also those not hit this time."""

    def __init__(self, **settings: Any) -> None:
        module: Any = importlib.import_module("norfair")
        settings["filter_factory"] = module.OptimizedKalmanFilterFactory(**settings.pop("filter", {}))
        self._tracker = module.Tracker(distance_function="iou", **settings)
        self._detection = module.Detection
        self._given: list[Any] = []

    def prepare(self, frame: SceneFrame) -> list[Any]:
        corners, scores = frame.boxes.reshape(-1, 2, 2), np.repeat(frame.scores, 2).reshape(-1, 2)
        return [self._detection(points=points, scores=score) for points, score in zip(corners, scores, strict=True)]

    def update(self, given: list[Any]) -> Any:
        self._given = given
        return self._tracker.update(given)

    def read(self, returned: Any) -> Reported:
        now = {id(detection) for detection in self._given}
        ids = np.array([track.id for track in returned], np.int64)
        boxes = np.array([track.estimate for track in returned], np.float64).reshape(-1, 4)
        return Reported(ids, boxes, np.array([id(track.last_detection) in now for track in returned], np.bool_))


class Motpy:
    """motpy: an object per detection; a list of active tracks, also those without a detection this time."""

    def __init__(self, **settings: Any) -> None:
        module: Any = importlib.import_module("motpy")
        logging.getLogger("motpy").setLevel(logging.WARNING)
        self._tracker = module.MultiObjectTracker(dt=1.0 / RATE_HZ, **settings)
        self._detection = module.Detection
        self._numbers: dict[str, int] = {}
        self._positive: dict[str, int] = {}

    def prepare(self, frame: SceneFrame) -> list[Any]:
        rows = zip(frame.boxes, frame.scores.tolist(), strict=True)
        return [self._detection(box=box, score=score, class_id=0) for box, score in rows]

    def update(self, given: list[Any]) -> Any:
        return self._tracker.step(given)

    def read(self, returned: Any) -> Reported:
        before, self._positive = self._positive, {track.id: track.steps_positive for track in self._tracker.trackers}
        names = [track.id for track in returned]
        boxes = np.array([track.box for track in returned], np.float64).reshape(-1, 4)
        seen = np.array([self._positive[name] > before.get(name, 0) for name in names], np.bool_)
        return Reported(_numbered(names, self._numbers), boxes, seen)


class Trackforge:
    """trackforge (Rust): tuples of left, top, width, height, score and class in; with the detection's row out."""

    def __init__(self, name: str, **settings: Any) -> None:
        self._tracker = getattr(importlib.import_module("trackforge"), name)(**settings)

    def prepare(self, frame: SceneFrame) -> list[tuple[list[float], float, int]]:
        ltwh = np.hstack((frame.boxes[:, :2], frame.boxes[:, 2:] - frame.boxes[:, :2])).tolist()
        return [(box, score, 0) for box, score in zip(ltwh, frame.scores.tolist(), strict=True)]

    def update(self, given: Any) -> Any:
        return self._tracker.update(given)

    def read(self, returned: Any) -> Reported:
        boxes = np.array([row[1] for row in returned], np.float64).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        seen = np.array([row[4] is not None for row in returned], np.bool_)
        return Reported(np.array([row[0] for row in returned], np.int64), boxes, seen)


class Similari:
    """similari (Rust): boxes with confidence in; a track per detection out, of which those seen often enough count."""

    def __init__(self, shards: int, idle: int, min_length: int, **settings: Any) -> None:
        module: Any = importlib.import_module("similari")
        iou = settings.pop("iou")
        method = module.PositionalMetricType.maha() if iou is None else module.PositionalMetricType.iou(threshold=iou)
        self._tracker = module.Sort(shards=shards, bbox_history=1, max_idle_epochs=idle, method=method, **settings)
        self._box, self._min_length = module.BoundingBox, min_length
        self._numbers: dict[int, int] = {}

    def prepare(self, frame: SceneFrame) -> list[tuple[Any, None]]:
        ltwh = np.hstack((frame.boxes[:, :2], frame.boxes[:, 2:] - frame.boxes[:, :2])).tolist()
        rows = zip(ltwh, frame.scores.tolist(), strict=True)
        return [(self._box(*box).as_xyaah(), None) for box, score in rows]

    def update(self, given: Any) -> Any:
        return self._tracker.predict(given)

    def read(self, returned: Any) -> Reported:
        tracks = [track for track in returned if track.length >= self._min_length]
        predicted = [track.predicted_bbox.as_ltwh() for track in tracks]
        rows = [(box.left, box.top, box.left + box.width, box.top + box.height) for box in predicted]
        boxes = np.array(rows, np.float64).reshape(-1, 4)
        self._tracker.wasted()
        return Reported(_numbered([track.id for track in tracks], self._numbers), boxes, np.ones(len(tracks), np.bool_))


def _numbered(names: list[Any], numbers: dict[Any, int]) -> npt.NDArray[np.int64]:
    """Numbers from 1 in the order in which names first came."""
    return np.array([numbers.setdefault(name, len(numbers) + 1) for name in names], np.int64)


@dataclass(frozen=True, slots=True)
class Contestant:
    """One line of the table.

    Attributes:
        name: Of the tracker.
        kind: Ours, or what the tracker is written in.
        package: On PyPI; empty for ours.
        settings: What is not its default, or depends on the data.
        build: Makes one from settings.
    """

    name: str
    kind: str
    package: str
    settings: dict[str, Any]
    build: Callable[..., Peer]

    def make(self, objects: int) -> Peer:
        """A new tracker for scenes of so many objects."""
        settings = copy.deepcopy(self.settings)
        if self.build is Similari:  # as in its own benchmark
            settings["shards"] = 1 if objects <= 100 else 2 if objects <= 200 else 4
        return self.build(**settings)


OURS = "eyehand ImageTracker"
CONTESTANTS = (
    Contestant(OURS, "ours", "", {}, Ours),
    Contestant(
        "trackers SORTTracker", "python", "trackers",
        {
            "name": "SORTTracker", "minimum_consecutive_frames": 2, "minimum_iou_threshold": 0.5,
            "track_activation_threshold": 0.1,
        },
        Roboflow,
    ),
    Contestant(
        "trackers ByteTrackTracker", "python", "trackers",
        {
            "name": "ByteTrackTracker", "minimum_consecutive_frames": 1, "minimum_iou_threshold": 0.5,
            "track_activation_threshold": 0.5,
        },
        Roboflow,
    ),
    Contestant(
        "trackers OCSORTTracker", "python", "trackers",
        {
            "name": "OCSORTTracker", "minimum_consecutive_frames": 1, "minimum_iou_threshold": 0.5,
            "high_conf_det_threshold": 0.1, "direction_consistency_weight": 0.0, "lost_track_buffer": 15,
        },
        Roboflow,
    ),
    Contestant(
        "norfair", "python", "norfair",
        {"distance_threshold": 0.5, "initialization_delay": 1, "hit_counter_max": 10}, Norfair,
    ),
    Contestant(
        "motpy", "python", "motpy",
        {
            "matching_fn_kwargs": {"min_iou": 0.5}, "tracker_kwargs": {"max_staleness": 6},
            "active_tracks_kwargs": {"min_steps_alive": 2, "max_staleness_to_positive_ratio": 0.5},
        },
        Motpy,
    ),
    Contestant(
        "trackforge BYTETRACK", "rust", "trackforge",
        {"name": "BYTETRACK", "match_thresh": 0.6, "track_buffer": 15}, Trackforge,
    ),
    Contestant(
        "trackforge SORT", "rust", "trackforge",
        {"name": "SORT", "max_age": 15, "min_hits": 2, "iou_threshold": 0.5}, Trackforge,
    ),
    Contestant(
        "trackforge OCSORT", "rust", "trackforge",
        {"name": "OCSORT", "max_age": 15, "min_hits": 2, "iou_threshold": 0.5, "inertia": 0.0}, Trackforge,
    ),
    Contestant("similari Sort", "rust", "similari-trackers-rs", {"iou": 0.4, "idle": 15, "min_length": 2}, Similari),
)  # fmt: skip
