"""From configuration to objects; and the automatic choices, resolved so that a recording keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from deploy.errors import BadInput
from geometry import Pose
from launch.config import Config
from launch.config.rig import ArmConfig, CameraConfig
from launch.config.tree import DetectorConfig, FallbackEngineConfig
from launch.control_path import ControlPath
from launch.engines import default_threads, load_detector, resolve_engines
from launch.graph import Graph, LocateStage, Mount, PlanStage
from launch.policies import build_policy, resolve_policy
from perception.detector import Detector
from perception.localize import LocalizeParameters
from policy import ChunkSchedule, Policy, make_seam
from robot.governor import Box, GovernorLimits, SafetyGovernor, Workspace
from robot.kinematics import UR10E_HOME_RAD, Calibration, Kinematics, Unreachable, limits_named, model_named
from robot.trajectory import JointTrajectory
from tracking import BaseFrameTracker, TrackerParameters


def resolve(config: Config) -> Config:
    """Replace what is chosen automatically (threads, engine, artifact) by what was chosen; check what can be checked.

    Raises:
        BadInput: If the model is not there or a pose of the task is out of reach.
    """
    asked = config.detector.threads
    threads = default_threads() if asked == "auto" else asked
    config = config.model_copy(update={"detector": resolve_engines(config.detector, threads)})
    if config.rig.arm is not None:
        config = config.model_copy(update={"policy": resolve_policy(config.policy)})
        assert config.rig.arm is not None
        _check_reach(config, config.rig.arm)
    return config


def build_graph(
    config: Config,
    cameras: Sequence[CameraConfig] | None = None,
    *,
    open_loop: bool = False,
    policy: Policy | None = None,
) -> Graph:
    """Build the stages of a run.

    Args:
        config: Resolved configuration.
        cameras: The cameras to serve; those of the rig by default.
        open_loop: The arm does not do what it is sent: the governor does not hold that against it.
        policy: Who plans; the configured policy by default.
    """
    cameras = tuple(config.rig.cameras if cameras is None else cameras)
    detector, fingerprint = build_detector(config, config.detector)
    fallback, fingerprints = None, [fingerprint]
    if config.detector.fallback is not None:
        fallback, fingerprint = build_detector(config, config.detector.fallback)
        fingerprints.append(fingerprint)
        if fallback.class_names != detector.class_names:
            raise BadInput(
                f"detector.fallback.model: {config.detector.fallback.model} knows {', '.join(fallback.class_names)}, "
                f"expected the classes of {config.detector.model}: {', '.join(detector.class_names)}; to do without: "
                "--set detector.fallback=null"
            )
    arm = arm_model(config.rig.arm) if config.rig.arm is not None else None
    mounts = {camera.name: mount_of(camera) for camera in cameras}
    locate = LocateStage(mounts, arm, LocalizeParameters(**config.localize.model_dump(exclude={"require_depth"})))
    tracker = BaseFrameTracker(TrackerParameters(**config.tracker.model_dump()))
    plan = control = None
    if arm is not None:
        if config.policy.object_class not in detector.class_names:
            raise BadInput(
                f"policy.object_class: {config.policy.object_class!r} is no class of model {config.detector.model}; "
                f"it knows {', '.join(detector.class_names)}"
            )
        plan = PlanStage(
            policy or build_policy(config), arm, config.policy.object_class,
            extrapolate=config.policy.extrapolate, continues=config.policy.schedule.mode == "rtc",
        )  # fmt: skip
        control = build_control(config, arm, open_loop=open_loop)
    return Graph([camera.name for camera in cameras], detector, locate, tracker, plan, control, fingerprints, fallback)


def build_detector(config: Config, used: DetectorConfig | FallbackEngineConfig) -> tuple[Detector, str]:
    """Load the detector's artifact or its fallback's on the engine, and prove it with one inference.

    Returns:
        The detector, and its engine's fingerprint.
    """
    chosen = config.detector
    return load_detector(
        used.model, backend=chosen.backend, precision=chosen.precision, file=used.file, type_name=chosen.type,
        threads=chosen.threads if chosen.threads != "auto" else 1,
        confidence=chosen.confidence, iou=chosen.iou, max_detections=chosen.max_detections,
        class_agnostic=chosen.class_agnostic,
    )  # fmt: skip


def build_control(config: Config, arm: Kinematics, *, open_loop: bool = False) -> ControlPath:
    """Make the control path: the trajectory stays clear of the governor's limits."""
    period_s = 1.0 / config.control.rate_hz
    limits = governor_limits(config)
    if open_loop:
        limits = replace(limits, following_rad=float("inf"))
    trajectory = JointTrajectory(limits.joints.scaled(config.control.limit_scale))
    chosen = config.policy.schedule
    seam = make_seam(chosen.mode, round(chosen.blend_s * 1e9), chosen.ensemble_decay)
    return ControlPath(arm, trajectory, SafetyGovernor(limits, arm, period_s), round(1e9 * period_s), seam)


