"""The policy of a configuration: the scripted expert, a model from the store on an engine, or a user's own."""

from __future__ import annotations

import math
from typing import Final

from deploy.artifacts import artifact_for
from deploy.errors import BadInput, EyehandError
from deploy.model_store import MODEL_FILE, ModelStore
from deploy.passport import file_sha256
from deploy.policy_passport import as_policy
from launch import plugins
from launch.config import Config
from launch.config.tree import PolicyConfig
from launch.engines import open_engine
from policy import LearnedPolicy, Policy
from policy.features import JOINTS
from robot.kinematics import limits_named

LEARNED: Final = "learned"
# a bin no further than this from where it was taught is the same one [m]
BIN_TOLERANCE_M: Final = 0.02


def resolve_policy(policy: PolicyConfig) -> PolicyConfig:
    """Note which file of a learned policy runs, so that a recording keeps it.

    Raises:
        BadInput: If the model or a file of the asked precision is not there.
    """
    if policy.type != LEARNED:
        return policy
    model = ModelStore().find(policy.model)
    wanted = artifact_for(policy.backend, policy.precision)
    if model.onnx_path.name != MODEL_FILE or not wanted:
        wanted = [model.onnx_path.name]
    # with a hash beside it, it is what a recorded run used: it counts as long as precision and engine still suit it
    if policy.file is not None and (policy.sha256 is None or policy.file in wanted):
        wanted = [policy.file]
    there = {model.onnx_path.name, *model.artifacts}
    path, _ = model.artifact(next((name for name in wanted if name in there), wanted[0]))
    return policy.model_copy(update={"file": path.name, "sha256": file_sha256(path)})


def build_policy(config: Config) -> Policy:
    """Make the policy; the task's place is handed to the expert, the model to a learned one.

    Raises:
        BadInput: If the policy does not suit the robot or the schedule, or cannot be made from its options.
    """
    chosen = config.policy
    options = dict(chosen.options)
    if chosen.type == LEARNED:
        options.setdefault("seed", config.seed)
        policy: Policy = load_policy(chosen, **options)
    else:
        if config.task is not None:
            options.setdefault("bin_in_base_m", config.task.bin_in_base_m)
        policy = plugins.build("policies", chosen.type, "policy.options", **options)
    if chosen.schedule.mode == "rtc" and not getattr(policy, "prefix", 0):
        raise BadInput(
            f"policy.schedule.mode is rtc: {_called(chosen)} was not trained to go on from a frozen prefix; choose "
            "blend, or train with eyehand train policy --prefix 8"
        )
    _check_times(config, policy)
    if config.rig.arm is not None and isinstance(policy, LearnedPolicy):
        limits = limits_named(config.rig.arm.model)
        policy.spec.check_robot(
            _called(chosen), JOINTS, limits.lower_rad, limits.upper_rad,
            robot=config.rig.arm.model, speeds_rad_s=limits.velocity_rad_s,
        )  # fmt: skip
        _check_task(config, policy)
        _check_cameras(config, policy)
    return policy


def load_policy(chosen: PolicyConfig, **options: object) -> LearnedPolicy:
    """Load a model on an engine.

    Raises:
        BadInput: If there is no such model, or it is no policy.
        Missing: If the engine is not installed.
    """
    model = ModelStore().find(chosen.model)
    path, passport = model.artifact(chosen.file or model.onnx_path.name)
    engine = open_engine(chosen.backend, path, chosen.threads, "policy")
    try:
        described = as_policy(passport, model.name)
        if described is not None:
            described.check_metadata(engine.metadata)
        policy: LearnedPolicy = plugins.build(
            "policies", LEARNED, "policy.options", backend=engine, where=_called(chosen), **options
        )
    except EyehandError:
        engine.close()
        raise
    return policy


def _called(chosen: PolicyConfig) -> str:
    return f"policy {chosen.model if chosen.type == LEARNED else chosen.type}"


def _check_times(config: Config, policy: Policy) -> None:
    """The chunks must be of the run's time step, and last from one plan to the next."""
    chosen, dt_ms = config.policy, policy.dt_ns * 1e-6
    if round(chosen.action_dt_ms * 1e6) != policy.dt_ns:
        raise BadInput(
            f"{_called(chosen)} plans actions {dt_ms:g} ms apart, policy.action_dt_ms is {chosen.action_dt_ms:g}: at "
            "another step it moves at another speed; use a policy of that step, or set the key to its own"
        )
    lasts_s, needed_s = (policy.chunk_size - 1) * dt_ms * 1e-3, chosen.schedule.margin_s
    if lasts_s <= needed_s:
        raise BadInput(
            f"{_called(chosen)} plans {lasts_s:g} s ahead ({policy.chunk_size} actions, {dt_ms:g} ms apart), "
            f"policy.schedule.margin_s is {needed_s:g}: no chunk would last until the next; use longer ones, or a "
            "shorter margin"
        )


def _check_task(config: Config, policy: LearnedPolicy) -> None:
    """What it was taught to pick, and where to place it, must be what the run is about."""
    spec, chosen = policy.spec, config.policy
    if spec.object_class not in ("", chosen.object_class):
        raise BadInput(
            f"{_called(chosen)} was taught to pick {spec.object_class!r}, policy.object_class is "
            f"{chosen.object_class!r}: use another policy, or set the key"
        )
    if config.task is None or not spec.bin_in_base_m:
        return
    asked = config.task.bin_in_base_m
    if math.dist(spec.bin_in_base_m[:2], asked[:2]) > BIN_TOLERANCE_M:
        raise BadInput(
            f"{_called(chosen)} was taught to place at {list(spec.bin_in_base_m)} m, task.bin_in_base_m is "
            f"{list(asked)}: collect demonstrations there, or take the expert, --set policy.type=expert"
        )


def _check_cameras(config: Config, policy: LearnedPolicy) -> None:
    there = [camera.name for camera in config.rig.cameras]
    for camera in policy.cameras:
        if camera not in there:
            raise BadInput(
                f"{_called(config.policy)} reads camera {camera!r}, rig {config.rig.name} has {', '.join(there)}"
            )
    if len(policy.cameras) > 1:
        raise BadInput(f"{_called(config.policy)} reads {len(policy.cameras)} cameras: one is supported")
