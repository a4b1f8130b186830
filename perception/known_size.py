"""The centres of upright objects whose size is known, also where a part of one is hidden or outside the image."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from geometry.types import Array, BoolArray
from perception.completion import Float32, Squares, fit_squares, outlines, within
from perception.foreground import Surfaces
from perception.places import Places
from perception.relief import Relief

Integers = npt.NDArray[np.int64]

# Half widths, beside the noise: of the band in which a surface is looked for, and of what is then counted as it.
BAND_M, TOLERANCE_M = 0.003, 0.0005
# Standard deviation of the noise for each metre of mean distance from the surface, as far as it is more than expected.
NOISE_OF_SPREAD = 1.25
# A surface has at least this part of the box's pixels, and is not seen at a more grazing angle than this.
LEAST_SHARE, LEAST_SLOPE = 0.05, 0.05
MOST_SURFACES, FEWEST = 4, 6
# A place also is free that is seen through so many sizes below the top: the object stands there too.
BELOW = 0.7
# Weight of pixels at the top's height that lie outside the box, or belong to another object's mask.
FOREIGN = -0.7
# Logarithm of how likely a surface is to be the object's top: for all of a top that is seen; against as much that does
# not fit, against a surface that goes on outside the box, and a box that reaches beyond the object. A conditional
# logit over the surfaces of 1100 boxes.
WORTH, MISFIT, LEAK, BOX = 20.0, 11.0, 4.5, 1.5
MOST_LEAK, NEGLIGIBLE, FAR_BELOW = 0.5, 6.0, -1e9
# A surface that is so likely, and leaks so little, needs no comparison.
CLEAR, TIGHT = 11.0, 0.1
# A surface that is hardly likely at all: the object may not be flat on top, or not be there. Standard deviation that is
# added then, in sizes.
POOR, POOR_SIZES = 3.0, 0.05
# A top of which less is seen has its place from fewer edges: how much its variance grows for one that is hidden wholly.
UNSEEN = 0.1
# Where such an object may be seen in its box, in parts of it, and how much of the box one of its edges fills.
OFF_CENTER, LEAST_FILL, MOST_FILL = 0.2, 0.55, 1.25
PLAIN_WORTH, PLAIN_MISFIT = 0.5, 0.1
# What is less than this part of a top may be the upper end of a side whose top is hidden: standard deviation of how
# much higher that is, in sizes.
SLIVER, HIGHER = 0.15, 0.25
MIDDLE = 0.4
# Standard deviation of a box's edge [px, and parts of the box], and the most that one edge weighs: some are far off.
EDGE_PX, EDGE_PART, EDGE_MOST = 1.5, 0.03, 4.0
INWARDS = np.array([[1.0], [1.0], [-1.0], [-1.0]])
# Where other things touch the object or the box is wide of it, the places are less sure than they look: for each part
# of the square's area that does not fit or leaks, beyond a modest one, differences count so many times less.
SOFTENED, MODEST = 6.0, 0.1
# Where something as high touches the object, only the box says where it ends: part of the deviation of the box's edge
# that comes into the place where so much leaks, or more.
CONTACT, MUCH_LEAK = 0.2, 0.05
# The squares' distance from each other, in cells, is in their spread and is none of the object's; what is left of it,
# and of the pixels' distance, in the middle of those that fit.
GRID, GRID_LEFT, PITCH_LEFT = 0.6, 0.09, 0.19


@dataclass(frozen=True, slots=True, eq=False)
class _Tops:
    """Level surfaces, one in each of M boxes, that may be the objects' tops; arrays of pixels have the shape (M, E).

    Attributes:
        height_m: Shape (M,).
        tolerance_m: Shape (M,), half of the height within which pixels are at that level.
        level: Pixels at that height.
        pixels: Those of them that may show the object.
        foreign: Those that do not.
        number: Shape (M,), of `pixels`.
        slope: Shape (M,), sine of the angle under which the surface is seen.
        leak: Shape (M,), how many pixels are foreign for each that is not.
    """

    height_m: Array
    tolerance_m: Array
    level: BoolArray
    pixels: BoolArray
    foreign: BoolArray
    number: Integers
    slope: Array
    leak: Array

    def take(self, rows: Integers) -> _Tops:
        """Some of the boxes."""
        return _Tops(*(getattr(self, field.name)[rows] for field in fields(self)))


def places_of_size(relief: Relief, edges: Array, size_m: Array, axes: Array, min_pixels: int) -> Places:
    """Find the centres of cubes, or of anything upright that is as wide as it is high.

    Every level surface in a box is tried as the top. A square of the object's size is laid where it covers the most of
    the surface and the least of what is seen to be free; the object under it must reach as far as the box does. The
    likeliest surface gives the point; the others, as far as they are likely too, add to the covariance.

    Args:
        relief: Depth around N boxes.
        edges: Shape (N, 4), left, top, right, bottom of the boxes, as X / Z and Y / Z of rays.
        size_m: Shape (N,), edge length [m].
        axes: Shape (3, 3), rows along, across, up in the camera's frame.
        min_pixels: A surface has at least so many pixels.

    Returns:
        The places; NaN where there is no surface in the box that could be the top.
    """
    count = len(size_m)
    support = np.full((MOST_SURFACES, count), -np.inf)
    means = np.full((MOST_SURFACES, count, 3), np.nan)
    spreads = np.full((MOST_SURFACES, count, 3, 3), np.nan)
    pixels = np.zeros((MOST_SURFACES, count), np.int64)
    number = np.count_nonzero(relief.inside, axis=(1, 2))
    least = np.where(number < min_pixels, np.inf, np.maximum(LEAST_SHARE * number, min_pixels))
    noise_m = float(relief.noise_m.max())
    surfaces = Surfaces(relief.height_m, relief.inside, relief.seeds, noise_m, BAND_M + 2.0 * noise_m)
    unsettled = np.arange(count)
    for turn in range(MOST_SURFACES):
        height_m = surfaces.next(unsettled, least[unsettled])
        found = np.isfinite(height_m)
        rows = unsettled[found]
        if not len(rows):
            break
        part = relief if len(rows) == count else relief.take(rows)
        tops = _look_at(part, height_m[found])
        promise = WORTH * np.minimum(1.2 * tops.number * part.spacing_m**2 / (tops.slope * size_m[rows] ** 2), 1.0)
        worth = promise - LEAK * tops.leak > support[:, rows].max(axis=0) - NEGLIGIBLE
        kept = worth & (tops.number >= FEWEST) & (tops.slope > LEAST_SLOPE)
        if not kept.all():
            rows, part, tops = rows[kept], part.take(kept), tops.take(kept)
            if not len(rows):
                continue
        support[turn, rows], means[turn, rows], spreads[turn, rows] = _guess(
            part, tops, edges[rows], size_m[rows], axes
        )
        pixels[turn, rows] = tops.number
        settled = np.zeros(count, np.bool_)
        settled[rows] = (support[turn, rows] > CLEAR) & (tops.leak < TIGHT)
        unsettled = unsettled[~settled[unsettled]]
        if not len(unsettled):
            break
    return _weighed(support, means, spreads, pixels, size_m)


def _weighed(support: Array, means: Array, spreads: Array, pixels: Integers, size_m: Array) -> Places:
    """Of several guesses (T, N) of each place the likeliest; the others add to its covariance."""
    best, each = support.argmax(axis=0), np.arange(support.shape[1])
    mean = means[best, each]
    weights = np.exp(support - np.maximum(support[best, each], FAR_BELOW))
    weights /= np.maximum(weights.sum(axis=0), 1e-300)
    likely = weights > 0.0
    off = np.where(likely[..., None], means - mean, 0.0)
    spread = np.where(likely[..., None, None], spreads, 0.0) + off[..., :, None] * off[..., None, :]
    covariance = np.einsum("tn,tnij->nij", weights, spread)
    covariance[np.isnan(mean[:, 0])] = np.nan
    poor = support[best, each] < POOR
    covariance[poor] += (POOR_SIZES * size_m[poor, None, None]) ** 2 * np.eye(3)
    return Places(mean, covariance, pixels[best, each], poor)


def _look_at(relief: Relief, height_m: Array) -> _Tops:
    """What of surfaces at given heights (M,) may be the objects'."""
    count = len(height_m)
    off_m = np.abs(relief.height_m - height_m[:, None, None])
    near = (off_m < (BAND_M + 2.0 * relief.noise_m)[:, None, None]) & relief.inside
    spread_m = np.einsum("nij,nij->n", off_m, near) / np.maximum(np.count_nonzero(near, axis=(1, 2)), 1)
    tolerance_m = TOLERANCE_M + np.maximum(relief.noise_m, NOISE_OF_SPREAD * spread_m)
    level = off_m < tolerance_m[:, None, None]
    pixels, foreign = level & relief.inside, level & relief.outside
    number = np.count_nonzero(pixels, axis=(1, 2))
    shown = np.maximum(number, 1)
    slope = np.maximum(-np.einsum("nij,nij->n", relief.up, pixels) / shown, 1e-6)
    leak = np.minimum(np.count_nonzero(foreign, axis=(1, 2)) / shown, MOST_LEAK)
    flat = (count, -1)
    return _Tops(
        height_m, tolerance_m, level.reshape(flat), pixels.reshape(flat), foreign.reshape(flat), number, slope, leak
    )


