"""How the camera moved between two pictures, from the pictures: corners of the background, followed by optical flow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from deploy.errors import BadInput
from geometry.types import Array, BoolArray

# Pictures are halved until no side is longer than this [px], so that big ones cost no more than small ones.
LONGEST_PX = 512
# One corner is taken of each cell, so that corners are everywhere and not only where the texture is strongest.
CELLS = 300
SMALLEST_PX = 32
# Least eigenvalue of the gradients around a corner, in the unit of cv2.cornerMinEigenVal; a share of the best corner's.
LEAST_CORNER, CORNER_SHARE = 1e-4, 0.005
# Fast pans go beyond the reach of optical flow: the correlation of pictures that are smaller by this tells it where to
# start.
COARSE = 4
_FLOW: dict[str, Any] = {
    "winSize": (11, 11),
    "criteria": (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 10, 0.03),
    "flags": cv2.OPTFLOW_USE_INITIAL_FLOW,
}
_LEVELS = 2
# A corner that does not come back to where it started, within this, was lost [small px].
ROUND_TRIP_PX = 0.5
# Distance from the common motion within which a corner follows it [small px].
INLIER_PX = 1.0
# Fewer corners than this, or a smaller share of those that were followed, or all of them in a smaller part of the
# picture's diagonal, are no evidence.
LEAST_INLIERS, LEAST_SHARE, LEAST_EXTENT = 15, 0.4, 0.15
# No camera does more between two pictures of a sequence.
MOST_SCALE, MOST_ROTATION = 1.3, np.deg2rad(30.0)


@dataclass(frozen=True, slots=True)
class MotionQuality:
    """What a motion rests on.

    Attributes:
        ok: Whether it was measured; if not, the identity stands for it.
        corners: Corners of the previous picture.
        followed: Those that were found again, outside of boxes.
        inliers: Those that follow the common motion.
        reason: Why it was not measured; empty if it was.
    """

    ok: bool
    corners: int = 0
    followed: int = 0
    inliers: int = 0
    reason: str = ""


class CameraMotionEstimator:
    """Motion of the picture between frames, by sparse optical flow.

    The best corner of each cell of the previous picture (Shi and Tomasi, 1994) is followed with pyramidal Lucas-Kanade
    (Bouguet, 2001), forward and back, from where the phase correlation of the pictures puts it. RANSAC finds the
    similarity (shift, rotation, zoom) that most of them follow. Corners inside the boxes of detected objects are left
    out: those move on their own.

    The same pictures give the same motions, to the bit.

    Example:
        >>> picture = np.random.default_rng(0).integers(0, 256, (60, 80), np.uint8)
        >>> picture = cv2.resize(picture, (640, 480), interpolation=cv2.INTER_CUBIC)
        >>> estimator = CameraMotionEstimator()
        >>> _ = estimator.estimate(picture)
        >>> motion = estimator.estimate(np.roll(picture, (4, -7), axis=(0, 1)))
        >>> [round(shift) for shift in motion[:, 2]], estimator.quality.ok
        ([-7, 4], True)
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the previous picture."""
        self._before: _Picture | None = None
        self._quality = MotionQuality(False, reason="no picture yet")

    @property
    def quality(self) -> MotionQuality:
        """What the latest motion rests on."""
        return self._quality

    def estimate(self, image: npt.NDArray[np.uint8], boxes: npt.ArrayLike | None = None) -> Array:
        """Measure the motion from the previous picture to this one.

        Args:
            image: Shape (H, W) or (H, W, 3), uint8. A picture of another size than the one before starts anew.
            boxes: Shape (N, 4): x1, y1, x2, y2 [px] of the objects in this picture, or None.

        Returns:
            Shape (2, 3): u' = A u + b maps pixels of the previous picture to this one, the centre of the first pixel
            being 0. The identity where the motion could not be measured: `quality` says why.

        Raises:
            BadInput: If the image or the boxes have another shape or type.
        """
        now = _look(image, _check_boxes(boxes))
        before, self._before = self._before, now
        if before is None or before.size != now.size:
            reason = "first picture" if before is None else f"size changed from {before.size} to {now.size} px"
            self._quality = MotionQuality(False, reason=reason)
            return np.eye(2, 3)
        coarse = _coarse_shift(before, now)
        motion, self._quality = _common_motion(before, now, coarse)
        if not self._quality.ok and np.abs(coarse).max() > 1.0:  # what correlates need not be the background
            motion, self._quality = _common_motion(before, now, np.zeros(2))
        # From small pixels to whole ones, both with 0 at the centre of the first: u = factor * s + (factor - 1) / 2.
        factor = now.factor
        motion[:, 2] = factor * motion[:, 2] + (np.eye(2) - motion[:, :2]) @ np.full(2, 0.5 * (factor - 1))
        return motion


class _Picture(NamedTuple):
    """What is kept of a picture: `size` as width and height [px], the rest in small px."""

    size: tuple[int, int]
    factor: int
    small: npt.NDArray[np.uint8]
    coarse: npt.NDArray[np.float32]
    corners: npt.NDArray[np.float32]
    boxes: Array


def _check_boxes(boxes: npt.ArrayLike | None) -> Array:
    array: Array = np.empty((0, 4)) if boxes is None else np.asarray(boxes, dtype=np.float64)
    if array.size == 0:
        return np.empty((0, 4))
    if array.ndim != 2 or array.shape[1] != 4 or not np.isfinite(array).all():
        raise BadInput(f"boxes of shape {array.shape}: expected (N, 4) of finite x1, y1, x2, y2 [px]")
    return array


def _look(image: npt.NDArray[np.uint8], boxes: Array) -> _Picture:
    good = isinstance(image, np.ndarray) and image.dtype == np.uint8
    if not good or image.ndim < 2 or image.shape[2:] not in ((), (3,)):
        found = f"{image.dtype}{list(image.shape)}" if isinstance(image, np.ndarray) else type(image).__name__
        raise BadInput(f"image {found}: expected uint8 of shape (H, W) or (H, W, 3)")
    if min(image.shape[:2]) < SMALLEST_PX:
        raise BadInput(f"image of shape {image.shape}: expected sides of {SMALLEST_PX} px or more")
    height, width = image.shape[:2]
    small, factor = image, 1
    while max(small.shape[:2]) > LONGEST_PX:
        rows, columns = small.shape[0] // 2, small.shape[1] // 2
        small = np.asarray(
            cv2.resize(small[: 2 * rows, : 2 * columns], (columns, rows), interpolation=cv2.INTER_AREA), dtype=np.uint8
        )
        factor *= 2
    if small.ndim == 3:
        small = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
    coarse = cv2.resize(small, (small.shape[1] // COARSE, small.shape[0] // COARSE), interpolation=cv2.INTER_AREA)
    return _Picture(
        size=(width, height),
        factor=factor,
        small=small.copy() if factor == 1 else small,  # the caller may fill the same array again
        coarse=coarse.astype(np.float32),
        corners=_find_corners(small, boxes / factor),
        boxes=boxes / factor,
    )


def _find_corners(small: npt.NDArray[np.uint8], boxes: Array) -> npt.NDArray[np.float32]:
    """The best corner of each cell outside the boxes, shape (K, 2): u, v [small px]."""
    strength = np.asarray(cv2.cornerMinEigenVal(small, blockSize=3))
    least = max(LEAST_CORNER, CORNER_SHARE * float(strength.max()))
    limits = np.array(small.shape[::-1] * 2)
    edges = np.clip(np.column_stack((np.floor(boxes[:, :2]) - 1, np.ceil(boxes[:, 2:]) + 1)), 0, limits)
    for x1, y1, x2, y2 in edges.astype(np.int64).tolist():
        strength[y1:y2, x1:x2] = 0.0
    side = max(8, round(float(np.sqrt(small.size / CELLS))))
    rows, columns = small.shape[0] // side, small.shape[1] // side
    cells = strength[: rows * side, : columns * side].reshape(rows, side, columns, side)
    cells = cells.transpose(0, 2, 1, 3).reshape(rows * columns, -1)
    best = cells.argmax(axis=1)
    cell = np.flatnonzero(cells[np.arange(len(cells)), best] > least)
    v = cell // columns * side + best[cell] // side
    u = cell % columns * side + best[cell] % side
    return np.array(np.column_stack((u, v)), dtype=np.float32, order="C")


def _coarse_shift(before: _Picture, now: _Picture) -> Array:
    """Shift between two pictures as a whole, shape (2,) [small px]."""
    window = cv2.createHanningWindow(now.coarse.shape[::-1], cv2.CV_32F)
    shift, _ = cv2.phaseCorrelate(before.coarse, now.coarse, window)
    found: Array = COARSE * np.array(shift)
    return found if np.isfinite(found).all() else np.zeros(2)


def _follow(before: _Picture, now: _Picture, shift: Array) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Corners that were found again outside of boxes, and where: start and end, shapes (K, 2) [small px]."""
    start = before.corners
    if not len(start):
        return start, start
    guess = np.array(start + shift, dtype=np.float32, order="C").reshape(-1, 1, 2)  # OpenCV writes over it
    end, found, _ = cv2.calcOpticalFlowPyrLK(before.small, now.small, start[:, None], guess, maxLevel=_LEVELS, **_FLOW)
    guess = start[:, None].copy()
    back, returned, _ = cv2.calcOpticalFlowPyrLK(now.small, before.small, end, guess, maxLevel=0, **_FLOW)
    end, back = end[:, 0], back[:, 0]
    kept = (found[:, 0] == 1) & (returned[:, 0] == 1) & (np.abs(back - start).max(axis=1) <= ROUND_TRIP_PX)
    kept &= ~_inside(end, now.boxes)
    return start[kept], end[kept]


