"""Artifacts on engines, loaded and timed together; what cannot run here says why and stops nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.artifacts import precision_of
from deploy.backend import Backend
from deploy.errors import BadInput, EyehandError, Missing
from deploy.timing import Int64, Timing, durations_in_turns, p99_spread, time_backend

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
        missing: Whether the reason is something that is not installed.
    """

    candidate: Candidate
    timing: Timing | None
    spread: float = 0.0
    fingerprint: str = ""
    reason: str = ""
    missing: bool = False

    @classmethod
    def refused(cls, candidate: Candidate, error: Exception) -> Measured:
        """A candidate that cannot run here."""
        text = " ".join(str(error).split())
        reason = text if isinstance(error, EyehandError) else f"{type(error).__name__}: {text}"[:200]
        return cls(candidate, None, reason=reason, missing=isinstance(error, (Missing, ImportError)))

    def to_dict(self) -> dict[str, Any]:
        """Names and figures, ready for JSON."""
        row: dict[str, Any] = {
            "backend": self.candidate.backend, "file": self.candidate.file, "precision": self.candidate.precision
        }  # fmt: skip
        if self.timing is None:
            return {**row, "reason": self.reason}
        return {**row, **self.timing.to_dict(), "p99_spread": self.spread, "fingerprint": self.fingerprint}


def measure(
    candidates: Iterable[Candidate],
    backends: Mapping[str, Factory],
    threads: int,
    *,
    n: int,
    limit_s: float | None = None,
    vet: Callable[[Candidate], None] | None = None,
) -> list[Measured]:
    """Time candidates in turns; one that cannot run, or stops working, is noted with the reason and stops nobody.

    Args:
        candidates: What to time.
        backends: See `choose`.
        threads: Threads inside one operator.
        n: Inferences of each.
        limit_s: Time after which fewer will do [s].
        vet: Refuses a candidate before it is loaded, by an error.

    Returns:
        One for each, in their order.
    """
    rows: list[Measured | tuple[Candidate, Backend]] = []
    running: list[Backend] = []
    try:
        for candidate in candidates:
            try:
                if vet is not None:
                    vet(candidate)
                running.append(backends[candidate.backend](candidate.path, threads))
                rows.append((candidate, running[-1]))
            except Exception as error:  # engines of other packages may raise anything
                rows.append(Measured.refused(candidate, error))
        durations = _durations(running, n, limit_s)
        return [row if isinstance(row, Measured) else _measured(*row, durations[id(row[1])]) for row in rows]
    finally:
        for backend in running:
            backend.close()


def nothing_runs(measured: Sequence[Measured]) -> EyehandError:
    """The error to raise where none of the candidates could run: what is missing, if that is all."""
    reasons = "; ".join(dict.fromkeys(f"{row.candidate}: {row.reason}" for row in measured))
    kind = Missing if measured and all(row.missing for row in measured) else BadInput
    return kind(f"no engine runs the model here: {reasons or 'there is no artifact that any takes'}")


def _durations(running: Sequence[Backend], n: int, limit_s: float | None) -> dict[int, Int64 | Exception]:
    """Durations of each engine [ns] by its `id`, or why it stopped working; the others are timed without it."""
    failed: dict[int, Int64 | Exception] = {}
    while True:
        left = [backend for backend in running if id(backend) not in failed]
        try:
            durations = durations_in_turns(left, warmup=WARMUP, n=n, limit_s=limit_s)
        except Exception:  # engines of other packages may raise anything
            found = {id(backend): error for backend in left if (error := _failure(backend)) is not None}
            if not found:
                raise
            failed |= found
        else:
            return failed | {id(backend): row for backend, row in zip(left, durations, strict=True)}


def _failure(backend: Backend) -> Exception | None:
    try:
        time_backend(backend, warmup=0, n=WARMUP)
    except Exception as error:
        return error
    return None


def _measured(candidate: Candidate, backend: Backend, durations_ns: Int64 | Exception) -> Measured:
    if isinstance(durations_ns, Exception):
        return Measured.refused(candidate, durations_ns)
    return Measured(candidate, Timing.of(durations_ns), p99_spread(durations_ns), backend.fingerprint)
