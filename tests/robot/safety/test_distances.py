from __future__ import annotations

import numpy as np
import pytest

from robot.safety.distances import segments_to_boxes, segments_to_segments

RNG = np.random.default_rng(4)
ALONG = np.linspace(0.0, 1.0, 1001)


def ends(count: int) -> np.ndarray:  # type: ignore[type-arg]
    segments = RNG.uniform(-1, 1, (count, 2, 3))
    segments[:30, 1] = segments[:30, 0]  # points
    segments[30:60, 1, 0] = segments[30:60, 0, 0]  # across an axis
    segments[60:90, 1, :2] = segments[60:90, 0, :2]  # along an axis
    return segments


def test_distances_to_boxes_are_those_of_many_points() -> None:
    segments = ends(600)
    low = RNG.uniform(-1, 0.3, (600, 3))
    high = low + RNG.uniform(0.05, 1.0, (600, 3))
    found = segments_to_boxes(segments, low, high)
    points = segments[:, 0] + ALONG[:, None, None] * (segments[:, 1] - segments[:, 0])
    expected = np.linalg.norm(points - np.clip(points, low, high), axis=-1).min(axis=0)
    assert not np.isnan(found).any()
    # many points find a little more than the least distance, never less
    assert (np.maximum(found, 0.0) <= expected + 1e-12).all()
    np.testing.assert_allclose(np.maximum(found, 0.0), expected, atol=1e-3)
    assert (found < 0).any()


@pytest.mark.parametrize(("x", "depth"), [(0.4, -0.1), (0.25, -0.25), (0.6, 0.1), (0.5, 0.0)])
def test_depth_inside_a_box(x: float, depth: float) -> None:
    segment = np.array([[[x, 0.25, 0.25], [x, 0.26, 0.25]]])
    assert segments_to_boxes(segment, np.zeros(3), np.full(3, 0.5))[0] == pytest.approx(depth, abs=1e-12)


def test_distances_between_segments_are_those_of_many_points() -> None:
    one, two = ends(400), RNG.uniform(-1, 1, (400, 2, 3))
    two[90:120] = one[90:120] + 0.2  # parallel
    found = segments_to_segments(one, two)
    expected = np.full(400, np.inf)
    way = two[:, 1] - two[:, 0]
    for s in ALONG[::5]:
        point = one[:, 0] + s * (one[:, 1] - one[:, 0])
        t = np.clip(((point - two[:, 0]) * way).sum(axis=1) / (way * way).sum(axis=1), 0.0, 1.0)
        expected = np.minimum(expected, np.linalg.norm(point - two[:, 0] - t[:, None] * way, axis=1))
    assert (found <= expected + 1e-9).all()
    np.testing.assert_allclose(found, expected, atol=5e-3)
