"""What belongs to the hardware: cameras with where they sit, the arm, and where each figure came from."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from geometry import Camera, Pose
from geometry.types import Array
from launch.config.sentences import WrongAtKey
from robot.kinematics.models import MODELS

Vector3 = tuple[float, float, float]
Positive = Annotated[float, Field(gt=0)]
PositiveJoints6 = tuple[Positive, Positive, Positive, Positive, Positive, Positive]


class Section(BaseModel):
    """A part of the tree: unknown keys are errors, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """YAML reads `on` and `yes` as true, and true would pass for 1."""
        if isinstance(value, bool) and cls.model_fields[str(info.field_name)].annotation is not bool:
            raise ValueError(f"expected a value other than true or false, found {str(value).lower()}")
        return value


class PoseConfig(Section):
    """A rigid transform: translation in metres and one of two rotations."""

    translation_m: Vector3
    quaternion_xyzw: tuple[float, float, float, float] | None = None
    rotation_vector_rad: Vector3 | None = None

    @model_validator(mode="after")
    def _one_rotation(self) -> PoseConfig:
        if self.quaternion_xyzw is not None and self.rotation_vector_rad is not None:
            raise ValueError("give quaternion_xyzw or rotation_vector_rad, not both")
        if self.quaternion_xyzw is not None and abs(float(np.linalg.norm(self.quaternion_xyzw)) - 1.0) > 1e-3:
            raise ValueError(f"quaternion_xyzw has norm {np.linalg.norm(self.quaternion_xyzw):.4f}, expected 1")
        if self.rotation_vector_rad is not None and float(np.linalg.norm(self.rotation_vector_rad)) > 2 * np.pi:
            raise ValueError("rotation_vector_rad is longer than 2 pi: the unit is radians, not degrees")
        return self

    def pose(self) -> Pose:
        """The transform as a `Pose`."""
        translation = np.asarray(self.translation_m, dtype=np.float64)
        if self.quaternion_xyzw is not None:
            return Pose.from_quaternion(np.asarray(self.quaternion_xyzw, dtype=np.float64), translation)
        rotvec = self.rotation_vector_rad or (0.0, 0.0, 0.0)
        return Pose.from_rotvec(np.asarray(rotvec, dtype=np.float64), translation)


class PoseSigmaConfig(Section):
    """How well a camera's pose in `base` is known: standard deviations, alike on each axis.

    What a calibration reports as its error, together with the arm's own for a camera on the gripper.
    """

    translation_m: Annotated[float, Field(ge=0, le=1)] = 0.0
    rotation_rad: Annotated[float, Field(ge=0, le=1)] = 0.0

    def covariance(self) -> Array:
        """Shape (6, 6), for `geometry.pose_spread` [m^2, rad^2]."""
        return np.diag([self.translation_m**2] * 3 + [self.rotation_rad**2] * 3)


class Intrinsics(Section):
    """Pinhole intrinsics with Brown-Conrady distortion, for sources that do not report their own."""

    width: Annotated[int, Field(gt=0)]
    height: Annotated[int, Field(gt=0)]
    fx: Positive
    fy: Positive
    cx: float
    cy: float
    distortion: tuple[float, ...] = ()

    def camera(self) -> Camera:
        """The intrinsics as a `Camera`."""
        return Camera(**self.model_dump())


class SourceConfig(Section):
    """A camera's source: its registered name, and the keyword arguments of that source."""

    type: str
    options: dict[str, Any] = Field(default_factory=dict)


