from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from deploy.errors import BadInput
from policy.features import ACTION, ENVIRONMENT_NAMES, STATE_NAMES, prefix_names
from policy.spec import PolicySpec
from policy.training.demonstrations import Demonstrations
from policy.training.describe import describe
from tests.policy.training.made_up import made_up

DATA = made_up()


def test_it_says_what_the_policy_reads_and_writes() -> None:
    spec = describe(replace(DATA, images={"observation.images.wrist": (48, 64)}), "act", 16, None, None)
    assert [vector.names for vector in spec.vectors] == [
        STATE_NAMES,
        (*ENVIRONMENT_NAMES, *prefix_names("joint_position", 8)),
    ]
    assert (spec.dt_ns, spec.chunk_size, spec.prefix, spec.action_space) == (100_000_000, 16, 8, "joint_position")
    assert (spec.action_min[0], spec.action_max[0]) == (0.0, 79.0)
    assert (spec.images[0].camera, spec.images[0].height, spec.images[0].width) == ("wrist", 48, 64)
    assert PolicySpec.from_json(spec.to_json(), "here") == spec


def test_it_says_what_cell_it_was_taught_in() -> None:
    data = replace(DATA, robot="ur5e", object_class="mug", bin_in_base_m=(0.1, 0.2, 0.3))
    spec = describe(data, "act", 16, None, None)
    assert (spec.robot, spec.object_class, spec.bin_in_base_m) == ("ur5e", "mug", (0.1, 0.2, 0.3))


@pytest.mark.parametrize(("space", "prefix"), [("joint_delta", 0), ("joint_velocity", 0), ("ee_pose", 8)])
def test_the_usual_prefix(space: Any, prefix: int) -> None:
    assert describe(made_up(space=space), "diffusion", 16, None, None).prefix == prefix


NAMES = {**DATA.names, ACTION: tuple(reversed(DATA.names[ACTION]))}
UNKNOWN = {**DATA.names, "observation.state": tuple(f"motor_{i}" for i in range(10))}


@pytest.mark.parametrize(
    ("data", "prefix", "space", "message"),
    [
        (replace(DATA, action_space=None), None, None, "does not say what its actions mean; give --action-space"),
        (DATA, None, "ee_pose", "--action-space ee_pose: the dataset says joint_position"),
        (DATA, 16, None, "--prefix 16: a chunk has 16 actions"),
        (made_up(space="joint_delta"), 4, None, "--prefix 4: a frozen prefix needs absolute actions"),
        (replace(DATA, names=NAMES), None, None, "number 0 of action is gripper.pos, expected shoulder_pan_joint.pos"),
        (replace(DATA, names=UNKNOWN), None, None, "reads 'motor_0', which is unknown here"),
    ],
)
def test_refusals(data: Demonstrations, prefix: int | None, space: Any, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        describe(data, "act", 16, prefix, space)
