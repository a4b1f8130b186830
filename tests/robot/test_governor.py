from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.errors import BadInput
from geometry.pose import Pose
from geometry.types import Array
from robot.arm import JointCommand, RobotState
from robot.governor import GovernorLimits, SafetyGovernor, Workspace
from robot.kinematics import UR10E_LIMITS, Kinematics
from robot.verdict import INTERVENTION_KINDS, Intervention, Verdict

DT = 0.01
FREE = Workspace((-9.0,) * 3, (9.0,) * 3, (-9.0,) * 3, (9.0,) * 3)
TICK_NS = 10_000_000
KINEMATICS = Kinematics(Pose(np.eye(3), np.array([0.0, 0.0, 0.145])))
DOWN = Pose.from_matrix([[0, -1, 0, -0.6], [-1, 0, 0, 0.1], [0, 0, -1, 0.35], [0, 0, 0, 1]])
HOME = KINEMATICS.joints(DOWN, [-0.46, -1.7, 2.0, -1.88, -1.57, 2.69])
OFFSET = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 1.0])
SPEED = np.array(UR10E_LIMITS.velocity_rad_s)
STRENGTH = np.array(UR10E_LIMITS.acceleration_rad_s2)
JERK = np.array(UR10E_LIMITS.jerk_rad_s3)


class Cell:
    """A governor and an arm that does what it is told at once."""

    def __init__(self, limits: GovernorLimits | None = None, start: Array = HOME) -> None:
        self.governor = SafetyGovernor(limits or GovernorLimits(), KINEMATICS, DT)
        self.governor.reset(start)
        self.at = np.array(start)
        self.velocity = np.zeros(6)
        self.tick = 0

    def send(
        self, joints: Array, gripper: float = 1.0, age_ns: int = 0, mode: Any = "position", offset: Array | None = None
    ) -> Verdict:
        self.tick += 1
        now_ns = self.tick * TICK_NS
        measured = self.at if offset is None else self.at + offset
        state = RobotState(self.tick, now_ns, measured, self.velocity, 1.0)
        verdict = self.governor.check(JointCommand(now_ns, mode, joints, gripper), state, now_ns, now_ns - age_ns)
        sent = verdict.command.joints
        before, self.at = self.at, self.at + sent * DT if mode == "velocity" else sent
        self.velocity = (self.at - before) / DT
        return verdict


def kinds(verdict: Verdict) -> set[str]:
    return {i.kind for i in verdict.interventions}


@pytest.mark.parametrize(
    ("change", "more", "kind", "joint", "stopped", "latched"),
    [
        # clipped
        ([0.0, 0.0, 0.0002, 0.0, 0.0, 0.0], {}, None, None, False, False),
        ([0.0, 0.0, 0.001, 0.0, 0.0, 0.0], {}, "jerk", 2, False, False),
        ([0.0, 0.0, 0.0, 0.09, 0.0, 0.0], {}, "velocity", 3, False, False),
        ([0.0, 0.01, 0.0, 0.0, 0.0, 0.0], {}, "acceleration", 1, False, False),
        ([0.0] * 6, {"gripper": 1.2}, "gripper", -1, False, False),
        ([0.0] * 6, {"gripper": -0.1}, "gripper", -1, False, False),
        # held while it lasts
        ([0.0] * 6, {"age_ns": 2_100_000_001}, "stale", -1, True, False),
        ([0.0] * 6, {"age_ns": -1}, "stale", -1, True, False),
        ([0.0] * 6, {"age_ns": 2_100_000_000}, None, None, False, False),
        # stopped until reset
        ([0.0, math.nan, 0.0, 0.0, 0.0, 0.0], {}, "non_finite", 1, True, True),
        ([0.0, 0.0, 0.0, 0.0, 0.0, -math.inf], {}, "non_finite", 5, True, True),
        ([0.0] * 6, {"gripper": math.nan}, "non_finite", -1, True, True),
        ([0.0, 0.0, 0.0, 0.0, 0.0, 0.16], {}, "jump", 5, True, True),
        ([1e293, 0.0, 0.0, 0.0, 0.0, 0.0], {}, "jump", 0, True, True),
        ([0.0] * 6, {"offset": 0.51 * OFFSET}, "following", 5, True, True),
        ([0.0] * 6, {"offset": math.nan * OFFSET}, "following", 0, True, True),
        ([0.0] * 6, {"offset": 1e293 * OFFSET}, "following", 5, True, True),
    ],
)
def test_violations(
    change: list[float], more: dict[str, Any], kind: str | None, joint: int | None, stopped: bool, latched: bool
) -> None:
    cell = Cell()
    verdict = cell.send(HOME + np.array(change), **more)
    assert kinds(verdict) == ({kind} if kind else set())
    assert verdict.stopped is stopped
    assert (cell.governor.cause is not None) is latched
    if kind:
        assert verdict.interventions[0].joint == joint
        assert kind in verdict.interventions[0].describe()
    else:
        np.testing.assert_array_equal(verdict.command.joints, HOME + np.array(change))
    assert np.isfinite(verdict.command.joints).all()
    assert 0.0 <= verdict.command.gripper_opening <= 1.0
    after = cell.send(HOME)
    assert after.stopped is latched
    assert kinds(after) == ({"latched"} if latched else set()) or not latched