class CameraConfig(Section):
    """One camera: where its frames come from and where it sits.

    A camera on the gripper has `gripper_T_camera`, a fixed one has `base_T_camera`. `pose_sigma` says how well that is
    known; without it the covariances of points are those of an exact pose. `rate_hz`, `latency_ms` and
    `intrinsics` go to the source where they are given; a rate that nobody chose stays the source's own.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    source: SourceConfig
    rate_hz: Annotated[float, Field(gt=0, le=1000)] = 30.0
    gripper_T_camera: PoseConfig | None = None
    base_T_camera: PoseConfig | None = None
    pose_sigma: PoseSigmaConfig | None = None
    intrinsics: Intrinsics | None = None
    latency_ms: Annotated[float, Field(ge=0)] = 0.0

    @model_validator(mode="after")
    def _mounted_once(self) -> CameraConfig:
        if self.gripper_T_camera is not None and self.base_T_camera is not None:
            raise ValueError(f"camera {self.name} has both gripper_T_camera and base_T_camera: it sits in one place")
        if self.pose_sigma is not None and self.gripper_T_camera is None and self.base_T_camera is None:
            raise ValueError(f"camera {self.name} has pose_sigma but no pose: give gripper_T_camera or base_T_camera")
        return self

    @model_serializer(mode="wrap")
    def _without_a_rate_that_nobody_chose(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        tree: dict[str, Any] = handler(self)
        if "rate_hz" not in self.model_fields_set:
            del tree["rate_hz"]
        return tree


ExitPolicy = Literal["hold", "park", "limp"]
Joints6 = tuple[float, float, float, float, float, float]


class CalibrationConfig(Section):
    """What the factory measured of one arm: its Denavit-Hartenberg figures, corrections included.

    As the arm's controller uses them, and as `eyehand robot check --calibration` writes them.
    """

    theta_rad: Joints6
    a_m: Joints6
    d_m: Joints6
    alpha_rad: Joints6


class ArmConfig(Section):
    """The arm: its registered driver, model and address, and how it ends.

    On the wall clock the driver runs in a process of its own, at `rate_hz`. However a run ends, and when that process
    has not heard from the control loop for `heartbeat_ms`, the arm decelerates; then it holds its place (`hold`),
    moves slowly to `park_joints_rad` (`park`), or gives way (`limp`). Without `calibration` the arm is taken to be
    exactly as its model is published.
    """

    type: str = "sim"
    model: str = "ur10e"
    flange_T_gripper: PoseConfig = PoseConfig(translation_m=(0.0, 0.0, 0.145))
    rate_hz: Annotated[float, Field(ge=10, le=1000)] = 250.0
    heartbeat_ms: Annotated[float, Field(ge=10, le=1000)] = 100.0
    exit_policy: ExitPolicy = "hold"
    park_joints_rad: Joints6 | None = None
    calibration: CalibrationConfig | None = None
    options: dict[str, Any] = Field(default_factory=dict)

    @field_validator("model")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in MODELS:
            raise ValueError(f"expected one of {', '.join(MODELS)}, found {name!r}")
        return name

    @model_validator(mode="after")
    def _parks_somewhere(self) -> ArmConfig:
        if self.exit_policy == "park" and self.park_joints_rad is None:
            raise WrongAtKey("exit_policy", "park needs a place: give park_joints_rad, six joint angles in radians")
        return self


class RigConfig(Section):
    """A rig: cameras, arm, and the origin of each figure (which calibration, when)."""

    name: str
    cameras: Annotated[tuple[CameraConfig, ...], Field(min_length=1)]
    arm: ArmConfig | None = None
    provenance: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _names_differ(self) -> RigConfig:
        names = [camera.name for camera in self.cameras]
        if len(set(names)) != len(names):
            raise ValueError(f"cameras share a name: {', '.join(names)}")
        return self

    @model_validator(mode="after")
    def _placed_where_an_arm_moves(self) -> RigConfig:
        for index, camera in enumerate(self.cameras):
            if self.arm is None and camera.gripper_T_camera is not None:
                raise WrongAtKey(
                    f"cameras.{index}.gripper_T_camera",
                    f"camera {camera.name} sits on a gripper but the rig has no arm; add rig.arm or give base_T_camera",
                )
            if self.arm is not None and camera.gripper_T_camera is None and camera.base_T_camera is None:
                raise WrongAtKey(
                    f"cameras.{index}",
                    f"camera {camera.name} has no place and would steer the arm from nowhere; "
                    "give gripper_T_camera or base_T_camera",
                )
        return self
