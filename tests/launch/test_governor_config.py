"""The governor's limits as a configuration gives them."""

from __future__ import annotations

import pytest

from deploy.errors import BadInput
from launch.arm_host import host_settings
from launch.config import load_config
from launch.wiring import arm_model, build_control, governor_limits
from robot.governor import Box

BOX = "{name: fixture, min_m: [-0.9, -0.3, 0.0], max_m: [-0.7, -0.1, 0.3]}"


def test_boxes_walls_and_speed_reach_the_governor() -> None:
    config = load_config(
        "sim_pick_place",
        [
            f"governor.keep_out=[{BOX}]",
            "governor.tool_speed_m_s=0.8",
            "governor.margin_m=0.02",
            "governor.self_collision=false",
            "governor.arm_min_m=[-1, -1, 0.1]",
        ],
    )
    limits = governor_limits(config)
    assert limits.keep_out == (Box("fixture", (-0.9, -0.3, 0.0), (-0.7, -0.1, 0.3)),)
    assert (limits.tool_speed_m_s, limits.margin_m, limits.self_collision) == (0.8, 0.02, False)
    assert limits.workspace.arm_lower_m == (-1.0, -1.0, 0.1)
    assert config.rig.arm is not None
    build_control(config, arm_model(config.rig.arm))
    around = host_settings(config, config.rig.arm).surroundings  # the arm host's, for the way to the parking place
    assert around is not None
    assert (around.keep_out, around.workspace) == (limits.keep_out, limits.workspace)
    assert (around.margin_m, around.self_collision) == (0.02, False)
    assert around.tool_in_flange_m[2] > 0.1


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("governor.tool_speed_m_s=0", "tool_speed_m_s"),
        ("governor.margin_m=-0.1", "margin_m"),
        ("governor.arm_min_m=[0, 3, 0]", "y is 3"),
        ("governor.keep_out=[{name: a, min_m: [0, 0, 1], max_m: [1, 1, 1]}]", "z is 1"),
        ("governor.arm_floor_m=0.07", "arm_floor_m"),
    ],
)
def test_what_cannot_be_is_refused(setting: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        load_config("sim_pick_place", [setting])