def test_command_that_is_allowed_passes_untouched() -> None:
    cell = Cell()
    command = JointCommand(TICK_NS, "position", HOME, 0.5)
    state = RobotState(1, TICK_NS, HOME, np.zeros(6), 1.0)
    assert cell.governor.check(command, state, TICK_NS, TICK_NS).command is command


def test_position_is_clipped_to_the_range() -> None:
    end = np.array(HOME)
    end[5] = UR10E_LIMITS.upper_rad[5] - 0.001
    cell = Cell(start=end)
    seen: set[str] = set()
    for _ in range(20):
        verdict = cell.send(end + 0.1 * OFFSET)
        seen |= kinds(verdict)
        assert not verdict.stopped
    assert "position" in seen
    assert cell.at[5] == pytest.approx(UR10E_LIMITS.upper_rad[5], abs=1e-9)
    position = next(i for i in verdict.interventions if i.kind == "position")
    assert (position.joint, position.requested, position.allowed) == (5, pytest.approx(end[5] + 0.1), 2 * math.pi)
    assert "joint 5 (wrist 3): position 6.382 rad against 6.283 rad, clipped" in position.describe()


@pytest.mark.parametrize("speed", [0.3, 1.0, 2.0])
def test_brakes_before_the_joints_end(speed: float) -> None:
    start = HOME + (UR10E_LIMITS.upper_rad[5] - HOME[5] - 1.0) * OFFSET
    cell = Cell(start=start)
    wanted, rate, before = np.array(start), 0.0, 0.0
    for _ in range(450):
        rate = min(rate + 0.09, speed)
        wanted = wanted + rate * DT * OFFSET
        cell.send(np.minimum(wanted, UR10E_LIMITS.upper_rad[5] + 0.05))
        assert UR10E_LIMITS.contains(cell.at)
        assert abs(cell.velocity[5] - before) <= STRENGTH[5] * DT + 1e-9
        before = cell.velocity[5]
    assert cell.at[5] == pytest.approx(UR10E_LIMITS.upper_rad[5], abs=1e-9)


def test_smooth_motion_is_never_touched() -> None:
    cell = Cell()
    for k in range(400):
        verdict = cell.send(HOME + 0.2 * (1 - math.cos(0.02 * k)) * np.array([1, 0.1, -0.1, 1, 1, 1]))
        assert verdict.interventions == ()


def test_catches_up_after_clipping_without_swinging_past() -> None:
    cell = Cell()
    goal = HOME + 0.1 * OFFSET
    trail = [cell.send(goal).command.joints[5] for _ in range(100)]
    assert max(trail) <= goal[5] + 1e-9
    assert trail[-1] == pytest.approx(goal[5], abs=1e-9)
    assert cell.send(goal).interventions == ()


def test_stale_photons_brake_and_fresh_ones_go_on() -> None:
    cell = Cell()
    for k in range(20):
        verdict = cell.send(HOME + 4.0e-5 * k * (k + 1) * (k + 2) / 6 * OFFSET)
        assert verdict.interventions == ()
    moving = cell.velocity[5]
    assert moving > 0.5
    travelled = cell.at[5]
    for _ in range(30):
        verdict = cell.send(HOME, age_ns=3_000_000_000)
        assert verdict.stopped
        assert verdict.interventions == (Intervention("stale", -1, 3.0, 2.1),)
    assert cell.velocity[5] == 0.0
    # it speeds up until its acceleration is brought to 0, then slows down
    assert travelled < cell.at[5] < travelled + 1.3 * moving * (1.3 * moving / STRENGTH[5] + STRENGTH[5] / JERK[5])
    verdict = cell.send(cell.at)
    assert not verdict.stopped
    assert verdict.interventions == ()


def test_latched_until_reset() -> None:
    cell = Cell()
    cell.send(np.full(6, math.nan))
    for _ in range(5):
        verdict = cell.send(HOME)
        assert verdict.stopped
        assert kinds(verdict) == {"latched"}
        np.testing.assert_array_equal(verdict.command.joints, HOME)
    assert cell.governor.cause == Intervention("non_finite", 0, pytest.approx(math.nan, nan_ok=True), 2 * math.pi)
    cell.governor.reset(cell.at)
    assert cell.send(HOME).interventions == ()


