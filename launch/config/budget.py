"""The budget contract: what each stage and the whole path may take, and what is done about a miss."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from launch.config.rig import Positive, Section
from launch.config.sentences import WrongAtKey

STAGES = ("capture", "detect", "localize", "track", "plan", "ik", "send")
FENCED = ("detect", "localize", "plan", "ik")


def _stage(name: str) -> str:
    if name not in STAGES:
        raise ValueError(f"no such stage; there are {', '.join(STAGES)}")
    return name


def _fenced(name: str) -> str:
    if name not in FENCED:
        raise ValueError(f"no stage whose late result can be fenced; there are {', '.join(FENCED)}")
    return name


StageName = Annotated[str, AfterValidator(_stage)]
FencedStage = Annotated[str, AfterValidator(_fenced)]


class FallbackConfig(Section):
    """Rung 3: when the smaller engine takes over, and when the configured one is tried again.

    It takes over at `misses` of the last `of` activations over the p99; the configured engine is tried again after
    `recover` kept ones in a row, and after twice as many each time that it fails soon again (eight times at most).
    """

    misses: Annotated[int, Field(ge=1, le=1000)] = 3
    of: Annotated[int, Field(ge=1, le=1000)] = 10
    recover: Annotated[int, Field(ge=1, le=100_000)] = 30

    @model_validator(mode="after")
    def _possible(self) -> FallbackConfig:
        if self.misses > self.of:
            raise WrongAtKey("misses", f"{self.misses} of the last {self.of} cannot be; expected at most `of`")
        return self


class LadderConfig(Section):
    """What is done about a broken clause, rung by rung; null turns a rung off.

    Rungs 5 and 6 follow the age of photons, the arm's feedback and the control loop's own pulse; never `reaction`.

    Attributes:
        overrun: Rung 1: note each activation that took more than its stage's p99.
        predict_age_ms: Rung 2: with less time left than the detector's p99, leave the frame out and let the tracker
            predict, as long as the photons of the last detections are younger than this [ms].
        fallback: Rung 3: the detector's fallback engine.
        fresh_age_ms: Rung 4: from this age of the photons on, the arm goes on along a chunk that should have been
            replaced [ms].
        hold_age_ms: Rung 5: above this age of the photons the arm decelerates and holds [ms].
        stop_age_ms: Rung 6: above this age of the photons the safe stop latches [ms].
        feedback_age_ms: Rung 6: oldest state of the arm [ms].
        watchdog_ms: Rung 6: longest silence of the control loop [ms].
        failures: Rung 6: a stage that raises so many times in a row ends the run with a safe stop.
    """

    overrun: bool = True
    predict_age_ms: Positive | None = None
    fallback: FallbackConfig | None = FallbackConfig()
    fresh_age_ms: Positive | None = None
    hold_age_ms: Positive | None = None
    stop_age_ms: Positive | None = None
    feedback_age_ms: Positive | None = None
    watchdog_ms: Positive | None = None
    failures: Annotated[int, Field(ge=1)] = 3

    @model_validator(mode="after")
    def _in_order(self) -> LadderConfig:
        ages = ("fresh_age_ms", "hold_age_ms", "stop_age_ms")
        given = [(name, getattr(self, name)) for name in ages if getattr(self, name) is not None]
        for (below, low), (name, high) in pairwise(given):
            if high < low:
                raise WrongAtKey(name, f"{high:g} is less than {below}, {low:g}; the rungs come one after the other")
        return self


class BudgetConfig(Section):
    """The contract [ms]. A clause that is left out is not part of it.

    Attributes:
        name: Name in reports.
        stages_ms: p99 of each stage.
        hard_ms: A result that took longer is fenced: tagged stale, used by nothing, never sent.
        reaction_ms: Deadline from the photons to the first command that uses them, kept by the p99.
        command_age_ms: Greatest age of the photons behind a command that follows a chunk.
        control_period_ms: Slowest control loop that the contract allows.
        control_lateness_ms: How late a control tick may be, kept by the p99.
        detections_age_ms: Oldest photons that a plan may start from.
        ignore: Clauses that are reported and do not break the contract.
        ladder: What the run time does about a broken clause.
    """

    name: str = "none"
    stages_ms: dict[StageName, Positive] = Field(default_factory=dict)
    hard_ms: dict[FencedStage, Positive] = Field(default_factory=dict)
    reaction_ms: Positive | None = None
    command_age_ms: Positive | None = None
    control_period_ms: Positive | None = None
    control_lateness_ms: Positive | None = None
    detections_age_ms: Positive | None = None
    ignore: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    ladder: LadderConfig = LadderConfig()

    @model_validator(mode="after")
    def _consistent(self) -> BudgetConfig:
        for stage, hard in self.hard_ms.items():
            p99 = self.stages_ms.get(stage)
            if p99 is not None and hard < p99:
                raise WrongAtKey(f"hard_ms.{stage}", f"{hard:g} is less than the stage's p99, {p99:g}")
        for clause in self.ignore:
            if clause not in CLAUSES:
                raise WrongAtKey("ignore", f"no such clause {clause!r}; there are {', '.join(CLAUSES)}")
        hold, limit = self.ladder.hold_age_ms, self.command_age_ms
        if hold is not None and limit is not None and hold > limit:
            raise WrongAtKey(
                "ladder.hold_age_ms",
                f"{hold:g} is more than command_age_ms, {limit:g}: the contract would be broken first",
            )
        return self


CLAUSES = (
    *(f"stage.{name}" for name in STAGES), *(f"hard.{name}" for name in FENCED),
    "reaction", "command_age", "control_period", "control_lateness", "detections_age", "safe_stop", "lost_rows",
)  # fmt: skip
