"""Modelled durations of stages, from a latency profile."""

from __future__ import annotations

from launch.config.profile import ProfileConfig
from launch.ledger import REPORTED, Stage


class Durations:
    """What the virtual clock advances by when a stage runs."""

    def __init__(self, profile: ProfileConfig, seed: int = 0) -> None:  # noqa: ARG002
        self._measured = profile.measured
        stages = {str(name): delay for name, delay in profile.stages.items()}
        self._constant_ns = {
            stage: round(stages[stage.label].constant_ms * 1e6) if stage.label in stages else 0 for stage in REPORTED
        }

    def __call__(self, stage: Stage, measured_ns: int, engine: int = 0) -> int:  # noqa: ARG002
        """Duration [ns] of one activation that took `measured_ns` on this machine."""
        return measured_ns if self._measured else self._constant_ns[stage]
