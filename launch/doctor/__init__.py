"""What this machine has, and what to do about what it lacks: small checks, each with a finding."""

from __future__ import annotations

from functools import partial

from launch.doctor import devices, engines, machine
from launch.doctor.finding import Check, Finding, examine, satisfied

__all__ = ["Check", "Finding", "checks", "diagnose", "examine", "satisfied"]

LIMIT_S = 30.0


def checks() -> list[Check]:
    """All checks, in the order of the table."""
    from launch.config.tree import DetectorConfig

    model = DetectorConfig().model
    return [
        Check("python", machine.python, required=True),
        Check("installation", machine.installation, required=True),
        Check("processor", machine.processor),
        Check("memory", machine.memory),
        Check("disk", machine.disk),
        Check("real time", machine.real_time),
        Check("gpu", machine.graphics_processor),
        *engines.provider_checks(),
        Check("tensorrt", engines.tensorrt),
        Check("openvino", engines.openvino),
        Check("mujoco", engines.simulator, required=True),
        Check("opengl", engines.opengl),
        Check("models", partial(engines.models, model), required=True),
        Check("cameras", devices.video_devices),
        Check("realsense", devices.realsense),
        Check("arms", devices.arms),
    ]


def diagnose() -> list[Finding]:
    """Run all checks; a check that fails is a finding, never an exception."""
    return examine(checks(), LIMIT_S)
