"""Trackers under a camera on a moving wrist: HOTA of ours in the base frame beside trackers in the image.

    python benchmarks/moving_camera.py [--speeds 0.25,0.5,1.0] [--seconds 20] [--seeds 5] [--first-seed S] [--json]

The scenes are in `moving_camera_scene.py`: geometry alone, ten standing and four moving cubes of two classes, a camera
that flies over them, errors of pose and depth, missed and false detections, blind bursts. An object that leaves the
view and comes back is to be the same one; that is what is hard, and no tracker in an image can know it.

Scored are two things, each by HOTA, MOTA, IDF1 and switches (`eyehand eval tracking` computes the same):

- `in the image`, IoU 0.5: which detection is whose. Each tracker gives ids to the same detections, and the boxes are
  those of the detections for all, so that association alone differs. A detection that was missed is lost to everybody:
  what perfect identities get is the line `oracle`.
- `in the base`, 0.05 m: where things are, as a robot wants it: all confirmed tracks whose place the camera has in plain
  view, whether detected in this frame or not. Trackers in the image have no such answer.

`one frame late` is our tracker with the pose of the frame before, for its points and for what the camera can see.
`not told what is in view` is our tracker without a visibility, which ages all tracks alike.
The motion of the picture that our image tracker and norfair are given is the homography of the table between the poses.

Trackers of others are used as their documentation says, with the settings of `tracking_peers.py`; one that is not
installed is named and left out (`pip install --no-deps -r benchmarks/tracking-peers.txt`).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from moving_camera_scene import CAMERA, CLASS_NAMES, DepthImage, Look, make_scene
from tracking_peers import CONTESTANTS, INSTALL, Norfair, Peer

from geometry import Camera, Pose
from geometry.types import Array, IntArray
from launch.cli.values import at_least
from launch.machine import installed, machine_facts
from perception import Detections, Localized, Sight, Visibility
from tracking import BaseFrameTracker, ImageTracker
from tracking.evaluation import evaluate
from tracking.mot_files import MotRows

IOU, DISTANCE_M = 0.5, 0.05
BASE, LATE, ORACLE = "eyehand BaseFrameTracker", "  pose one frame late", "oracle of identities"
UNTOLD = "  not told what is in view"
STILL, MOVED, NORFAIR = "eyehand ImageTracker", "  with camera motion", "norfair, camera motion"
PEERS = ("trackers ByteTrackTracker", "trackers OCSORTTracker")
GOALS = {0.25: 80.0, 0.5: 75.0, 1.0: 72.0}
FIGURES = ("hota", "deta", "assa", "mota", "idf1")

Rows = tuple[IntArray, Array]
"""Ids and boxes (x1, y1, x2, y2) or points of one frame."""


class Subject(Protocol):
    """One tracker; a new one for each scene."""

    def step(self, look: Look) -> tuple[IntArray, Rows | None]:
        """Shape (M,): ids of the detections, -1 for none; and places in the base, if it knows any."""


@dataclass(frozen=True)
class View:
    """What `Visibility` reads of a `Frame`."""

    depth: DepthImage
    camera: Camera = CAMERA
    depth_scale_m: float = 1.0


def detections_of(look: Look) -> Detections:
    return Detections(
        "wrist", round(look.stamp_ns), look.stamp_ns, look.boxes.astype(np.float32), look.scores.astype(np.float32),
        look.class_ids, CLASS_NAMES,
    )  # fmt: skip


class InBase:
    """Our tracker in the base, with the pose of the frame or of the one before it, told what is in view or not."""

    def __init__(self, late: bool = False, told: bool = True) -> None:
        self._tracker, self._late, self._told = BaseFrameTracker(), late, told
        self._before: Pose | None = None

    def step(self, look: Look) -> tuple[IntArray, Rows | None]:
        pose = self._before if self._late and self._before is not None else look.pose
        self._before = look.pose
        covariances = pose.rotation @ look.covariances_m2 @ pose.rotation.T
        sees = Visibility(View(look.depth), pose)  # type: ignore[arg-type]
        localized = Localized(detections_of(look), "base", pose.apply(look.points_m), covariances)
        tracks = self._tracker.update(localized, visibility=sees if self._told else None)
        known = tracks.all.confirmed()
        in_view = sees(known.position) == Sight.VISIBLE
        return tracks.ids, (known.ids[in_view], known.position[in_view])


class InImage:
    """Our tracker in the image, told of the picture's motion or not."""

    def __init__(self, moved: bool) -> None:
        self._tracker, self._moved = ImageTracker(), moved
        self._before: Array | None = None

    def step(self, look: Look) -> tuple[IntArray, Rows | None]:
        table, before = pixels_of_table(look.pose), self._before
        self._before = table
        motion = table @ np.linalg.inv(before) if self._moved and before is not None else None
        return self._tracker.update(detections_of(look), camera_motion=motion).ids, None


