"""Latency profiles: what each stage takes on the virtual clock, as a distribution."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from launch.config.budget import STAGES
from launch.config.rig import Section
from launch.config.sentences import WrongAtKey

MAX_MS = 60_000.0
FALLBACK = "detect_fallback"
PROFILE_STAGES = (*STAGES[:2], FALLBACK, *STAGES[2:])
DISTRIBUTIONS = ("constant_ms", "normal_ms", "lognormal_ms", "empirical_ms")
_SHOWN = 60


def _stage(name: str) -> str:
    if name not in PROFILE_STAGES:
        raise ValueError(f"no such stage; there are {', '.join(STAGES)}, and {FALLBACK} for the smaller engine")
    return name


ProfileStage = Annotated[str, AfterValidator(_stage)]
Duration = Annotated[float, Field(ge=0, le=MAX_MS)]
PositiveDuration = Annotated[float, Field(gt=0, le=MAX_MS)]
Change = Annotated[float, Field(ge=-MAX_MS, le=MAX_MS)]
Text = Annotated[str, Field(min_length=1)]


class NormalConfig(Section):
    """A normal distribution of which the part below 0 is cut off: `mean` and `sd` are those before the cut [ms]."""

    mean: Duration
    sd: PositiveDuration


class LognormalConfig(Section):
    """A lognormal distribution, the usual shape of a latency, given by two figures that people publish [ms]."""

    p50: PositiveDuration
    p99: PositiveDuration

    @model_validator(mode="after")
    def _in_order(self) -> LognormalConfig:
        if self.p99 < self.p50:
            raise WrongAtKey("p99", f"{self.p99:g} is less than p50, {self.p50:g}")
        return self


class DelayConfig(Section):
    """A stage's modelled duration: exactly one distribution.

    Attributes:
        constant_ms: Always the same [ms].
        normal_ms: Normal, cut off at 0.
        lognormal_ms: Lognormal.
        empirical_ms: A quantile function: ascending values at evenly spaced probabilities from 0 to 1, linear in
            between [ms].
        source: Where the figures are from.
    """

    constant_ms: Duration | None = None
    normal_ms: NormalConfig | None = None
    lognormal_ms: LognormalConfig | None = None
    empirical_ms: Annotated[tuple[Duration, ...], Field(min_length=2)] | None = None
    source: Text | None = None

    @model_validator(mode="after")
    def _one_distribution(self) -> DelayConfig:
        found = [name for name in DISTRIBUTIONS if getattr(self, name) is not None]
        if len(found) != 1:
            raise ValueError(f"expected one of {', '.join(DISTRIBUTIONS)}, found {' and '.join(found) or 'none'}")
        for index, (before, value) in enumerate(pairwise(self.empirical_ms or ()), start=1):
            if value < before:
                raise WrongAtKey(
                    f"empirical_ms.{index}",
                    f"{value:g} comes after {before:g}; expected quantiles from the least to the greatest",
                )
        return self

    @model_serializer(mode="wrap")
    def _without_what_is_not_there(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        tree: dict[str, Any] = handler(self)
        return {key: value for key, value in tree.items() if value is not None}


class ProfileConfig(Section):
    """A latency profile. A stage that is left out takes no time.

    Attributes:
        name: Name in reports.
        measured: A stage takes what it took on this machine, and `stages` is not used: such a run is not deterministic.
        source: Where the figures are from; a stage may say more.
        stages: Distribution of each stage's duration; `detect_fallback` is the detector's smaller engine, which takes
            what `detect` does where it is left out.
        add_ms: What if: added to each duration of a stage, which stays at least 0 [ms].
    """

    name: str = "nominal"
    measured: bool = False
    source: Text | None = None
    stages: dict[ProfileStage, DelayConfig] = Field(default_factory=dict)
    add_ms: dict[ProfileStage, Change] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _replaced_as_a_whole(cls, tree: Any) -> Any:
        """Where one distribution stands beside another, say how it is replaced: here the stage's name is known."""
        stages = tree.get("stages") if isinstance(tree, dict) else None
        for name, delay in stages.items() if isinstance(stages, dict) else ():
            found = _distributions(delay)
            if len(found) > 1:
                raise WrongAtKey(
                    f"stages.{name}",
                    f"expected one distribution, found {' and '.join(found)}; "
                    f"replace the stage as a whole: --set 'profile.stages.{name}={_flow(found[-1], delay)}'",
                )
        return tree


def _distributions(delay: Any) -> list[str]:
    """Those given in a raw tree, in its order: what `--set` adds comes last."""
    return [key for key in delay if key in DISTRIBUTIONS and delay[key] is not None] if isinstance(delay, dict) else []


def _flow(key: str, delay: dict[str, Any]) -> str:
    text = yaml.safe_dump({key: delay[key]}, default_flow_style=True, width=float("inf")).strip()
    return text if len(text) <= _SHOWN else f"{{{key}: ...}}"
