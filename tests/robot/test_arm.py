from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from robot.arm import JointCommand, RobotState

SIX = np.arange(6.0)


@pytest.mark.parametrize(
    "make",
    [
        lambda row: JointCommand(0, "position", row, 1.0).joints,
        lambda row: RobotState(0, 0, row, SIX, 1.0).joint_positions_rad,
        lambda row: RobotState(0, 0, SIX, row, 1.0).joint_velocities_rad_s,
    ],
)
def test_rows_are_private_copies_of_six(make: Any) -> None:
    row = np.zeros(6)
    kept = make(row)
    row[0] = 9.0
    assert kept[0] == 0.0
    assert kept.dtype == np.float64
    with pytest.raises(ValueError, match="read-only"):
        kept[0] = 1.0
    with pytest.raises(ValueError, match=r"shape \(7,\): expected \(6,\)"):
        make(np.zeros(7))
