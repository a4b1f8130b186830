"""The filter of boxes is the textbook's, and honest."""

from __future__ import annotations

import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from tracking.axes_filter import COVARIANCE, POSITION, PP, PV, ROWS, SMALLEST_PX, VELOCITY, VV, AxesFilter, AxesMotion

WALK, NOISE, SPEED, SETTLE_S = 0.3, 0.1, 1.0, 0.8
NODES, WEIGHTS = np.polynomial.legendre.leggauss(100)
NOBODY = np.zeros(0, dtype=np.int64)


def make(settle_s=SETTLE_S):
    return AxesFilter(WALK, NOISE, SPEED, settle_s)


def begun(boxes, rng):
    """Boxes far from the smallest size, so that nothing is cut off."""
    block = np.empty((ROWS, boxes))
    measured = rng.uniform(500.0, 900.0, (4, boxes))
    make().start(block, measured)
    return block, measured


class Textbook:
    """Constant velocity on one axis, two by two, with no knowledge of the others."""

    def __init__(self, measured):
        self.x = np.array([measured, 0.0])
        self.p = np.diag([NOISE**2, SPEED**2])

    def predict(self, t):
        f = np.array([[1.0, t], [0.0, 1.0]])
        self.x = f @ self.x
        self.p = f @ self.p @ f.T + WALK**2 * np.array([[t**3 / 3, t**2 / 2], [t**2 / 2, t]])

    def settle(self, t):
        """Velocity with friction; its noise by adding up what a kick at each moment has come to at the end."""

        def through(s):
            keep = np.exp(-s / SETTLE_S)
            return np.stack((SETTLE_S * (1.0 - keep), keep))

        f = np.column_stack(([1.0, 0.0], through(t)))
        kicks = through(0.5 * t * (NODES + 1.0))
        self.x = f @ self.x
        self.p = f @ self.p @ f.T + WALK**2 * 0.5 * t * (WEIGHTS * kicks) @ kicks.T

    def correct(self, z, doubt):
        h = np.array([[1.0, 0.0]])
        s = float((h @ self.p @ h.T)[0, 0]) + NOISE**2 * doubt
        k = (self.p @ h.T)[:, 0] / s
        self.x = self.x + k * (z - self.x[0])
        left = np.eye(2) - np.outer(k, h)
        self.p = left @ self.p @ left.T + np.outer(k, k) * NOISE**2 * doubt


def equal(block, books, tolerance=1e-9):
    for n, axes in enumerate(books):
        for axis, book in enumerate(axes):
            assert block[POSITION, n][axis] == pytest.approx(book.x[0], rel=tolerance)
            assert block[VELOCITY, n][axis] == pytest.approx(book.x[1], rel=tolerance, abs=1e-7)
            assert block[COVARIANCE, n] == pytest.approx([book.p[0, 0], book.p[0, 1], book.p[1, 1]], rel=tolerance)


@pytest.mark.parametrize("seed", [0, 1])
def test_equals_the_textbook_on_each_axis(seed):
    rng = np.random.default_rng(seed)
    boxes = 4
    block, measured = begun(boxes, rng)
    books = [[Textbook(z) for z in measured[:, n]] for n in range(boxes)]
    ours = make()
    for _ in range(120):
        t = float(rng.choice([0.001, 0.033, 0.0331, 0.2, 1.7]))
        ours.predict(block, t, NOBODY, None)
        for axes in books:
            for book in axes:
                book.predict(t)
        seen = rng.permutation(boxes)[: rng.integers(0, boxes + 1)]
        z, doubt = measured[:, seen] + rng.normal(0.0, 5.0, (4, len(seen))), rng.uniform(1.0, 3.0, len(seen))
        ours.correct(block, seen, z, doubt)
        for k, n in enumerate(seen):
            for axis, book in enumerate(books[n]):
                book.correct(z[axis, k], doubt[k])
    equal(block, books)


