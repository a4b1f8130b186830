"""The figures of the simulated rigs are the simulator's own."""

from __future__ import annotations

import numpy as np
import pytest

from launch.config import load_config

pytest.importorskip("mujoco", reason="the simulator's extra is not installed: pip install '.[sim]'")

from robot.sim.layout import FLANGE_T_GRIPPER, GRIPPER_T_CAMERA, WORLD_T_BASE, WORLD_T_FIXED


@pytest.mark.parametrize("rig", ["sim_ur10e", "sim_ur10e_two_cameras"])
def test_the_wrist_camera_and_the_gripper_sit_where_the_rig_says(rig: str) -> None:
    config = load_config("sim_pick_place", [f"rig={rig}"]).rig
    assert config.arm is not None
    assert config.arm.flange_T_gripper.pose().matrix == pytest.approx(FLANGE_T_GRIPPER.matrix, abs=1e-9)
    wrist = config.cameras[0].gripper_T_camera
    assert wrist is not None
    assert wrist.pose().matrix == pytest.approx(GRIPPER_T_CAMERA.matrix, abs=1e-9)


def test_the_fixed_camera_stands_where_the_rig_says() -> None:
    fixed = load_config("sim_pick_place", ["rig=sim_ur10e_two_cameras"]).rig.cameras[1].base_T_camera
    assert fixed is not None
    expected = WORLD_T_BASE.inverse() @ WORLD_T_FIXED
    assert np.abs(fixed.pose().matrix - expected.matrix).max() < 1e-6
