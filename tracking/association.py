"""From one frame's detections to pairs with tracks: gate in space, then cost, then three rounds of assignment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist

from geometry.types import Array, BoolArray, IntArray

from .assignment import assign, association_cost, box_iou, unambiguous
from .lifecycle import TENTATIVE
from .parameters import TrackerParameters
from .store import TrackStore
from .symmetric import invert

# A pair that costs more than leaving both alone would: dearer than no overlap at four standard deviations with another
# class, so only a pair with a very unsure track reaches it, and then it yields to a good pair instead of splitting it.
UNMATCHED_COST = 3.0

_EYE3 = np.eye(3)


@dataclass(frozen=True, slots=True, eq=False)
class Measurements:
    """One frame's detections as the tracker uses them, rows as in the frame.

    Attributes:
        stamp_ns: Capture time [ns].
        camera: Number of the camera.
        boxes: Shape (M, 4) [px].
        scores: Shape (M,).
        class_ids: Shape (M,), numbers in the tracker's table of classes.
        points_m: Shape (M, 3) [m]; looked at where `located`.
        noise_m2: Shape (M, 3, 3) [m^2]; looked at where `located`.
        located: Shape (M,): rows with a point and a covariance.
    """

    stamp_ns: int
    camera: int
    boxes: Array
    scores: Array
    class_ids: npt.NDArray[np.int32]
    points_m: Array
    noise_m2: Array
    located: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Pairs within the gate, ordered by detection, then track.

    Attributes:
        detections: Shape (K,), row of the detection.
        tracks: Shape (K,), row of the track.
        mahalanobis_squared: Shape (K,) [variances].
        spread: Shape (K,), determinant of the covariance that this is measured with [m^6].
        same_class: Shape (K,).
    """

    detections: IntArray
    tracks: IntArray
    mahalanobis_squared: Array
    spread: Array
    same_class: BoolArray


def gate(measured: Measurements, store: TrackStore, parameters: TrackerParameters) -> Pairs:
    """Find the pairs that the distance in space allows.

    A pair is in reach if the distance is within `gate_m`, and the Mahalanobis distance under S = P + R + s^2 I within
    `gate_sigma` (half of it for a detection of another class). The slack s is `slack_m` and, for a track that is being
    measured, what a hand can move an object since the latest measurement: its speed may change by `manoeuvre_m_s`.

    Args:
        measured: The detections.
        store: Tracks, predicted to the stamp of the detections.
        parameters: `gate_sigma`, `gate_m`, `slack_m`, `manoeuvre_m_s`, `coast_s`.

    Returns:
        The pairs.
    """
    located = np.flatnonzero(measured.located)
    centres = store.means[:, :3]
    i, j = np.nonzero(cdist(measured.points_m[located], centres) <= parameters.gate_m)
    i = located[i]
    since_s = np.maximum(measured.stamp_ns - store.measured_ns, 0) * 1e-9
    slack = (
        np.where(since_s <= parameters.coast_s, parameters.manoeuvre_m_s * since_s, 0.0) ** 2 + parameters.slack_m**2
    )
    inverse, spread = invert(measured.noise_m2[i] + store.covariances[j, :3, :3] + slack[j, None, None] * _EYE3)
    offset = measured.points_m[i] - centres[j]
    mahalanobis = np.einsum("ni,nij,nj->n", offset, inverse, offset)
    same = measured.class_ids[i] == store.class_ids[j]
    near = mahalanobis <= np.where(same, parameters.gate_sigma, 0.5 * parameters.gate_sigma) ** 2
    return Pairs(i[near], j[near], mahalanobis[near], spread[near], same[near])


def pair_costs(
    measured: Measurements,
    store: TrackStore,
    pairs: Pairs,
    fresh: BoolArray,
    shift: Array,
    parameters: TrackerParameters,
) -> Array:
    """Cost of each pair: -IoU + lambda d, with a penalty for a class that differs.

    The IoU is with the track's latest box of the same camera, moved with the picture, if that is younger than `box_s`.
    A track last seen by another camera has no IoU (0): then the distance in space decides alone.

    The unit of d is one standard deviation. It is d^2 = m^2 + ln(|S| / |R + slack_m^2 I|), m being the Mahalanobis
    distance: m alone prefers the track that knows least, because everything is near to it. With the logarithm d^2 is
    minus twice the log-likelihood up to a constant, and m for a track that is known exactly.

    Args:
        measured: The detections.
        store: Tracks.
        pairs: Pairs within the gate.
        fresh: Shape (N,): tracks whose latest box in this camera is young enough.
        shift: Shape (2,), motion of the picture [px].
        parameters: `distance_weight`, `class_penalty`, `slack_m`.

    Returns:
        Shape (K,).
    """
    latest = _moved(store.boxes[pairs.tracks, measured.camera], shift)
    overlap = np.where(fresh[pairs.tracks], box_iou(measured.boxes[pairs.detections], latest), 0.0)
    own = invert(measured.noise_m2[pairs.detections] + parameters.slack_m**2 * _EYE3)[1]
    doubt = np.log(np.maximum(pairs.spread / own, 1.0))
    distance = np.sqrt(np.maximum(pairs.mahalanobis_squared, 0.0) + doubt)
    costs = association_cost(overlap, distance, parameters.distance_weight)
    return np.where(pairs.same_class, costs, costs + parameters.class_penalty)