@pytest.mark.parametrize("dt", [1e-5, 0.001, 0.033, 0.5, 4.0, 60.0])
def test_slowing_down_is_exact(dt):
    """Of three boxes one slows down all the time, one for the last third of it, one not at all."""
    rng = np.random.default_rng(0)
    block, measured = begun(3, rng)
    books = [[Textbook(z) for z in measured[:, n]] for n in range(3)]
    ours = make()
    z = measured + 20.0
    ours.predict(block, 0.1, NOBODY, None)
    ours.correct(block, np.arange(3), z, np.ones(3))
    ours.predict(block, dt, np.array([0, 2]), np.array([0.0, dt - dt / 3.0]))
    for n, axes in enumerate(books):
        for axis, book in enumerate(axes):
            book.predict(0.1)
            book.correct(z[axis, n], 1.0)
            coasting, settling = ((0.0, dt), (dt, 0.0), (dt - dt / 3.0, dt / 3.0))[n]
            book.predict(coasting)
            book.settle(settling)
    equal(block, books)


@settings(deadline=None, max_examples=60)
@given(st.floats(1e-4, 20.0), st.floats(1e-4, 20.0), st.floats(0.0, 1.0), st.floats(0.01, 100.0))
def test_two_steps_are_as_good_as_one(first, second, share, settle_s):
    """Also where a box begins to slow down in the middle of one of them."""
    rng = np.random.default_rng(0)
    block, measured = begun(2, rng)
    ours = make(settle_s)
    ours.correct(block, np.arange(2), measured + 30.0, np.ones(2))
    whole, late = block.copy(), np.array([1])

    def step(part, t, settling):
        some = settling > 1e-12
        ours.predict(part, t, late if some else NOBODY, np.array([max(t - settling, 0.0)]) if some else None)

    slow = share * (first + second)
    step(whole, first + second, slow)
    step(block, first, max(slow - second, 0.0))
    step(block, second, min(slow, second))
    assert block == pytest.approx(whole, rel=1e-7, abs=1e-9)


def definite(block):
    pp, pv, vv = block[COVARIANCE]
    return np.isfinite(block).all() and (pp > 0.0).all() and (vv > 0.0).all() and (pp * vv > pv * pv).all()


def test_the_covariance_stays_positive_definite():
    """Through thousands of looks, by which boxes are seen from always to almost never."""
    rng = np.random.default_rng(0)
    boxes, period, ours = 16, 500, make()
    block, measured = begun(boxes, rng)
    seen = [row.nonzero()[0] for row in rng.random((period, boxes)) < np.geomspace(1.0, 1e-3, boxes)]
    points, doubts = [measured[:, rows] for rows in seen], [np.full(len(rows), 1.5) for rows in seen]
    slow = np.arange(10, boxes)
    for _ in range(40):
        for k in range(period - 1):
            late = k % 100 == 0
            ours.predict(block, 0.033, slow if late else NOBODY, None)
            ours.correct(block, seen[k], points[k], doubts[k])
        ours.predict(block, float(rng.choice([1e-6, 1.0, 1e4])), NOBODY, None)
        assert definite(block)


@pytest.mark.parametrize("gap_s", [1.0, 1e3, 1e6, 1e9])
@pytest.mark.parametrize("slows", [True, False])
def test_after_a_gap_of_any_length_a_measurement_is_believed(gap_s, slows):
    """P is a sum of large figures there: a difference of them would be noise, or negative."""
    ours = make()
    block, measured = begun(1, np.random.default_rng(0))
    ours.predict(block, gap_s, np.arange(int(slows)), None)
    ours.correct(block, np.array([0]), measured + 7.0, np.ones(1))
    assert block[PP, 0] == pytest.approx(NOISE**2, rel=0.1)
    assert block[PP, 0] <= NOISE**2 * (1.0 + 1e-12)
    assert block[POSITION, 0] == pytest.approx(measured[:, 0] + 7.0, abs=0.2)
    if slows:
        assert definite(block)