WALLS = Workspace(lower_m=(-0.7, 0.0, 0.2), upper_m=(-0.5, 0.2, 0.4))


@pytest.mark.parametrize(
    ("direction", "kind"),
    [
        ((-1, 0, 0), "workspace_x"),
        ((1, 0, 0), "workspace_x"),
        ((0, 1, 0), "workspace_y"),
        ((0, -1, 0), "workspace_y"),
        ((0, 0, 1), "workspace_z"),
        ((0, 0, -1), "workspace_z"),
    ],
)
@pytest.mark.parametrize("speed", [0.1, 0.6])
def test_workspace_holds_at_the_wall(direction: tuple[float, ...], kind: str, speed: float) -> None:
    cell = Cell(GovernorLimits(workspace=WALLS))
    joints, seen = HOME, set()
    for k in range(400):
        # speeds up gently, then goes on far through the wall
        way = speed * DT * (k - 20 * (1 - math.exp(-k / 20)))
        joints = KINEMATICS.joints(Pose(DOWN.rotation, DOWN.translation + way * np.array(direction)), joints)
        # whoever makes the commands starts over from where the arm was stopped
        verdict = cell.send(cell.at if seen & {kind} else joints)
        seen |= kinds(verdict)
        tcp = KINEMATICS.tcp(cell.at).translation
        assert (tcp >= np.array(WALLS.lower_m) - 1e-6).all()
        assert (tcp <= np.array(WALLS.upper_m) + 1e-6).all()
        if kind in seen and not cell.velocity.any():
            break
    assert kind in seen
    # held at the wall, not far before it
    tcp = KINEMATICS.tcp(cell.at).translation
    gap = min(np.abs(tcp - np.array(WALLS.lower_m)).min(), np.abs(np.array(WALLS.upper_m) - tcp).min())
    assert gap < 0.02
    back = cell.send(cell.at)
    assert not back.stopped


def test_table_is_the_floor_of_the_workspace() -> None:
    limits = GovernorLimits()
    low = KINEMATICS.joints(Pose(DOWN.rotation, np.array([-0.6, 0.1, 0.012])), HOME)
    through = KINEMATICS.joints(Pose(DOWN.rotation, np.array([-0.6, 0.1, 0.002])), low)
    cell = Cell(limits, start=low)
    for _ in range(50):
        verdict = cell.send(through)
    assert verdict.interventions[0].kind == "workspace_z"
    assert KINEMATICS.tcp(cell.at).translation[2] >= limits.workspace.lower_m[2]


def test_elbow_must_stay_above_the_table() -> None:
    drooping = np.array([0.0, 0.15, -0.3, 0.0, 0.0, 0.0])
    start = np.array([0.0, -0.1, -0.3, 0.0, 0.0, 0.0])
    cell = Cell(GovernorLimits(workspace=Workspace((-2, -2, -2), (2, 2, 2))), start=start)
    seen: set[str] = set()
    for k in range(300):
        verdict = cell.send(start + (drooping - start) * min(1.0, k / 100))
        seen |= kinds(verdict)
    assert "arm_height" in seen
    assert KINEMATICS.points(cell.at.tolist())[1] >= 0.07


def test_arm_that_starts_outside_may_come_back_but_not_go_on() -> None:
    outside = KINEMATICS.joints(Pose(DOWN.rotation, np.array([-0.75, 0.1, 0.3])), HOME)
    further = KINEMATICS.joints(Pose(DOWN.rotation, np.array([-0.7505, 0.1, 0.3])), HOME)
    nearer = KINEMATICS.joints(Pose(DOWN.rotation, np.array([-0.7495, 0.1, 0.3])), HOME)
    limits = GovernorLimits(workspace=WALLS)
    assert Cell(limits, outside).send(further).interventions[0].kind == "workspace_x"
    assert not Cell(limits, outside).send(nearer).stopped
    assert not Cell(limits, outside).send(outside).stopped


def test_velocity_commands() -> None:
    cell = Cell()
    wanted = np.array([0.02, 0.0, 0.0, 0.0, 0.0, -0.02])
    verdict = cell.send(wanted, mode="velocity")
    assert verdict.interventions == ()
    np.testing.assert_array_equal(verdict.command.joints, wanted)
    for _ in range(100):
        verdict = cell.send(np.array([0.0, 0.0, 0.0, 0.0, 0.0, 9.0]), mode="velocity")
    assert kinds(verdict) == {"velocity"}
    assert verdict.command.joints[5] == pytest.approx(SPEED[5])
    verdict = cell.send(np.full(6, math.nan), mode="velocity")
    assert verdict.stopped
    assert verdict.command.mode == "velocity"
    assert verdict.command.joints[5] == pytest.approx(SPEED[5] - JERK[5] * DT**2)


