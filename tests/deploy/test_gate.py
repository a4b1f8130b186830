"""The gate: what passes, what does not, and what it says."""

from __future__ import annotations

import math

import pytest

from deploy.gate import Accuracy, Limits, judge, judge_speed

REFERENCE = Accuracy(0.90, {"red_cube": 0.95, "distractor": 0.85}, 300, "frames")


def accuracy(total: float, cube: float = 0.95, distractor: float = 0.85, frames: str = "frames") -> Accuracy:
    return Accuracy(total, {"red_cube": cube, "distractor": distractor}, 300, frames)


@pytest.mark.parametrize("candidate", [accuracy(0.90), accuracy(0.95, 0.99), accuracy(0.89, 0.93, 0.83)])
def test_within_the_limits_it_passes(candidate: Accuracy) -> None:
    verdict = judge(REFERENCE, candidate)
    assert verdict.ok
    assert str(verdict) == "passed"


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


def test_limits_can_be_given() -> None:
    assert judge(REFERENCE, accuracy(0.85, 0.90, 0.80), Limits(0.05, 0.05)).ok


def test_figures_of_other_frames_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="different frames"):
        judge(REFERENCE, accuracy(0.90, frames="others"))


def test_what_is_not_faster_is_not_shipped() -> None:
    assert judge_speed("int8", 4.0, "fp16", 5.0).ok
    slow = judge_speed("int8", 5.1, "fp16", 5.0)
    assert not slow.ok
    assert "ship fp16" in str(slow)
    assert "p99 5.10 ms, 5.00 ms" in str(slow)
