"""One control tick after another: following a chunk, running out of it, and being asked for the impossible."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from geometry import Pose
from launch.config import load_config
from launch.control_path import UNREACHABLE_BIT, Command, ControlPath
from launch.ledger import Outcome
from launch.wiring import arm_model, build_control, governor_limits
from policy import ActionChunk
from robot.arm import RobotState
from robot.kinematics import Kinematics
from robot.verdict import INTERVENTION_KINDS

TICK_NS = 10_000_000
DOWN = np.array([np.pi, 0.0, 0.0])


class Follower:
    """An arm that does what it is told, at once."""

    def __init__(self, settings: Sequence[str] = ()) -> None:
        config = load_config("sim_pick_place", settings)
        assert config.rig.arm is not None
        self.kinematics: Kinematics = arm_model(config.rig.arm)
        self.path: ControlPath = build_control(config, self.kinematics)
        start = Pose.from_rotvec(DOWN, np.array([-0.6, 0.1, 0.35]))
        self.joints = self.kinematics.joints(start, np.array([0.0, -1.4, 1.9, -2.07, -1.57, 0.0]))
        self.now_ns = 0
        self.commands: list[Command] = []

    def run(self, chunk: ActionChunk | None, ticks: int) -> list[Command]:
        made = []
        for _ in range(ticks):
            state = RobotState(len(self.commands), self.now_ns, self.joints, np.zeros(6), 1.0)
            made.append(self.path(self.now_ns, chunk, state, self.now_ns if chunk is None else chunk.stamp_ns))
            self.commands.append(made[-1])
            self.joints = made[-1].setpoint.joints
            self.now_ns += TICK_NS
        return made

    @property
    def tcp(self) -> np.ndarray:  # type: ignore[type-arg]
        return self.kinematics.tcp(self.joints).translation


def chunk(stamp_ns: int, *points: tuple[float, float, float], gripper: float = 1.0) -> ActionChunk:
    return ActionChunk(stamp_ns, 100_000_000, "ee_pose", np.array([[*point, *DOWN, gripper] for point in points]))


def straight(stamp_ns: int, to_x: float, count: int = 16) -> ActionChunk:
    return chunk(stamp_ns, *((float(x), 0.1, 0.35) for x in np.linspace(-0.6, to_x, count)))


def test_without_a_chunk_it_holds_where_it_is() -> None:
    arm = Follower()
    start = arm.joints.copy()
    made = arm.run(None, 20)
    assert {command.outcome for command in made} == {Outcome.HELD}
    assert arm.joints == pytest.approx(start, abs=1e-12)
    assert {command.interventions for command in made} == {0}


def test_it_follows_a_chunk_to_its_end_and_then_holds() -> None:
    arm = Follower()
    arm.run(None, 2)
    made = arm.run(straight(0, -0.75), 149)
    assert {command.outcome for command in made[:-5]} == {Outcome.OK}
    assert arm.tcp == pytest.approx([-0.75, 0.1, 0.35], abs=2e-3)
    assert made[70].setpoint.gripper_opening == pytest.approx(1.0)
    held = arm.run(straight(0, -0.75), 60)
    assert {command.outcome for command in held[2:]} == {Outcome.HELD}
    assert held[-1].setpoint.joints == pytest.approx(held[-10].setpoint.joints, abs=1e-9)


def test_a_chunk_that_comes_late_is_entered_at_its_present_action() -> None:
    arm = Follower()
    arm.run(None, 50)
    arm.run(straight(0, -0.63), 60)  # half a second of it lies in the past
    assert arm.tcp[0] == pytest.approx(-0.6 - 0.03 * 1.1 / 1.5, abs=2e-3)


def test_a_pose_out_of_reach_holds_and_says_so() -> None:
    arm = Follower()
    made = arm.run(chunk(0, (-2.4, 0.0, 0.3), (-2.4, 0.0, 0.3)), 5)
    assert {command.outcome for command in made} == {Outcome.HELD}
    assert all(command.interventions & UNREACHABLE_BIT for command in made)
    assert "2.4" in made[0].note
    assert len(made[0].note.splitlines()) == 1


@pytest.mark.parametrize("off_rad", [0.003, 0.02])
def test_a_path_past_the_wrists_singularity_is_followed_within_the_joints_speeds(off_rad: float) -> None:
    """The tool tilts so that joint 5 would pass zero: joints 4 and 6 would have to turn by half a turn at once."""
    arm = Follower()
    start = arm.joints.copy()
    start[4] = -0.4
    arm.joints = start
    first = arm.kinematics.tcp(start)
    tilted = start.copy()
    tilted[4] = 0.4
    turn = (first.inverse() @ arm.kinematics.tcp(tilted)).rotvec
    aside = Pose.from_rotvec(np.array([0.0, off_rad, 0.0]), np.zeros(3))
    poses = [first @ Pose.from_rotvec(part * turn, np.zeros(3)) @ aside for part in np.linspace(0.0, 1.0, 21)]
    actions = np.array([[*pose.translation, *pose.rotvec, 1.0] for pose in poses])
    made = arm.run(ActionChunk(0, 100_000_000, "ee_pose", actions), 199)
    assert {command.outcome for command in made} == {Outcome.OK}
    joints = np.array([command.setpoint.joints for command in made])
    limits = governor_limits(load_config("sim_pick_place")).joints
    assert (np.abs(np.diff(joints, axis=0)) / 0.01 <= np.array(limits.velocity_rad_s)).all()
    off_m = [
        np.linalg.norm(arm.kinematics.tcp(row).translation - pose.translation)
        for row, pose in zip(joints[::10], poses, strict=False)
    ]
    assert max(off_m) < 0.03
    assert off_m[-1] < 0.005


def test_old_photons_stop_the_arm_and_the_command_says_why() -> None:
    arm = Follower()
    arm.run(None, 2)
    moving = ActionChunk(0, 1_000_000_000, "ee_pose", straight(0, -0.9, 6).actions)
    arm.run(moving, 200)  # 2 s of a plan that would go on for 5 s
    made = arm.run(moving, 100)
    stale = 1 << INTERVENTION_KINDS.index("stale")
    assert made[-1].interventions & stale
    assert made[-1].outcome is Outcome.STOPPED
    assert "too old" in made[-1].note
    assert made[-1].setpoint.joints == pytest.approx(made[-20].setpoint.joints, abs=1e-9)


def test_no_command_leaves_the_limits_whatever_the_plan_asks() -> None:
    arm = Follower()
    rng = np.random.default_rng(3)
    wild = chunk(0, *((float(x), float(y), 0.35) for x, y in rng.uniform([-0.8, -0.3], [-0.4, 0.4], (16, 2))))
    joints = np.array([command.setpoint.joints for command in arm.run(wild, 150)])
    velocity = np.diff(joints, axis=0) / 0.01
    limits = governor_limits(load_config("sim_pick_place")).joints
    assert (np.abs(velocity) <= np.array(limits.velocity_rad_s) + 1e-6).all()
    assert (np.abs(np.diff(velocity, axis=0) / 0.01) <= np.array(limits.acceleration_rad_s2) + 1e-3).all()


def test_a_blend_takes_a_chunk_that_disagrees_less_abruptly() -> None:
    accelerations = {}
    for mode in ("naive", "blend"):
        arm = Follower([f"policy.schedule.mode={mode}"])
        arm.run(None, 2)
        made = arm.run(straight(0, -0.6), 60)
        made += arm.run(chunk(600_000_000, *(((-0.595, 0.1, 0.35),) * 16)), 80)
        assert {command.outcome for command in made} == {Outcome.OK}
        assert arm.tcp[0] == pytest.approx(-0.595, abs=1e-4)
        joints = np.array([command.setpoint.joints for command in made])
        accelerations[mode] = np.abs(np.diff(joints, n=2, axis=0)).max() / 1e-4
    assert accelerations["blend"] < 0.6 * accelerations["naive"]


def test_after_a_hold_nothing_is_blended_with_what_was_before() -> None:
    arm = Follower(["policy.schedule.mode=blend"])
    arm.run(None, 2)
    arm.run(straight(0, -0.6), 60)
    arm.run(None, 60)
    arm.run(chunk(arm.now_ns, *(((-0.55, 0.1, 0.35),) * 16)), 100)
    direct = Follower(["policy.schedule.mode=blend"])
    direct.run(None, 122)
    direct.run(chunk(direct.now_ns, *(((-0.55, 0.1, 0.35),) * 16)), 100)
    ways = [np.array([command.setpoint.joints for command in one.commands[-100:]]) for one in (arm, direct)]
    assert ways[0] == pytest.approx(ways[1], abs=1e-3)
