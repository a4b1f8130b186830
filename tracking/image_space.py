"""Objects in an image: boxes as centre and size, distances as parts of the object's own size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy.spatial.distance import cdist

from geometry.types import Array, BoolArray, IntArray

from . import axes_filter
from .assignment import association_cost
from .axes_filter import POSITION, PP, VV, AxesMotion
from .classes import ClassTable
from .engine import Look
from .parameters import ImageTrackerParameters
from .rounds import Pairs
from .store import Column, TrackStore

# A pair that costs more than leaving both alone would. No overlap at all costs less only below one size of distance.
UNMATCHED_COST = 0.5

_CENTRE = np.array([[0.5, 0, 0.5, 0], [0, 0.5, 0, 0.5], [-1, 0, 1, 0], [0, -1, 0, 1]])
# Smallest width and height that a prediction may come to [px].
_SMALLEST_PX = 1.0


@dataclass(frozen=True, slots=True, eq=False)
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

    columns: Mapping[str, Column] = MappingProxyType({"block": Column(before=(5, 4))})
    unmatched_cost = UNMATCHED_COST

    def __init__(self, parameters: ImageTrackerParameters, classes: ClassTable) -> None:
        self._parameters = parameters
        self._classes = classes
        self._walk = parameters.velocity_walk**2

    def advance(self, store: TrackStore, from_ns: int, to_ns: int) -> None:
        """Move all tracks forward in time."""
        self.predict(store.column("block"), store.seen_ns, from_ns, to_ns)

    def predict(self, block: Array, seen_ns: IntArray, from_ns: int, to_ns: int) -> None:
        """Move a block forward in time, in place."""
        area = block[0, 2] * block[0, 3]
        dt_s = (to_ns - from_ns) * 1e-9
        axes_filter.predict(block, dt_s, self._walk * area)
        np.maximum(block[0, 2:], _SMALLEST_PX, block[0, 2:])
        settling_s = (to_ns - seen_ns) * 1e-9 - self._parameters.coast_s
        if settling_s.size and settling_s.max() > 0.0:
            tracks = (settling_s > 0.0).nonzero()[0]
            passed = np.minimum(settling_s[tracks], dt_s)
            axes_filter.settle(block, tracks, np.exp(-passed / self._parameters.settle_s))

    def pairs(self, look: ImageLook, store: TrackStore) -> Pairs:
        """Pairs whose boxes, as (u, v, w, h), are within `gate_sizes` of their mean size."""
        position = store.column("block")[POSITION]
        half = 0.5 * self._parameters.gate_sizes
        sizes = np.sqrt(position[2] * position[3])
        reach = half * sizes
        distance = cdist(look.measured.T, position.T)
        i, j = (distance <= (half * look.sizes)[:, None] + reach).nonzero()
        matrix = self._classes.matrix
        if len(matrix) > 1:
            fit = matrix[look.class_ids[i], store.class_ids[j]]
            near = ((distance[i, j] <= fit * (half * look.sizes[i] + reach[j])) & (fit > 0.0)).nonzero()[0]
            i, j = i[near], j[near]

        def costs(k: IntArray) -> Array:
            a, b = i[k], j[k]
            relative = distance[a, b] / (0.5 * (look.sizes[a] + sizes[b]))
            iou = overlap(look.measured[:, a], position[:, b])
            fit = matrix[look.class_ids[a], store.class_ids[b]]
            cost = association_cost(iou, relative, self._parameters.distance_weight)
            return np.asarray(cost + (1.0 - fit) * self._parameters.class_penalty)

        return Pairs(i, j, costs)

    def correct(self, look: ImageLook, store: TrackStore, rows: IntArray, tracks: IntArray) -> None:
        """Weigh the tracks' states against detections `rows`."""
        block = store.column("block")
        states = block.take(tracks, 2)
        doubt = self._parameters.box_noise * look.sizes[rows] * (2.0 - look.scores[rows])
        axes_filter.correct(states, look.measured[:, rows], doubt * doubt)
        block[:, :, tracks] = states

    def start(self, look: ImageLook, store: TrackStore, rows: IntArray, new: slice) -> None:
        """Fill the states of new tracks: at rest, with the doubt of the detection and of the speed."""
        block = store.column("block")[:, :, new]
        area = look.sizes[rows] ** 2
        block[POSITION] = look.measured[:, rows]
        block[PP] = self._parameters.box_noise**2 * area
        block[VV] = self._parameters.initial_speed**2 * area
        if look.first and self._parameters.trust_first_look:
            store.confirmed[new] = 1

    def repeats(self, look: ImageLook, rows: IntArray) -> BoolArray:
        """Shape (K, M): whether detections `rows` are second boxes on the same thing as another."""
        same = overlap(look.measured[:, rows, None], look.measured[:, None, :]) >= self._parameters.duplicate_iou
        return np.asarray(same)

    def blind(self, look: ImageLook, store: TrackStore, track_of: IntArray) -> None:
        """In an image every box has a place."""

    def unseen(self, look: ImageLook, store: TrackStore, tracks: IntArray) -> int:  # noqa: ARG002 - all tracks alike
        """Everything should have been seen since the look before."""
        return look.elapsed_ns

    def motion(self, store: TrackStore, from_ns: int, to_ns: int) -> AxesMotion:
        """A copy of where the tracks are, moved forward in time."""
        block = store.column("block").copy()
        if to_ns > from_ns:
            self.predict(block, store.seen_ns, from_ns, to_ns)
        return AxesMotion(block)

    def move(self, store: TrackStore, camera_motion: Array) -> None:
        """Carry all states along with the picture.

        Args:
            store: Tracks.
            camera_motion: Shape (3, 3): homography from the previous picture's pixels to this one's.
        """
        block = store.column("block")
        if not block.shape[2]:
            return
        u, v = block[POSITION, 0], block[POSITION, 1]
        x, y, w = camera_motion @ np.stack((u, v, np.ones_like(u)))
        x, y = x / w, y / w
        # The homography's derivative at each centre (2 out, 2 in, N): how it turns and scales what is small.
        jacobian = (camera_motion[:2, :2, None] - np.stack((x, y))[:, None] * camera_motion[2, :2, None]) / w
        block[POSITION, 0], block[POSITION, 1] = x, y
        block[1, :2] = np.einsum("ijn,jn->in", jacobian, block[1, :2])
        # Axes that turn would mix; what they have in common is dropped, so that they stay apart.
        block[PP : VV + 1, :2] = np.einsum("ijn,cjn->cin", jacobian**2, block[PP : VV + 1, :2])
        zoom = np.sqrt(np.abs(jacobian[0, 0] * jacobian[1, 1] - jacobian[0, 1] * jacobian[1, 0]))
        block[:2, 2:] *= zoom
        block[PP : VV + 1, 2:] *= zoom**2


def finite_sizes(measured: Array) -> BoolArray:
    """Shape (M,): boxes that are finite and have an area."""
    return np.asarray(np.isfinite(measured).all(axis=0) & (measured[2:] > 0.0).all(axis=0))
