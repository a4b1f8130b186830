"""The centre of an upright object of which nothing is known: the footprint of its top, and what it stands on."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from geometry.types import Array, BoolArray
from perception.known_size import BAND_M, MOST_LEAK
from perception.patches import KERNEL
from perception.places import Place
from perception.relief import View
from perception.surface import commonest_height, connected_to, footprint, top_height

CELL_M = 0.002
# Logarithm of how likely a surface is to be the object's: for the part of the box's middle that it takes, against the
# part of it that goes on outside the box, and against each surface above it. A conditional logit over 2800 boxes.
SHARE, LEAK, LOWER = 10.0, 22.0, 1.5
MOST_SURFACES, LEAST_SHARE, FEWEST = 3, 0.15, 12
# Such a surface needs no comparison.
PLAIN_SHARE, PLAIN_LEAK = 0.6, 0.02
# One that is seen whole takes so much of the box's middle; so many pixels that hide its rim, for each row of the patch,
# are noise; and if the object is no cube, its top is about so much of its size higher or lower than the surface.
WHOLE_SHARE, STRAY, ROUNDED = 0.5, 0.2, 0.1
# Standard deviation of a height that is guessed from the width, as a part of it; of one that is measured down to what
# the object stands on [m]; and of the latter for each metre that it is more, or less, than the width.
GUESSED, MEASURED_M, TALLER, FLATTER = 0.5, 0.002, 0.25, 0.05
LIKELY_HEIGHTS = (0.3, 3.0)  # in widths
NEGLIGIBLE = 1e-3
# How far the sides that lie within the band move footprint and top of an object seen from the side, as parts of it.
SLANT_ACROSS, SLANT_UP = 0.25, 0.2
# Shift of the footprint's middle, in widths, for a rim that is hidden all around.
HIDDEN = 0.65
# Shift of it, in widths, for a surface of which as much goes on outside the box as is in it.
LEAKING = 1.0
RIM_PX = 2


@dataclass(frozen=True, slots=True, eq=False)
class _Surface:
    """A surface that may be the object's top: the piece of it in the box, and how likely it is."""

    height_m: float
    piece: BoolArray
    share: float
    leak: float
    support: float


def place_of_any(view: View, size_m: float, min_pixels: int, unsure_up: float, whole: bool) -> Place | None:
    """Find the centre of an upright object from the middle of its top, seen from above.

    The footprint's middle is the object's whatever its yaw and from wherever it is seen: sides that are in view fall
    onto its rim. The centre lies half the height below the top, and the height is the distance to the surface around
    the object; where there is none at a likely distance, the object is taken to be as high as it is wide.

    Args:
        view: Depth around the box.
        size_m: Edge length if it is known [m], otherwise NaN.
        min_pixels: With fewer pixels on the object there is no point.
        unsure_up: Shift across for each metre of height [m], as a standard deviation, where upwards is a guess.
        whole: Only if nothing hides a part of its top.

    Returns:
        The place; None if depth says too little.
    """
    band_m = BAND_M + 2.0 * view.noise_m
    found = _surfaces(view, band_m, min_pixels)
    if not found:
        return None
    best = max(found, key=lambda surface: surface.support)
    if whole and not _is_whole(view, best, band_m):
        return None
    place = _center(view, best, size_m, band_m, unsure_up)
    if whole:
        place.covariance_m2[2, 2] += (ROUNDED * size_m) ** 2
    for surface in found:
        likely = math.exp(surface.support - best.support)
        if surface is not best and likely > NEGLIGIBLE:
            off = _center(view, surface, size_m, band_m, unsure_up).mean_m - place.mean_m
            place.covariance_m2[...] += likely / (1.0 + likely) * off[:, None] * off
    return place


def _surfaces(view: View, band_m: float, min_pixels: int) -> list[_Surface]:
    """The uppermost surface in the middle of the box, and those below it."""
    seeds = view.seeds & view.inside
    if np.count_nonzero(seeds) < min_pixels:
        seeds = view.inside
    total = np.count_nonzero(seeds)
    left, number, found = seeds, total, []
    for order in range(MOST_SURFACES):
        if number < max(min_pixels, LEAST_SHARE * total):
            break
        top_m = top_height(view.height_m[left], band_m)
        level = np.abs(view.height_m - top_m) < band_m
        piece = connected_to(seeds, level & view.inside, ~view.measured)
        pixels = np.count_nonzero(piece)
        if pixels >= min_pixels:
            leak = min(np.count_nonzero(level & view.outside) / pixels, MOST_LEAK)
            share = np.count_nonzero(piece & seeds) / total
            found.append(_Surface(top_m, piece, share, leak, SHARE * share - LEAK * leak - LOWER * order))
            if share > PLAIN_SHARE and leak < PLAIN_LEAK:
                break
        left = left & (view.height_m < top_m - band_m)
        number = np.count_nonzero(left)
    return found


