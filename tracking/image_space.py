"""Objects in an image: boxes as centre and size, distances as parts of the object's own size."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np

from geometry.types import Array, BoolArray, IntArray

from .assignment import association_cost
from .axes_filter import MOTION, POSITION, PP, ROWS, VELOCITY, AxesFilter, AxesMotion
from .checks import FARTHEST_PX
from .classes import ClassTable
from .engine import Look
from .gating import near_pairs
from .lifecycle import Lifecycle
from .parameters import ImageTrackerParameters
from .rounds import Matches, Pairs
from .store import SEEN, Column, TrackStore

# A pair that costs more than leaving both alone would: without any overlap, beyond half a size of distance.
UNMATCHED_COST = 0.5

# Median of the squared length of two independent standard normal numbers.
USUAL = 2.0 * math.log(2.0)

# Third coordinate of a homography at its horizon is 0, and at the picture's corner 1.
NEAREST = 0.1

_CENTRE = np.array([[0.5, 0, 0.5, 0], [0, 0.5, 0, 0.5], [-1, 0, 1, 0], [0, -1, 0, 1]])


@dataclass(slots=True, eq=False)
class ImageLook(Look):
    """One picture's detections.

    Attributes:
        measured: Shape (4, M): centre u, v, width, height [px].
        sizes: Shape (M,): roots of the areas [px].
        elapsed_ns: Time since the look before [ns].
        first: Nothing has been seen before.
    """

    measured: Array
    sizes: Array
    elapsed_ns: int
    first: bool


def centre_form(boxes: Array) -> Array:
    """Shape (4, M): centre u, v, width, height of boxes (M, 4), x1, y1, x2, y2 [px]."""
    form: Array = _CENTRE @ boxes.T
    return form


def overlap(a: Array, b: Array) -> Array:
    """Intersection over union of boxes in centre form, shape (4, ...) each, broadcast."""
    sides = 0.5 * (a[2:] + b[2:]) - np.abs(a[:2] - b[:2])
    sides = np.maximum(np.minimum(sides, np.minimum(a[2:], b[2:])), 0.0)
    common = sides[0] * sides[1]
    iou: Array = common / (a[2] * a[3] + b[2] * b[3] - common)
    return iou


class ImageSpace:
    """`Space` of boxes in the picture of one camera.

    Args:
        parameters: Figures to tune.
        classes: Which classes go together.
    """

    rows = ROWS
    columns: Mapping[str, Column] = MappingProxyType({})
    unmatched_cost = UNMATCHED_COST

    def __init__(self, parameters: ImageTrackerParameters, classes: ClassTable) -> None:
        self._classes = classes
        self._filter = AxesFilter(
            parameters.velocity_walk, parameters.box_noise, parameters.initial_speed, parameters.settle_s
        )
        self._lifecycle = Lifecycle(parameters)
        self._parameters = parameters
        self._reach = 0.5 * parameters.gate_sizes
        self._noise, self._gate = parameters.box_noise**2, parameters.gate_sigma**2
        self._parallax = parameters.parallax**2
        self._reaches = self._reach * np.array([parameters.tentative_gate, 1.0])
        self._coast_ns = round(parameters.coast_s * 1e9)
        self._period_ns = 0

    def advance(self, store: TrackStore, from_ns: int, to_ns: int) -> None:
        """Move all tracks forward in time."""
        # The period is that of the looks before: of a camera that stood still they are not believed meanwhile.
        self._filter.move(store.seen_ns, self._believed_ns(), store.state, from_ns, to_ns)
        self._period_ns = to_ns - from_ns

    def _believed_ns(self) -> int:
        """How long velocities are believed: of a slow camera from look to look, as they were measured."""
        return max(self._coast_ns, self._period_ns)

    def pairs(self, look: ImageLook, store: TrackStore) -> Pairs:
        """Find the pairs that are near enough.

        Their boxes, as (u, v, w, h), are within `gate_sizes` of their mean size; less if classes differ. The centre of
        the one is within `gate_sigma` of where the filter expects the other: a box that something hides in part is
        often wrong by half its height, but seldom by half its height and beside its place.
        """
        position = store.state[POSITION]
        sizes = np.sqrt(position[2] * position[3])
        reach = sizes * self._reaches_after(look.elapsed_ns)[store.confirmed]
        i, j, distance = near_pairs(look.measured, self._reach * look.sizes, position, reach)
        if len(i):
            spread = ((store.state[PP] + self._noise) * sizes * sizes).take(j)
            # The centres are never farther apart than the boxes.
            if np.count_nonzero(distance * distance > self._gate * spread):
                expected = self._expected(look.measured[:2].take(i, 1) - position[:2].take(j, 1), spread)
                i, j, distance = i[expected], j[expected], distance[expected]
        compatibility = self._classes.matrix
        if len(compatibility) > 1:
            fit = compatibility[look.class_ids[i], store.class_ids[j]]
            allowed = distance <= fit * (self._reach * look.sizes[i] + reach[j])
            allowed &= fit > 0.0
            i, j, distance = i[allowed], j[allowed], distance[allowed]

        def costs(k: IntArray) -> Array:
            a, b = i[k], j[k]
            relative = distance[k] / (0.5 * (look.sizes[a] + sizes[b]))
            iou = overlap(look.measured[:, a], position[:, b])
            unlike = 1.0 - compatibility[look.class_ids[a], store.class_ids[b]]
            cost = association_cost(iou, relative, self._parameters.distance_weight)
            return np.asarray(cost + unlike * self._parameters.class_penalty)

        return Pairs(i, j, costs)

    def _reaches_after(self, elapsed_ns: int) -> Array:
        """Reach of tentative and of confirmed tracks [sizes].

        Of a tentative track less is expected, so that two false detections seldom make one; but the more, the longer
        nobody looked.
        """
        part = elapsed_ns * 1e-9 / self._parameters.coast_s
        if part <= self._parameters.tentative_gate:
            return self._reaches
        return self._reach * np.array([min(part, 1.0), 1.0])

    def _expected(self, offset: Array, spread: Array) -> BoolArray:
        """Which pairs' centres are as near as the filter expects.

        Where most are farther off than that, it is the camera that shakes, by as many pixels for all of them.

        Args:
            offset: Shape (2, K), K > 0, from centre to centre [px].
            spread: Shape (K,), expected variance on each axis [px^2].

        Returns:
            Shape (K,).
        """
        u, v = offset
        squared = u * u + v * v
        excess = np.sort(squared / USUAL - spread)
        shake = max(excess[(len(excess) - 1) // 2], 0.0)
        return np.asarray(squared <= self._gate * (spread + shake))

    def blind(self, look: ImageLook, store: TrackStore, matches: Matches) -> Matches:  # noqa: ARG002
        """In an image every box has a place."""
        return matches

    def correct(self, look: ImageLook, store: TrackStore, rows: IntArray, tracks: IntArray) -> None:
        """Weigh the tracks' states against detections `rows`; those of a low score are less exact."""
        self._filter.correct(store.state, tracks, look.measured.take(rows, 1), 3.0 - 2.0 * look.scores[rows])

    def start(self, look: ImageLook, store: TrackStore, rows: IntArray, new: slice) -> None:
        """Fill the states of new tracks."""
        self._filter.start(store.state[:, new], look.measured.take(rows, 1))
        if look.first and self._parameters.trust_first_look:
            self._lifecycle.trust(store, new)

    def repeats(self, look: ImageLook, rows: IntArray) -> BoolArray | None:
        """Shape (K, M): whether detections `rows` overlap another by `duplicate_iou`; None if none does."""
        boxes, some = look.measured, look.measured.take(rows, 1)
        # Boxes that overlap at all are nearer than their mean size on both axes.
        apart = np.abs(some[:2, :, None] - boxes[:2, None]) * 2.0
        touching = (apart < some[2:, :, None] + boxes[2:, None]).all(axis=0)
        if np.count_nonzero(touching) <= len(rows):  # each touches itself
            return None
        same = overlap(some[:, :, None], boxes[:, None]) >= self._parameters.duplicate_iou
        same[np.arange(len(rows)), rows] = False
        return np.asarray(same)

    def unseen(self, look: ImageLook, store: TrackStore, tracks: IntArray) -> int:  # noqa: ARG002 - all tracks alike
        """Everything should have been seen since the look before."""
        return look.elapsed_ns

    def motion(self, store: TrackStore, life: IntArray, real: Array) -> AxesMotion:  # noqa: ARG002
        """Where the tracks are."""
        return AxesMotion(real[1:], partial(self._filter.move, life[SEEN], self._believed_ns()))

    def move(self, store: TrackStore, camera_motion: Array) -> None:
        """Carry all states along with the picture.

        What is small about a centre is turned and scaled by the homography's derivative there. A track that comes near
        the horizon of the motion, or too far away, is over: it cannot be in the picture.

        A homography is the motion of one plane. What is nearer or farther moves by more or less, and so the doubt of
        each centre grows by `parallax` of its way.

        Args:
            store: Tracks.
            camera_motion: Shape (3, 3): homography from the previous picture's pixels to this one's.
        """
        block = store.state
        if not block.shape[1]:
            return
        u, v = block[0], block[1]
        x, y, w = camera_motion @ np.stack((u, v, np.ones_like(u)))
        before_it = w > NEAREST
        w = np.maximum(w, NEAREST)
        x, y = x / w, y / w
        # Shape (2 out, 2 in, N).
        derivative = (camera_motion[:2, :2, None] - np.stack((x, y))[:, None] * camera_motion[2, :2, None]) / w
        block[PP] += self._parallax * ((x - u) ** 2 + (y - v) ** 2) / (block[2] * block[3])
        block[0], block[1] = x, y
        block[4:6] = np.einsum("ijn,jn->in", derivative, block[4:6])
        # Sizes do not turn; covariances are in sizes, and so the zoom leaves them as they are.
        zoom = np.sqrt(np.abs(derivative[0, 0] * derivative[1, 1] - derivative[0, 1] * derivative[1, 0]))
        block[2:4] *= zoom
        block[VELOCITY][2:] *= zoom
        alive = before_it & (np.abs(block[MOTION]) < FARTHEST_PX).all(axis=0)
        if not alive.all():
            store.keep(alive)
