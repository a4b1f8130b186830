"""The fixed geometry of the simulated cell: one place that the MJCF, the world, the drivers and the tests read.

Frames: `world` has its origin on the table top under the arm's base (z up, the table is z = 0); `base` is the DH base,
the world rotated 180 degrees about z; `flange` is DH frame 6; `gripper` (the tcp) lies between the finger tips with z
out of the flange, y away from the camera, and the fingers opening along x; `camera` is optical (x right, y down, z
forward).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from geometry import Camera, Pose
from geometry.types import Array
from robot.kinematics import UR10E_HOME_RAD, Kinematics

JOINT_NAMES: tuple[str, ...] = (
    "shoulder_pan_joint",
    "shoulder_lift_joint",
    "elbow_joint",
    "wrist_1_joint",
    "wrist_2_joint",
    "wrist_3_joint",
)
CAMERA_NAME = "wrist"
FIXED_NAME = "fixed"
OVERVIEW_NAME = "overview"
CLASS_NAMES: tuple[str, str] = ("red_cube", "distractor")

TCP_OFFSET_M = 0.145
STROKE_M = 0.085
CUBE_EDGE_M = 0.04
TABLE_HALF_SIZE_M = (0.6, 0.8)
TABLE_CENTER_M = (0.75, 0.0)


@dataclass(frozen=True, slots=True)
class BinLayout:
    """The bin: an open box that stands on the table.

    Attributes:
        center_m: World x and y of its centre [m].
        half_size_m: Half of its outer edge [m].
        height_m: Height of its walls [m].
        wall_m: Thickness of its walls and floor [m].
    """

    center_m: tuple[float, float] = (0.65, 0.45)
    half_size_m: float = 0.12
    height_m: float = 0.08
    wall_m: float = 0.008

    def contains(self, point_m: Array, margin_m: float = 0.0) -> bool:
        """Whether a world point lies inside the walls and below the rim, `margin_m` [m] away from the walls."""
        inner = self.half_size_m - self.wall_m - margin_m
        dx, dy = point_m[0] - self.center_m[0], point_m[1] - self.center_m[1]
        return bool(abs(dx) < inner and abs(dy) < inner and 0.0 < point_m[2] < self.height_m)


BIN = BinLayout()

# The camera sits behind the fingers (-y of the gripper) and looks along the tool axis, tilted towards the finger tips:
# the tips take a strip at the lower border, and the table in front of the tool fills the rest.
CAMERA_TILT_RAD = 0.25
CAMERA_POSITION_M = (0.0, -0.09, 0.036 - TCP_OFFSET_M)
IMAGE_WIDTH = 640
IMAGE_HEIGHT = 480
FOCAL_PX = 608.0


GRIPPER_T_CAMERA = Pose.from_rotvec([-CAMERA_TILT_RAD, 0.0, 0.0], CAMERA_POSITION_M)
FLANGE_T_GRIPPER = Pose.from_rotvec([0.0, 0.0, 0.0], [0.0, 0.0, TCP_OFFSET_M])
WORLD_T_BASE = Pose(np.diag([-1.0, -1.0, 1.0]), np.zeros(3))
CAMERA = Camera(IMAGE_WIDTH, IMAGE_HEIGHT, FOCAL_PX, FOCAL_PX, (IMAGE_WIDTH - 1) / 2, (IMAGE_HEIGHT - 1) / 2)
KINEMATICS = Kinematics(FLANGE_T_GRIPPER)

# Tool straight down at world (0.60, -0.10), tcp 0.35 m above the table: the camera sees the whole region of the cube.
HOME_JOINTS_RAD: tuple[float, ...] = UR10E_HOME_RAD


def look_at(eye_m: npt.ArrayLike, target_m: npt.ArrayLike) -> Pose:
    """Pose world_T_camera (optical) of a camera at one point of the world that looks at another, upright [m]."""
    eye, target = np.asarray(eye_m, dtype=np.float64), np.asarray(target_m, dtype=np.float64)
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    return Pose(np.stack([right, np.cross(forward, right), forward], axis=1), eye)


# A second camera for perception: it stands still on the far side of the table and looks back at the cube's region.
WORLD_T_FIXED = look_at([1.10, -0.10, 0.72], [0.68, -0.10, 0.0])
# A camera outside that sees the whole cell, for people.
WORLD_T_OVERVIEW = look_at([1.75, -1.05, 1.15], [0.5, 0.02, 0.2])


def tool_down(position_m: npt.ArrayLike, yaw_rad: float = 0.0) -> Pose:
    """Pose world_T_gripper of a gripper that points straight down.

    Args:
        position_m: Shape (3,), tcp in world [m].
        yaw_rad: Turn about world z [rad]; at 0 the fingers open along world y, and the camera is on the base's side.
    """
    down = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
    return Pose(_about_z(yaw_rad) @ down, np.asarray(position_m, dtype=np.float64))


def joints_for(world_T_gripper: Pose, near: npt.ArrayLike = HOME_JOINTS_RAD) -> Array:
    """Joint angles that put the tcp at a pose in the world, shape (6,) [rad], nearest to `near`.

    Raises:
        robot.kinematics.Unreachable: If there are none.
    """
    return KINEMATICS.any_joints(WORLD_T_BASE.inverse() @ world_T_gripper, np.asarray(near, dtype=np.float64))


def cube_corners() -> Array:
    """The cube's corners about its centre, shape (8, 3) [m]."""
    half = CUBE_EDGE_M / 2
    return np.array([(x, y, z) for x in (-half, half) for y in (-half, half) for z in (-half, half)])


def _about_z(angle_rad: float) -> Array:
    c, s = math.cos(angle_rad), math.sin(angle_rad)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