def test_slow_control_loop_may_use_the_joints_speed() -> None:
    governor = SafetyGovernor(GovernorLimits(), KINEMATICS, 0.1)
    governor.reset(HOME)
    q, v = np.array(HOME), 0.0
    for k in range(12):
        v = min(v + 0.9 * STRENGTH[5] * 0.1, 0.95 * SPEED[5])
        q = q - v * 0.1 * OFFSET
        now_ns = k * 100_000_000
        verdict = governor.check(
            JointCommand(now_ns, "position", q, 1.0), RobotState(k, now_ns, q, q, 1.0), now_ns, now_ns
        )
        assert verdict.interventions == ()


def test_starts_from_the_measured_joints() -> None:
    governor = SafetyGovernor(GovernorLimits(), KINEMATICS, DT)
    state = RobotState(0, 0, HOME, np.zeros(6), 0.3)
    assert governor.check(JointCommand(0, "position", HOME, 0.3), state, 0, 0).interventions == ()


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda: SafetyGovernor(GovernorLimits(), KINEMATICS, 0.0), "control period is 0.0 s"),
        (lambda: SafetyGovernor(GovernorLimits(), KINEMATICS, DT).reset([math.nan] * 6), "cannot start"),
        (lambda: SafetyGovernor(GovernorLimits(), KINEMATICS, DT).reset([0.0] * 5), "expected 6 finite"),
    ],
)
def test_bad_start(action: Any, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        action()


wild = st.one_of(st.floats(-0.3, 0.3), st.floats(-7.0, 7.0), st.sampled_from([0.0, math.nan, math.inf, 1e293]))
rows = st.lists(wild, min_size=6, max_size=6)


@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.tuples(rows, st.sampled_from(["position", "velocity"]), st.integers(1, 12)), min_size=1, max_size=10),
    st.booleans(),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_output_never_exceeds_the_limits_whatever_is_asked(seed: int, requests: list[Any], strict: bool) -> None:
    """Also with the jump check off, so that the clipping is what is tested."""
    limits = GovernorLimits(workspace=WALLS)
    if not strict:
        limits = replace(limits, jump_rad=100.0)
    cell = Cell(limits)
    rng = np.random.default_rng(seed)
    before = np.zeros(6)
    for row, mode, ticks in requests:
        for _ in range(ticks):
            wanted = np.array(row) + rng.normal(0.0, 0.02, 6)
            cell.send(wanted if mode == "velocity" else cell.at + wanted, mode=mode)
            assert UR10E_LIMITS.contains(cell.at)
            assert (np.abs(cell.velocity) <= SPEED * (1 + 1e-9)).all()
            assert (np.abs(cell.velocity - before) <= STRENGTH * DT * (1 + 1e-9) + 1e-9).all()
            tcp = KINEMATICS.tcp(cell.at).translation
            assert (tcp >= np.array(WALLS.lower_m) - 2e-3).all()
            assert (tcp <= np.array(WALLS.upper_m) + 2e-3).all()
            before = cell.velocity


def test_joint_ranges_hold_at_full_speed() -> None:
    """Without walls: wild requests near the joints' ends, where only braking in time helps."""
    free = replace(GovernorLimits(), jump_rad=100.0, workspace=FREE)
    rng = np.random.default_rng(5)
    for _ in range(20):
        cell = Cell(free, rng.uniform(UR10E_LIMITS.lower_rad, UR10E_LIMITS.upper_rad))
        before = np.zeros(6)
        for k in range(400):
            if k % 50 == 0:
                wanted = rng.uniform(-9, 9, 6)
            cell.send(wanted)
            assert UR10E_LIMITS.contains(cell.at)
            assert (np.abs(cell.velocity) <= SPEED * (1 + 1e-9)).all()
            assert (np.abs(cell.velocity - before) <= STRENGTH * DT + 1e-9).all()
            before = cell.velocity


def test_same_calls_give_the_same_bits() -> None:
    def bits() -> bytes:
        cell = Cell()
        out = [cell.send(HOME + 0.1 * math.sin(k) * OFFSET) for k in range(60)]
        return b"".join(v.command.joints.tobytes() + repr(v.interventions).encode() for v in out)

    assert bits() == bits()


def test_every_kind_describes_itself() -> None:
    for kind in INTERVENTION_KINDS:
        line = Intervention(kind, 2, 1.5, 1.0).describe()
        assert line.startswith(f"joint 2 (elbow): {kind} 1.5")
        assert " against 1" in line
    assert (
        Intervention("self_collision", -1, 0.004, 0.01, "forearm and tool").describe().startswith("forearm and tool: ")
    )
    assert Intervention("stale", -1, 3.0, 2.1).describe().startswith("command: stale 3 s against 2.1 s")
