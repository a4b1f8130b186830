from __future__ import annotations

import numpy as np
import pytest

from deploy.errors import BadInput
from geometry.pose import Pose
from geometry.types import Array
from robot.kinematics import UR10E, UR10E_HOME_RAD, Kinematics
from robot.safety.body import UR10E_CAPSULES, Body, tool_capsule
from robot.safety.cell import Box, Cell, Workspace
from robot.safety.tool_speed import levers

TOOL_M = (0.0, 0.0, 0.145)
TOOL = tool_capsule(TOOL_M, 0.065)
assert TOOL is not None
BODY = Body(UR10E, (*UR10E_CAPSULES, TOOL), TOOL_M)
HOME = np.array(UR10E_HOME_RAD)
# under the gripper, which points down at (-0.60, 0.10) with its tip 0.35 m above the table
BELOW = Box("crate", (-0.7, 0.0, 0.0), (-0.5, 0.2, 0.33))
FREE = Workspace((-9.0,) * 3, (9.0,) * 3, (-9.0,) * 3, (9.0,) * 3)


def cell(workspace: Workspace = FREE, boxes: tuple[Box, ...] = (), own: bool = False, margin: float = 0.0) -> Cell:
    made = Cell(BODY, workspace, boxes, own, margin)
    made.learn(HOME.tolist())
    return made


def way(joint: int, turn: float, rows: int = 30) -> Array:
    path = np.tile(HOME, (rows, 1))
    path[:, joint] += np.linspace(0.0, turn, rows)
    return path


@pytest.mark.parametrize(
    ("rules", "joint", "turn", "kind", "part"),
    [
        ({"boxes": (BELOW,)}, 1, 0.1, "keep_out", "tool and crate"),
        ({"workspace": Workspace((-9.0, -9.0, 0.3))}, 1, 0.12, "workspace_z", "tool point"),
        ({"workspace": Workspace(arm_lower_m=(-2.0, -2.0, 0.32))}, 1, 0.12, "arm_height", "tool"),
        ({"own": True}, 2, 0.9, "self_collision", "shoulder and wrist 2"),
    ],
)
def test_it_says_what_would_touch_what(rules: dict[str, object], joint: int, turn: float, kind: str, part: str) -> None:
    entered = cell(**rules).entered(HOME.tolist(), way(joint, turn))  # type: ignore[arg-type]
    assert entered is not None
    assert entered.kind == kind
    if kind != "self_collision":
        assert entered.part == part
    assert entered.requested < entered.allowed
    assert entered.describe().startswith(f"{entered.part}: {kind}")
    # the other way, away from it
    assert cell(**rules).entered(HOME.tolist(), way(joint, -0.02)) is None  # type: ignore[arg-type]


def test_what_is_proven_clear_is_clear() -> None:
    """The cheap proof never lets through what the measurement forbids, wherever it was measured before."""
    rng = np.random.default_rng(3)
    boxes = (BELOW, Box("post", (-0.4, 0.3, 0.0), (-0.3, 0.4, 0.9)))
    guarded = cell(Workspace(), boxes, own=True, margin=0.01)
    proven = refused = 0
    at = HOME.copy()
    for _ in range(150):
        path = at + np.linspace(0.0, 1.0, 23)[:, None] * rng.normal(0.0, 0.15, 6)
        fresh = cell(Workspace(), boxes, own=True, margin=0.01)
        fresh.learn(at.tolist())
        exact = fresh._measure(path, np.arange(len(fresh._levers)))
        is_clear = bool((exact >= 0.0).all())
        entered = guarded.entered(at.tolist(), path)
        assert (entered is None) is is_clear
        if guarded.is_clear(path.min(axis=0), path.max(axis=0)):
            assert is_clear
            proven += 1
        refused += not is_clear
        if is_clear:
            at = path[-1]
    assert proven >= 3
    assert refused >= 3


def test_an_arm_that_is_too_near_may_go_away_and_not_nearer() -> None:
    crate = Box("crate", BELOW.min_m, (-0.5, 0.2, 0.36))
    assert cell(boxes=(crate,)).entered(HOME.tolist(), way(1, -0.02)) is None
    assert cell(boxes=(crate,)).entered(HOME.tolist(), way(5, 0.0)) is None
    nearer = cell(boxes=(crate,)).entered(HOME.tolist(), way(1, 0.02))
    assert nearer is not None
    assert nearer.kind == "keep_out"


def test_the_margin_is_kept() -> None:
    # the tip is 0.02 m above the box
    still = way(0, 0.0)
    assert cell(boxes=(BELOW,), margin=0.015).entered(HOME.tolist(), still) is None
    low = way(1, 0.008)
    assert cell(boxes=(BELOW,), margin=0.0).entered(HOME.tolist(), low) is None
    assert cell(boxes=(BELOW,), margin=0.018).entered(HOME.tolist(), low) is not None


def test_levers_of_the_tool_are_its_distances_from_the_axes() -> None:
    kinematics = Kinematics(Pose(np.eye(3), np.array(TOOL_M)))
    rng = np.random.default_rng(8)
    for joints in rng.uniform(-3, 3, (20, 6)):
        found = levers(kinematics, joints.tolist())
        for joint in range(6):
            turned = joints.copy()
            turned[joint] += 1e-6
            moved = np.linalg.norm(kinematics.tcp(turned).translation - kinematics.tcp(joints).translation) / 1e-6
            assert found[joint] == pytest.approx(moved, abs=1e-5)


def test_nothing_around_is_clear_everywhere() -> None:
    nowhere = cell()
    assert nowhere.is_clear(HOME - 3.0, HOME + 3.0)
    assert nowhere.entered(HOME.tolist(), way(1, 3.0)) is None


def test_an_empty_box_is_refused() -> None:
    with pytest.raises(BadInput, match=r"keep-out box crate: y from 0\.2 to 0\.1 m"):
        Box("crate", (0.0, 0.2, 0.0), (0.1, 0.1, 0.1))
