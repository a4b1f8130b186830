from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

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
    with pytest.raises(BadInput, match=r"shoulder_pan_joint.pos was taught from -90.000 .* in degrees"):
        degrees.check_robot("it", JOINTS, LOWER, UPPER)


SPEEDS = (2.0,) * 6


def limits(most: float, gripper: float = 1.0) -> dict[str, Any]:
    return {"action_min": (*(-most,) * 6, 0.0), "action_max": (*(most,) * 6, gripper)}


@pytest.mark.parametrize("most", [2.0, 2.09])
def test_what_the_robot_can_do(most: float) -> None:
    spec("joint_velocity", **limits(most)).check_robot("it", JOINTS, LOWER, UPPER, speeds_rad_s=SPEEDS)
    spec("joint_delta", **limits(most / 10)).check_robot("it", JOINTS, LOWER, UPPER, speeds_rad_s=SPEEDS)
    spec("ee_pose", **limits(most, 1.04)).check_robot("it", JOINTS, LOWER, UPPER, speeds_rad_s=SPEEDS)


@pytest.mark.parametrize(
    ("space", "change", "words"),
    [
        ("joint_velocity", limits(2.2), r"shoulder_pan_joint.vel was taught from -2.200 to 2.200 rad/s, .* in degrees"),
        ("joint_delta", limits(0.22), r"shoulder_pan_joint.delta was taught from -0.220 to 0.220 rad, .* in degrees"),
        ("ee_pose", limits(850.0), r"tcp.x was taught from -850.000 to 850.000 m, .* in millimetres"),
        ("joint_position", limits(1.0, 255.0), r"gripper.pos was taught from 0.000 to 255.000, expected an opening"),
    ],
)
def test_what_the_robot_cannot_do(space: str, change: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        spec(space, **change).check_robot("it", JOINTS, LOWER, UPPER, speeds_rad_s=SPEEDS)


def test_another_robot() -> None:
    with pytest.raises(BadInput, match="taught on a ur10e, the robot is a ur5e: use a policy"):
        spec(robot="ur10e").check_robot("it", JOINTS, LOWER, UPPER, robot="ur5e")
    for taught, robot in (("ur10e", "ur10e"), ("", "ur5e"), ("ur10e", "")):
        spec(robot=taught).check_robot("it", JOINTS, LOWER, UPPER, robot=robot)


def test_the_cell_may_be_left_out() -> None:
    cell: dict[str, Any] = {"robot": "ur10e", "object_class": "mug", "bin_in_base_m": (0.5, 0.0, 0.1)}
    assert PolicySpec.from_json(spec(**cell).to_json(), "it") == spec(**cell)
    content = json.loads(spec(**cell).to_json())
    for name in cell:
        del content[name]
    assert PolicySpec.from_json(json.dumps(content), "it") == spec()
    with pytest.raises(BadInput, match="bin_in_base_m has 2 numbers"):
        spec(bin_in_base_m=(0.5, 0.0)).check("it")


@pytest.mark.parametrize(
    "change",
    [
        {"prefix": "3"}, {"prefix": -1}, {"prefix": 10**9}, {"dt_ns": "a"}, {"dt_ns": 0.5}, {"chunk_size": None},
        {"action_min": ["a"] * 7}, {"action_min": 3}, {"action_max": [float("nan")] * 7}, {"action_names": [1] * 7},
        {"action_units": None}, {"action_space": []}, {"kind": {}}, {"vectors": 3}, {"vectors": [{"name": "x"}]},
        {"vectors": [{"name": 1, "names": [2], "units": [3]}]}, {"images": [{"name": "x"}]}, {"dataset": 1},
        {"robot": 5}, {"bin_in_base_m": "here"}, {"mood": "good"},
    ],
)  # fmt: skip
def test_wrong_types_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match=r"^it: "):
        PolicySpec.from_json(json.dumps({**json.loads(spec().to_json()), **change}), "it")


@pytest.mark.parametrize("text", ["", "[]", "3", "null", '"act"'])
def test_what_is_no_description(text: str) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        PolicySpec.from_json(text, "it")