def _guess(relief: Relief, tops: _Tops, edges: Array, size_m: Array, axes: Array) -> tuple[Array, Array, Array]:
    """Where the objects are if these surfaces are their tops: support (M,), mean (M, 3) and covariance (M, 3, 3)."""
    squares, along, across = _lay(relief, tops, size_m)
    support = WORTH * squares.worth - MISFIT * squares.misfit - LEAK * tops.leak
    against = squares.loss
    beyond: Array = np.zeros(len(against))
    if not ((squares.worth > PLAIN_WORTH) & (squares.misfit < PLAIN_MISFIT) & (tops.leak < TIGHT)).all():
        outlines_at = outlines(squares, tops.height_m, size_m, axes)
        beyond = _beyond(squares, outlines_at, edges, relief.pitch_m / relief.distance_m)
        against = against + beyond
        least = np.minimum.reduceat(against, squares.first)
        against -= least[squares.maps]
        support -= BOX * least
    mean, spread = _moments(squares, against, None)
    heights = relief.height_m.reshape(tops.pixels.shape)
    height_m = np.einsum("ne,ne->n", heights, tops.pixels) / tops.number
    strange = np.maximum(squares.misfit + tops.leak - MODEST, 0.0)
    if strange.any():
        softer = squares.loss / (1.0 + SOFTENED * strange)[squares.maps] + beyond
        softer -= np.minimum.reduceat(softer, squares.first)[squares.maps]
        _, spread = _moments(squares, softer, mean)
        best = np.flatnonzero(against == 0.0)
        best = best[np.searchsorted(squares.maps[best], np.arange(len(mean[0])))]
        middle = within(squares, best, along, across, MIDDLE * size_m) & tops.pixels
        number = np.count_nonzero(middle, axis=1)
        lower = np.einsum("ne,ne->n", heights, middle) / np.maximum(number, 1)
        height_m = np.where((number >= FEWEST) & (strange > 0.0), lower, height_m)
    covariance = np.zeros((len(height_m), 3, 3))
    covariance[:, :2, :2] = _without_grid(spread, squares.cell_m, relief.spacing_m)
    edge_m = (
        np.minimum(tops.leak / MUCH_LEAK, 1.0) * CONTACT * _edge_deviation(edges, relief.pitch_m / relief.distance_m)
    )
    covariance[:, :2, :2] += (edge_m * relief.distance_m)[:, None, None] ** 2 * np.eye(2)
    covariance[:, 2, 2] = np.where(squares.worth < SLIVER, HIGHER * size_m, 0.0) ** 2
    covariance *= (1.0 + UNSEEN * np.clip(1.0 - squares.worth, 0.0, 1.0))[:, None, None]
    return support, np.stack((*mean, height_m - 0.5 * size_m), axis=1), covariance


