from __future__ import annotations

from dataclasses import replace

import pytest

from deploy.errors import BadInput
from policy.features import JOINTS, STATE, action_names
from policy.spec import PolicySpec, VectorSpec
from tests.policy.fake_engine import spec

LOWER, UPPER = (-6.28,) * 6, (6.28,) * 6


@pytest.mark.parametrize("space", ["joint_position", "joint_delta", "joint_velocity", "ee_pose"])
def test_what_is_written_is_read(space: str) -> None:
    written = spec(space)
    assert PolicySpec.from_json(written.to_json(), "it") == written
    written.check_robot("it", JOINTS, LOWER, UPPER)


def test_a_prefix_is_part_of_what_it_reads() -> None:
    written = spec(prefix=8)
    assert PolicySpec.from_json(written.to_json(), "it") == written
    with pytest.raises(BadInput, match="prefix has 57 numbers, expected 0"):
        replace(written, prefix=0).check("it")
    with pytest.raises(BadInput, match="prefix needs absolute actions"):
        spec("joint_delta", prefix=2).check("it")


def test_wrong_order_of_the_actions() -> None:
    names = list(action_names("joint_position"))
    names[1], names[2] = names[2], names[1]
    with pytest.raises(BadInput, match=r"number 1 of action is elbow_joint.pos, expected shoulder_lift_joint.pos"):
        spec(action_names=tuple(names)).check("it")


def test_wrong_units() -> None:
    with pytest.raises(BadInput, match=r"elbow_joint.pos of action is in 'deg', expected 'rad'"):
        spec(action_units=("rad", "rad", "deg", "rad", "rad", "rad", "1")).check("it")
    strange = VectorSpec(STATE, ("tcp.x",), ("mm",))
    with pytest.raises(BadInput, match=r"tcp.x of observation.state is in 'mm', expected 'm'"):
        spec(vectors=(strange,)).check("it")
    with pytest.raises(BadInput, match=r"reads 'mood', which is unknown here"):
        spec(vectors=(VectorSpec(STATE, ("mood",), ("1",)),)).check("it")


def test_wrong_number_of_joints() -> None:
    with pytest.raises(BadInput, match="action has 6 numbers, expected 7"):
        spec(action_names=action_names("joint_position")[1:]).check("it")
    with pytest.raises(BadInput, match=r"taught on 6 joints .* the robot has 5"):
        spec().check_robot("it", JOINTS[:5], LOWER[:5], UPPER[:5])


def test_another_robots_joints() -> None:
    with pytest.raises(BadInput, match="use a policy that was trained for this arm"):
        spec().check_robot("it", ("a", "b", "c", "d", "e", "f"), LOWER, UPPER)


def test_angles_that_the_robot_cannot_have() -> None:
    degrees = spec(action_min=(-90.0,) * 7)
    with pytest.raises(BadInput, match=r"shoulder_pan_joint was taught from -90.000 .* in degrees"):
        degrees.check_robot("it", JOINTS, LOWER, UPPER)
