"""Streams of setpoints, wild and tame: what goes out keeps every limit, and what is tame goes out as it is."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry.pose import Pose
from geometry.types import Array
from robot.arm import JointCommand, RobotState
from robot.governor import Box, GovernorLimits, SafetyGovernor, Workspace
from robot.kinematics import UR10E, UR10E_LIMITS, Kinematics, Unreachable
from robot.safety.body import UR10E_CAPSULES, Body, tool_capsule
from robot.trajectory import JointTrajectory

TOOL_M = (0.0, 0.0, 0.145)
KINEMATICS = Kinematics(Pose(np.eye(3), np.array(TOOL_M)))
DOWN = np.array([[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
HOME = KINEMATICS.joints(Pose(DOWN, np.array([-0.6, 0.1, 0.35])), [-0.46, -1.7, 2.0, -1.88, -1.57, 2.69])
WIDE = GovernorLimits(
    workspace=Workspace((-9.0,) * 3, (9.0,) * 3, (-9.0,) * 3, (9.0,) * 3), self_collision=False, tool_speed_m_s=99.0
)
BOXES = (
    Box("fixture", (-0.9, -0.3, 0.0), (-0.7, -0.1, 0.3)),
    Box("camera post", (-0.4, 0.3, 0.0), (-0.3, 0.4, 0.9)),
    Box("shelf", (0.3, -0.8, 0.4), (0.9, 0.8, 0.6)),
)
CELL = GovernorLimits(keep_out=BOXES)
_TOOL = tool_capsule(TOOL_M, CELL.tool_radius_m)
assert _TOOL is not None
BODY = Body(UR10E, (*UR10E_CAPSULES, _TOOL), TOOL_M)
ALONG = np.linspace(0.0, 1.0, 31)[:, None]
# pairs that can meet, by number of the capsule
PAIRS = [(0, 3), (0, 4), (0, 5), (0, 6), (0, 7), (1, 3), (1, 4), (1, 5), (1, 6), (1, 7), (2, 4), (2, 5), (2, 6), (2, 7),
         (3, 6), (3, 7)]  # fmt: skip


def clearance(joints: Array, limits: GovernorLimits) -> Array:
    """Least clearance of each row from everything [m], from points along the capsules: never below the true one."""
    ends = BODY.place(joints)
    ends, tool = ends[:, :-1], ends[:, -1, 0]
    points = ends[:, :, None, 0] + ALONG * (ends[:, :, None, 1] - ends[:, :, None, 0])
    workspace, radii = limits.workspace, BODY.radii_m
    found = [(tool - workspace.lower_m).min(axis=1), (np.array(workspace.upper_m) - tool).min(axis=1)]
    found += [(points[:, k] - workspace.arm_lower_m).min(axis=(1, 2)) - radii[k] for k in range(2, 8)]
    found += [(np.array(workspace.arm_upper_m) - points[:, k]).min(axis=(1, 2)) - radii[k] for k in range(2, 8)]
    for box in limits.keep_out:
        away = np.linalg.norm(points[:, 1:] - np.clip(points[:, 1:], box.min_m, box.max_m), axis=-1).min(axis=2)
        found.append((away - radii[1:]).min(axis=1) - limits.margin_m)
    for i, j in PAIRS if limits.self_collision else ():
        away = np.linalg.norm(points[:, i, :, None] - points[:, j, None], axis=-1).min(axis=(1, 2))
        found.append(away - radii[i] - radii[j] - limits.margin_m)
    least: Array = np.min(found, axis=0)
    return least


class Arm:
    """A governor and an arm that does what it is told; everything that was sent is kept."""

    def __init__(self, limits: GovernorLimits, start: Array, dt: float = 0.01) -> None:
        self.limits, self.dt = limits, dt
        self.governor = SafetyGovernor(limits, KINEMATICS, dt)
        self.governor.reset(start)
        self.sent = [np.array(start)] * 3
        self.now_ns = 0

    @property
    def at(self) -> Array:
        return self.sent[-1]

    def send(
        self, joints: Array, mode: Any = "position", age_ns: int = 0, gripper: float = 1.0, off: float = 0.0
    ) -> Any:
        self.now_ns += round(self.dt * 1e9)
        state = RobotState(len(self.sent), self.now_ns, self.at + off, np.zeros(6), 1.0)
        command = JointCommand(self.now_ns, mode, joints, gripper)
        verdict = self.governor.check(command, state, self.now_ns, self.now_ns - age_ns)
        out = verdict.command.joints
        self.sent.append(self.at + out * self.dt if mode == "velocity" else np.array(out))
        assert (verdict.command is command) is (not verdict.interventions)
        assert 0.0 <= verdict.command.gripper_opening <= 1.0
        if self.governor.cause is not None and len(self.sent) % 7 == 0:
            self.governor.reset(self.at) if not self.governor.velocity_rad_s.any() else None
        return verdict

    def assert_kept(self) -> None:
        joints, limits, dt = self.limits.joints, self.limits, self.dt
        q = np.array(self.sent)
        assert np.isfinite(q).all()
        steps = np.diff(q, axis=0)
        changes = np.diff(steps, axis=0)
        low, high = np.minimum(joints.lower_rad, q[0]), np.maximum(joints.upper_rad, q[0])
        assert (q >= low - 2e-12).all()
        assert (q <= high + 2e-12).all()
        assert (np.abs(steps) <= np.array(joints.velocity_rad_s) * dt * (1 + 1e-9) + 1e-11).all()
        assert (np.abs(changes) <= np.array(joints.acceleration_rad_s2) * dt**2 * (1 + 1e-9) + 1e-11).all()
        assert (np.abs(np.diff(changes, axis=0)) <= np.array(joints.jerk_rad_s3) * dt**3 * (1 + 1e-9) + 1e-11).all()
        tool = np.linalg.norm(np.diff(BODY.tool(q), axis=0), axis=1)
        assert (tool <= limits.tool_speed_m_s * dt * (1 + 1e-6)).all()
        clear = clearance(q, limits)
        # an arm that starts too near may stay so, not go nearer
        assert clear.min() >= min(0.0, clear[0]) - 1e-6


@st.composite
def starts(draw: st.DrawFn, limits: GovernorLimits) -> Array:
    """A place that is clear, sometimes at the ends of joints."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    low, high = np.array(UR10E_LIMITS.lower_rad), np.array(UR10E_LIMITS.upper_rad)
    rows = rng.uniform(low, high, (64, 6))
    at_end = rng.random((64, 6)) < 0.15
    rows = np.where(at_end, np.where(rng.random((64, 6)) < 0.5, low, high) * (1 - 1e-3 * rng.random((64, 6))), rows)
    rows[-1] = HOME
    clear = np.flatnonzero(clearance(rows, limits) > 0.0)
    return np.array(rows[clear[0]])


