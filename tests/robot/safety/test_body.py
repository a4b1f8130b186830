from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deploy.errors import BadInput
from geometry.types import Array
from robot.kinematics import MODELS, UR10E, chain, model_named
from robot.safety.body import UR10E_CAPSULES, Body, Capsule, arm_capsules, tool_capsule

TOOL_M = (0.0, 0.0, 0.145)
BODY = Body(UR10E, UR10E_CAPSULES, TOOL_M)
OFFSET_M = {"upperarm": 0.1762, "forearm": 0.0393, "wrist1": -0.135, "wrist2": -0.12, "wrist3": -0.1168}


def frames(joints: Array) -> list[Array]:
    return [np.eye(4), *(pose.matrix for pose in chain(joints))]


def test_the_body_is_where_the_chain_of_links_puts_it() -> None:
    joints = np.random.default_rng(1).uniform(-6, 6, (20, 6))
    ends = BODY.place(joints)
    ends, tool = ends[:, :-1], ends[:, -1, 0]
    for row, q in enumerate(joints):
        at = frames(q)
        for k, capsule in enumerate(UR10E_CAPSULES):
            for end, point in enumerate((capsule.start_m, capsule.end_m)):
                np.testing.assert_allclose(ends[row, k, end], (at[capsule.link] @ [*point, 1.0])[:3], atol=1e-12)
        np.testing.assert_allclose(tool[row], (at[6] @ [*TOOL_M, 1.0])[:3], atol=1e-12)
    np.testing.assert_allclose(BODY.tool(joints), tool, atol=1e-12)


def test_no_joint_moves_a_capsule_further_than_its_lever() -> None:
    rng = np.random.default_rng(2)
    for joint in range(6):
        turn = np.zeros(6)
        turn[joint] = 1e-4
        joints = rng.uniform(-np.pi, np.pi, (4000, 6))
        before, after = BODY.place(joints), BODY.place(joints + turn)
        moved = np.linalg.norm(after - before, axis=-1).max(axis=(0, 2)) / 1e-4
        assert (moved <= BODY.levers_m[:, joint] + 1e-6).all()
        reach = moved[-1]
        # a bound, and not a loose one
        assert 0.85 * BODY.levers_m[-1, joint] - 0.02 <= reach <= BODY.levers_m[-1, joint] + 1e-6


def vertices(path: Path) -> Array:
    raw = path.read_bytes()
    count = int.from_bytes(raw[80:84], "little")
    facet = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    return np.frombuffer(raw[84 : 84 + facet.itemsize * count], facet)["corners"].reshape(-1, 3).astype(np.float64)


def transform(roll: float, pitch: float, yaw: float, x: float, y: float, z: float) -> Array:
    (cr, sr), (cp, sp), (cy, sy) = ((np.cos(a), np.sin(a)) for a in (roll, pitch, yaw))
    out = np.eye(4)
    out[:3, :3] = (
        np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
        @ np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
        @ np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    )
    out[:3, 3] = x, y, z
    return out


def test_every_vertex_of_the_published_meshes_lies_in_its_capsule(shared_data: Path) -> None:
    """The links' frames of the description package, at joint angles 0, against those of the DH chain."""
    folder = shared_data / "ur10e_description" / "meshes" / "ur10e" / "collision"
    if not folder.is_dir():
        pytest.skip(f"no meshes at {folder}")
    half = np.pi / 2
    joints = [
        (0, 0, 0, 0, 0, 0.1807),
        (half, 0, 0, 0, 0, 0),
        (0, 0, 0, -0.6127, 0, 0),
        (0, 0, 0, -0.57155, 0, 0.17415),
        (half, 0, 0, 0, -0.11985, 0),
        (half, np.pi, np.pi, 0, 0.11655, 0),
    ]
    turned = {
        "base": (0, 0, np.pi),
        "shoulder": (0, 0, np.pi),
        "upperarm": (half, 0, -half),
        "forearm": (half, 0, -half),
    }
    turned |= {"wrist1": (half, 0, 0), "wrist2": (0, 0, 0), "wrist3": (half, 0, 0)}
    base_T_link, dh = np.eye(4), frames(np.zeros(6))
    for index, (capsule, mesh) in enumerate(zip(UR10E_CAPSULES, turned, strict=True)):
        assert capsule.link == index
        if index:
            base_T_link = base_T_link @ transform(*joints[index - 1])
        link_T_mesh = transform(*turned[mesh], 0, 0, OFFSET_M.get(mesh, 0.0))
        points = vertices(folder / f"{mesh}.stl")
        points = (np.c_[points, np.ones(len(points))] @ (np.linalg.inv(dh[index]) @ base_T_link @ link_T_mesh).T)[:, :3]
        start, way = np.array(capsule.start_m), np.array(capsule.end_m) - np.array(capsule.start_m)
        along = np.clip((points - start) @ way / (way @ way), 0.0, 1.0)
        furthest = np.linalg.norm(points - start - along[:, None] * way, axis=1).max()
        assert furthest <= capsule.radius_m, capsule.name
        assert furthest >= capsule.radius_m - 0.002, capsule.name  # fitted, not merely large


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_model_has_a_body(name: str) -> None:
    model = model_named(name)
    capsules = arm_capsules(model)
    assert [c.link for c in capsules] == list(range(7))
    assert ("estimate" in capsules[0].source) is (model.name != "UR10e")
    upper = capsules[2]
    assert abs(upper.end_m[0] - upper.start_m[0]) == pytest.approx(abs(model.a_m[1]), rel=0.02)


def test_the_tools_capsule_ends_at_the_tool_point() -> None:
    tool = tool_capsule(TOOL_M, 0.06)
    assert tool is not None
    assert tool.end_m[2] + tool.radius_m == pytest.approx(0.145)
    assert tool_capsule((0.0, 0.0, 0.0), 0.06) is None
    short = tool_capsule((0.0, 0.0, 0.03), 0.06)
    assert short is not None
    assert short.end_m[2] + short.radius_m == pytest.approx(0.03)


@pytest.mark.parametrize(("link", "radius"), [(7, 0.1), (2, 0.0), (2, float("nan"))])
def test_bad_capsules_are_refused(link: int, radius: float) -> None:
    with pytest.raises(BadInput, match="capsule x"):
        Capsule("x", link, (0.0, 0.0, 0.0), (0.1, 0.0, 0.0), radius)
