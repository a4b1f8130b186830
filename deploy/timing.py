"""How long an inference takes, measured so that two engines can be compared."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from time import perf_counter_ns

import numpy as np
import numpy.typing as npt

from deploy.backend import Backend, IoSpec, Tensor
from deploy.errors import BadInput
from deploy.histogram import nearest_rank

Int64 = npt.NDArray[np.int64]

NS_PER_MS = 1e6
BLOCK = 10


@dataclass(frozen=True, slots=True)
class Timing:
    """Durations of single inferences, one after the other. Percentiles are nearest-rank: each was measured.

    Attributes:
        n: Number of inferences.
        p50_ms: Median [ms].
        p99_ms: 99th percentile [ms]; of fewer than 100 the largest.
        mean_ms: Mean [ms].
        min_ms: Smallest [ms].
    """

    n: int
    p50_ms: float
    p99_ms: float
    mean_ms: float
    min_ms: float

    @classmethod
    def of(cls, durations_ns: npt.ArrayLike) -> Timing:
        """The figures of durations [ns], at least one.

        Example:
            >>> Timing.of([3_000_000, 1_000_000, 2_000_000])
            Timing(n=3, p50_ms=2.0, p99_ms=3.0, mean_ms=2.0, min_ms=1.0)
        """
        ordered = np.sort(np.asarray(durations_ns, np.int64)) / NS_PER_MS
        p50, p99 = (float(ordered[nearest_rank(len(ordered), share) - 1]) for share in (0.50, 0.99))
        return cls(len(ordered), p50, p99, float(ordered.mean()), float(ordered[0]))

    def to_dict(self) -> dict[str, float | int]:
        """The figures by name, ready for JSON."""
        return asdict(self)


def time_backend(
    backend: Backend, inputs: Mapping[str, Tensor] | None = None, *, warmup: int = 20, n: int = 200
) -> Timing:
    """Time a model on an engine.

    Args:
        backend: The loaded model.
        inputs: What to give it; the default is `sample_inputs` of it.
        warmup: Inferences before, which do not count.
        n: Inferences that count.

    Raises:
        BadInput: If there is nothing to count.
    """
    return time_interleaved([backend], None if inputs is None else [inputs], warmup=warmup, n=n)[0]


def time_interleaved(
    backends: Sequence[Backend],
    inputs: Sequence[Mapping[str, Tensor]] | None = None,
    *,
    warmup: int = 20,
    n: int = 200,
    limit_s: float | None = None,
) -> list[Timing]:
    """Time several engines in turns; arguments and errors of `durations_in_turns`, figures for each in their order."""
    return [Timing.of(row) for row in durations_in_turns(backends, inputs, warmup=warmup, n=n, limit_s=limit_s)]


def durations_in_turns(
    backends: Sequence[Backend],
    inputs: Sequence[Mapping[str, Tensor]] | None = None,
    *,
    warmup: int = 20,
    n: int = 200,
    limit_s: float | None = None,
) -> Int64:
    """Time several engines in turns, so that whatever else the machine does is shared by all.

    Each is given ten inferences at a time, after one that does not count and fetches its weights back into the
    caches. Garbage is collected before, not meanwhile.

    Args:
        backends: The loaded models.
        inputs: What to give each; the default is `sample_inputs` of each.
        warmup: Inferences of each before, which do not count.
        n: Inferences of each that count.
        limit_s: Stop early after so long [s], but not before 20 inferences of each.

    Returns:
        Durations [ns], a row for each engine, shape (len(backends), n or fewer).

    Raises:
        BadInput: If there is nothing to count.
    """
    if n < 1:
        raise BadInput(f"{n} timed inferences: expected at least 1")
    given = [sample_inputs(backend.io_spec) for backend in backends] if inputs is None else inputs
    durations = np.zeros((len(backends), n), np.int64)
    done = 0
    with _no_collection():
        for backend, tensors in zip(backends, given, strict=True):
            for _ in range(warmup):
                backend.infer(tensors)
        end_ns = perf_counter_ns() + round(limit_s * 1e9) if limit_s is not None else None
        while done < n and (done < 2 * BLOCK or end_ns is None or perf_counter_ns() < end_ns):
            stop = min(done + BLOCK, n)
            for row, backend, tensors in zip(durations, backends, given, strict=True):
                backend.infer(tensors)
                for i in range(done, stop):
                    start_ns = perf_counter_ns()
                    backend.infer(tensors)
                    row[i] = perf_counter_ns() - start_ns
            done = stop
    return durations[:, :done]


def p99_spread(durations_ns: Int64) -> float:
    """How far the 99th percentile of an engine is from itself: of every second turn against the turns between.

    Args:
        durations_ns: Shape (N,), of one engine, in the order of time [ns].

    Returns:
        The relative difference, 0 for a single turn. Two engines that differ by less do not differ.
    """
    turns = np.arange(len(durations_ns)) // BLOCK % 2
    if not turns.any():
        return 0.0
    low, high = sorted(Timing.of(durations_ns[turns == half]).p99_ms for half in (0, 1))
    return high / low - 1.0


def sample_inputs(io_spec: IoSpec, seed: int = 0) -> dict[str, Tensor]:
    """Inputs of a model for timing it: floats in [0, 1) as pixels have them, integers from 0 to 255, or 0 and 1.

    Zeros would be a lie: some kernels skip them.
    """
    rng = np.random.default_rng(seed)
    tensors: dict[str, Tensor] = {}
    for spec in io_spec.inputs:
        dtype = np.dtype(spec.dtype)
        if dtype.kind == "f":
            tensors[spec.name] = rng.random(spec.shape).astype(dtype)
        else:
            top = 1 if dtype.kind == "b" else min(255, int(np.iinfo(dtype).max))
            tensors[spec.name] = rng.integers(0, top, spec.shape, endpoint=True).astype(dtype)
    return tensors


@contextmanager
def _no_collection() -> Iterator[None]:
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