wild = st.one_of(
    st.floats(-0.3, 0.3), st.floats(-7.0, 7.0), st.sampled_from([0.0, math.nan, math.inf, -math.inf, 1e293])
)
row = st.lists(wild, min_size=6, max_size=6)
calm = st.lists(st.floats(-1.0, 1.0), min_size=6, max_size=6)
request = st.tuples(
    st.one_of(calm, calm, row),
    st.sampled_from(["place", "on", "speed", "back"]),
    st.sampled_from([0, 0, 0, 0, 3_000_000_000, -1]),
    st.integers(1, 20),
)


@pytest.mark.parametrize(
    ("name", "limits", "dt", "examples"),
    [
        ("cell", CELL, 0.01, 12),
        ("cell", replace(CELL, jump_rad=99.0, tool_speed_m_s=0.4), 0.01, 12),
        ("wide", replace(WIDE, jump_rad=99.0), 0.01, 30),
        ("wide", replace(WIDE, jump_rad=99.0), 0.1, 20),
        ("fine", replace(CELL, jump_rad=99.0, keep_out=BOXES[:1]), 0.002, 4),
    ],
)
def test_whatever_is_asked_every_limit_is_kept(name: str, limits: GovernorLimits, dt: float, examples: int) -> None:
    @given(starts(limits), st.lists(request, min_size=1, max_size=8), st.integers(0, 2**32 - 1))
    @settings(max_examples=examples, deadline=None, derandomize=True, database=None)
    def stream(start: Array, requests: list[Any], seed: int) -> None:
        arm, rng = Arm(limits, start, dt), np.random.default_rng(seed)
        for values, kind, age_ns, ticks in requests:
            for _ in range(ticks):
                wish = np.array(values) + rng.normal(0.0, 0.01, 6)
                joints = {
                    "place": wish, "on": arm.at + dt * wish, "speed": 2.0 * wish, "back": arm.at - 0.05 * wish
                }[kind]  # fmt: skip
                arm.send(joints, "velocity" if kind == "speed" else "position", age_ns, float(wish[0]), 0.001)
        for _ in range(round(1.2 / dt)):
            arm.send(np.zeros(6), "velocity", age_ns=3_000_000_000)
            if not arm.governor.velocity_rad_s.any():
                break
        assert not arm.governor.velocity_rad_s.any()
        arm.assert_kept()

    stream()


