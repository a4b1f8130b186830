"""How chunks follow one another: no jump, nothing of the past, weights as declared."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry.pose import Pose
from geometry.types import Array
from policy.action_chunk import ActionChunk, ActionSpace
from policy.seam import Blend, Ensemble, ScheduleMode, Seam, Switch, make_seam

MS = 1_000_000
MODES: tuple[ScheduleMode, ...] = ("synchronous", "naive", "blend", "ensemble")
SMOOTH: tuple[ScheduleMode, ...] = ("blend", "ensemble")
arrivals = st.lists(st.integers(1, 700), min_size=1, max_size=8)  # times between two of them [ms]
seeds = st.integers(0, 2**32 - 1)


def ramp(stamp_ms: int, start: float, slope_per_s: float, space: ActionSpace = "joint_position") -> ActionChunk:
    """Values that change evenly with time, all seven alike."""
    actions = start + slope_per_s * 0.1 * np.arange(16)[:, None] * np.ones(7)
    return ActionChunk(stamp_ms * MS, 100 * MS, space, actions)


def distance(space: ActionSpace, a: Array, b: Array) -> float:
    """Greatest difference of a value; of poses, of the position or the angle between the rotations."""
    if space == "joint_position":
        return float(np.abs(a - b).max())
    metres, angle = Pose.from_rotvec(a[3:6], a[:3]).distance_to(Pose.from_rotvec(b[3:6], b[:3]))
    return max(metres, angle, abs(a[6] - b[6]))


@pytest.mark.parametrize("mode", MODES)
@settings(deadline=None)
@given(gaps_ms=arrivals, late_ms=st.integers(0, 400))
def test_plans_that_agree_are_followed_to_the_instant(mode: ScheduleMode, gaps_ms: list[int], late_ms: int) -> None:
    """Each action names its own time, so what is read is which instant an action belongs to: now, never the past."""
    seam, now_ms, read = make_seam(mode, 200 * MS), late_ms, []
    for gap_ms in gaps_ms:
        seam.take(ramp(now_ms - late_ms, (now_ms - late_ms) * 1e-3, 1.0), now_ms * MS)
        for t_ms in range(now_ms, now_ms + gap_ms, 10):
            action = seam.action(t_ms * MS)
            assert action == pytest.approx(t_ms * 1e-3, abs=1e-9)
            read.append(action[0])
        now_ms += gap_ms
    assert (np.diff(read) > 0.0).all()


@pytest.mark.parametrize("mode", SMOOTH)
@pytest.mark.parametrize("space", ["joint_position", "ee_pose"])
@settings(deadline=None)
@given(gaps_ms=arrivals, seed=seeds)
def test_the_target_does_not_jump_where_a_chunk_arrives(
    mode: ScheduleMode, space: ActionSpace, gaps_ms: list[int], seed: int
) -> None:
    numbers = np.random.default_rng(seed)
    seam, now_ns = make_seam(mode, 200 * MS), 0
    for gap_ms in gaps_ms:
        chunk = ActionChunk(now_ns - 60 * MS, 100 * MS, space, numbers.uniform(-0.5, 0.5, (16, 7)))
        before = seam.action(now_ns) if now_ns else None
        seam.take(chunk, now_ns)
        if before is not None:
            assert distance(space, seam.action(now_ns), before) < 1e-6
        for t_ns in range(now_ns, now_ns + gap_ms * MS, 50 * MS):
            # a step of a microsecond: chunks move by 1 in 100 ms at most, and a share by 1.875 in 200 ms
            assert distance(space, seam.action(t_ns), seam.action(t_ns + 1000)) < 2e-4
        now_ns += gap_ms * MS


@settings(deadline=None)
@given(gap_ms=st.integers(100, 900), slopes=st.tuples(st.floats(-1, 1), st.floats(-1, 1)), offset=st.floats(-0.2, 0.2))
def test_the_target_of_a_blend_does_not_change_its_velocity_at_once(
    gap_ms: int, slopes: tuple[float, float], offset: float
) -> None:
    seam = Blend(200 * MS)
    seam.take(ramp(0, 0.0, slopes[0]), 0)
    at_ns = gap_ms * MS
    seam.take(ramp(gap_ms - 60, slopes[0] * gap_ms * 1e-3 + offset, slopes[1]), at_ns)
    step_ns, step_s = 10_000, 1e-5
    begins = (seam.action(at_ns + step_ns) - seam.action(at_ns)) / step_s
    assert begins == pytest.approx(slopes[0], abs=1e-4)
    end_ns = at_ns + 200 * MS
    ends = (seam.action(end_ns) - seam.action(end_ns - step_ns)) / step_s
    assert ends == pytest.approx(slopes[1], abs=1e-4)


def test_a_blend_ends_on_the_new_chunk_and_forgets_the_old_one() -> None:
    seam, old, new = Blend(200 * MS), ramp(0, 0.0, 0.0), ramp(300, 1.0, 0.0)
    seam.take(old, 0)
    seam.take(new, 350 * MS)
    assert seam.action(450 * MS) == pytest.approx(0.5)
    assert (seam.action(550 * MS) == new.sample(550 * MS)).all()
    seam.take(ramp(600, 2.0, 0.0), 620 * MS)
    assert seam.action(620 * MS) == pytest.approx(1.0)


def test_a_chunk_that_arrives_within_a_blend_is_blended_with_it() -> None:
    seam = Blend(200 * MS)
    for stamp_ms, value, at_ms in ((0, 0.0, 0), (300, 1.0, 300), (400, 3.0, 400)):
        seam.take(ramp(stamp_ms, value, 0.0), at_ms * MS)
    assert seam.action(400 * MS) == pytest.approx(0.5)
    assert seam.action(500 * MS) == pytest.approx(2.0)  # the first change is over, the second half way
    assert seam.action(600 * MS) == pytest.approx(3.0)


def test_a_tool_that_points_down_turns_the_short_way() -> None:
    """Half a turn about x or about -x is the same: the mean of the two vectors would be no turn at all."""
    seam = Blend(200 * MS)
    for sign, at_ms in ((1.0, 0), (-1.0, 300)):
        actions = np.tile((0.5, 0.0, 0.3, sign * (math.pi - 0.01), 0.0, 0.0, 1.0), (16, 1))
        seam.take(ActionChunk(at_ms * MS, 100 * MS, "ee_pose", actions), at_ms * MS)
    half = seam.action(400 * MS)
    assert np.linalg.norm(half[3:6]) == pytest.approx(math.pi, abs=1e-9)


@pytest.mark.parametrize("decay", [0.0, 0.01, 1.0])
def test_an_ensemble_weighs_by_exp_of_the_age_oldest_first(decay: float) -> None:
    seam, values = Ensemble(0, decay), (1.0, 5.0, -2.0)
    for i, value in enumerate(values):
        seam.take(ramp(100 * i, value, 0.0), 100 * i * MS)
    weights = np.exp(-decay * np.arange(3))
    assert seam.action(900 * MS) == pytest.approx(weights @ values / weights.sum())
    # the oldest has ended: the others' weights stay in their proportion
    assert seam.action(1550 * MS) == pytest.approx(weights[:2] @ values[1:] / weights[:2].sum())
    assert seam.action(9000 * MS) == pytest.approx(values[2])


def test_a_weight_of_an_ensemble_comes_and_goes_slowly() -> None:
    seam = Ensemble(200 * MS, 0.0)
    seam.take(ramp(0, 0.0, 0.0), 0)
    seam.take(ramp(1000, 1.0, 0.0), 1000 * MS)
    assert seam.action(1000 * MS) == pytest.approx(0.0)
    assert seam.action(1250 * MS) == pytest.approx(0.5)
    assert 0.5 < seam.action(1450 * MS)[0] < 1.0
    assert seam.action(1500 * MS) == pytest.approx(1.0)


@pytest.mark.parametrize("mode", MODES)
def test_after_a_reset_the_next_chunk_is_followed_at_once(mode: ScheduleMode) -> None:
    seam = make_seam(mode, 200 * MS)
    with pytest.raises(LookupError, match="take one first"):
        seam.action(0)
    seam.take(ramp(0, 0.0, 0.0), 0)
    seam.reset()
    seam.take(ramp(100, 7.0, 0.0), 110 * MS)
    assert seam.action(110 * MS) == pytest.approx(7.0)


@pytest.mark.parametrize(
    ("mode", "kind"), [("synchronous", Switch), ("naive", Switch), ("blend", Blend), ("ensemble", Ensemble)]
)
def test_modes_have_their_seams(mode: ScheduleMode, kind: type[Seam]) -> None:
    assert type(make_seam(mode, 0)) is kind


def test_bad_figures() -> None:
    with pytest.raises(ValueError, match="window is -1 ns"):
        Blend(-1)
    with pytest.raises(ValueError, match="decay is -1"):
        Ensemble(0, -1.0)
