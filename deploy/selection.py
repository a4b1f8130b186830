"""`backend: auto` and `precision: auto`: what runs a model fastest on this machine, by measurement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deploy.artifacts import AUTO, MODEL_FILE, artifact_for, precision_of
from deploy.candidates import Candidate, Factory, Measured, measure, nothing_runs
from deploy.errors import BadInput
from deploy.passport import file_sha256, passport_path
from deploy.policy_passport import read_passport

TIE = 0.05
LIMIT_S = 15.0
_PRECISE_FIRST = ("fp32", "fp16")


@dataclass(frozen=True, slots=True)
class Choice:
    """The fastest way to run a model here.

    Attributes:
        backend: Registered name of the engine.
        precision: Of the artifact, such as `int8-u8`.
        file: The artifact's name in the model folder.
        why: One sentence with the figures.
        measured: All candidates, in the order they were tried.
    """

    backend: str
    precision: str
    file: str
    why: str
    measured: tuple[Measured, ...]

    def to_dict(self) -> dict[str, Any]:
        """Names and figures, ready for JSON."""
        return {**asdict(self), "measured": [row.to_dict() for row in self.measured]}


def choose(
    artifacts: Mapping[str, Path],
    backends: Mapping[str, Factory],
    threads: int,
    precision: str = AUTO,
    n: int = 100,
    limit_s: float = LIMIT_S,
) -> Choice:
    """Load every artifact that suits an engine on it, time all in turns, and choose.

    The lowest 99th percentile wins. Those within 5 % of it are equal in that, or those within what an engine differs
    from itself where the machine is that busy, and the lower median wins; those within 5 % of that are equal too, and
    the most precise wins. So INT8 that is not faster than fp32 here is not chosen.
    An artifact other than the model itself counts only with a passport of its file and of this model, an INT8 one only
    if the passport has its parity with the model: without, nobody knows what it detects. What does not count is named
    in the reason.

    Args:
        artifacts: Files of the model folder, by name; the model itself is `model.onnx`.
        backends: Loads a file on an engine with a number of threads, by the engine's registered name.
        threads: Threads inside one operator.
        precision: `fp32`, `fp16`, `int8`, or `auto` for any.
        n: Inferences of each.
        limit_s: Time after which fewer will do [s].

    Returns:
        The choice, with what was measured.

    Raises:
        BadInput: If there is no such artifact, or none runs.
        Missing: If none runs because the engines are not installed.
    """
    wanted = [(backend, file) for backend in backends for file in artifact_for(backend, precision)]
    candidates = [Candidate(backend, file, artifacts[file]) for backend, file in wanted if file in artifacts]
    if not candidates:
        raise BadInput(
            f"no {precision} artifact for {', '.join(backends) or 'any engine'} among {', '.join(artifacts)}: make one "
            "with eyehand quantize or eyehand build, or choose another precision"
        )
    source = file_sha256(artifacts[MODEL_FILE]) if MODEL_FILE in artifacts else None
    measured = measure(candidates, backends, threads, n=n, limit_s=limit_s, vet=lambda one: vet(one, source))
    if all(row.timing is None for row in measured):
        raise nothing_runs(measured)
    winner = best(measured)
    return Choice(
        winner.candidate.backend, winner.candidate.precision, winner.candidate.file,
        _why(winner, measured, threads), tuple(measured),
    )  # fmt: skip


def best(measured: Sequence[Measured]) -> Measured:
    """The one to use, by the rule of `choose`; at least one must have run."""
    running = [(row, row.timing) for row in measured if row.timing is not None]
    for figure, tie in (("p99_ms", p99_tie(measured)), ("p50_ms", TIE)):
        limit = (1.0 + tie) * min(getattr(timing, figure) for _, timing in running)
        running = [(row, timing) for row, timing in running if getattr(timing, figure) <= limit]
    return min(running, key=lambda pair: (_rank(pair[0].candidate.precision), pair[1].p50_ms))[0]


def p99_tie(measured: Sequence[Measured]) -> float:
    """Relative difference up to which 99th percentiles count as equal: 5 %, or what one engine differs from itself."""
    return max(TIE, *(row.spread for row in measured))


def vet(candidate: Candidate, source: str | None = None) -> None:
    """Refuse an artifact that nobody vouches for.

    Args:
        candidate: The artifact.
        source: Hash of the model; None if it is not there.

    Raises:
        BadInput: If it has no passport of its file; if that speaks of another model or precision; or is INT8, and the
            passport does not say how it compares.
    """
    if candidate.file == MODEL_FILE:
        return
    path = passport_path(candidate.path)
    if not path.is_file():
        raise BadInput(f"{candidate.path} has no passport {path.name} beside it: make it again")
    passport = read_passport(path)
    passport.check_file(candidate.path)
    if source is not None and passport.source.get("sha256") not in (None, source):
        raise BadInput(f"{candidate.path} was made from another model than {MODEL_FILE}: make it again")
    if precision_of(candidate.file) not in (passport.precision, passport.precision.split("-")[0]):
        raise BadInput(f"{candidate.path} is {passport.precision} by its passport: give the file its own name back")
    if candidate.precision not in _PRECISE_FIRST and passport.parity is None:
        raise BadInput(f"{candidate.path} did not pass the gate: its passport has no parity with {MODEL_FILE}")


def _rank(precision: str) -> int:
    return _PRECISE_FIRST.index(precision) if precision in _PRECISE_FIRST else len(_PRECISE_FIRST)


def _why(winner: Measured, measured: Sequence[Measured], threads: int) -> str:
    assert winner.timing is not None
    others = [row for row in measured if row.timing is not None and row is not winner]
    against = f"against {', '.join(f'{row.candidate} {_figures(row)}' for row in others)}" if others else "nothing else"
    noise = p99_tie(measured)
    busy = ""
    if others and noise > TIE:
        busy = f" (the machine is busy: p99 of one and the same engine differs by {noise:.0%})"
    refused = "".join(f"; not {row.candidate}: {row.reason}" for row in measured if row.reason and not row.missing)
    return (
        f"{winner.candidate} was chosen by {winner.timing.n} inferences with {threads} thread{'s'[: threads > 1]} "
        f"here: {_figures(winner)}, {against}{'' if others else ' runs'}{busy}{refused}"
    )


def _figures(row: Measured) -> str:
    assert row.timing is not None
    return f"p99 {row.timing.p99_ms:.2f} ms p50 {row.timing.p50_ms:.2f} ms"
