"""What bars a way is found, wherever along it it is; what does not is not."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from robot.host.surroundings import Surroundings
from robot.kinematics import UR10E_HOME_RAD, forward, model_named
from robot.safety.cell import Box, Workspace

AROUND = Surroundings(model_named("ur10e"), (0.0, 0.0, 0.15), Workspace(), (), True, 0.01, 0.065)
START = (0.0, -1.5, 1.5, -1.5, -1.5, 0.0)
TURNED = (1.5, *START[1:])


def post_at(joints_rad: tuple[float, ...]) -> Box:
    """A thin post where the tool point comes by."""
    x, y, _ = forward(joints_rad, AROUND.model).translation.tolist()
    return Box("post", (x - 0.02, y - 0.02, 0.0), (x + 0.02, y + 0.02, 1.5))


def test_a_free_way_is_free() -> None:
    assert AROUND.in_the_way(START, TURNED) == ""
    assert AROUND.in_the_way(START, START) == ""
    assert AROUND.in_the_way(START, UR10E_HOME_RAD) == ""


@pytest.mark.parametrize("turn", [0.6, 0.75, 0.9, 1.5])
def test_a_post_is_met_on_the_way(turn: float) -> None:
    around = replace(AROUND, keep_out=(post_at((turn, *START[1:])),))
    assert "post" in around.in_the_way(START, TURNED)
    assert around.in_the_way(START, (-1.5, *START[1:])) == ""


def test_the_table_and_the_arm_itself_are_met() -> None:
    assert "table" in AROUND.in_the_way(START, (0.0, 0.0, 0.5, -1.5, -1.5, 0.0))
    folded = (0.0, -1.5, 3.1, -1.5, -1.5, 0.0)
    assert "itself" in AROUND.in_the_way(START, folded)
    assert "itself" not in replace(AROUND, self_collision=False).in_the_way(START, folded)


def test_an_arm_that_is_too_near_may_go_away() -> None:
    height = forward(START, AROUND.model).translation[2] - 0.15  # it points down
    around = replace(AROUND, workspace=Workspace(lower_m=(-1.2, -1.2, height + 0.05)))
    higher, lower = (0.0, -1.8, *START[2:]), (0.0, -1.2, *START[2:])
    assert around.in_the_way(START, higher) == ""
    assert "table" in around.in_the_way(START, lower)


def test_they_cross_to_the_other_process() -> None:
    around = replace(AROUND, keep_out=(post_at(TURNED), Box("bin", (0.1, 0.2, 0.0), (0.3, 0.4, 0.1))))
    again = Surroundings.from_tree(json.loads(json.dumps(asdict(around))))
    assert again == around
    assert np.isfinite(again.model.d_m).all()
