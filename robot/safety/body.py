"""The arm's body: capsules around its links, and where they are for many joint angles at once.

A capsule is all that lies within a radius of a straight segment. Those of the UR10e were fitted to the collision meshes
that Universal Robots publishes (`Universal_Robots_ROS2_Description`, meshes/ur10e/collision, commit 2221ec0): every
vertex lies inside. For other models they are estimates: the UR10e's, stretched along the links by their published
lengths and across by the sum of the wrist's offsets, with a tenth more radius.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from deploy.errors import BadInput
from geometry.types import Array
from robot.kinematics.dh import UR10E, DhModel

Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Capsule:
    """One capsule of the arm's body.

    Attributes:
        name: Of the link, as people call it.
        link: The DH frame that it moves with: 0 is the base, 6 the flange.
        start_m: One end of its segment in that frame [m].
        end_m: The other end [m].
        radius_m: Its radius [m].
        source: Where the figures come from.

    Raises:
        deploy.errors.BadInput: If a figure is not finite, the radius is not positive or there is no such link.
    """

    name: str
    link: int
    start_m: Vector
    end_m: Vector
    radius_m: float
    source: str = ""

    def __post_init__(self) -> None:
        if not (math.isfinite(sum(self.start_m) + sum(self.end_m)) and 0.0 < self.radius_m < math.inf):
            raise BadInput(
                f"capsule {self.name}: {self.start_m} to {self.end_m} m, radius {self.radius_m} m: expected finite "
                "figures and a radius > 0"
            )
        if not 0 <= self.link <= 6:
            raise BadInput(f"capsule {self.name}: link {self.link}: expected 0 (base) to 6 (flange)")


_MESHES: Final = "Universal_Robots_ROS2_Description, meshes/ur10e/collision, commit 2221ec0"

UR10E_CAPSULES: Final[tuple[Capsule, ...]] = (
    Capsule("base", 0, (0.0, 0.0, 0.032), (0.0, 0.0, 0.033), 0.101, _MESHES),
    Capsule("shoulder", 1, (0.002, -0.011, 0.010), (0.002, 0.003, 0.016), 0.112, _MESHES),
    Capsule("upper arm", 2, (0.006, 0.0, 0.172), (0.613, 0.0, 0.176), 0.111, _MESHES),
    Capsule("forearm", 3, (0.009, 0.0, 0.051), (0.566, 0.0, 0.058), 0.077, _MESHES),
    Capsule("wrist 1", 4, (0.0, -0.014, 0.0), (0.0, 0.002, 0.013), 0.0715, _MESHES),
    Capsule("wrist 2", 5, (0.0, 0.0075, -0.002), (0.0, -0.001, 0.022), 0.0655, _MESHES),
    Capsule("wrist 3", 6, (0.0, -0.003, -0.029), (0.0, 0.001, -0.029), 0.050, _MESHES),
)
TOOL: Final = "tool"


def arm_capsules(model: DhModel) -> tuple[Capsule, ...]:
    """Return the capsules of an arm: measured for the UR10e, estimated for the others (see the module's text)."""
    if model.name == UR10E.name:
        return UR10E_CAPSULES
    wide = sum(model.d_m[3:]) / sum(UR10E.d_m[3:])
    long = (wide, wide, model.a_m[1] / UR10E.a_m[1], model.a_m[2] / UR10E.a_m[2], wide, wide, wide)
    source = f"estimate for {model.name}: the UR10e's, scaled by published link lengths"
    return tuple(
        Capsule(
            c.name,
            c.link,
            (c.start_m[0] * long[c.link], c.start_m[1] * wide, c.start_m[2] * wide),
            (c.end_m[0] * long[c.link], c.end_m[1] * wide, c.end_m[2] * wide),
            1.1 * wide * c.radius_m,
            source,
        )
        for c in UR10E_CAPSULES
    )


def tool_capsule(tool_in_flange_m: Sequence[float], radius_m: float) -> Capsule | None:
    """Return the capsule from the flange to the tool point, which its round end touches; None where they are one."""
    length = math.hypot(*tool_in_flange_m)
    if length <= 1e-3:
        return None
    radius = min(radius_m, length)
    x, y, z = (float(v) * (1.0 - radius / length) for v in tool_in_flange_m)
    return Capsule(TOOL, 6, (0.0, 0.0, 0.0), (x, y, z), radius, "the gripper's radius and tool point as configured")


class Body:
    """Where capsules and tool point are, for many rows of joint angles at once."""

    def __init__(self, model: DhModel, capsules: Sequence[Capsule], tool_in_flange_m: Vector) -> None:
        """Prepare the chain.

        Args:
            model: Figures of the arm.
            capsules: Its body.
            tool_in_flange_m: The tool point in the flange [m].
        """
        self.capsules = tuple(capsules)
        self.shoulder_m = model.d_m[0]
        self.radii_m = np.array([c.radius_m for c in capsules])
        # a link's transform is linear in the cosine and the sine of its joint
        cosine, sine, fixed = np.zeros((3, 6, 4, 4))
        for i, (a, d, alpha) in enumerate(zip(model.a_m, model.d_m, model.alpha_rad, strict=True)):
            ca, sa = math.cos(alpha), math.sin(alpha)
            cosine[i, 0, 0], cosine[i, 1, 1:3], cosine[i, 0, 3] = 1.0, (ca, -sa), a
            sine[i, 1, 0], sine[i, 0, 1:3], sine[i, 1, 3] = 1.0, (-ca, sa), a
            fixed[i, 2], fixed[i, 3, 3] = (0.0, sa, ca, d), 1.0
        self._cosine, self._sine, self._fixed = cosine, sine, fixed
        self._model = model
        self._turns = [(math.cos(alpha), math.sin(alpha)) for alpha in model.alpha_rad]
        ends = [(c.link, p) for c in capsules for p in (c.start_m, c.end_m)]
        # the tool point is one more, of no size
        ends += [(6, tool_in_flange_m)] * 2
        self._links = np.array([link for link, _ in ends])
        self._points = np.array([(*p, 1.0) for _, p in ends])
        # levers[k, j]: no turn of joint j moves a point of capsule k (the last row: the tool point) further per radian
        rows = [_levers(model, link, p) for link, p in ends]
        self.levers_m = np.maximum(rows[0::2], rows[1::2])

    def place(self, joints_rad: Array) -> Array:
        """Place the body.

        Args:
            joints_rad: Shape (N, 6) [rad].

        Returns:
            Ends of the capsules' segments in base [m], shape (N, capsules + 1, 2, 3); last the tool point, twice.
        """
        count = len(joints_rad)
        links = (
            np.cos(joints_rad)[:, :, None, None] * self._cosine
            + np.sin(joints_rad)[:, :, None, None] * self._sine
            + self._fixed
        )
        frames = np.empty((count, 7, 4, 4))
        frames[:, 0] = np.eye(4)
        frames[:, 1] = links[:, 0]
        for i in range(1, 6):
            np.matmul(frames[:, i], links[:, i], out=frames[:, i + 1])
        at: Array = np.matmul(frames[:, self._links, :3], self._points[:, :, None])
        return at.reshape(count, len(self.capsules) + 1, 2, 3)

    def tool(self, joints_rad: Array) -> Array:
        """Shape (N, 3): the tool point in base [m], of joint angles of shape (N, 6) [rad]; cheaper than `place`."""
        cosine, sine = np.cos(joints_rad).T, np.sin(joints_rad).T
        x, y, z = self._points[-1, :3]
        model = self._model
        for j in range(5, -1, -1):
            ca, sa, out = self._turns[j][0], self._turns[j][1], x + model.a_m[j]
            across = ca * y - sa * z
            x, y, z = (
                cosine[j] * out - sine[j] * across,
                sine[j] * out + cosine[j] * across,
                sa * y + (ca * z + model.d_m[j]),
            )
        return np.stack((x, y, z), axis=1)


def _levers(model: DhModel, link: int, point_m: Sequence[float]) -> Array:
    """Furthest that a point of a link can be from each joint's axis [m]; 0 for joints that do not move it.

    Towards the base, joint by joint: turning about an axis keeps a point's distance and height; the next axis is
    parallel to it or at a right angle.
    """
    levers = np.zeros(6)
    x, y, z = (float(v) for v in point_m)
    far, heights = math.hypot(x, y), (z, z)
    for j in range(link - 1, -1, -1):
        a, d = model.a_m[j], model.d_m[j]
        if j == link - 1:
            ca, sa = math.cos(model.alpha_rad[j]), math.sin(model.alpha_rad[j])
            x, y, z = x + a, ca * y - sa * z, sa * y + ca * z + d
            far, heights = math.hypot(x, y), (z, z)
        elif abs(model.alpha_rad[j]) < 1e-9:
            far, heights = far + abs(a), (heights[0] + d, heights[1] + d)
        else:
            tall = max(abs(heights[0]), abs(heights[1]))
            far, heights = math.hypot(far + abs(a), tall), (d - far, d + far)
        levers[j] = far
    return levers