def _is_whole(view: View, surface: _Surface, band_m: float) -> bool:
    """Whether a surface takes the middle of the box, and nothing hides a part of it but a few stray pixels."""
    if surface.share < WHOLE_SHARE or surface.leak > PLAIN_LEAK:
        return False
    return bool(np.count_nonzero(_cut(view, surface, band_m)) <= STRAY * len(surface.piece))


def _center(view: View, surface: _Surface, size_m: float, band_m: float, unsure_up: float) -> Place:
    """The centre of an object whose top is a given surface."""
    piece, heights_m = surface.piece, view.height_m[surface.piece]
    cell_m = max(CELL_M, 2.0 * view.spacing_m)
    along, across, along_m2, across_m2, mixed_m2 = footprint(
        view.along_up[piece] * heights_m, view.across_up[piece] * heights_m, cell_m
    )
    spread_m2 = along_m2 + across_m2
    width = math.sqrt(6.0 * spread_m2)  # the trace of a square's second moments is s^2 / 6
    known = math.isfinite(size_m)
    height, height_m2 = (size_m, 0.0) if known else _height(view, surface.height_m, width, band_m)
    center = np.array([along, across, surface.height_m - 0.5 * height])
    slant_m2 = band_m**2 * (1.0 - float(center[2]) ** 2 / float(center @ center))
    independent = max(1.0, len(heights_m) * view.stride**2 / 16.0)
    sideways_m2 = (
        view.pitch_m**2 + SLANT_ACROSS**2 * slant_m2 + (unsure_up * height) ** 2 + spread_m2 / (24.0 * independent)
    )
    covariance = np.diag((sideways_m2, sideways_m2, SLANT_UP**2 * slant_m2 + 0.25 * height_m2))
    covariance[:2, :2] += _hidden(view, surface, band_m, center) * (HIDDEN * max(width, height)) ** 2
    covariance += np.eye(3) * (LEAKING * max(width, height) * surface.leak) ** 2
    if known:
        covariance[:2, :2] += _lack(size_m, along_m2, across_m2, mixed_m2)
    return Place(center, covariance, len(heights_m))


def _height(view: View, top_m: float, width_m: float, band_m: float) -> tuple[float, float]:
    """Height of an object and the variance of that [m, m^2]: down to what is beside it, or as its width."""
    lower = view.height_m < top_m - 2.0 * band_m
    beside = view.outside & lower
    count = np.count_nonzero(beside)
    if count < FEWEST:
        beside = view.measured & lower
        count = np.count_nonzero(beside)
    if count >= FEWEST:
        height = top_m - commonest_height(view.height_m[beside])
        if LIKELY_HEIGHTS[0] * width_m < height < LIKELY_HEIGHTS[1] * width_m:
            more = height - width_m
            return height, MEASURED_M**2 + max(TALLER * more, -FLATTER * more) ** 2
    return width_m, (GUESSED * width_m) ** 2


def _cut(view: View, surface: _Surface, band_m: float) -> BoolArray:
    """Where the rim of a piece is no edge of its own, shape (h, w): something nearer or the image's border cuts it."""
    cut = (view.height_m > surface.height_m + band_m) & view.measured
    if cut.any():
        cut &= cv2.dilate(surface.piece.view(np.uint8), KERNEL, iterations=RIM_PX) > 0
    for cropped, line, of_piece in zip(view.cropped, _sides(cut), _sides(surface.piece), strict=True):
        if cropped:
            line |= of_piece
    return cut


def _sides(array: BoolArray) -> tuple[BoolArray, ...]:
    """Views of the left, top, right and bottom line."""
    return array[:, 0], array[0], array[:, -1], array[-1]


def _hidden(view: View, surface: _Surface, band_m: float, center: Array) -> Array:
    """How much of the rim of a piece is cut, and where, shape (2, 2).

    The mean of d d^T over the rim, d being the unit vectors from the middle to those parts of it that are cut and zero
    elsewhere.
    """
    cut = _cut(view, surface, band_m)
    count = np.count_nonzero(cut)
    if not count:
        return np.zeros((2, 2))
    rim = (cv2.dilate(surface.piece.view(np.uint8), KERNEL, iterations=RIM_PX) > 0) & ~surface.piece
    away = np.stack((view.along_up[cut], view.across_up[cut])) * surface.height_m - center[:2, None]
    away /= np.sqrt((away * away).sum(axis=0)) + 1e-9
    return np.asarray(away @ away.T) / max(count, np.count_nonzero(rim | cut))


def _lack(size_m: float, along_m2: float, across_m2: float, mixed_m2: float) -> Array:
    """What a footprint lacks of its known size, as a covariance (2, 2): it may be on either side, so half of it.

    The root of a 2 x 2 matrix of moments has a closed form.
    """
    root = math.sqrt(max(along_m2 * across_m2 - mixed_m2 * mixed_m2, 0.0))
    scale = math.sqrt(12.0 / (along_m2 + across_m2 + 2.0 * root))
    mixed = -0.5 * scale * mixed_m2
    lack = np.array(
        [[0.5 * (size_m - scale * (along_m2 + root)), mixed], [mixed, 0.5 * (size_m - scale * (across_m2 + root))]]
    )
    return np.asarray(lack @ lack)