def _lay(relief: Relief, tops: _Tops, size_m: Array) -> tuple[Squares, Float32, Float32]:
    """Squares on maps at the heights of surfaces; and where each pixel lies on its map, along and across, (M, E)."""
    shape = tops.level.shape
    tolerance_m = tops.tolerance_m
    heights, measured = relief.height_m.reshape(shape), relief.measured.reshape(shape)
    # Half of the tolerance below the top, as much of the free space is lost in front of the object as behind it.
    upper_m = (tops.height_m - 0.5 * tolerance_m)[:, None]
    lower_m = (tops.height_m - BELOW * size_m - tolerance_m)[:, None]
    at_m = np.where(tops.level, heights, upper_m)
    pixels = shape[1]
    along, across, weights = np.empty((3, shape[0], 2 * pixels), np.float32)
    for way, ray in ((along, relief.along_up), (across, relief.across_up)):
        way[:, :pixels] = ray.reshape(shape) * at_m
        way[:, pixels:] = ray.reshape(shape) * lower_m
    through = measured & (heights < (tops.height_m - tolerance_m)[:, None])
    weights[:, :pixels] = tops.pixels
    weights[:, :pixels] -= through
    weights[:, :pixels] += FOREIGN * tops.foreign
    weights[:, pixels:] = measured & (heights < lower_m)
    np.negative(weights[:, pixels:], out=weights[:, pixels:])
    middle = np.stack([np.einsum("ne,ne->n", way[:, :pixels], tops.pixels) for way in (along, across)])
    middle /= tops.number.astype(np.float32)
    squares = fit_squares(along, across, weights, middle, size_m, relief.spacing_m)
    return squares, along[:, :pixels], across[:, :pixels]


