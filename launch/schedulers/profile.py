"""Modelled durations of stages, drawn from a latency profile.

Each distribution is its quantile function, and a draw is that function of one uniform number: a stage takes exactly one
number per activation, out of a generator of its own, so how often one stage runs never changes what another one takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from launch.config.profile import FALLBACK, DelayConfig, ProfileConfig
from launch.ledger import REPORTED, Stage

Float64 = npt.NDArray[np.float64]
BLOCK = 256  # draws are made so many at a time: what is left to a call is to take the next one
_Z99 = float(ndtri(0.99))


def quantiles_ms(delay: DelayConfig, probabilities: npt.ArrayLike) -> Float64:
    """Quantiles of a stage's modelled duration.

    Args:
        delay: The distribution.
        probabilities: Shape (N,), from 0 up to, not including, 1.

    Returns:
        Shape (N,) [ms].
    """
    p = np.asarray(probabilities, dtype=np.float64)
    if delay.lognormal_ms is not None:
        # log x = log p50 + sigma z(p), with the sigma that takes z(0.99) to p99
        ratio = delay.lognormal_ms.p99 / delay.lognormal_ms.p50
        return np.asarray(delay.lognormal_ms.p50 * ratio ** (ndtri(p) / _Z99), dtype=np.float64)
    if delay.normal_ms is not None:
        mean, sd = delay.normal_ms.mean, delay.normal_ms.sd
        cut = float(ndtr(-mean / sd))  # the part below 0
        return np.asarray(np.maximum(mean + sd * ndtri(cut + p * (1.0 - cut)), 0.0), dtype=np.float64)
    if delay.empirical_ms is not None:
        return np.interp(p, np.linspace(0.0, 1.0, len(delay.empirical_ms)), delay.empirical_ms)
    return np.full(p.shape, delay.constant_ms, dtype=np.float64)


class Durations:
    """What the virtual clock advances by when a stage runs.

    Two of the same profile and seed give each stage the same durations, in whatever order the stages run.

    Args:
        profile: The distributions.
        seed: Seed of the run.
    """

    def __init__(self, profile: ProfileConfig, seed: int = 0) -> None:
        stages, add_ms, detect = profile.stages, profile.add_ms, Stage.DETECT.label
        added = [add_ms.get(stage.label, 0.0) for stage in REPORTED]
        fallback = stages.get(FALLBACK, stages.get(detect))
        fallback_added = add_ms.get(FALLBACK, 0.0 if FALLBACK in stages else add_ms.get(detect, 0.0))
        self._measured = profile.measured
        self._add_ns = [_ns(value) for value in added]
        self._fallback_add_ns = _ns(fallback_added)
        self._draws = [_draws(stages.get(stage.label), added[stage], _numbers(seed, stage, 0)) for stage in REPORTED]
        self._fallback_draws = _draws(fallback, fallback_added, _numbers(seed, Stage.DETECT, 1))

    def __call__(self, stage: Stage, measured_ns: int, engine: int = 0) -> int:
        """Duration [ns] of one activation.

        Args:
            stage: One of the seven stages of a report.
            measured_ns: What the activation took on this machine [ns].
            engine: Of the detector behind what was consumed: 0 the configured one, 1 its fallback.
        """
        smaller = engine != 0 and stage == Stage.DETECT
        if self._measured:
            return max(0, measured_ns + (self._fallback_add_ns if smaller else self._add_ns[stage]))
        return next(self._fallback_draws if smaller else self._draws[stage])


def _ns(duration_ms: float) -> int:
    return round(duration_ms * 1e6)


def _numbers(seed: int, stage: Stage, engine: int) -> np.random.Generator:
    """A generator that no other stage, engine or seed shares."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(stage, engine))))


def _draws(delay: DelayConfig | None, add_ms: float, numbers: np.random.Generator) -> Iterator[int]:
    """Durations of a stage [ns], without end."""
    if delay is None or delay.constant_ms is not None:
        constant = 0.0 if delay is None or delay.constant_ms is None else delay.constant_ms
        return repeat(max(0, _ns(constant + add_ms)))
    return _random_draws(delay, add_ms, numbers)


def _random_draws(delay: DelayConfig, add_ms: float, numbers: np.random.Generator) -> Iterator[int]:
    while True:
        drawn_ms = quantiles_ms(delay, numbers.random(BLOCK)) + add_ms
        yield from np.rint(np.maximum(drawn_ms, 0.0) * 1e6).astype(np.int64).tolist()
