"""Artifacts on engines, loaded and timed together; what cannot run here says why and stops nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.artifacts import precision_of
from deploy.backend import Backend
from deploy.errors import BadInput, EyehandError, Missing
from deploy.timing import Timing, durations_in_turns, p99_spread

Factory = Callable[[Path, int], Backend]

WARMUP = 10


@dataclass(frozen=True, slots=True)
class Candidate:
    """An artifact on an engine.

    Attributes:
        backend: Registered name of the engine.
        file: Name of the artifact in a model folder, such as `model.int8-u8.onnx`.
        path: Where it is.
    """

    backend: str
    file: str
    path: Path

    @property
    def precision(self) -> str:
        """Of the artifact."""
        return precision_of(self.file)

    def __str__(self) -> str:
        return f"{self.backend} {self.precision}"


@dataclass(frozen=True, slots=True)
class Measured:
    """What became of a candidate.

    Attributes:
        candidate: It.
        timing: Its durations; None if it cannot run here.
        spread: How far its 99th percentile is from itself in the two halves of the turns, relative.
        fingerprint: Of the engine that ran it; empty if it cannot run here.
        reason: Why it cannot run here; empty if it can.
    """

    candidate: Candidate
    timing: Timing | None
    spread: float = 0.0
    fingerprint: str = ""
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Names and figures, ready for JSON."""
        row: dict[str, Any] = {
            "backend": self.candidate.backend, "file": self.candidate.file, "precision": self.candidate.precision
        }  # fmt: skip
        if self.timing is None:
            return {**row, "reason": self.reason}
        return {**row, **self.timing.to_dict(), "fingerprint": self.fingerprint}


def measure(
    candidates: Iterable[Candidate],
    backends: Mapping[str, Factory],
    threads: int,
    *,
    n: int,
    limit_s: float | None = None,
    vet: Callable[[Candidate], None] | None = None,
) -> list[Measured]:
    """Time candidates in turns; one that cannot run is noted with the reason and stops nobody.

    Args:
        candidates: What to time.
        backends: See `choose`.
        threads: Threads inside one operator.
        n: Inferences of each.
        limit_s: Time after which fewer will do [s].
        vet: Refuses a candidate before it is loaded, by an error.

    Returns:
        One for each, in their order.

    Raises:
        Missing: If none runs, and for each what is missing is the reason.
        BadInput: If none runs for other reasons.
    """
    rows: list[tuple[Candidate, Backend | None, Exception | None]] = []
    try:
        for candidate in candidates:
            try:
                if vet is not None:
                    vet(candidate)
                rows.append((candidate, backends[candidate.backend](candidate.path, threads), None))
            except Exception as error:  # engines of other packages may raise anything
                rows.append((candidate, None, error))
        running = [backend for _, backend, _ in rows if backend is not None]
        if not running:
            raise _nothing_runs([(candidate, error) for candidate, _, error in rows])
        durations = iter(durations_in_turns(running, warmup=WARMUP, n=n, limit_s=limit_s))
        return [
            Measured(candidate, None, reason=_reason(error))
            if backend is None
            else Measured(candidate, Timing.of(row := next(durations)), p99_spread(row), backend.fingerprint)
            for candidate, backend, error in rows
        ]
    finally:
        for _, backend, _ in rows:
            if backend is not None:
                backend.close()


def _nothing_runs(failed: Sequence[tuple[Candidate, Exception | None]]) -> EyehandError:
    reasons = "; ".join(f"{candidate}: {_reason(error)}" for candidate, error in failed)
    kind = Missing if all(isinstance(error, (Missing, ImportError)) for _, error in failed) else BadInput
    return kind(f"no engine runs the model here: {reasons}")


def _reason(error: Exception | None) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, EyehandError) else f"{type(error).__name__}: {text}"[:200]