def _moments(squares: Squares, against: Array, about: Array | None) -> tuple[Array, Array]:
    """Means (2, M) of squares with so much against them (K,), and second moments (2, 2, M) about them or points."""
    weights = np.exp(-against)
    totals = np.add.reduceat(weights, squares.first)
    weights /= totals[squares.maps]
    points = np.stack((squares.along_m, squares.across_m))
    mean = np.add.reduceat(points * weights, squares.first, axis=1) if about is None else about
    x, y = points - mean[:, squares.maps]
    products = np.stack((x * x, x * y, y * y)) * weights
    xx, xy, yy = np.add.reduceat(products, squares.first, axis=1)
    return mean, np.array([[xx, xy], [xy, yy]])


def _without_grid(spread: Array, cell_m: Array, spacing_m: Array) -> Array:
    """Take out of covariances (2, 2, M) what comes from the squares' distance, and put in what is left: (M, 2, 2).

    Along their principal axes: a function f of a symmetric matrix with the eigenvalues p +- q is
    (f(p + q) + f(p - q)) / 2 + (f(p + q) - f(p - q)) / (2 q) * (matrix - p).
    """
    (xx, xy), (_, yy) = spread
    p, q = 0.5 * (xx + yy), np.hypot(0.5 * (xx - yy), xy)
    grid, left = (GRID * cell_m) ** 2, (GRID_LEFT * cell_m) ** 2 + (PITCH_LEFT * spacing_m) ** 2
    most, least = np.maximum(p + q - grid, 0.0), np.maximum(p - q - grid, 0.0)
    share = 0.5 * (most - least) / np.maximum(q, 1e-30)
    level = 0.5 * (most + least) + left
    result = np.array([[level + share * (xx - p), share * xy], [share * xy, level + share * (yy - p)]])
    return np.moveaxis(result, -1, 0)


def _beyond(squares: Squares, outlines_at: Array, edges: Array, pixel: Array) -> Array:
    """What is against each place (K,) because the box reaches further than the object would be seen (4, K)."""
    deviation = _edge_deviation(edges, pixel)[squares.maps]
    beyond = np.fmax((outlines_at - edges.T[:, squares.maps]) * INWARDS / deviation, 0.0)
    return np.asarray(np.minimum(0.5 * beyond * beyond, EDGE_MOST).sum(axis=0))


def fills_box(center_m: Array, edges: Array, size_m: float) -> bool:
    """Whether an object at a place (3,) in the camera's frame would be seen in the middle of a box, and fill it."""
    left, top, right, bottom = edges.tolist()
    x, y, depth = center_m.tolist()
    width, height = right - left, bottom - top
    off = max(abs(x / depth - 0.5 * (left + right)) / width, abs(y / depth - 0.5 * (top + bottom)) / height)
    return off < OFF_CENTER and all(LEAST_FILL < size_m / (depth * extent) < MOST_FILL for extent in (width, height))


def _edge_deviation(edges: Array, pixel: Array) -> Array:
    """Standard deviation (M,) of a box's edge, as X / Z."""
    left, top, right, bottom = edges.T
    return np.asarray(EDGE_PX * pixel + EDGE_PART * np.sqrt(np.maximum((right - left) * (bottom - top), 0.0)))