class Others:
    """A tracker of others: what it returns are detections, some of them, in an order of its own."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def step(self, look: Look) -> tuple[IntArray, Rows | None]:
        told = self._peer.read(self._peer.update(self._peer.prepare(look))).detected()  # type: ignore[arg-type]
        return rows_of(told.ids, told.boxes, look.boxes), None


class MovedNorfair(Norfair):
    """norfair, which follows the objects in a frame that the homographies of the camera's motion share: the table's."""

    def __init__(self) -> None:
        super().__init__(distance_threshold=0.7, initialization_delay=1)
        from norfair.camera_motion import HomographyTransformation

        self._transformation = HomographyTransformation
        self._first: Array | None = None

    def step(self, look: Look) -> tuple[IntArray, Rows | None]:
        table = pixels_of_table(look.pose)
        if self._first is None:
            self._first = np.linalg.inv(table)
        given = self.prepare(look)  # type: ignore[arg-type]
        row_of = {id(detection): row for row, detection in enumerate(given)}
        ids = np.full(len(given), -1, np.int64)
        for track in self._tracker.update(given, coord_transformations=self._transformation(table @ self._first)):
            row = row_of.get(id(track.last_detection))
            if row is not None:
                ids[row] = track.id
        return ids, None


class Oracle:
    """Whose detection each is."""

    def step(self, look: Look) -> tuple[IntArray, Rows | None]:
        return np.where(look.sources > 0, look.sources, -1), None


def pixels_of_table(base_T_camera: Pose) -> Array:
    """Homography from the table, x and y [m], to pixels, shape (3, 3)."""
    camera_T_base = base_T_camera.inverse()
    return CAMERA.matrix @ np.column_stack((camera_T_base.rotation[:, :2], camera_T_base.translation))


def rows_of(ids: IntArray, boxes: Array, detected: Array) -> IntArray:
    """Ids by row of the detections, for boxes that are detections, rounded to single precision or not."""
    found = np.full(len(detected), -1, np.int64)
    if len(ids) and len(detected):
        apart = np.abs(boxes[:, None] - detected[None]).max(axis=2)
        nearest = apart.argmin(axis=1)
        if (apart.min(axis=1) > 0.01).any():
            raise ValueError("a tracker returned a box that is no detection")
        found[nearest] = ids
    return found


def mot_rows(frames: Sequence[Rows]) -> MotRows:
    """Boxes, or points, of each frame as the rows of a file."""
    numbers = np.repeat(np.arange(1, len(frames) + 1), [len(ids) for ids, _ in frames])
    values = np.concatenate([values for _, values in frames])
    count = len(numbers)
    boxes, points = np.ones((count, 4)), np.full((count, 3), np.nan)
    if values.shape[1] == 4:
        boxes = np.hstack((values[:, :2], values[:, 2:] - values[:, :2]))
    else:
        points = values
    ids = np.concatenate([ids for ids, _ in frames])
    return MotRows(numbers, ids, boxes, np.ones(count), points, np.full(count, -1))


def score(truth: Sequence[Rows], told: Sequence[Rows], distance_m: float | None) -> dict[str, float]:
    scores = evaluate(mot_rows(truth), mot_rows(told), iou=IOU, distance_m=distance_m)
    return {name: 100.0 * getattr(scores, name) for name in FIGURES} | {"switches": scores.ids}


def drive(subject: Subject, looks: Sequence[Look]) -> dict[str, dict[str, float]]:
    """Give a tracker the scene, and score what it says."""
    in_image, in_base = [], []
    for look in looks:
        ids, places = subject.step(look)
        in_image.append((ids[ids >= 0], look.boxes[ids >= 0]))
        if places is not None:
            in_base.append(places)
    result = {"image": score([(look.truth_ids, look.truth_boxes) for look in looks], in_image, None)}
    if in_base:
        truth = [(look.truth_ids, look.truth_points_m) for look in looks]
        result["base"] = score(truth, in_base, DISTANCE_M)
    return result


@dataclass
class Field:
    """Who takes part, and who could not."""

    makers: dict[str, Callable[[], Subject]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def enter(self, name: str, make: Callable[[], Subject]) -> None:
        try:
            make()
        except ImportError as error:
            self.missing.append(f"{name}: not installed ({error}): {INSTALL}")
        else:
            self.makers[name] = make


def entries() -> Field:
    entered = Field()
    entered.enter(BASE, InBase)
    entered.enter(LATE, lambda: InBase(late=True))
    entered.enter(UNTOLD, lambda: InBase(told=False))
    entered.enter(STILL, lambda: InImage(moved=False))
    entered.enter(MOVED, lambda: InImage(moved=True))
    for contestant in CONTESTANTS:
        if contestant.name in PEERS:
            entered.enter(contestant.name, lambda it=contestant: Others(it.make(0)))  # type: ignore[misc]
    entered.enter(NORFAIR, MovedNorfair)
    entered.enter(ORACLE, Oracle)
    return entered


def mean(results: Sequence[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Over the seeds: of all figures, and the least HOTA."""
    return {
        kind: {name: float(np.mean([it[kind][name] for it in results])) for name in results[0][kind]}
        | {"hota_least": min(it[kind]["hota"] for it in results)}
        for kind in results[0]
    }