def image_shift(measured: Measurements, store: TrackStore, pairs: Pairs, fresh: BoolArray) -> Array:
    """How far the picture moved since the tracks' latest boxes, from the pairs that are certain without boxes.

    A camera on the gripper moves every box at once. Unshifted, a row of equal objects that moved by its own spacing
    would overlap perfectly, each with its neighbour.

    Args:
        measured: The detections.
        store: Tracks.
        pairs: Pairs within the gate.
        fresh: Shape (N,): tracks whose latest box in this camera is young enough.

    Returns:
        Shape (2,), median over those pairs of the displacement of the centres, u and v [px]; 0 if there are none.
    """
    sure = unambiguous(pairs.detections, pairs.tracks) & pairs.same_class & fresh[pairs.tracks]
    if not sure.any():
        return np.zeros(2)
    moved = measured.boxes[pairs.detections[sure]] - store.boxes[pairs.tracks[sure], measured.camera]
    shift: Array = np.sort(0.5 * (moved[:, :2] + moved[:, 2:]), axis=0)[len(moved) // 2]
    return shift


def associate(measured: Measurements, store: TrackStore, parameters: TrackerParameters) -> IntArray:
    """Decide which detection continues which track.

    Rounds, each on what the earlier ones left: high scores with confirmed and lost tracks; high scores with tentative
    tracks, so that a ghost cannot take the detection of an object that is established; low scores with confirmed and
    lost tracks. Then boxes without a point: a box that overlaps the latest box of one left-over track of its class in
    the same camera, which overlaps no other such box, continues it.

    Args:
        measured: The detections.
        store: Tracks, predicted to the stamp of the detections.
        parameters: Gates, weights and scores.

    Returns:
        Shape (M,): row of the track that each detection continues, or -1.
    """
    track_of = np.full(len(measured.scores), -1, dtype=np.int64)
    if not len(store) or not len(track_of):
        return track_of
    high = measured.scores >= parameters.high_score
    low = (measured.scores >= min(parameters.low_score, parameters.high_score)) & ~high
    established = store.states != TENTATIVE
    fresh = measured.stamp_ns - store.box_ns[:, measured.camera] <= parameters.box_s * 1e9
    blind = ~measured.located & (high | low)
    pairs = gate(measured, store, parameters)
    crowded = not unambiguous(pairs.detections, pairs.tracks).all()
    shift = image_shift(measured, store, pairs, fresh) if crowded or blind.any() else np.zeros(2)
    if crowded:
        costs = pair_costs(measured, store, pairs, fresh, shift, parameters)
        free = np.ones(len(store), dtype=np.bool_)
        for detections, tracks in ((high, established), (high, ~established), (low, established)):
            usable = detections[pairs.detections] & (track_of[pairs.detections] < 0)
            k = np.flatnonzero(usable & (tracks & free)[pairs.tracks])
            k = k[assign(pairs.detections[k], pairs.tracks[k], costs[k], UNMATCHED_COST)]
            track_of[pairs.detections[k]] = pairs.tracks[k]
            free[pairs.tracks[k]] = False
    else:
        k = np.flatnonzero(high[pairs.detections] | (low[pairs.detections] & established[pairs.tracks]))
        track_of[pairs.detections[k]] = pairs.tracks[k]
    if blind.any():
        _continue_blind(measured, store, np.flatnonzero(blind), fresh, shift, track_of, parameters)
    return track_of


def _continue_blind(
    measured: Measurements,
    store: TrackStore,
    blind: IntArray,
    fresh: BoolArray,
    shift: Array,
    track_of: IntArray,
    parameters: TrackerParameters,
) -> None:
    """Enter tracks for the detections `blind`, which have no point, by overlap in the image."""
    waiting = fresh.copy()
    waiting[track_of[track_of >= 0]] = False
    rows = np.flatnonzero(waiting)
    latest = _moved(store.boxes[rows, measured.camera], shift)
    allowed = box_iou(measured.boxes[blind][:, None], latest[None]) >= parameters.depthless_iou
    allowed &= measured.class_ids[blind][:, None] == store.class_ids[rows][None]
    i, j = np.nonzero(allowed)
    sure = unambiguous(i, j)
    track_of[blind[i[sure]]] = rows[j[sure]]


def _moved(boxes: Array, shift: Array) -> Array:
    return boxes + np.concatenate((shift, shift))