def waypoints(seed: int, count: int) -> list[Array]:
    """Joints of poses that point down, well inside the workspace."""
    rng, found = np.random.default_rng(seed), [np.array(HOME)]
    while len(found) < count:
        place = rng.uniform([-0.8, -0.3, 0.12], [-0.5, 0.35, 0.45])
        try:
            found.append(KINEMATICS.joints(Pose(DOWN, place), found[-1]))
        except Unreachable:
            continue
    return found


@pytest.mark.parametrize(("seed", "dt"), [(0, 0.01), (1, 0.01), (2, 0.02), (3, 0.002)])
def test_what_the_trajectory_makes_passes_bit_for_bit(seed: int, dt: float) -> None:
    arm, trajectory = Arm(GovernorLimits(), HOME, dt), JointTrajectory(UR10E_LIMITS.scaled(0.8))
    trajectory.reset(HOME)
    rng = np.random.default_rng(seed)
    target = np.array(HOME)
    for goal in waypoints(seed, 4):
        pace = rng.uniform(0.2, 0.5)
        for _ in range(round((1.0 if dt > 0.005 else 0.4) / dt)):
            step = np.clip(goal - target, -pace * dt, pace * dt)
            target = target + step
            joints, _, _ = trajectory.step(target, step / dt, dt)
            verdict = arm.send(joints)
            assert verdict.interventions == ()
            assert arm.at.tobytes() == joints.tobytes()
    arm.assert_kept()


@pytest.mark.parametrize("dt", [0.01, 0.002])
@pytest.mark.parametrize("seed", range(2))
def test_it_passes_to_the_very_ends_of_the_joints_at_its_full_speed(seed: int, dt: float) -> None:
    """Jumps of the target, reversals and holds; the trajectory keeps 0.8 of the limits."""
    rng = np.random.default_rng(seed)
    low, high = np.array(UR10E_LIMITS.lower_rad), np.array(UR10E_LIMITS.upper_rad)
    start = rng.uniform(low, high)
    arm, trajectory = Arm(replace(WIDE, jump_rad=0.5), start, dt), JointTrajectory(UR10E_LIMITS.scaled(0.8))
    trajectory.reset(start)
    for _ in range(5):
        goal = np.where(rng.random(6) < 0.6, np.where(rng.random(6) < 0.5, low, high), rng.uniform(low, high))
        for _ in range(round(rng.uniform(0.1, 1.5) / dt)):
            joints, _, _ = trajectory.step(goal, np.zeros(6), dt)
            assert arm.send(joints).interventions == ()
        for _ in range(round(0.2 / dt)):
            assert arm.send(trajectory.step_hold(dt)[0]).interventions == ()
    arm.assert_kept()
