"""The gate of an artifact: it is installed only if it is about as good as its float original, and faster than the next.

It knows numbers and limits only; who measures them hands in a callable or the figures.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from deploy.timing import Timing


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How good a model is on one set of frames.

    Attributes:
        map50_95: Mean average precision over overlaps 0.50 to 0.95 (COCO), in [0, 1].
        per_class: The same of each class that the set holds, by name.
        frames: Number of frames.
        frames_sha256: Hash of frames and labels: figures of two sets cannot be compared.
    """

    map50_95: float
    per_class: Mapping[str, float]
    frames: int
    frames_sha256: str


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that an artifact may lose against its original, as parts of 1: 0.010 is one point of mAP."""

    map_drop: float = 0.010
    class_drop: float = 0.020


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an artifact passes, and what speaks against it, a sentence each."""

    ok: bool
    reasons: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "; ".join(self.reasons) or "passed"


def judge(reference: Accuracy, candidate: Accuracy, limits: Limits | None = None) -> Verdict:
    """Compare the accuracy of an artifact with that of its original.

    Args:
        reference: Of the original.
        candidate: Of the artifact, on the same frames.
        limits: What it may lose; the default is one point of mAP50-95, two of any class.

    Raises:
        ValueError: If they were measured on different frames.
    """
    limits = limits or Limits()
    if reference.frames_sha256 != candidate.frames_sha256:
        raise ValueError("reference and candidate were measured on different frames: their figures cannot be compared")
    reasons = []
    if _left(reference.map50_95, candidate.map50_95, limits.map_drop) < 0.0:
        reasons.append(_lost("mAP50-95", reference.map50_95, candidate.map50_95, limits.map_drop))
    for name, before in reference.per_class.items():
        after = candidate.per_class.get(name, 0.0)
        if _left(before, after, limits.class_drop) < 0.0:
            reasons.append(_lost(f"mAP50-95 of {name}", before, after, limits.class_drop))
    return Verdict(not reasons, tuple(reasons))


def margin(reference: Accuracy, candidate: Accuracy, limits: Limits | None = None) -> float:
    """How much more an artifact may lose before `judge` refuses it; negative by as much as it has lost too much.

    The figure, mAP50-95 or that of a class, that is nearest to its limit or farthest beyond decides.

    Args:
        reference: Of the original.
        candidate: Of the artifact, on the same frames.
        limits: What it may lose.

    Returns:
        Parts of 1; 0 or more where the artifact passes.

    Example:
        >>> round(margin(Accuracy(0.9, {"cup": 0.9}, 1, ""), Accuracy(0.9, {"cup": 0.87}, 1, "")), 6)
        -0.01
    """
    limits = limits or Limits()
    classes = reference.per_class.items()
    left = [_left(before, candidate.per_class.get(name, 0.0), limits.class_drop) for name, before in classes]
    return min(_left(reference.map50_95, candidate.map50_95, limits.map_drop), *left)


def judge_speed(name: str, timing: Timing, other: str, other_timing: Timing, noise: float = 0.0) -> Verdict:
    """Whether an artifact is faster than the next more precise one on this machine; if not, that one is to be shipped.

    The 99th percentiles decide; where they differ by less than they differ from themselves on a busy machine, the
    medians do.

    Args:
        name: Precision of the artifact.
        timing: Its latency.
        other: Precision of the next more precise one.
        other_timing: Its latency, measured in turns with the first.
        noise: How far a 99th percentile was from itself meanwhile, relative (`deploy.timing.p99_spread`).
    """
    if abs(timing.p99_ms - other_timing.p99_ms) <= noise * min(timing.p99_ms, other_timing.p99_ms):
        figure, here, there = "p50", timing.p50_ms, other_timing.p50_ms
        because = f", p99 differs from itself by {noise:.0%} here"
    else:
        figure, here, there, because = "p99", timing.p99_ms, other_timing.p99_ms, ""
    if here < there:
        return Verdict(True)
    reason = f"{name} is not faster than {other} here ({figure} {here:.2f} ms, {there:.2f} ms{because}): ship {other}"
    return Verdict(False, (reason,))


def _left(before: float, after: float, limit: float) -> float:
    """What may still be lost, negative if too much was; equal figures differ by rounding."""
    return limit + 1e-9 - (before - after) if math.isfinite(after) else -math.inf


def _lost(what: str, before: float, after: float, limit: float) -> str:
    return (
        f"{what} falls from {100 * before:.1f} to {100 * after:.1f}, "
        f"{100 * (before - after):.1f} points: at most {100 * limit:.1f}"
    )