def build_schedule(config: Config) -> ChunkSchedule:
    """Make the schedule that says when the next chunk is planned."""
    chosen = config.policy.schedule
    horizon_ns, margin_ns = round(config.policy.replan_horizon_s * 1e9), round(chosen.margin_s * 1e9)
    return ChunkSchedule(horizon_ns, margin_ns, chosen.mode)


def governor_limits(config: Config) -> GovernorLimits:
    """The governor's limits as configured; what is left out is the arm model's."""
    wanted, own = config.governor, limits_named(config.rig.arm.model if config.rig.arm is not None else "ur10e")
    joints = replace(
        own,
        velocity_rad_s=wanted.max_velocity_rad_s or own.velocity_rad_s,
        acceleration_rad_s2=wanted.max_acceleration_rad_s2 or own.acceleration_rad_s2,
        jerk_rad_s3=wanted.max_jerk_rad_s3 or own.jerk_rad_s3,
    )
    return GovernorLimits(
        joints,
        Workspace(wanted.workspace_min_m, wanted.workspace_max_m, wanted.arm_min_m, wanted.arm_max_m),
        command_age_ns=round(wanted.stale_after_ms * 1e6),
        tool_speed_m_s=wanted.tool_speed_m_s,
        keep_out=tuple(Box(box.name, box.min_m, box.max_m) for box in wanted.keep_out),
        self_collision=wanted.self_collision,
        margin_m=wanted.margin_m,
        tool_radius_m=wanted.tool_radius_m,
    )


def arm_model(arm: ArmConfig) -> Kinematics:
    """Kinematics of the arm with its gripper, as it was measured where the rig says so."""
    measured = arm.calibration
    model = model_named(arm.model)
    calibration = None if measured is None else Calibration.of_figures(model, **measured.model_dump())
    return Kinematics(arm.flange_T_gripper.pose(), model, limits_named(arm.model), calibration)


def mount_of(camera: CameraConfig) -> Mount:
    """Where a camera sits, as its rig says."""
    return Mount(
        camera.gripper_T_camera.pose() if camera.gripper_T_camera is not None else None,
        camera.base_T_camera.pose() if camera.base_T_camera is not None else None,
        camera.pose_sigma.covariance() if camera.pose_sigma is not None else None,
    )


def _check_reach(config: Config, arm: ArmConfig) -> None:
    """The tool must be able to point down over the bin."""
    if config.task is None:
        return
    model = arm_model(arm)
    x, y, z = config.task.bin_in_base_m
    over_bin = Pose.from_rotvec(np.array([np.pi, 0.0, 0.0]), np.array([x, y, z + 0.25]))
    try:
        model.joints(over_bin, UR10E_HOME_RAD)
    except Unreachable as error:
        raise BadInput(f"task.bin_in_base_m: {error}") from error
