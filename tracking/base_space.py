"""Objects in the robot's base: points with covariances, seen by any number of cameras."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from scipy.spatial.distance import cdist

from geometry.types import Array, BoolArray, IntArray
from perception.visibility import Sight

from . import camera_boxes, kalman
from .assignment import association_cost, box_iou, unambiguous
from .base_look import BaseLook
from .camera_boxes import LatestBoxes
from .classes import ClassTable
from .kalman import SpaceMotion
from .parameters import TrackerParameters
from .rounds import Matches, Pairs
from .store import Column, TrackStore
from .symmetric import invert

# A pair that costs more than leaving both alone would: dearer than no overlap at four standard deviations with another
# class, so only a pair with a very unsure track reaches it, and then it yields to a good pair instead of splitting it.
UNMATCHED_COST = 3.0
# No two things have their centres so near to one another [m].
SAME_PLACE_M = 0.003

_EYE3 = np.eye(3)


class BaseSpace:
    """`Space` of points in the robot's base.

    Args:
        parameters: Figures to tune.
        classes: Which classes go together.
    """

    rows = 0
    columns: Mapping[str, Column] = MappingProxyType({
        "means": Column(after=(6,)),
        "covariances": Column(after=(6, 6)),
        "trends": Column(after=(3,)),
        "lasting": Column(after=(3, 3)),
        "measured_ns": Column(kind=np.int64),
        "aged_until_ns": Column(kind=np.int64),
        **camera_boxes.COLUMNS,
    })  # fmt: skip
    unmatched_cost = UNMATCHED_COST

    def __init__(self, parameters: TrackerParameters, classes: ClassTable) -> None:
        self._parameters = parameters
        self._classes = classes
        self._lasting = False

    def advance(self, store: TrackStore, from_ns: int, to_ns: int) -> None:
        """Move all tracks forward in time."""
        means, covariances = store.column("means"), store.column("covariances")
        kalman.move(means, covariances, store.column("measured_ns"), from_ns, to_ns, self._parameters)

    def pairs(self, look: BaseLook, store: TrackStore) -> Pairs:
        """Find the pairs that the distance in space allows.

        A pair is in reach if the distance is within `gate_m`, and the Mahalanobis distance under S = P + R + s^2 I, s
        being `slack_m`, within `gate_sigma` times the compatibility of its classes.

        A track that is being measured has a longer reach, by what a hand can move an object since the latest
        measurement: its speed may have changed by `manoeuvre_m_s`. But an object that moved has left its place. Where
        the camera can tell, this reach is only for tracks in whose place it sees free space: otherwise an object that
        leaves the view would take over a stranger that comes into it.
        """
        parameters = self._parameters
        located = look.located.nonzero()[0]
        centres, covariances = store.column("means")[:, :3], store.column("covariances")[:, :3, :3]
        i, j = (cdist(look.points_m[located], centres) <= parameters.gate_m).nonzero()
        i = located[i]
        offset = look.points_m[i] - centres[j]
        spread = look.noise_m2[i] + covariances[j] + parameters.slack_m**2 * _EYE3
        since_s = np.maximum(look.stamp_ns - store.column("measured_ns"), 0) * 1e-9
        leap_m2 = np.where(since_s <= parameters.coast_s, parameters.manoeuvre_m_s * since_s, 0.0) ** 2
        fit = self._classes.matrix[look.class_ids[i], store.class_ids[j]]
        limit = (fit * parameters.gate_sigma) ** 2
        # No variance is above the trace, so no other pair can be near enough.
        largest = np.einsum("nii->n", spread) + leap_m2[j]
        k = (np.einsum("ni,ni->n", offset, offset) <= limit * largest).nonzero()[0]
        i, j, offset, spread, fit, limit = i[k], j[k], offset[k], spread[k], fit[k], limit[k]
        mahalanobis, determinant = _mahalanobis(offset, spread)
        near = mahalanobis <= limit
        k = (~near & (leap_m2[j] > 0.0)).nonzero()[0]
        if k.size:
            longer, volume = _mahalanobis(offset[k], spread[k] + leap_m2[j[k], None, None] * _EYE3)
            within = longer <= limit[k]
            k, longer, volume = k[within], longer[within], volume[within]
            if k.size and look.visibility is not None:
                gone = look.sight(centres[j[k]]) == Sight.FREE
                k, longer, volume = k[gone], longer[gone], volume[gone]
            near[k], mahalanobis[k], determinant[k] = True, longer, volume
        i, j, mahalanobis, determinant, fit = i[near], j[near], mahalanobis[near], determinant[near], fit[near]

        def costs(k: IntArray) -> Array:
            latest = LatestBoxes(look, store, parameters.box_s, (i, j), fit == 1.0)
            overlap = latest.overlap(look.boxes[i[k]], j[k])
            return self._costs(look, i[k], mahalanobis[k], determinant[k], fit[k], overlap)

        return Pairs(i, j, costs)

    def _costs(
        self, look: BaseLook, i: IntArray, mahalanobis: Array, determinant: Array, fit: Array, overlap: Array
    ) -> Array:
        """Cost of pairs: -IoU + lambda d, with a penalty for a class that differs.

        The IoU is with the track's latest box of the same camera, moved with the picture, if that is younger than
        `box_s`. A track last seen by another camera has no IoU (0): then the distance in space decides alone.

        The unit of d is one standard deviation. It is d^2 = m^2 + ln(|S| / |R + slack_m^2 I|), m being the Mahalanobis
        distance: m alone prefers the track that knows least, because everything is near to it. With the logarithm d^2
        is minus twice the log-likelihood up to a constant, and m for a track that is known exactly.
        """
        parameters = self._parameters
        own = invert(look.noise_m2[i] + parameters.slack_m**2 * _EYE3)[1]
        doubt = np.log(np.maximum(determinant / own, 1.0))
        distance = np.sqrt(np.maximum(mahalanobis, 0.0) + doubt)
        costs = association_cost(overlap, distance, parameters.distance_weight)
        return costs + (1.0 - fit) * parameters.class_penalty

    def blind(self, look: BaseLook, store: TrackStore, matches: Matches) -> Matches:
        """Match detections that have no point, by overlap in the image.

        A box that overlaps the latest box of one left-over track of its class in the same camera, which overlaps no
        other such box, continues it.
        """
        blind = look.pointless.nonzero()[0]
        if not blind.size:
            return matches
        near = self.pairs(look, store)
        same = look.class_ids[near.detections] == store.class_ids[near.tracks]
        latest = LatestBoxes(look, store, self._parameters.box_s, (near.detections, near.tracks), same)
        rows = matches.silent[latest.fresh[matches.silent]]
        allowed = latest.overlap(look.boxes[blind][:, None], rows) >= self._parameters.depthless_iou
        allowed &= look.class_ids[blind][:, None] == store.class_ids[rows][None]
        i, j = allowed.nonzero()
        sure = unambiguous(i, j)
        matches.track_of[blind[i[sure]]] = rows[j[sure]]
        return Matches(matches.track_of, np.setdiff1d(matches.silent, rows[j[sure]]))

    def correct(self, look: BaseLook, store: TrackStore, rows: IntArray, tracks: IntArray) -> None:
        """Weigh the tracks' states against detections `rows` that have a point, and keep all their boxes."""
        located = look.located[rows]
        i, j = rows[located], tracks[located]
        late_s = (look.now_ns - look.stamp_ns) * 1e-9
        means, covariances, trends = store.column("means"), store.column("covariances"), store.column("trends")
        measured_ns = store.column("measured_ns")
        means[j], covariances[j], trends[j] = kalman.correct(
            means[j],
            covariances[j],
            trends[j],
            look.points_m[i] + late_s * means[j, 3:],
            look.noise_m2[i],
            np.maximum(look.now_ns - measured_ns[j], 0) * 1e-9,
            self._parameters,
        )
        self._keep_lasting(look, store, i, j)
        measured_ns[j] = np.maximum(measured_ns[j], look.stamp_ns)
        aged_until_ns = store.column("aged_until_ns")
        aged_until_ns[tracks] = np.maximum(store.seen_ns[tracks], look.stamp_ns)
        camera_boxes.keep(look, store, rows, tracks)

    def _keep_lasting(self, look: BaseLook, store: TrackStore, i: IntArray, j: IntArray) -> None:
        """Note what the filter, which takes errors of two looks as independent, averaged away of one they share.

        With gain k the error e of a track becomes (1 - k) e + k (v + b), v being new in each look and b not. Of b the
        track has had its part since the first look: E[e b'] = C. So the covariance comes to lack 2 k (1 - k) C, beside
        (1 - k)^2 of what it lacked before: the cross terms of Schmidt's filter (1966), for a gain that is a scalar,
        which keeps them positive definite. It is the mean of the gain's diagonal.
        """
        self._lasting |= look.common_m2 is not None
        if not self._lasting:
            return
        after, lasting = store.column("covariances")[j, :3, :3], store.column("lasting")
        # K = P R^-1, P being the covariance after the measurement.
        k = np.einsum("nab,nba->n", after, invert(look.noise_m2[i])[0])[:, None, None] / 3.0
        lasting[j] *= (1.0 - k) ** 2
        if look.common_m2 is not None:
            lasting[j] += 2.0 * k * (1.0 - k) * look.common_m2[i]

    def unseen(self, look: BaseLook, store: TrackStore, tracks: IntArray) -> IntArray:
        """How much of the time since this camera's previous look counts against tracks that it did not detect [ns].

        In plain view all of it, unless the track was seen or the time was counted since; behind a nearer surface
        `hidden_rate` of it; outside the view nothing; where free space is seen, so much that the track is over after
        `gone_s`. A tentative track has not earned that patience: its time always counts.
        """
        parameters = self._parameters
        sight = look.sight(store.column("means")[tracks, :3])
        rates = np.zeros(len(Sight))
        rates[Sight.VISIBLE], rates[Sight.HIDDEN] = 1.0, parameters.hidden_rate
        rates[Sight.FREE] = max(1.0, parameters.lost_s / parameters.gone_s)
        rate = rates[sight]
        rate = np.where(store.confirmed[tracks] == 0, np.maximum(rate, 1.0), rate)
        aged_until_ns = store.column("aged_until_ns")
        counted = aged_until_ns[tracks]
        elapsed = np.maximum(look.stamp_ns - np.maximum(counted, look.previous_ns), 0)
        # A look at something hidden, or past it, leaves the time open for another camera that sees the place.
        aged_until_ns[tracks] = np.where(rate >= 1.0, np.maximum(counted, look.stamp_ns), counted)
        counts: IntArray = np.rint(elapsed * rate).astype(np.int64)
        return counts

    def repeats(self, look: BaseLook, rows: IntArray) -> BoolArray | None:
        """Shape (K, M): second boxes, known by overlap (`duplicate_iou`) and distance (3 `slack_m`).

        Of two points without boxes only the distance is known: they are one within `SAME_PLACE_M`.
        """
        parameters = self._parameters
        distance = cdist(look.points_m[rows], look.points_m)
        same = distance <= 3.0 * parameters.slack_m
        same &= box_iou(look.boxes[rows][:, None], look.boxes[None]) >= parameters.duplicate_iou
        bare = np.asarray((look.boxes[:, 2:] <= look.boxes[:, :2]).any(axis=1))
        same |= bare[rows][:, None] & bare & (distance <= SAME_PLACE_M)
        same &= look.located
        same[np.arange(len(rows)), rows] = False
        return np.asarray(same) if same.any() else None

    def start(self, look: BaseLook, store: TrackStore, rows: IntArray, new: slice) -> None:
        """New tracks: at rest at the measured point, with the doubt of both."""
        store.column("means")[new, :3] = look.points_m[rows]
        store.column("covariances")[new, :3, :3] = look.noise_m2[rows]
        store.column("covariances")[new, 3:, 3:] = self._parameters.initial_speed_m_s**2 * _EYE3
        store.column("measured_ns")[new] = store.column("aged_until_ns")[new] = look.stamp_ns
        camera_boxes.keep(look, store, rows, np.arange(new.start, new.stop))

    def motion(self, store: TrackStore, life: IntArray, real: Array) -> SpaceMotion:  # noqa: ARG002
        """Where the tracks are."""
        means, covariances = store.column("means").copy(), store.column("covariances").copy()
        if self._lasting:
            covariances[:, :3, :3] += store.column("lasting")
        return SpaceMotion(means, covariances, store.column("measured_ns").copy(), self._parameters)


def _mahalanobis(offset: Array, spread: Array) -> tuple[Array, Array]:
    """Squared Mahalanobis distances (K,) of offsets (K, 3) under covariances (K, 3, 3), and their determinants (K,)."""
    inverse, determinant = invert(spread)
    return np.einsum("ni,nij,nj->n", offset, inverse, offset), determinant
