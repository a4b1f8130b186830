"""Latency profiles: draws follow the distribution, are the same for the same seed, and stages are independent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from deploy.errors import BadInput
from launch.config import load_config, load_profile
from launch.config.budget import STAGES, BudgetConfig
from launch.config.profile import DelayConfig, ProfileConfig
from launch.ledger import REPORTED, Stage
from launch.schedulers.profile import BLOCK, Durations, quantiles_ms

MS = 1_000_000
DETECT = Stage.DETECT
SKEWED = {"lognormal_ms": {"p50": 10.0, "p99": 20.0}}


def profile(stages: Mapping[str, Any], **others: Any) -> ProfileConfig:
    return ProfileConfig.model_validate({"stages": stages, **others})


def drawn_ms(delay: dict[str, Any], n: int, seed: int = 0) -> np.ndarray:
    durations = Durations(profile({"detect": delay}), seed=seed)
    return np.array([durations(DETECT, 0) for _ in range(n)]) / MS


# -------------------------------------------------------------------------------------------------------- distributions


@pytest.mark.parametrize(
    ("delay", "p50", "p99"),
    [
        ({"constant_ms": 12.5}, 12.5, 12.5),
        ({"normal_ms": {"mean": 20.0, "sd": 2.0}}, 20.0, 20.0 + 2.0 * 2.3263),
        # half of this one is cut off: what is left has the quantiles of |z|
        ({"normal_ms": {"mean": 0.0, "sd": 3.0}}, 3.0 * 0.6745, 3.0 * 2.5758),
        (SKEWED, 10.0, 20.0),
        ({"lognormal_ms": {"p50": 4.0, "p99": 40.0}}, 4.0, 40.0),
        ({"lognormal_ms": {"p50": 5.0, "p99": 5.0}}, 5.0, 5.0),
        ({"empirical_ms": [10.0, 20.0]}, 15.0, 19.9),
        ({"empirical_ms": [1.0, 2.0, 4.0]}, 2.0, 3.96),
        ({"empirical_ms": [3.0, 3.0, 3.0, 9.0, 9.0]}, 3.0, 9.0),
    ],
)
def test_draws_follow_the_distribution(delay: dict[str, Any], p50: float, p99: float) -> None:
    drawn = drawn_ms(delay, 20_000)
    assert np.quantile(drawn, (0.5, 0.99)) == pytest.approx((p50, p99), rel=0.03)
    assert quantiles_ms(DelayConfig.model_validate(delay), (0.5, 0.99)) == pytest.approx((p50, p99), rel=1e-3)
    assert drawn.min() >= 0.0


@pytest.mark.parametrize("mean", [0.0, 0.01, 2.0, 500.0])
def test_a_normal_duration_is_cut_off_and_not_heaped_at_zero(mean: float) -> None:
    drawn = drawn_ms({"normal_ms": {"mean": mean, "sd": 10.0}}, 2 * BLOCK)
    assert drawn.min() >= 0.0
    assert np.count_nonzero(drawn < 1e-3) <= 1


def test_an_empirical_distribution_keeps_to_its_ends() -> None:
    drawn = drawn_ms({"empirical_ms": [7.0, 7.5, 30.0]}, 5000)
    assert 7.0 <= drawn.min() < 7.01
    assert 29.5 < drawn.max() <= 30.0


def test_a_lognormal_duration_has_the_mean_of_the_formula() -> None:
    sigma = np.log(2.0) / 2.3263
    assert drawn_ms(SKEWED, 20_000).mean() == pytest.approx(10.0 * np.exp(sigma**2 / 2), rel=0.01)


# ---------------------------------------------------------------------------------------------------------- determinism


RANDOM_STAGES = dict.fromkeys(STAGES, SKEWED)


def first(durations: Durations, stage: Stage, n: int = 2 * BLOCK + 3, engine: int = 0) -> list[int]:
    return [durations(stage, 0, engine) for _ in range(n)]


@pytest.mark.parametrize("seed", [0, 7, 2**63])
def test_the_same_seed_gives_the_same_durations(seed: int) -> None:
    one, other = (Durations(profile(RANDOM_STAGES), seed=seed) for _ in range(2))
    for stage in REPORTED:
        assert first(one, stage) == first(other, stage)


def test_the_draws_of_a_seed_stay_what_they_are() -> None:
    """A recorded run is made again from its configuration: another generator would give another run."""
    drawn = first(Durations(profile({"detect": SKEWED}), seed=3), DETECT, 3)
    assert drawn == pytest.approx([11492069, 10457014, 12960448], abs=1)


def test_another_seed_another_stage_and_another_engine_give_others() -> None:
    stages = {**RANDOM_STAGES, "detect_fallback": SKEWED}
    series = [first(Durations(profile(stages), seed=seed), stage, 40) for seed in (0, 1, 2**32) for stage in REPORTED]
    series.append(first(Durations(profile(stages)), DETECT, 40, engine=1))
    assert len({tuple(numbers) for numbers in series}) == len(series)
    correlation = np.corrcoef(np.array([first(Durations(profile(stages)), s, 2000) for s in REPORTED]))
    assert np.abs(correlation - np.eye(len(REPORTED))).max() < 0.1


def test_how_often_one_stage_runs_does_not_change_another_one() -> None:
    stages = {**RANDOM_STAGES, "detect_fallback": SKEWED}
    alone, among = Durations(profile(stages), seed=5), Durations(profile(stages), seed=5)
    expected = first(alone, DETECT, 300)
    found = []
    for turn in range(300):
        for stage in REPORTED[2 : 2 + turn % 5]:
            among(stage, 0)
        among(DETECT, 0, 1)
        found.append(among(DETECT, 0))
    assert found == expected


# -------------------------------------------------------------------------------------------- which stage, which engine


@pytest.mark.parametrize(
    ("fields", "stage", "engine", "expected_ms"),
    [
        ({"stages": {"detect": {"constant_ms": 15}}}, DETECT, 0, 15.0),
        ({"stages": {"detect": {"constant_ms": 15}}}, DETECT, 1, 15.0),  # no figure of its own: the detector's
        ({"stages": {"detect": {"constant_ms": 15}, "detect_fallback": {"constant_ms": 6}}}, DETECT, 0, 15.0),
        ({"stages": {"detect": {"constant_ms": 15}, "detect_fallback": {"constant_ms": 6}}}, DETECT, 1, 6.0),
        # the engine behind what a later stage consumed does not matter to it
        ({"stages": {"track": {"constant_ms": 2}, "detect_fallback": {"constant_ms": 6}}}, Stage.TRACK, 1, 2.0),
        ({"stages": {"detect": {"constant_ms": 15}}}, Stage.PLAN, 0, 0.0),  # left out: no time
        ({}, Stage.SEND, 0, 0.0),
        # what if
        ({"stages": {"detect": {"constant_ms": 15}}, "add_ms": {"detect": 40}}, DETECT, 0, 55.0),
        ({"stages": {"detect": {"constant_ms": 15}}, "add_ms": {"detect": 40}}, DETECT, 1, 55.0),
        (
            {
                "stages": {"detect": {"constant_ms": 15}, "detect_fallback": {"constant_ms": 6}},
                "add_ms": {"detect": 40},
            },
            DETECT, 1, 6.0,
        ),
        ({"stages": {"detect": {"constant_ms": 15}}, "add_ms": {"detect_fallback": -5}}, DETECT, 1, 10.0),
        ({"stages": {"detect": {"constant_ms": 15}}, "add_ms": {"detect_fallback": -5}}, DETECT, 0, 15.0),
        ({"add_ms": {"plan": 7.25}}, Stage.PLAN, 0, 7.25),
        ({"stages": {"plan": {"constant_ms": 5}}, "add_ms": {"plan": -7}}, Stage.PLAN, 0, 0.0),
        # measured: what this machine took
        ({"measured": True}, DETECT, 0, 3.0),
        ({"measured": True, "stages": {"detect": {"constant_ms": 15}}}, DETECT, 0, 3.0),
        ({"measured": True, "add_ms": {"detect": 40}}, DETECT, 0, 43.0),
        ({"measured": True, "add_ms": {"detect": 40}}, DETECT, 1, 43.0),
        ({"measured": True, "add_ms": {"detect": 40}}, Stage.PLAN, 0, 3.0),
        ({"measured": True, "add_ms": {"detect": -40}}, DETECT, 0, 0.0),
    ],
)  # fmt: skip
def test_the_duration_of_a_stage(fields: dict[str, Any], stage: Stage, engine: int, expected_ms: float) -> None:
    durations = Durations(ProfileConfig.model_validate(fields))
    assert [durations(stage, 3 * MS, engine) for _ in range(2)] == [round(expected_ms * MS)] * 2


def test_what_is_added_shifts_each_draw() -> None:
    plain = Durations(profile({"detect": SKEWED}), seed=1)
    shifted = Durations(profile({"detect": SKEWED}, add_ms={"detect": 2.5}), seed=1)
    assert [b - a for a, b in zip(first(plain, DETECT), first(shifted, DETECT), strict=True)] == pytest.approx(
        [2.5 * MS] * (2 * BLOCK + 3), abs=1
    )


# ------------------------------------------------------------------------------------------------ configuration's words


def test_set_beside_another_distribution_says_how_to_replace_it() -> None:
    with pytest.raises(BadInput) as caught:
        load_config("sim_pick_place", ["profile=orin_agx", "profile.stages.detect.constant_ms=40"])
    assert str(caught.value) == (
        "orin_agx.yaml with --set profile.stages.detect.constant_ms=40: profile.stages.detect: "
        "expected one distribution, found lognormal_ms and constant_ms; "
        "replace the stage as a whole: --set 'profile.stages.detect={constant_ms: 40}'"
    )


def test_and_that_works() -> None:
    config = load_config("sim_pick_place", ["profile=orin_agx", "profile.stages.detect={constant_ms: 40}"])
    assert config.profile.stages["detect"] == DelayConfig(constant_ms=40.0)


# ---------------------------------------------------------------------------------------------------- packaged profiles


@pytest.mark.parametrize(
    ("name", "contract"), [("nominal", "orin_agx"), ("orin_agx", "orin_agx"), ("cpu_2core", "cpu_2core")]
)
def test_a_packaged_profile_keeps_its_machines_contract(name: str, contract: str) -> None:
    """With room, so that a run of 100 frames does not break it by chance."""
    budget: BudgetConfig = load_config("sim_pick_place", [f"budget={contract}"]).budget
    assert budget.reaction_ms is not None
    assert budget.control_period_ms is not None
    delays = load_profile(name).stages
    for stage, limit in budget.stages_ms.items():
        assert quantiles_ms(delays[stage], 0.998) <= limit, stage
    # one p99 after the other, and the wait for the next control tick: worse than the p99 of their sum
    worst_ms = sum(float(quantiles_ms(delays[stage], 0.99)) for stage in STAGES) + budget.control_period_ms
    assert worst_ms <= budget.reaction_ms
