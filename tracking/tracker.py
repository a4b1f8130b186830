"""The tracker in the robot's base: localized detections of any number of cameras in, tracks out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from deploy.errors import BadInput
from geometry.types import Array, BoolArray, IntArray
from perception.localize import Localized

from . import birth, kalman, lifecycle
from .association import Measurements, associate
from .parameters import TrackerParameters
from .store import NameTable, TrackStore
from .symmetric import positive_definite
from .tracks import Tracks

Visibility = Callable[[Array], npt.NDArray[np.uint8]]
"""Points of shape (N, 3) in `base` to shape (N,): 0 outside the view, 1 in plain view, 2 behind a nearer surface."""


class BaseFrameTracker:
    """Tracks objects in `base` from the detections of one camera or several.

    Since a track lives in `base`, not in an image, the motion of a camera on the gripper is no motion of the track, and
    two cameras that see one object feed one track.

    Updates come in the order of their stamps; equal stamps of two cameras are normal, and intervals may be irregular. A
    frame that is older than the newest one by up to `late_s` is used as it is: the state stays at the newest stamp and
    the points are moved forward with their track's velocity. An older one is refused.

    The tracker reads no clock and draws no random number: equal inputs give equal bytes.

    Args:
        parameters: Figures to tune.
    """

    def __init__(self, parameters: TrackerParameters | None = None) -> None:
        self._parameters = parameters or TrackerParameters()
        self._floor_m2 = self._parameters.minimum_sigma_m**2 * np.eye(3)
        self.reset()

    def reset(self) -> None:
        """Forget everything, also which ids were used: the next track is number 1."""
        self._store = TrackStore()
        self._classes = NameTable("class")
        self._cameras = NameTable("camera")
        self._class_numbers: dict[tuple[str, ...], npt.NDArray[np.int32]] = {}
        self._looks: dict[int, int] = {}
        self._place = ""
        self._now_ns: int | None = None
        self._next_id = 1

    def update(self, localized: Localized, visibility: Visibility | None = None) -> Tracks:
        """Take in one frame's detections; a frame without any is normal.

        Detections without a point (NaN) keep alive the track of the same camera whose latest box they alone overlap,
        and are otherwise ignored.

        Args:
            localized: Detections with points; all updates between two resets in one frame of reference.
            visibility: What that camera could see at that time. None if it cannot say (no depth): then every place
                counts as in plain view.

        Returns:
            All tracks, also tentative and lost ones, predicted to the newest stamp.

        Raises:
            BadInput: If the frame is too old or its points are in another frame of reference; then the tracker stays
                as it was. If the visibility has not one value per point.
        """
        self._check(localized)
        stamp_ns = localized.detections.stamp_ns
        measured = self._read(localized)
        store, parameters = self._store, self._parameters
        self._advance(stamp_ns)
        track_of = associate(measured, store, parameters)
        found = np.flatnonzero(track_of >= 0)
        self._see(measured, found, track_of[found])
        track_of = self._miss(measured.camera, stamp_ns, track_of, visibility)
        new, repeated, originals = birth.newcomers(measured, track_of, parameters)
        if new.size:
            rows = birth.start(store, measured, new, self._next_id, parameters)
            self._next_id += len(new)
            track_of[new] = np.arange(rows.start, rows.stop)
            self._see(measured, new, track_of[new], measure=False)
        if repeated.size:
            lifecycle.vote(store, track_of[originals], measured.scores[repeated], measured.class_ids[repeated])
        self._looks[measured.camera] = max(stamp_ns, self._looks.get(measured.camera, stamp_ns))
        detection_ids = np.full(len(track_of), -1, dtype=np.int64)
        sure = np.flatnonzero(track_of >= 0)
        sure = sure[store.states[track_of[sure]] == lifecycle.CONFIRMED]
        detection_ids[sure] = store.ids[track_of[sure]]
        if len(store) > parameters.max_tracks:
            store.keep(birth.within_memory(store, parameters.max_tracks))
            detection_ids[~np.isin(detection_ids, store.ids)] = -1
        return self._tracks(detection_ids)

    def predict(self, stamp_ns: int) -> Tracks:
        """Move all tracks to an instant at which nobody looked: none is seen, none is missed, none ages.

        Args:
            stamp_ns: The instant [ns]; one that has passed leaves the tracks where they are.

        Returns:
            All tracks, as `update` does.
        """
        self._advance(stamp_ns)
        return self._tracks(np.empty(0, dtype=np.int64))

    def _advance(self, stamp_ns: int) -> None:
        """Move the state forward in time, never back."""
        store = self._store
        before_ns = stamp_ns if self._now_ns is None else self._now_ns
        self._now_ns = now_ns = max(before_ns, stamp_ns)
        if now_ns > before_ns and len(store):
            unmeasured_s = np.maximum((before_ns - store.measured_ns) * 1e-9, 0.0)
            kalman.predict(store.means, store.covariances, (now_ns - before_ns) * 1e-9, unmeasured_s, self._parameters)

    def _check(self, localized: Localized) -> None:
        detections = localized.detections
        camera, allowed_s = detections.camera_name, self._parameters.late_s
        late_ns = 0 if self._now_ns is None else self._now_ns - detections.stamp_ns
        if late_ns > allowed_s * 1e9:
            raise BadInput(
                f"frame {detections.sequence} of camera {camera} at {detections.stamp_ns} ns is {late_ns * 1e-9:.3f} s "
                f"older than the newest one: expected at most late_s = {allowed_s} s; drop late frames, or reset the "
                "tracker where time starts anew"
            )
        # Points in a camera's own frame have no common place with those of another camera.
        place = "base" if localized.frame_id == "base" else f"camera {camera}"
        if self._place not in ("", place):
            raise BadInput(
                f"points of camera {camera} are in the frame of {place}: expected {self._place}, like those before; "
                "give each camera a pose in base, or reset the tracker"
            )
        self._place = place

    def _read(self, localized: Localized) -> Measurements:
        """Bring one frame's detections into the tracker's own numbers; decide which of them have a usable point."""
        detections = localized.detections
        numbers = self._class_numbers.get(detections.class_names)
        if numbers is None:
            numbers = np.array([self._classes.number(name) for name in detections.class_names], dtype=np.int32)
            self._class_numbers[detections.class_names] = numbers
        camera = self._cameras.number(detections.camera_name)
        self._store.widen(len(self._classes), len(self._cameras))
        points, noise = localized.points_m, localized.covariances_m2
        noise = 0.5 * (noise + noise.transpose(0, 2, 1)) + self._floor_m2
        located: BoolArray = localized.valid & positive_definite(noise)
        return Measurements(
            stamp_ns=detections.stamp_ns,
            camera=camera,
            boxes=detections.boxes.astype(np.float64),
            scores=detections.scores.astype(np.float64),
            class_ids=numbers[detections.class_ids],
            points_m=points,
            noise_m2=noise,
            located=located,
        )

    def _see(self, measured: Measurements, rows: IntArray, tracks: IntArray, measure: bool = True) -> None:
        """Enter detections `rows` of `tracks`, and weigh the points of those that have one."""
        if not rows.size:
            return
        store, stamp_ns = self._store, measured.stamp_ns
        if measure:
            located = measured.located[rows]
            i, j = rows[located], tracks[located]
            now_ns = stamp_ns if self._now_ns is None else self._now_ns
            late_s = (now_ns - stamp_ns) * 1e-9
            store.means[j], store.covariances[j], store.trends[j] = kalman.correct(
                store.means[j],
                store.covariances[j],
                store.trends[j],
                measured.points_m[i] + late_s * store.means[j, 3:],
                measured.noise_m2[i],
                np.maximum(now_ns - store.measured_ns[j], 0) * 1e-9,
                self._parameters,
            )
            store.measured_ns[j] = np.maximum(store.measured_ns[j], stamp_ns)
        lifecycle.see(
            store,
            tracks,
            measured.camera,
            stamp_ns,
            measured.boxes[rows],
            measured.scores[rows],
            measured.class_ids[rows],
            self._parameters,
        )

    def _miss(self, camera: int, stamp_ns: int, track_of: IntArray, visibility: Visibility | None) -> IntArray:
        """Age the tracks that this frame did not show, drop those that are over; rows of the others may change."""
        store = self._store
        silent = np.ones(len(store), dtype=np.bool_)
        silent[track_of[track_of >= 0]] = False
        tracks = np.flatnonzero(silent)
        if not tracks.size:
            return track_of
        seeable = np.full(len(tracks), lifecycle.VISIBLE, dtype=np.uint8)
        if visibility is not None:
            seeable = np.asarray(visibility(store.means[tracks, :3].copy()), dtype=np.uint8)
            if seeable.shape != tracks.shape:
                raise BadInput(
                    f"visibility of {len(tracks)} points has shape {seeable.shape}: expected ({len(tracks)},)"
                )
        previous_ns = self._looks.get(camera, stamp_ns)
        alive = lifecycle.miss(store, tracks, seeable, stamp_ns, previous_ns, self._parameters)
        if alive.all():
            return track_of
        store.keep(alive)
        moved = np.cumsum(alive) - 1
        return np.where(track_of >= 0, moved[track_of], -1)

    def _tracks(self, detection_ids: IntArray) -> Tracks:
        store = self._store
        now_ns = 0 if self._now_ns is None else self._now_ns
        return Tracks(
            stamp_ns=now_ns,
            ids=store.ids.copy(),
            positions_m=store.means[:, :3].copy(),
            velocities_m_s=store.means[:, 3:].copy(),
            covariances=store.covariances.copy(),
            class_ids=store.class_ids.copy(),
            class_names=self._classes.names,
            scores=store.scores.astype(np.float32),
            states=store.states.copy(),
            last_seen_ns=store.seen_ns.copy(),
            age_s=(now_ns - store.born_ns).astype(np.float64) * 1e-9,
            detection_ids=detection_ids,
        )
