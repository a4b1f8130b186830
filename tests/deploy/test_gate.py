"""The gate: what passes, what does not, and what it says."""

from __future__ import annotations

import math

import pytest

from deploy.gate import Accuracy, Limits, judge, judge_speed, margin
from deploy.timing import Timing

REFERENCE = Accuracy(0.90, {"red_cube": 0.95, "distractor": 0.85}, 300, "frames")


def accuracy(total: float, cube: float = 0.95, distractor: float = 0.85, frames: str = "frames") -> Accuracy:
    return Accuracy(total, {"red_cube": cube, "distractor": distractor}, 300, frames)


@pytest.mark.parametrize("candidate", [accuracy(0.90), accuracy(0.95, 0.99), accuracy(0.89, 0.93, 0.83)])
def test_within_the_limits_it_passes(candidate: Accuracy) -> None:
    verdict = judge(REFERENCE, candidate)
    assert verdict.ok
    assert str(verdict) == "passed"
    assert margin(REFERENCE, candidate) >= 0.0


@pytest.mark.parametrize(
    ("candidate", "words"),
    [
        (accuracy(0.889), "mAP50-95 falls from 90.0 to 88.9, 1.1 points: at most 1.0"),
        (accuracy(0.90, 0.929), "mAP50-95 of red_cube falls from 95.0 to 92.9, 2.1 points: at most 2.0"),
        (accuracy(0.0, 0.0, 0.0), "mAP50-95 falls from 90.0 to 0.0"),
        (accuracy(math.nan), "mAP50-95 falls from 90.0 to nan"),
        (Accuracy(0.90, {"red_cube": 0.95}, 300, "frames"), "mAP50-95 of distractor falls from 85.0 to 0.0"),
    ],
)
def test_beyond_a_limit_it_says_which(candidate: Accuracy, words: str) -> None:
    verdict = judge(REFERENCE, candidate)
    assert not verdict.ok
    assert words in str(verdict)
    assert margin(REFERENCE, candidate) < 0.0


def test_the_margin_is_that_of_the_worst_figure() -> None:
    assert margin(REFERENCE, accuracy(0.896)) == pytest.approx(0.006, abs=1e-6)
    assert margin(REFERENCE, accuracy(0.896, 0.90, 0.84)) == pytest.approx(-0.03, abs=1e-6)
    assert margin(REFERENCE, accuracy(0.90), Limits(0.05, 0.04)) == pytest.approx(0.04, abs=1e-6)


def test_limits_can_be_given() -> None:
    assert judge(REFERENCE, accuracy(0.85, 0.90, 0.80), Limits(0.05, 0.05)).ok


def test_figures_of_other_frames_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="different frames"):
        judge(REFERENCE, accuracy(0.90, frames="others"))


def timing(p50_ms: float, p99_ms: float) -> Timing:
    return Timing(200, p50_ms, p99_ms, p50_ms, p50_ms)


def test_what_is_not_faster_is_not_shipped() -> None:
    assert judge_speed("int8", timing(3.9, 4.0), "fp16", timing(3.0, 5.0)).ok
    slow = judge_speed("int8", timing(1.0, 5.1), "fp16", timing(4.0, 5.0))
    assert not slow.ok
    assert str(slow) == "int8 is not faster than fp16 here (p99 5.10 ms, 5.00 ms): ship fp16"


def test_on_a_busy_machine_the_medians_decide() -> None:
    assert judge_speed("int8", timing(1.0, 5.1), "fp16", timing(4.0, 5.0), noise=0.3).ok
    slow = judge_speed("int8", timing(4.1, 4.9), "fp16", timing(4.0, 5.0), noise=0.3)
    assert "p50 4.10 ms, 4.00 ms, p99 differs from itself by 30% here" in str(slow)
    assert judge_speed("int8", timing(4.1, 2.0), "fp16", timing(4.0, 5.0), noise=0.3).ok, "beyond the noise"
