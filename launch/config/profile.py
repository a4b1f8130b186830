"""Latency profiles: what each stage takes on the virtual clock."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from launch.config.budget import StageName
from launch.config.rig import Section


class DelayConfig(Section):
    """A stage's modelled duration."""

    constant_ms: Annotated[float, Field(ge=0, le=60_000)]


class ProfileConfig(Section):
    """A latency profile: what each stage takes on the virtual clock. `measured` uses what it took on this machine."""

    name: str = "nominal"
    measured: bool = False
    stages: dict[StageName, DelayConfig] = Field(default_factory=dict)
