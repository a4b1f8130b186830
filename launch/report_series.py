"""What the report's page draws, out of a ledger: distributions, the course of a run, its worst frames.

Everything is thinned so that a page stays small however long the run was, and never so that a peak disappears.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from deploy.latency_series import LatencySeries
from deploy.misses import Misses
from launch.config.budget import BudgetConfig
from launch.critical_path import worst_frames
from launch.ledger import REPORTED, Outcome, Reason, Rows, Rung, Stage
from launch.thinning import largest_of_stretches
from launch.trace.frame_paths import first_of

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

TIMELINE_POINTS = 2000
MARKS = 200
SPANS = 300
WORST_FRAMES = 10
# no clock that we read is finer, and a logarithmic axis has no zero
FINEST_MS = 1e-3
WAYS_BACK = (Reason.KEPT_AGAIN, Reason.OPERATOR_RESET, Reason.NEW_CELL)


def report_series(rows: Rows, budget: BudgetConfig, *, modelled: bool = False) -> dict[str, Any]:
    """Series for the page, ready for JSON.

    Args:
        rows: A whole ledger, by number.
        budget: The contract.
        modelled: Whether the distributions of the stages are of durations on the run's clock, not of what this machine
            took. Timeline, marks and the ways of frames are always in the run's own time.

    Returns:
        `ccdf`: by stage and path figure, durations `ms` and the `fraction` of all that took at least as long, with the
        clause's `limit_ms` and `statistic`. `timeline`: `command_age` and `reaction` [ms] over `t_s`; a null is a gap
        where no command followed a chunk. `episodes`, `spans` in which the control loop was on a rung, `marks`: misses
        and decisions, a lane each. `worst`: frames as in `launch.critical_path.worst_frames`. Times are seconds of the
        run's clock.
    """
    path = _Path(rows)
    in_run = _observed(rows, path, budget, "modelled_ns")
    shown = in_run if modelled else _observed(rows, path, budget, "measured_ns")
    episodes = rows[rows["stage"] == Stage.EPISODE]
    return {
        "span_s": _seconds(np.array([rows["now_ns"].min(), path.end_ns.max()])) if len(rows) else [0.0, 0.0],
        "ccdf": {name: _ccdf(name, of) for name, of in shown.items()},
        "timeline": _timeline(path, budget),
        "episodes": {"t_s": _seconds(episodes["now_ns"]), "number": episodes["sequence"].tolist()},
        "spans": _spans(rows),
        "marks": [*(_misses(name, of) for name, of in in_run.items()), *_decisions(rows)],
        "worst": worst_frames(rows, path.reacted, path.age_ns(path.reacted), budget, WORST_FRAMES),
    }


@dataclass(frozen=True, slots=True)
class _Observed:
    """Durations of one kind.

    Attributes:
        at_ns: Shape (N,), when each was over [ns].
        durations_ns: Shape (N,) [ns].
        limit_ms: Limit of its clause, if there is one [ms].
    """

    at_ns: Int64
    durations_ns: Int64
    limit_ms: float | None


def _observed(rows: Rows, path: _Path, budget: BudgetConfig, duration: str) -> dict[str, _Observed]:
    """Stages by a column of the ledger, and the figures of the whole path."""
    found = {}
    ended = (rows["outcome"] != Outcome.DROPPED) & (rows["outcome"] != Outcome.ERROR)
    for stage in REPORTED:
        at = np.flatnonzero((rows["stage"] == stage) & ended)
        found[stage.label] = _Observed(path.end_ns[at], rows[duration][at], budget.stages_ms.get(stage.label))
    ticks = rows[rows["stage"] == Stage.IK]
    ages = path.age_ns
    found["reaction"] = _Observed(path.end_ns[path.reacted], ages(path.reacted), budget.reaction_ms)
    found["command_age"] = _Observed(path.end_ns[path.follows], ages(path.follows), budget.command_age_ms)
    found["control_lateness"] = _Observed(ticks["now_ns"], np.maximum(ticks["wait_ns"], 0), budget.control_lateness_ms)
    return found


class _Path:
    """Which SEND rows carried a command that followed a chunk, and which of them was a chunk's first.

    Attributes:
        end_ns: Shape (N,), when each activation was over [ns].
        sends: Indices of the SEND rows.
        following: For each of `sends`, whether its command followed a chunk.
        follows: Indices of those that did.
        reacted: Indices of those that were the first of a newer chunk.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.end_ns: Int64 = rows["now_ns"] + np.where(rows["stage"] == Stage.CAPTURE, 0, rows["modelled_ns"])
        self.sends = np.flatnonzero(rows["stage"] == Stage.SEND)
        ticks = np.flatnonzero((rows["stage"] == Stage.IK) & (rows["sequence"] >= 0))
        tick = first_of(rows["sequence"][ticks], rows["input"][self.sends])
        known = tick >= 0
        chunk = np.full(len(self.sends), -1, dtype=np.int64)
        chunk[known] = rows["input"][ticks[tick[known]]]
        self.following: Bool = chunk >= 0
        self.following[known] &= rows["rung"][ticks[tick[known]]] < Rung.HOLD
        self.follows: Int64 = self.sends[self.following]
        chunks = chunk[self.following]
        newest = np.maximum.accumulate(chunks)
        self.reacted: Int64 = self.follows[np.diff(newest, prepend=-1) > 0]

    def age_ns(self, sends: Int64) -> Int64:
        """Age of the photons when these commands had been sent, shape as given [ns]."""
        ages: Int64 = self.end_ns[sends] - self._rows["photon_ns"][sends]
        return np.maximum(ages, 0)

    def stretches(self) -> Int64:
        """For each of `follows` a number that changes where following was interrupted or an episode began."""
        interrupted = np.cumsum(~self.following)[self.following]
        episodes = np.flatnonzero(self._rows["stage"] == Stage.EPISODE)
        stretches: Int64 = interrupted + np.searchsorted(episodes, self.follows)
        return stretches


