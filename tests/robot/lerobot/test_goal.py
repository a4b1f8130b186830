from __future__ import annotations

import numpy as np
import pytest

from robot.arm import CommandMode, JointCommand
from robot.lerobot.goal import Goal

MS = 1_000_000
HERE = np.zeros(6)


def command(value: float, mode: CommandMode = "position", opening: float = 1.0) -> JointCommand:
    return JointCommand(0, mode, np.full(6, value), opening)


def free(joints: np.ndarray) -> np.ndarray:
    return joints


def test_nothing_is_sent_before_somebody_asks() -> None:
    goal = Goal(1.0, free)
    assert goal.step(HERE, 0.3, 0) is None
    assert goal.opening is None


def test_it_moves_no_faster_than_its_speed_and_arrives() -> None:
    goal = Goal(1.0, free)
    goal.follow(command(0.05), 0)
    path = [goal.step(HERE, 0.3, k * 20 * MS)[0][0] for k in range(6)]
    assert path == pytest.approx([0.0, 0.02, 0.04, 0.05, 0.05, 0.05])
    assert goal.opening == 1.0


def test_after_a_pause_it_does_not_jump() -> None:
    goal = Goal(1.0, free)
    goal.follow(command(5.0), 0)
    goal.step(HERE, 0.0, 0)
    assert goal.step(HERE, 0.0, 10_000 * MS)[0][0] == pytest.approx(0.1)


def test_a_velocity_runs_out() -> None:
    goal = Goal(1.0, free)
    goal.follow(command(0.5, "velocity"), 0)
    path = [goal.step(HERE, 0.0, k * 50 * MS)[0][0] for k in range(9)]
    assert path == pytest.approx([0, 0.025, 0.05, 0.075, 0.1, 0.1, 0.1, 0.1, 0.1])


def test_it_stays_within_the_ends() -> None:
    goal = Goal(10.0, lambda joints: np.clip(joints, -0.02, 0.02))
    goal.follow(command(1.0, "velocity"), 0)
    assert [goal.step(HERE, 0.0, k * 50 * MS)[0][0] for k in range(4)] == pytest.approx([0, 0.02, 0.02, 0.02])


def test_a_stop_takes_the_place_once_so_that_a_sagging_arm_does_not_sink() -> None:
    goal = Goal(1.0, free)
    goal.follow(command(1.0), 0)
    goal.step(HERE, 0.0, 0)
    goal.hold()
    assert goal.step(np.full(6, 0.5), 0.0, 20 * MS)[0][0] == 0.5
    goal.hold()
    assert goal.step(np.full(6, 0.4), 0.0, 40 * MS)[0][0] == 0.5
    goal.hold(anew=True)
    assert goal.step(np.full(6, 0.4), 0.0, 60 * MS)[0][0] == 0.4


def test_a_command_after_a_stop_begins_where_the_arm_is() -> None:
    goal = Goal(1.0, free)
    goal.hold()
    goal.step(HERE, 0.2, 0)
    goal.follow(command(1.0), 1000 * MS)
    assert goal.step(np.full(6, 0.3), 0.2, 1010 * MS)[0][0] == pytest.approx(0.31)


def test_a_hold_leaves_the_gripper_where_it_was_wanted() -> None:
    goal = Goal(1.0, free)
    goal.hold()
    assert goal.step(HERE, 0.25, 0)[1] == 0.25
    goal.follow(command(0.0, opening=0.0), 0)
    goal.step(HERE, 0.25, 20 * MS)
    goal.hold()
    assert goal.step(HERE, 0.4, 40 * MS)[1] == 0.0