def test_innovations_and_errors_are_as_large_as_claimed():
    """Simulated motion with the filter's own noise: squares over claimed variances are chi-square."""
    rng = np.random.default_rng(4)
    boxes, steps, ours = 150, 60, make()
    place = np.full((4, boxes), 1e4)
    speed = rng.normal(0.0, SPEED, (4, boxes))
    block = np.empty((ROWS, boxes))
    ours.start(block, place + rng.normal(0.0, NOISE, place.shape))
    squares = []
    for _ in range(steps):
        t = float(rng.choice([0.02, 0.033, 0.15]))
        # Exact integral of white acceleration: displacement and change of speed are correlated.
        root = np.linalg.cholesky(WALK**2 * np.array([[t**3 / 3, t**2 / 2], [t**2 / 2, t]]))
        jump, kick = np.einsum("ij,jan->ian", root, rng.normal(size=(2, 4, boxes)))
        place, speed = place + t * speed + jump, speed + kick
        ours.predict(block, t, NOBODY, None)
        doubt = rng.uniform(1.0, 3.0, boxes)
        z = place + rng.normal(size=place.shape) * NOISE * np.sqrt(doubt)
        squares.append((z - block[POSITION]) ** 2 / (block[PP] + NOISE**2 * doubt))
        ours.correct(block, np.arange(boxes), z, doubt)
    count = steps * 4 * boxes
    assert chi2.ppf(0.001, count) < np.sum(squares) < chi2.ppf(0.999, count)
    errors = np.stack((place - block[POSITION], speed - block[VELOCITY]))
    inverse = np.linalg.inv(np.array([[block[PP], block[PV]], [block[PV], block[VV]]]).transpose(2, 0, 1))
    total = float(np.einsum("ian,nij,jan->", errors, inverse, errors))
    assert chi2.ppf(0.001, 8 * boxes) < total < chi2.ppf(0.999, 8 * boxes)


def test_a_score_in_doubt_weighs_less():
    pulls = []
    for doubt in (1.0, 2.0, 3.0):
        block, measured = begun(1, np.random.default_rng(0))
        make().predict(block, 0.1, NOBODY, None)
        make().correct(block, np.array([0]), measured + 10.0, np.array([doubt]))
        pulls.append(float(block[0, 0] - measured[0, 0]))
    assert 10.0 > pulls[0] > pulls[1] > pulls[2] > 0.0


def test_a_shrinking_box_keeps_a_size():
    block, _ = begun(1, np.random.default_rng(0))
    block[VELOCITY, 0] = [0.0, 0.0, -1e4, -1e4]
    make().predict(block, 10.0, NOBODY, None)
    assert block[2:4, 0].tolist() == [SMALLEST_PX, SMALLEST_PX]


def test_boxes_that_are_not_measured_are_not_touched():
    rng = np.random.default_rng(0)
    block, measured = begun(5, rng)
    before = block.copy()
    make().correct(block, np.array([3, 1]), measured[:, [3, 1]] + 4.0, np.ones(2))
    assert np.array_equal(block[:, [0, 2, 4]], before[:, [0, 2, 4]])
    assert (block[POSITION][:, [1, 3]] > before[POSITION][:, [1, 3]]).all()


def test_two_threads_do_not_disturb_one_another():
    """Tracks are predicted in a control loop while the tracker goes on."""
    block, _ = begun(3, np.random.default_rng(0))
    block[VELOCITY] = 100.0
    late, shared, wrong = np.array([1]), make(), []

    def predicted(ours, dt):
        part = block.copy()
        ours.predict(part, dt, late, None)
        return part.tobytes()

    def work(steps):
        expected = [predicted(make(), dt) for dt in steps]
        for _ in range(600):
            wrong.extend(dt for dt, bytes_ in zip(steps, expected, strict=True) if predicted(shared, dt) != bytes_)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work, args=(steps,)) for steps in ([0.033, 0.05], [0.1, 0.2])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert wrong == []


def test_the_covariance_in_pixels():
    """Of sizes that are roots of areas: 20 x 45 is 30."""
    block = np.zeros((ROWS, 2))
    block[POSITION] = [[0.0, 0.0], [0.0, 0.0], [20.0, 10.0], [45.0, 10.0]]
    block[COVARIANCE] = [[0.01, 0.04], [0.002, 0.003], [1.0, 4.0]]
    covariance = AxesMotion(block, lambda *_: None).covariance()
    assert covariance.shape == (2, 8, 8)
    assert np.allclose(covariance[0, :4, :4], 9.0 * np.eye(4))
    assert np.allclose(covariance[0, :4, 4:], 1.8 * np.eye(4))
    assert np.allclose(covariance[0, 4:, 4:], 900.0 * np.eye(4))
    assert np.array_equal(covariance, covariance.transpose(0, 2, 1))
    assert covariance[1, 7, 7] == pytest.approx(10.0 * 10.0 * 4.0)