def _ccdf(name: str, of: _Observed) -> dict[str, Any]:
    series = LatencySeries()
    series.add(of.durations_ns)
    ms, fraction = series.ccdf()
    return {
        "n": len(of.durations_ns),
        "ms": _significant(np.maximum(ms, FINEST_MS)),
        "fraction": _significant(fraction),
        "limit_ms": of.limit_ms,
        "statistic": "max" if name == "command_age" else "p99",
    }


def _timeline(path: _Path, budget: BudgetConfig) -> dict[str, Any]:
    """The course of command_age and reaction: all commands, or the largest value of each of equal stretches of time."""
    kept, _ = largest_of_stretches(path.end_ns[path.follows], path.age_ns(path.follows), TIMELINE_POINTS)
    ages, stretch = _milliseconds(path.age_ns(path.follows)[kept]), path.stretches()[kept]
    t_s, ms = _seconds(path.end_ns[path.follows][kept]), list[float | None](ages)
    for gap in reversed(np.flatnonzero(np.diff(stretch)).tolist()):
        t_s.insert(gap + 1, round((t_s[gap] + t_s[gap + 1]) / 2, 5))
        ms.insert(gap + 1, None)
    reactions = path.age_ns(path.reacted)
    shown, _ = largest_of_stretches(path.end_ns[path.reacted], reactions, TIMELINE_POINTS)
    return {
        "command_age": {
            "n": len(path.follows), "shown": len(kept), "t_s": t_s, "ms": ms, "limit_ms": budget.command_age_ms
        },
        "reaction": {
            "n": len(path.reacted), "shown": len(shown), "t_s": _seconds(path.end_ns[path.reacted][shown]),
            "ms": _milliseconds(reactions[shown]), "limit_ms": budget.reaction_ms,
        },
    }  # fmt: skip


def _spans(rows: Rows) -> dict[str, Any]:
    """When the control loop went on along an old chunk, held or was stopped; of very many the longest."""
    ticks = np.flatnonzero(rows["stage"] == Stage.IK)
    episode = np.cumsum(rows["stage"] == Stage.EPISODE)[ticks]
    rung, now_ns = rows["rung"][ticks], rows["now_ns"][ticks]
    begins = np.flatnonzero(np.diff(rung, prepend=-1).astype(bool) | np.diff(episode, prepend=-1).astype(bool))
    last = np.append(begins[1:], len(ticks))[: len(begins)] - 1
    following = np.minimum(last + 1, len(ticks) - 1)
    # until the next tick, and at an end until the last one
    until = np.where(episode[following] == episode[last], now_ns[following], now_ns[last])
    from_ns, rung = now_ns[begins], rung[begins]
    wanted = np.flatnonzero(rung >= Rung.CONTINUE)
    wanted = np.sort(wanted[np.argsort(from_ns[wanted] - until[wanted], kind="stable")[:SPANS]])
    return {
        "from_s": _seconds(from_ns[wanted]),
        "to_s": _seconds(until[wanted]),
        "rung": [Rung(code).name.lower() for code in rung[wanted].tolist()],
    }


def _misses(name: str, of: _Observed) -> dict[str, Any]:
    limit_ns = Misses(of.limit_ms).limit_ns
    missed = of.durations_ns > (np.iinfo(np.int64).max if limit_ns is None else limit_ns)
    at_ns, durations_ns = of.at_ns[missed], of.durations_ns[missed]
    kept = largest_of_stretches(at_ns, durations_ns, MARKS)
    return {"lane": name, "kind": "miss", "limit_ms": of.limit_ms, **_marks(at_ns, durations_ns, *kept)}


def _decisions(rows: Rows) -> Iterator[dict[str, Any]]:
    """One lane for each rung, and one for the ways back."""
    ladder = rows[rows["stage"] == Stage.LADDER]
    back = np.isin(ladder["decision"], WAYS_BACK)
    lanes = {rung.name.lower(): ~back & (ladder["rung"] == rung) for rung in Rung} | {"back": back}
    for name, members in lanes.items():
        of_lane = ladder[members]
        kept, together = largest_of_stretches(of_lane["now_ns"], of_lane["measured_ns"], MARKS)
        shown = of_lane[kept]
        yield {
            "lane": name,
            "kind": "ladder",
            **_marks(of_lane["now_ns"], of_lane["measured_ns"], kept, together),
            "limit_ms": _milliseconds(shown["modelled_ns"]),
            "slack_ms": _milliseconds(shown["wait_ns"]),
            "reason": [Reason(code).sentence for code in shown["decision"].tolist()],
            "stage": [Stage(code).label if code >= 0 else None for code in shown["other"].tolist()],
        }


def _marks(at_ns: Int64, values_ns: Int64, kept: Int64, together: Int64) -> dict[str, Any]:
    """Events of a lane: of those that fall together the largest, and how many they are."""
    return {
        "n": len(at_ns),
        "t_s": _seconds(at_ns[kept]),
        "value_ms": _milliseconds(values_ns[kept]),
        "count": together.tolist(),
    }


def _seconds(instants_ns: Int64) -> list[float]:
    seconds: list[float] = (instants_ns * 1e-9).round(5).tolist()
    return seconds


def _milliseconds(durations_ns: Int64) -> list[float]:
    return _significant(durations_ns * 1e-6)


def _significant(values: npt.NDArray[np.floating[Any]]) -> list[float]:
    """Values to five digits: more than a plot can show, in half the bytes."""
    return [float(f"{value:.5g}") for value in values.tolist()]