def _inside(points: npt.NDArray[np.float32], boxes: Array) -> BoolArray:
    over = np.all((points[:, None] >= boxes[None, :, :2]) & (points[:, None] <= boxes[None, :, 2:]), axis=2)
    inside: BoolArray = np.any(over, axis=1)
    return inside


def _common_motion(before: _Picture, now: _Picture, shift: Array) -> tuple[Array, MotionQuality]:
    """The similarity that most corners follow, shape (2, 3) [small px], or the identity."""
    start, end = _follow(before, now, shift)
    corners = len(before.corners)

    def refuse(reason: str, inliers: int = 0) -> tuple[Array, MotionQuality]:
        return np.eye(2, 3), MotionQuality(False, corners, len(start), inliers, reason)

    if len(start) < LEAST_INLIERS:
        return refuse(f"{len(start)} of {corners} corners were found again: expected {LEAST_INLIERS} or more")
    motion, mask = cv2.estimateAffinePartial2D(
        start, end, method=cv2.RANSAC, ransacReprojThreshold=INLIER_PX, maxIters=1000, confidence=0.999
    )
    if motion is None or not np.isfinite(motion).all():
        return refuse("no common motion")
    chosen = mask[:, 0].astype(np.bool_)
    inliers = int(chosen.sum())
    if inliers < max(LEAST_INLIERS, LEAST_SHARE * len(start)):
        return refuse(f"{inliers} of {len(start)} corners follow one motion", inliers)
    if float(np.hypot(*np.ptp(start[chosen], axis=0))) < LEAST_EXTENT * float(np.hypot(*now.small.shape)):
        return refuse(f"all {inliers} corners that follow one motion are in one place", inliers)
    scale, rotation = float(np.hypot(*motion[:, 0])), float(np.arctan2(motion[1, 0], motion[0, 0]))
    if not 1.0 / MOST_SCALE <= scale <= MOST_SCALE or abs(rotation) > MOST_ROTATION:
        return refuse(f"zoom {scale:.3g}, rotation {np.rad2deg(rotation):.1f} deg: not between two pictures", inliers)
    return np.asarray(motion, dtype=np.float64), MotionQuality(True, corners, len(start), inliers)