def measure(
    makers: dict[str, Callable[[], Subject]], speed: float, seconds: float, seeds: range, say: Callable[[str], None]
) -> dict[str, Any]:
    """All trackers at one speed."""
    results: dict[str, list[dict[str, dict[str, float]]]] = {name: [] for name in makers}
    in_view = []
    for seed in seeds:
        looks = make_scene(speed, seconds, seed)
        in_view.append(np.mean([len(look.truth_ids) for look in looks]))
        for name, make in makers.items():
            results[name].append(drive(make(), looks))
        say(f"{speed} m/s, seed {seed}: HOTA {results[BASE][-1]['base']['hota']:.1f} in the base")
    rows = {name: mean(result) for name, result in results.items()}
    hota, late = rows[BASE]["base"]["hota"], rows[LATE]["base"]["hota"]
    goal = GOALS.get(speed)
    return {
        "speed_m_s": speed, "in_view": float(np.mean(in_view)), "rows": rows, "late_costs_hota": hota - late,
        "goal_hota": goal, "kept": None if goal is None else hota >= goal,
    }  # fmt: skip


def show(result: dict[str, Any]) -> None:
    for table in result["tables"]:
        print(
            f"\n{table['speed_m_s']} m/s, mean of {result['seeds']} scenes of {result['seconds']:g} s, "
            f"{table['in_view']:.1f} objects in view"
        )
        print(f"{'':27}{'in the base, 0.05 m':>40}{'in the image, IoU 0.5':>42}")
        print(f"{'':27}" + 2 * f"  {'HOTA':>6} {'DetA':>6} {'AssA':>6} {'MOTA':>6} {'IDF1':>6} {'IDs':>5}")
        for name, row in table["rows"].items():
            print(f"{name:27}" + "".join(_cells(row.get(kind)) for kind in ("base", "image")))
        if table["goal_hota"] is not None:
            least = table["rows"][BASE]["base"]["hota_least"]
            print(
                f"{'kept' if table['kept'] else 'NOT kept'}: HOTA {table['rows'][BASE]['base']['hota']:.1f} in the "
                f"base (goal {table['goal_hota']:g}; least of a scene {least:.1f}); a pose one frame late costs "
                f"{table['late_costs_hota']:.1f}"
            )
    for line in result["missing"]:
        print(f"left out: {line}")


def _cells(scores: dict[str, float] | None) -> str:
    if scores is None:
        return " " * 42
    return "  " + " ".join(f"{scores[name]:6.1f}" for name in FIGURES) + f" {scores['switches']:5.1f}"


def _speeds(text: str) -> tuple[float, ...]:
    try:
        speeds = tuple(float(part) for part in text.split(","))
    except ValueError:
        speeds = ()
    if not speeds or not all(0.0 < speed <= 2.0 for speed in speeds):
        raise argparse.ArgumentTypeError(f"{text!r}: expected speeds above 0 and up to 2 m/s, such as 0.25,0.5")
    return speeds


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--speeds", type=_speeds, default=tuple(GOALS), help="of the camera [m/s] (0.25,0.5,1.0)")
    parser.add_argument("--seconds", type=at_least(2), default=20, help="of each scene (default %(default)s)")
    parser.add_argument("--seeds", type=at_least(1), default=5, help="scenes at each speed (default %(default)s)")
    parser.add_argument("--first-seed", type=at_least(0), default=70_000, help="(default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the object alone")
    options = parser.parse_args(arguments)
    say: Callable[[str], Any] = lambda text: print(text, file=sys.stderr, flush=True)  # noqa: E731

    entered = entries()
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    tables = [measure(entered.makers, speed, options.seconds, seeds, say) for speed in options.speeds]
    result = {
        "benchmark": "moving_camera", "seconds": options.seconds, "seeds": options.seeds,
        "first_seed": options.first_seed, "tables": tables, "missing": entered.missing,
        "settings": {it.name: it.settings for it in CONTESTANTS if it.name in entered.makers},
        "versions": installed("trackers", "norfair", "numpy", "scipy"), "machine": machine_facts(),
    }  # fmt: skip
    if not options.json:
        show(result)
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
